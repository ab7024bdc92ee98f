"""The repetition measures of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, table A1).

They are counted as datatrove's GopherRepetitionFilter counts them: paragraphs are cut at two or more line
feeds of the stripped text, lines at one or more; fractions of characters are of the whole text's; the
n-grams of words are joined by spaces for the most frequent one and without for the repeated ones.
"""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerRow
from filters.annotators.repeats import (
    duplicates,
    joined,
    repeated_ngrams_characters,
    top_ngrams_characters,
)
from filters.base import Hashes, Offsets, TextView
from filters.hashing import pieces
from filters.jit import kernel

_LINE_FEED = 10

TOP_NGRAMS = range(2, 5)
"""Table A1: "top n-gram character fraction"."""
REPEATED_NGRAMS = range(5, 11)
"""Table A1: "duplicate n-gram character fraction"."""
_TOP, _LAST_TOP = TOP_NGRAMS[0], TOP_NGRAMS[-1]
_REPEATED, _LAST_REPEATED = REPEATED_NGRAMS[0], REPEATED_NGRAMS[-1]


class GopherRepetition(PerRow):
    """Measures behind Gopher's repetition rules (`filters/rulesets/gopher.yaml`).

    gopher_repetition.duplicate_line_fraction, .duplicate_paragraph_fraction: shares of the lines and
    paragraphs that occurred before; .duplicate_line_characters, .duplicate_paragraph_characters: their share
    of all characters. .top_2_gram to .top_4_gram: share of all characters in the most frequent n-gram.
    .repeated_5_gram to .repeated_10_gram: share of all characters in n-grams that occurred before. All null
    for an empty text.
    """

    name = "gopher_repetition"
    version = "2"
    columns = {
        "gopher_repetition.duplicate_line_fraction": pa.float64(),
        "gopher_repetition.duplicate_line_characters": pa.float64(),
        "gopher_repetition.duplicate_paragraph_fraction": pa.float64(),
        "gopher_repetition.duplicate_paragraph_characters": pa.float64(),
        **{f"gopher_repetition.top_{n}_gram": pa.float64() for n in TOP_NGRAMS},
        **{f"gopher_repetition.repeated_{n}_gram": pa.float64() for n in REPEATED_NGRAMS},
    }

    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        if len(view):
            words, paragraphs = view.words, view.paragraphs
            _measure(
                view.code_points,
                view.prefix_hashes,
                paragraphs.starts,
                paragraphs.ends,
                words.starts,
                words.ends,
                view.word_hashes,
                row,
            )


@kernel
def _measure(
    code_points: npt.NDArray[np.uint32],
    running: Hashes,
    paragraph_starts: Offsets,
    paragraph_ends: Offsets,
    word_starts: Offsets,
    word_ends: Offsets,
    word_hashes: Hashes,
    row: npt.NDArray[np.float64],
) -> None:
    """All columns in their order."""
    length = len(code_points)
    starts, ends = cut_at_feeds(code_points)
    count, characters = duplicates(pieces(running, starts, ends), ends - starts)
    row[0], row[1] = count / len(starts), characters / length
    hashes = pieces(running, paragraph_starts, paragraph_ends)
    count, characters = duplicates(hashes, paragraph_ends - paragraph_starts)
    row[2], row[3] = count / len(hashes), characters / length
    bounds, joint = joined(running, word_starts, word_ends)
    top = top_ngrams_characters(word_hashes, bounds, _TOP, _LAST_TOP)
    repeated = repeated_ngrams_characters(running, word_starts, bounds, joint, _REPEATED, _LAST_REPEATED)
    row[4 : 4 + len(top)] = top / length
    row[4 + len(top) :] = repeated / length


@kernel
def cut_at_feeds(code_points: npt.NDArray[np.uint32]) -> tuple[Offsets, Offsets]:
    """Starts and ends of what runs of line feeds separate; one more than there are runs."""
    length = len(code_points)
    count = 1
    for at in range(length):
        if code_points[at] == _LINE_FEED and (at == 0 or code_points[at - 1] != _LINE_FEED):
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count = 0
    starts[0] = 0
    for at in range(length):
        if code_points[at] == _LINE_FEED:
            if at == 0 or code_points[at - 1] != _LINE_FEED:
                ends[count] = at
                count += 1
            starts[count] = at + 1
    ends[count] = length
    return starts, ends

"""The repetition measures of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, table A1).

They are counted as datatrove's GopherRepetitionFilter counts them: paragraphs are cut at two or more line
feeds of the stripped text, lines at one or more; fractions of characters are of the whole text's; the
n-grams of words are joined by spaces for the most frequent one and without for the repeated ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerText
from filters.annotators.repeats import (
    duplicates,
    joined,
    repeated_ngrams_characters,
    top_ngrams_characters,
)
from filters.base import Offsets, Spans, TextView
from filters.jit import kernel

_LINE_FEED = 10

TOP_NGRAMS = range(2, 5)
"""Table A1: "top n-gram character fraction"."""
REPEATED_NGRAMS = range(5, 11)
"""Table A1: "duplicate n-gram character fraction"."""


class GopherRepetition(PerText):
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

    def measure(self, view: TextView) -> tuple[Any, ...]:
        length = len(view)
        if not length:
            return (None,) * len(self.columns)
        values: list[float] = []
        words = view.words
        running = view.prefix_hashes
        for spans in (_lines(view), view.paragraphs):
            count, characters = duplicates(view.hashes(spans), spans.lengths)
            values += [count / len(spans), characters / length]
        bounds, hashes = joined(running, words.starts, words.ends)
        top = top_ngrams_characters(view.word_hashes, bounds, TOP_NGRAMS[0], TOP_NGRAMS[-1])
        sizes = REPEATED_NGRAMS[0], REPEATED_NGRAMS[-1]
        repeated = repeated_ngrams_characters(running, words.starts, bounds, hashes, *sizes)
        values += [characters / length for characters in (*top.tolist(), *repeated.tolist())]
        return tuple(values)


def _lines(view: TextView) -> Spans:
    """The text cut at runs of line feeds."""
    return Spans(*cut_at_feeds(view.code_points))


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

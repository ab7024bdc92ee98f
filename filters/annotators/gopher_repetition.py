"""The repetition measures of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, table A1).

They are counted as datatrove's GopherRepetitionFilter counts them: paragraphs are cut at two or more line
feeds of the stripped text, lines at one or more; fractions of characters are of the whole text's; the
n-grams of words are joined by spaces for the most frequent one and without for the repeated ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from filters.annotators.per_text import PerText
from filters.annotators.repeats import duplicates, repeated_ngram_characters, top_ngrams_characters
from filters.base import Offsets, Spans, TextView
from filters.hashing import prefix
from filters.segmentation import cut, runs

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
    version = "1"
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
        for spans in (_lines(view), view.paragraphs):
            count, characters = duplicates(view.hashes(spans), spans.lengths)
            values += [count / len(spans), characters / length]
        bounds = _bounds(view.words.lengths)
        top = top_ngrams_characters(view.word_hashes, bounds, TOP_NGRAMS)
        values += [characters / length for characters in top]
        running = prefix(_joined(view, bounds))
        values += [repeated_ngram_characters(running, bounds, n) / length for n in REPEATED_NGRAMS]
        return tuple(values)


def _lines(view: TextView) -> Spans:
    gaps = runs(view.code_points == 10)
    return cut(len(view), gaps.starts, gaps.lengths)


def _bounds(lengths: Offsets) -> Offsets:
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds


def _joined(view: TextView, bounds: Offsets) -> Any:
    """Code points of the words without what lies between them: every visible character is in exactly one
    word."""
    joined = view.code_points[view.visible]
    assert len(joined) == bounds[-1]
    return joined

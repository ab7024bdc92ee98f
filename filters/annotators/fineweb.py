"""The measures that FineWeb added (Penedo et al. 2024, arXiv 2406.17557, section 3.6; datatrove's
FineWebQualityFilter)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from filters.annotators.per_text import PerText, Positive, ratio
from filters.annotators.repeats import duplicates
from filters.base import TextView
from filters.characters import TERMINAL
from filters.segmentation import cut

SHORT_LINE = 30
"""Characters: datatrove's FineWebQualityFilter, `short_line_length`."""


class FineWeb(PerText):
    """Measures behind FineWeb's rules (`filters/rulesets/fineweb.yaml`), over the lines that are not blank.

    fineweb.line_punctuation_ratio: lines whose last character is terminal punctuation.
    fineweb.short_line_ratio: lines of at most `short_line` characters. fineweb.duplicate_characters_ratio:
    characters of lines that occurred before, to all characters but line feeds. fineweb.newline_ratio: line
    feeds a word (punctuation counts as a word). Null for a blank text.

    Args:
        short_line: the longest short line, in characters.
    """

    name = "fineweb"
    version = "1"
    columns = {
        "fineweb.line_punctuation_ratio": pa.float64(),
        "fineweb.short_line_ratio": pa.float64(),
        "fineweb.duplicate_characters_ratio": pa.float64(),
        "fineweb.newline_ratio": pa.float64(),
    }

    def __init__(self, short_line: Positive = SHORT_LINE) -> None:
        self.short_line = short_line

    def measure(self, view: TextView) -> tuple[Any, ...]:
        lines = cut(len(view), view.newlines)
        seen = np.searchsorted(view.visible, lines.ends) - np.searchsorted(view.visible, lines.starts)
        lines = lines[seen > 0]
        if not len(lines):
            return (None,) * len(self.columns)
        punctuated = np.count_nonzero(view.classes[lines.ends - 1] & TERMINAL)
        short = np.count_nonzero(lines.lengths <= self.short_line)
        _, repeated = duplicates(view.hashes(lines), lines.lengths)
        return (
            int(punctuated) / len(lines),
            int(short) / len(lines),
            repeated / (len(view) - len(view.newlines)),
            ratio(len(view.newlines), len(view.words)),
        )

"""The measures that FineWeb added (Penedo et al. 2024, arXiv 2406.17557, section 3.6; datatrove's
FineWebQualityFilter)."""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerRow, Positive
from filters.annotators.repeats import duplicates
from filters.base import Hashes, TextView
from filters.characters import SPACE, TERMINAL
from filters.hashing import piece
from filters.jit import kernel

_LINE_FEED = 10

SHORT_LINE = 30
"""Characters: datatrove's FineWebQualityFilter, `short_line_length`."""


class FineWeb(PerRow):
    """Measures behind FineWeb's rules (`filters/rulesets/fineweb.yaml`), over the lines that are not blank.

    fineweb.line_punctuation_ratio: lines whose last character is terminal punctuation.
    fineweb.short_line_ratio: lines of at most `short_line` characters. fineweb.duplicate_characters_ratio:
    characters of lines that occurred before, to all characters but line feeds. fineweb.newline_ratio: line
    feeds a word (punctuation counts as a word). Null for a blank text.

    Args:
        short_line: the longest short line, in characters.
    """

    name = "fineweb"
    version = "2"
    columns = {
        "fineweb.line_punctuation_ratio": pa.float64(),
        "fineweb.short_line_ratio": pa.float64(),
        "fineweb.duplicate_characters_ratio": pa.float64(),
        "fineweb.newline_ratio": pa.float64(),
    }

    def __init__(self, short_line: Positive = SHORT_LINE) -> None:
        self.short_line = short_line

    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        words = len(view.words)
        _measure(view.code_points, view.classes, view.prefix_hashes, words, self.short_line, row)


@kernel
def _measure(
    code_points: npt.NDArray[np.uint32],
    classes: npt.NDArray[np.uint32],
    running: Hashes,
    words: int,
    short_line: int,
    row: npt.NDArray[np.float64],
) -> None:
    """All columns in their order."""
    length = len(code_points)
    feeds = 0
    for at in range(length):
        if code_points[at] == _LINE_FEED:
            feeds += 1
    hashes, lengths = np.empty(feeds + 1, np.uint64), np.empty(feeds + 1, np.int64)
    lines = punctuated = short = start = 0
    blank = True
    for at in range(length + 1):
        if at < length and code_points[at] != _LINE_FEED:
            if not classes[at] & SPACE:
                blank = False
            continue
        if not blank:
            if classes[at - 1] & TERMINAL:
                punctuated += 1
            if at - start <= short_line:
                short += 1
            hashes[lines], lengths[lines] = piece(running, start, at), at - start
            lines += 1
        start = at + 1
        blank = True
    if lines:
        _, repeated = duplicates(hashes[:lines], lengths[:lines])
        row[0] = punctuated / lines
        row[1] = short / lines
        row[2] = repeated / (length - feeds)
        row[3] = feeds / words

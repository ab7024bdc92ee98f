"""Plain counts of a text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerRow
from filters.base import Offsets, TextView
from filters.characters import ALPHA, DIGIT, SPACE, WORD
from filters.jit import loop


class Stats(PerRow):
    """Sizes and kinds of characters.

    stats.characters, .bytes: code points, and bytes in UTF-8. stats.lines: lines as `str.splitlines` sees
    them. stats.words: words, without punctuation. stats.sentences. stats.alpha_fraction, .digit_fraction,
    .whitespace_fraction: shares of the characters. stats.mean_word_length: characters a word.
    """

    name = "stats"
    version = "2"
    columns = {
        "stats.characters": pa.int64(),
        "stats.bytes": pa.int64(),
        "stats.words": pa.int64(),
        "stats.lines": pa.int64(),
        "stats.sentences": pa.int64(),
        "stats.alpha_fraction": pa.float64(),
        "stats.digit_fraction": pa.float64(),
        "stats.whitespace_fraction": pa.float64(),
        "stats.mean_word_length": pa.float64(),
    }

    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        words = view.words
        row[1], row[3], row[4] = view.utf8_length, len(view.lines), len(view.sentences)
        _measure(view.classes, words.starts, words.ends, row)


@loop
def _measure(
    classes: npt.NDArray[np.uint32], starts: Offsets, ends: Offsets, row: npt.NDArray[np.float64]
) -> None:
    """The columns that come from kinds of characters."""
    length = len(classes)
    letters = digits = spaces = words = characters = 0
    for at in range(length):
        flags = classes[at]
        letters += flags & ALPHA != 0
        digits += flags & DIGIT != 0
        spaces += flags & SPACE != 0
    for index in range(len(starts)):
        for at in range(starts[index], ends[index]):
            if classes[at] & WORD:
                words += 1
                characters += ends[index] - starts[index]
                break
    row[0], row[2] = length, words
    if length:
        row[5], row[6], row[7] = letters / length, digits / length, spaces / length
    if words:
        row[8] = characters / words

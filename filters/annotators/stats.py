"""Plain counts of a text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from filters.annotators.per_text import PerText, ratio
from filters.base import TextView
from filters.characters import ALPHA, DIGIT, SPACE, WORD


class Stats(PerText):
    """Sizes and kinds of characters.

    stats.characters, .bytes: code points, and bytes in UTF-8. stats.lines: lines as `str.splitlines` sees
    them. stats.words: words, without punctuation. stats.sentences. stats.alpha_fraction, .digit_fraction,
    .whitespace_fraction: shares of the characters. stats.mean_word_length: characters a word.
    """

    name = "stats"
    version = "1"
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

    def measure(self, view: TextView) -> tuple[Any, ...]:
        length = len(view)
        words = view.words[view.flagged(view.words, WORD)]
        shares = [ratio(int(np.count_nonzero(view.classes & flag)), length) for flag in (ALPHA, DIGIT, SPACE)]
        mean = ratio(int(words.lengths.sum()), len(words))
        counts = (length, view.utf8_length, len(words), len(view.lines), len(view.sentences))
        return (*counts, *shares, mean)

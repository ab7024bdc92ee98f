"""The quality measures of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, "Quality Filtering").

The measures and their quirks are those of datatrove's GopherQualityFilter, which FineWeb used: a word may be
punctuation, word count and mean length leave such words out, stop words are matched with their case, ratios
are to all words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters.annotators.per_text import PerText, ratio
from filters.base import TextView
from filters.characters import ALPHA, PUNCTUATION

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher, appendix A.1.1: "at least two of the following English words"."""

_BULLETS = (ord("•"), ord("-"))
"""Gopher says "bullet point"; the two marks are datatrove's."""
_STOP, _ELLIPSIS = ord("."), ord("…")


class Gopher(PerText):
    """Measures behind Gopher's quality rules (`filters/rulesets/gopher.yaml`).

    gopher.words: words that are not punctuation. gopher.mean_word_length: characters, of the same words.
    gopher.hash_ratio, .ellipsis_ratio: "#", and "..." or "…", a word. gopher.bullet_line_fraction,
    .ellipsis_line_fraction: lines that begin with • or -, and that end with an ellipsis.
    gopher.alpha_word_fraction: words with at least one letter. gopher.stop_words: how many of the stop words
    occur. Null where there is no word or line.

    Args:
        stop_words: another language's list; Gopher's eight English words by default.
    """

    name = "gopher"
    version = "1"
    columns = {
        "gopher.words": pa.int64(),
        "gopher.mean_word_length": pa.float64(),
        "gopher.hash_ratio": pa.float64(),
        "gopher.ellipsis_ratio": pa.float64(),
        "gopher.bullet_line_fraction": pa.float64(),
        "gopher.ellipsis_line_fraction": pa.float64(),
        "gopher.alpha_word_fraction": pa.float64(),
        "gopher.stop_words": pa.int64(),
    }

    def __init__(self, stop_words: Sequence[str] = STOP_WORDS) -> None:
        hashes = [TextView(word).word_hashes for word in sorted(set(stop_words))]
        self._stop_words = np.sort(np.array([found[0] for found in hashes if len(found) == 1], np.uint64))

    def measure(self, view: TextView) -> tuple[Any, ...]:
        words = view.words
        lengths = words.lengths
        real = view.counted(words, PUNCTUATION) < lengths
        real_words = int(np.count_nonzero(real))
        hashes = view.text.count("#")
        ellipses = view.text.count("...") + view.text.count("…")
        bullets, trailing = _line_marks(view)
        return (
            real_words,
            ratio(int(lengths[real].sum()), real_words),
            ratio(hashes, len(words)),
            ratio(ellipses, len(words)),
            ratio(bullets, len(view.lines)),
            ratio(trailing, len(view.lines)),
            ratio(int(np.count_nonzero(view.flagged(words, ALPHA))), len(words)),
            self._stop_words_in(view),
        )

    def _stop_words_in(self, view: TextView) -> int:
        if not len(self._stop_words):
            return 0
        places = np.minimum(np.searchsorted(self._stop_words, view.word_hashes), len(self._stop_words) - 1)
        return len(set(places[self._stop_words[places] == view.word_hashes].tolist()))


def _line_marks(view: TextView) -> tuple[int, int]:
    """How many lines begin with a bullet, and how many end with an ellipsis; white space aside."""
    lines = view.trimmed(view.lines)
    lines = lines[lines.lengths > 0]
    code_points = view.code_points
    first = code_points[lines.starts]
    bullets = sum(int(np.count_nonzero(first == bullet)) for bullet in _BULLETS)
    ends = code_points[lines.ends - 1] == _ELLIPSIS
    long = np.flatnonzero(lines.lengths >= 3)
    last = lines.ends[long]
    dots = code_points[last - 1] == _STOP
    dots &= code_points[last - 2] == _STOP
    dots &= code_points[last - 3] == _STOP
    ends[long[dots]] = True
    return bullets, int(np.count_nonzero(ends))

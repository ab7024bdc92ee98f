"""The quality measures of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, "Quality Filtering").

The measures and their quirks are those of datatrove's GopherQualityFilter, which FineWeb used: a word may be
punctuation, word count and mean length leave such words out, stop words are matched with their case, ratios
are to all words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerText, ratio
from filters.base import Hashes, Offsets, TextView
from filters.characters import ALPHA, PUNCTUATION, SPACE
from filters.jit import kernel

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher, appendix A.1.1: "at least two of the following English words"."""

_BULLET, _DASH = ord("•"), ord("-")
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
    version = "2"
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
        words, lines = view.words, view.lines
        real_words, characters, alphabetic, stop_words = _count_words(
            view.classes, words.starts, words.ends, view.word_hashes, self._stop_words
        )
        hashes = view.text.count("#")
        ellipses = view.text.count("...") + view.text.count("…")
        bullets, trailing = _count_line_marks(view.code_points, view.classes, lines.starts, lines.ends)
        return (
            real_words,
            ratio(characters, real_words),
            ratio(hashes, len(words)),
            ratio(ellipses, len(words)),
            ratio(bullets, len(lines)),
            ratio(trailing, len(lines)),
            ratio(alphabetic, len(words)),
            stop_words,
        )


@kernel
def _count_words(
    classes: npt.NDArray[np.uint32], starts: Offsets, ends: Offsets, hashes: Hashes, stop_words: Hashes
) -> tuple[int, int, int, int]:
    """Words that are not punctuation, their characters, words with a letter, and how many stop words occur."""
    real = characters = alphabetic = 0
    seen = np.zeros(len(stop_words), np.bool_)
    for index in range(len(starts)):
        mark, letter = True, False
        for at in range(starts[index], ends[index]):
            flags = classes[at]
            if not flags & PUNCTUATION:
                mark = False
                if flags & ALPHA:
                    letter = True
                    break
        if not mark:
            real += 1
            characters += ends[index] - starts[index]
        if letter:
            alphabetic += 1
            for place in range(len(stop_words)):
                if hashes[index] == stop_words[place]:
                    seen[place] = True
    return real, characters, alphabetic, np.count_nonzero(seen)


@kernel
def _count_line_marks(
    code_points: npt.NDArray[np.uint32], classes: npt.NDArray[np.uint32], starts: Offsets, ends: Offsets
) -> tuple[int, int]:
    """How many lines begin with a bullet, and how many end with an ellipsis; white space aside."""
    bullets = trailing = 0
    for index in range(len(starts)):
        first, last = starts[index], ends[index]
        while first < last and classes[first] & SPACE:
            first += 1
        while first < last and classes[last - 1] & SPACE:
            last -= 1
        if first == last:
            continue
        if code_points[first] == _BULLET or code_points[first] == _DASH:
            bullets += 1
        if code_points[last - 1] == _ELLIPSIS or (
            last - first >= 3
            and code_points[last - 1] == _STOP
            and code_points[last - 2] == _STOP
            and code_points[last - 3] == _STOP
        ):
            trailing += 1
    return bullets, trailing

"""The quality measures of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1, "Quality Filtering").

The measures and their quirks are those of datatrove's GopherQualityFilter, which FineWeb used: a word may be
punctuation, word count and mean length leave such words out, stop words are matched with their case, ratios
are to all words.
"""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerRow
from filters.base import Hashes, Offsets, TextView
from filters.characters import ALPHA, PUNCTUATION, SPACE
from filters.hashing import find, hash_set
from filters.jit import loop

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher, appendix A.1.1: "at least two of the following English words"."""

_BULLET, _DASH = ord("•"), ord("-")
"""Gopher says "bullet point"; the two marks are datatrove's."""
_STOP, _ELLIPSIS, _NUMBER_SIGN = ord("."), ord("…"), ord("#")

CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint32]


class Gopher(PerRow):
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
        self.stop_words = sorted(set(stop_words))

    @cached_property
    def _stop_words(self) -> Hashes:
        """Hash set of the stop words; one that is not one word never occurs."""
        hashes = [TextView(word).word_hashes for word in self.stop_words]
        return hash_set(np.array([found[0] for found in hashes if len(found) == 1], np.uint64))

    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        words, lines = view.words, view.lines
        seen = np.zeros(len(self._stop_words), np.bool_)
        _measure(
            view.code_points,
            view.classes,
            words.starts,
            words.ends,
            view.word_hashes,
            self._stop_words,
            seen,
            lines.starts,
            lines.ends,
            row,
        )


@loop
def _measure(
    code_points: CodePoints,
    classes: Classes,
    starts: Offsets,
    ends: Offsets,
    hashes: Hashes,
    stop_words: Hashes,
    seen: npt.NDArray[np.bool_],
    line_starts: Offsets,
    line_ends: Offsets,
    row: npt.NDArray[np.float64],
) -> None:
    """All columns in their order; those without a word or line to measure stay as they are."""
    words = len(starts)
    real, characters, alphabetic, found = _count_words(classes, starts, ends, hashes, stop_words, seen)
    number_signs, ellipses = _count_symbols(code_points)
    lines = len(line_starts)
    bullets, trailing = _count_line_marks(code_points, classes, line_starts, line_ends)
    row[0] = real
    if real:
        row[1] = characters / real
    if words:
        row[2] = number_signs / words
        row[3] = ellipses / words
    if lines:
        row[4] = bullets / lines
        row[5] = trailing / lines
    if words:
        row[6] = alphabetic / words
    row[7] = found


@loop
def _count_words(
    classes: Classes,
    starts: Offsets,
    ends: Offsets,
    hashes: Hashes,
    stop_words: Hashes,
    seen: npt.NDArray[np.bool_],
) -> tuple[int, int, int, int]:
    """Words that are not punctuation, their characters, words with a letter, different stop words."""
    real = characters = alphabetic = found = 0
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
            slot = find(stop_words, hashes[index])
            if stop_words[slot] and not seen[slot]:
                seen[slot] = True
                found += 1
    return real, characters, alphabetic, found


@loop
def _count_symbols(code_points: CodePoints) -> tuple[int, int]:
    """Number signs, and ellipses: "…" and, left to right, "..."."""
    number_signs = ellipses = stops = 0
    for at in range(len(code_points)):
        mark = code_points[at]
        if mark == _STOP:
            stops += 1
            if stops == 3:
                ellipses += 1
                stops = 0
            continue
        stops = 0
        if mark == _NUMBER_SIGN:
            number_signs += 1
        elif mark == _ELLIPSIS:
            ellipses += 1
    return number_signs, ellipses


@loop
def _count_line_marks(
    code_points: CodePoints, classes: Classes, starts: Offsets, ends: Offsets
) -> tuple[int, int]:
    """Lines that begin with a bullet, and those that end with an ellipsis; white space aside."""
    bullets = trailing = 0
    for index in range(len(starts)):
        first, last = starts[index], ends[index] - 1
        while first <= last and classes[first] & SPACE:
            first += 1
        while first <= last and classes[last] & SPACE:
            last -= 1
        if first > last:
            continue
        bullets += code_points[first] == _BULLET or code_points[first] == _DASH
        trailing += code_points[last] == _ELLIPSIS or (
            last - first >= 2
            and code_points[last] == _STOP
            and code_points[last - 1] == _STOP
            and code_points[last - 2] == _STOP
        )
    return bullets, trailing

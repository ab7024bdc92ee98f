"""Pieces of a text without what does not tell them apart, and their hashes, by one look-up a character.

What may be folded, and by whom it is: case, accents, the values of numbers, punctuation and white space by
CCNet (Wenzek et al. 2020, arXiv 1911.00359, "Deduplication") and by datatrove's sentence deduplication
(`TextNormConfig`: `lowercase`, `norm_unicode_diacritics`, `norm_numbers`, `remove_punctuation`,
`norm_whitespace`). Where this differs from them: accents are marks over, under and through letters and the
points of Hebrew, Arabic and Syriac, while marks that make another letter stay (the vowel signs of India,
South-East Asia and Tibet, nukta and virama, the voicing marks of kana), so that pieces in those scripts are
not taken for one another; and σ and ς are one small letter.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Literal

import numpy as np
import numpy.typing as npt

from filters.base import Hashes, Offsets
from filters.characters import (
    ASSIGNED,
    CODE_POINTS,
    DIGIT,
    P_CATEGORY,
    PUNCTUATION,
    SPACE,
    UNSPACED,
    WORD,
    class_table,
)
from filters.hashing import scramble
from filters.jit import kernel, loop

Fold = Literal["case", "accents", "numbers", "punctuation", "space"]
FOLDS: tuple[Fold, ...] = ("case", "accents", "numbers", "punctuation", "space")
CodePoints = npt.NDArray[np.uint32]

POINTS = ".,\u066b\u060c"
"""What may stand between the digits of a number: full stop, comma, and those of Arabic
(datatrove.utils.text.NUMBERS_PATTERN)."""
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Folded with white space: soft hyphen, zero-width space, joiners, marks of direction, byte order mark."""

_TARGET = np.uint32((1 << 24) - 1)
_GONE, _GAP, _FIGURE, _POINT, _APART, _UNSPACED = (np.uint32(1 << bit) for bit in range(24, 30))
# The multipliers of xxHash's and of Murmur3's 64-bit finishers: odd, with bits everywhere.
_FIRST, _SECOND = np.uint64(0x9E3779B185EBCA87), np.uint64(0xFF51AFD7ED558CCD)
_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
_S29, _S32 = np.uint64(29), np.uint64(32)


def _is_accent(mark: str) -> bool:
    """By the canonical combining class: overlays (1), points of Hebrew, Arabic and Syriac (10 to 36),
    everything that stands around a letter (200 and above)."""
    kind = unicodedata.combining(mark)
    return kind == 1 or 10 <= kind <= 36 or kind >= 200


def _folded(character: str, case: bool, accents: bool) -> str:
    """What a character becomes: one character, or none."""
    small = character
    if case:
        small = character.casefold()
        if len(small) != 1:
            small = character.lower()[0] if accents or len(character.lower()) == 1 else character
    if accents:
        kept = "".join(part for part in unicodedata.normalize("NFD", small) if not _is_accent(part))
        kept = unicodedata.normalize("NFC", kept)
        return kept if len(kept) < 2 else small
    return small


@functools.cache
def fold_table(folds: tuple[Fold, ...]) -> CodePoints:
    """What every code point becomes: uint32[0x110000], a code point and flags. Built once a process (half a
    second)."""
    table = np.arange(CODE_POINTS, dtype=np.uint32)
    case, accents, numbers = "case" in folds, "accents" in folds, "numbers" in folds
    for first, last in ASSIGNED:
        for code_point in range(first, last):
            character = chr(code_point)
            folded = _folded(character, case, accents)
            table[code_point] = ord(folded) if folded else _GONE
            if numbers and unicodedata.category(character) == "Nd":
                table[code_point] = ord("0") | _FIGURE
    # Of what a character has become: without its stroke ≠ is a mark. datatrove's punctuation has a digit.
    classes = class_table()[table & _TARGET]
    classes[(table & _GONE) > 0] = 0
    spaces, marks = (classes & SPACE) > 0, (classes & (PUNCTUATION | P_CATEGORY)) > 0
    marks &= ~spaces & ((classes & DIGIT) == 0)
    if "punctuation" in folds:
        table[marks] = ord(" ")
    if "space" in folds:
        table[[ord(character) for character in INVISIBLE]] = _GONE
        table[spaces | (marks if "punctuation" in folds else False)] = ord(" ") | _GAP
    if numbers:
        table[[ord(character) for character in POINTS]] |= _POINT
    table[(marks | ((classes & WORD) == 0)) & ((table & _GONE) == 0)] |= _APART
    table[(classes & UNSPACED) > 0] |= _UNSPACED
    table.flags.writeable = False
    return table


@loop
def _digest(
    code_points: CodePoints, start: int, end: int, table: CodePoints, found: Hashes
) -> tuple[int, int]:
    """Write the 128-bit hash of a piece; returns how many characters are left of it, and twice its words."""
    gone, gap, figure, point = _GONE, _GAP, _FIGURE, _POINT
    high, low = _SEED, ~_SEED
    length = words = 0
    waiting = False
    inside = False
    at = start
    while at < end:
        entry = table[code_points[at]]
        at += 1
        if entry & (_APART | _UNSPACED):
            words += (entry & _UNSPACED) != 0
            inside = False
        elif not entry & (gone | figure) and not inside:
            words += 2
            inside = True
        if entry & gone:
            continue
        if entry & gap:
            waiting = length > 0
            continue
        if waiting:
            high = (high ^ np.uint64(32)) * _FIRST
            high ^= high >> _S32
            low = (low + np.uint64(32)) * _SECOND
            low ^= low >> _S29
            waiting = False
        if entry & figure:
            while at < end and (
                table[code_points[at]] & figure
                or (table[code_points[at]] & point and at + 1 < end and table[code_points[at + 1]] & figure)
            ):
                at += 1
        value = np.uint64(entry & _TARGET)
        high = (high ^ value) * _FIRST
        high ^= high >> _S32
        low = (low + value) * _SECOND
        low ^= low >> _S29
        length += 1
    found[0], found[1] = scramble(high), scramble(low)
    return length, words


@kernel
def digests(
    code_points: CodePoints, starts: Offsets, ends: Offsets, table: CodePoints
) -> tuple[Hashes, Offsets]:
    """The hash of every folded piece, and twice its number of words; -1 words where nothing is left of it.

    A word is a run of letters and numbers with a letter, or also one without where the values of numbers
    count; of scripts that are written without spaces, two characters are one. Returns uint64[pieces, 2],
    int64[pieces].
    """
    count = len(starts)
    hashes, words = np.empty((count, 2), np.uint64), np.empty(count, np.int64)
    for index in range(count):
        length, words[index] = _digest(code_points, starts[index], ends[index], table, hashes[index])
        if length == 0:
            words[index] = -1
    return hashes, words


@kernel
def windows(
    hashes: Hashes, words: Offsets, window: int, least: int, group: np.uint64
) -> tuple[Offsets, Hashes]:
    """All runs of `window` pieces with at least so many words, and at least half of one: where each begins,
    int64[k], and its hash, uint64[k, 2].

    Args:
        hashes: of the pieces, uint64[pieces, 2].
        words: of each, twice.
        window: pieces a run.
        least: words a run.
        group: runs of different groups have different hashes.
    """
    count = max(0, len(hashes) - window + 1)
    places, found = np.empty(count, np.int64), np.empty((count, 2), np.uint64)
    kept = 0
    total = 0
    for index in range(len(hashes)):
        total += words[index]
        first = index - window + 1
        if first > 0:
            total -= words[first - 1]
        if first < 0 or total < max(1, 2 * least):
            continue
        high, low = group, ~group
        for place in range(first, index + 1):
            high = scramble(high ^ hashes[place, 0]) * _FIRST
            low = scramble(low + hashes[place, 1]) * _SECOND
        places[kept], found[kept, 0], found[kept, 1] = first, scramble(high), scramble(low)
        kept += 1
    return places[:kept], found[:kept]

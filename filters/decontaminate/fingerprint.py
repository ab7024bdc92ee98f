"""Hashes of words and of sequences of words.

A word's raw hash is FNV-1a over its folded code points (Fowler, Noll, Vo: 64-bit offset basis and prime),
which can be continued; `scramble` finishes it, and the last bit tells numbers from other words. A sequence's
hash follows from running hashes as for characters in `filters.hashing`: H[i + 1] = H[i] * B + h_i.
"""

from __future__ import annotations

import numpy as np

from filters.hashing import scramble
from filters.jit import loop

BASIS = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
_ODD, _EVEN = np.uint64(1), ~np.uint64(1)


@loop
def fed(raw: np.uint64, code_point: np.uint64) -> np.uint64:
    """The raw hash of a word with one more character."""
    value: np.uint64 = (raw ^ code_point) * PRIME
    return value


@loop
def finished(raw: np.uint64) -> np.uint64:
    """The hash of a word that is no number: even."""
    value: np.uint64 = scramble(raw)
    return value & _EVEN


@loop
def finished_number(raw: np.uint64) -> np.uint64:
    """The hash of a number: odd."""
    value: np.uint64 = scramble(raw)
    return value | _ODD


def word_hash(word: str) -> int:
    """The hash of a word of folded letters or of a number in its normal form."""
    raw = int(BASIS)
    for character in word:
        raw = ((raw ^ ord(character)) * int(PRIME)) & 0xFFFFFFFFFFFFFFFF
    raw = ((raw ^ (raw >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    raw = ((raw ^ (raw >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    raw ^= raw >> 31
    return raw | 1 if word[:1].isdigit() else raw & ~1

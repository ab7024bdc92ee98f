"""Hashes of all pieces of a text, from one pass over its characters.

The running hash is H[0] = 0, H[i + 1] = H[i] * B + m(c_i), modulo 2^64, where m scrambles a code point; then
the hash of characters s to e is H[e] - H[s] * B^(e - s), the same wherever the piece stands. B is odd and
5 modulo 8 (so its powers run through 2^62 values). A last scramble makes all bits usable. Among a million
different pieces of a text the chance of any collision is about 3e-8.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from filters.jit import kernel, loop

Hashes = npt.NDArray[np.uint64]

BASE = 0x9E3779B97F4A7C15 & ~7 | 5
"""2^64 divided by the golden ratio, moved to 5 modulo 8."""

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
# splitmix64 (Steele, Lea, Flood 2014), the finisher's constants (Stafford's Mix13)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_TABLE = 1024


def _powers() -> Hashes:
    """B^j for j < 1024, modulo 2^64."""
    factors = np.full(_TABLE, BASE, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


_POWERS = _powers()


@loop
def scramble(value: np.uint64) -> np.uint64:
    """A bijection of 64-bit numbers whose every output bit depends on every input bit."""
    value = (value ^ (value >> _S30)) * _MIX1
    value = (value ^ (value >> _S27)) * _MIX2
    return value ^ (value >> _S31)


@loop
def power(exponent: int) -> np.uint64:
    """B^exponent."""
    result: np.uint64 = _POWERS[exponent & (_TABLE - 1)]
    factor = _POWERS[_TABLE - 1] * _BASE
    rest = exponent >> 10
    while rest:
        if rest & 1:
            result *= factor
        factor *= factor
        rest >>= 1
    return result


@loop
def raw_piece(running: Hashes, start: int, end: int) -> np.uint64:
    """`piece` without the last scramble: as good for finding equal ones, not for taking bits from."""
    value: np.uint64 = running[end] - running[start] * power(end - start)
    return value


@loop
def piece(running: Hashes, start: int, end: int) -> np.uint64:
    """Hash of the characters from `start` to `end`."""
    value: np.uint64 = scramble(raw_piece(running, start, end))
    return value


@kernel
def pieces(running: Hashes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Hashes:
    """Hash of characters starts[k] to ends[k] for every k: uint64[k]."""
    hashes = np.empty(len(starts), np.uint64)
    for index in range(len(starts)):
        hashes[index] = piece(running, starts[index], ends[index])
    return hashes


@kernel
def scan(
    code_points: npt.NDArray[np.uint32], table: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.uint32], Hashes, np.uint32]:
    """Class of every character, the running hash, and the union of the classes: uint32[n], uint64[n + 1]."""
    length = len(code_points)
    classes = np.empty(length, np.uint32)
    running = np.empty(length + 1, np.uint64)
    total = np.uint64(0)
    union = np.uint32(0)
    running[0] = total
    for index in range(length):
        code_point = code_points[index]
        flags = table[code_point]
        classes[index] = flags
        union |= flags
        # One is added so that U+0000 has a value of its own.
        total = total * _BASE + scramble(np.uint64(code_point) + _ONE)
        running[index + 1] = total
    return classes, running, union


@loop
def slots(count: int) -> int:
    """How many slots a hash table for so many keys has: a power of two, at most a quarter filled."""
    size = 16
    while size < 4 * count:
        size *= 2
    return size


@loop
def find(keys: Hashes, key: np.uint64) -> np.int64:
    """The slot of a hash table with open addressing that holds the key, or the empty one where it belongs.

    A slot is empty where its key is 0; the one piece in 2^64 whose hash is 0 is taken for 1.
    """
    key |= np.uint64(key == 0)
    mask = np.int64(len(keys) - 1)
    slot = np.int64(key) & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def hash_set(hashes: Hashes) -> Hashes:
    """The hashes as a table for `find`."""
    keys = np.zeros(slots(len(hashes)), np.uint64)
    for key in hashes:
        keys[find(keys, key)] = max(key, np.uint64(1))
    return keys


def word_table(words: Mapping[str, int]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Words and their values as a table for `find`: keys, and values, which are 0 where a slot is empty."""
    code_points = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
    _, running, _ = scan(code_points, np.zeros(0x110000, np.uint32))
    ends = np.cumsum([len(word) for word in words]).astype(np.int64)
    hashes = pieces(running, np.concatenate((np.zeros(1, np.int64), ends[:-1])), ends)
    keys = hash_set(hashes)
    values = np.zeros(len(keys), np.int64)
    for key, value in zip(hashes, words.values(), strict=True):
        values[find(keys, key)] = value
    return keys, values

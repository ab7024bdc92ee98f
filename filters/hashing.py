"""Hashes of all pieces of a text at once, from one pass over its characters.

The running hash is P[i] = sum of m(c_j) * B^j over j < i, modulo 2^64, where m scrambles a code point; then
the hash of characters s to e is (P[e] - P[s]) * B^-s, the same wherever the piece stands. B is odd (so it has
an inverse) and 5 modulo 8 (so its powers run through 2^62 values). A last scramble makes all bits usable.
Among a million different pieces of a text the chance of any collision is about 3e-8.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

BASE = 0x9E3779B97F4A7C15 & ~7 | 5
"""2^64 divided by the golden ratio, moved to 5 modulo 8."""
INVERSE = pow(BASE, -1, 1 << 64)

_BLOCK = 1 << 16


def _table(base: int) -> Hashes:
    """base^j for j < 2^16, modulo 2^64."""
    factors = np.full(_BLOCK, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


# The power of any offset below 2^32 is the product of one from each table: a long text needs no long table.
_LOW, _HIGH = _table(BASE), _table(pow(BASE, _BLOCK, 1 << 64))
_INVERSE_LOW, _INVERSE_HIGH = _table(INVERSE), _table(pow(INVERSE, _BLOCK, 1 << 64))


def scramble(values: Hashes) -> Hashes:
    """A bijection of 64-bit numbers whose every output bit depends on every input bit (splitmix64's last
    step).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def prefix(code_points: npt.NDArray[np.uint32]) -> Hashes:
    """The running hash P of a text: uint64[n + 1]."""
    length = len(code_points)
    # One is added so that U+0000 has a value of its own.
    marks = scramble(code_points.astype(np.uint64) + np.uint64(1))
    for high, start in enumerate(range(0, length, _BLOCK)):
        block = marks[start : start + _BLOCK]
        block *= _LOW[: len(block)]
        if high:
            block *= _HIGH[high]
    total = np.zeros(length + 1, np.uint64)
    np.cumsum(marks, out=total[1:])
    return total


def pieces(running: Hashes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Hashes:
    """Hash of characters starts[k] to ends[k] for every k: uint64[k]."""
    return scramble(raw_pieces(running, starts, ends))


def raw_pieces(running: Hashes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Hashes:
    """`pieces` without the last scramble: as good for finding equal ones, not for taking bits from."""
    values = running[ends]
    values -= running[starts]
    if len(running) <= _BLOCK:
        values *= _INVERSE_LOW[starts]
    else:
        values *= _INVERSE_LOW[starts & (_BLOCK - 1)]
        values *= _INVERSE_HIGH[starts >> 16]
    return values

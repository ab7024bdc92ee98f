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

_powers: tuple[Hashes, Hashes] = (np.ones(1, np.uint64), np.ones(1, np.uint64))


def _power_tables(length: int) -> tuple[Hashes, Hashes]:
    """B^j and B^-j for j < length, kept and grown by doubling."""
    global _powers
    if len(_powers[0]) < length:
        size = max(1 << 14, 1 << (length - 1).bit_length())
        tables = []
        for base in (BASE, INVERSE):
            factors = np.full(size, base, np.uint64)
            factors[0] = 1
            tables.append(np.cumprod(factors, dtype=np.uint64))
        _powers = (tables[0], tables[1])
    return _powers


def scramble(values: Hashes) -> Hashes:
    """A bijection of 64-bit numbers whose every output bit depends on every input bit (splitmix64's last
    step).
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def prefix(code_points: npt.NDArray[np.uint32]) -> Hashes:
    """The running hash P of a text: uint64[n + 1]."""
    powers, _ = _power_tables(len(code_points) + 1)
    total = np.zeros(len(code_points) + 1, np.uint64)
    # One is added so that U+0000 has a value of its own.
    marks = scramble(code_points.astype(np.uint64) + np.uint64(1))
    np.cumsum(marks * powers[: len(code_points)], out=total[1:])
    return total


def pieces(running: Hashes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Hashes:
    """Hash of characters starts[k] to ends[k] for every k: uint64[k]."""
    _, inverses = _power_tables(len(running))
    return scramble((running[ends] - running[starts]) * inverses[starts])


def sequences(hashes: Hashes, length: int) -> Hashes:
    """Hash of every run of `length` neighbouring elements: uint64[max(0, n - length + 1)].

    Boundaries count: ("ab", "c") and ("a", "bc") differ.
    """
    count = max(0, len(hashes) - length + 1)
    state = np.zeros(count, np.uint64)
    for step in range(length):
        state = scramble(state * np.uint64(BASE) + hashes[step : step + count])
    return state

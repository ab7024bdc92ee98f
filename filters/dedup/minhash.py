"""MinHash signatures and their bands: two texts share a band the likelier, the more alike they are.

A signature is the least value that each of bands x rows random hash functions takes over a text's shingles.
Two texts agree in one of them with the probability of their Jaccard similarity s (Broder 1997), and in all
rows of at least one band with 1 - (1 - s^rows)^bands. A band is kept as one 64-bit hash of its rows.

The family is h(x) = (a * x + b mod 2^64) div 2^32 with a, b random 64-bit numbers and x the upper 32 bits of
a shingle's hash. It is strongly universal, any two keys take any two values with the probability of
independent ones, since 64 >= 32 + 32 - 1 (Dietzfelbinger 1996; Thorup, High Speed Hashing for Integers and
Strings, arXiv 1504.06804), and nothing overflows that should not. The keys are scrambled hashes, so that the
least value falls on each of them with the same chance (Mitzenmacher and Vadhan 2008). It needs no prime and
no 128-bit product: the compiler computes 4 or 8 values at a time. Two shingles have the same key with
probability 2^-32: of 100,000 shingles about one is lost to that. NeMo Curator hashes shingles to 32 bits by
default too. What signatures propose is verified with all 64 bits (`jaccard`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.dedup.shingles import Recipe
from filters.hashing import Hashes, scramble
from filters.jit import kernel

Signature = npt.NDArray[np.uint32]

_GOLDEN = 0x9E3779B97F4A7C15
"""splitmix64's step (Steele, Lea, Flood 2014)."""
_ONES = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class Family:
    """The hash functions of a recipe, one a permutation: factors and summands, uint64[bands * rows]."""

    factors: Hashes
    summands: Hashes
    rows: int


def family(recipe: Recipe) -> Family:
    """Draw the functions: splitmix64's numbers from the seed, factor and summand in turn."""
    count = recipe.bands * recipe.rows
    start = int(scramble(np.uint64(recipe.seed % 2**64)))
    states = [(start + _GOLDEN * step) % 2**64 for step in range(1, 2 * count + 1)]
    drawn = np.array([scramble(np.uint64(state)) for state in states], np.uint64)
    return Family(drawn[0::2].copy(), drawn[1::2].copy(), recipe.rows)


def signature(shingles: Hashes, functions: Family) -> Signature:
    """The least value of every function: uint32[bands * rows]. The set must not be empty."""
    found = np.empty(len(functions.factors), np.uint32)
    _signature(shingles, functions.factors, functions.summands, found)
    return found


def band_keys(shingles: Hashes, functions: Family) -> Hashes:
    """A hash of every band's rows: uint64[bands]. The set must not be empty.

    Equal bands have equal keys; a key of one band says nothing about another's.
    """
    return _keys(signature(shingles, functions), functions.rows)


def digest(shingles: Hashes) -> int:
    """Hash of the whole set, 64 bits: equal sets have equal ones, whatever order they were made in."""
    return int(_digest(shingles))


def probability(similarity: float, bands: int, rows: int) -> float:
    """The chance that two texts share a band: 1 - (1 - s^rows)^bands."""
    return float(1 - (1 - similarity**rows) ** bands)


def jaccard(left: Hashes, right: Hashes) -> float:
    """Jaccard similarity of two sets, each ascending and without repeats; that of two empty sets is 1."""
    common = int(_common(left, right))
    union = len(left) + len(right) - common
    return common / union if union else 1.0


@kernel
def _signature(shingles: Hashes, factors: Hashes, summands: Hashes, found: Signature) -> None:
    for function in range(len(factors)):
        factor, summand = factors[function], summands[function]
        least = np.uint32(_ONES)
        for at in range(len(shingles)):
            value = np.uint32((factor * (shingles[at] >> _HALF) + summand) >> _HALF)
            least = min(least, value)
        found[function] = least


@kernel
def _keys(found: Signature, rows: int) -> Hashes:
    bands = len(found) // rows
    keys = np.empty(bands, np.uint64)
    for band in range(bands):
        key = np.uint64(band)
        for row in range(band * rows, (band + 1) * rows):
            key = scramble(key + np.uint64(found[row]) + _ONE)
        keys[band] = key
    return keys


@kernel
def _digest(shingles: Hashes) -> np.uint64:
    total = np.uint64(0)
    for at in range(len(shingles)):
        # Scrambled once more, so that no sum of window hashes can stand for another by their making.
        total += scramble(shingles[at] + _ONE)
    return scramble(total + np.uint64(len(shingles)))


@kernel
def _common(left: Hashes, right: Hashes) -> int:
    """How many numbers both have."""
    count = first = second = 0
    while first < len(left) and second < len(right):
        one, other = left[first], right[second]
        count += one == other
        first += one <= other
        second += other <= one
    return count

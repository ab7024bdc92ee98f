"""Counts over runs of tokens, compiled: the most frequent n-gram, and how much repeated n-grams cover.

Everything works on 64-bit hashes of the tokens; two n-grams are the same when the hash of their hashes is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from filters.hashing import BASE
from filters.jit import kernel

Hashes = npt.NDArray[np.uint64]
Lengths = npt.NDArray[np.int64]

_BASE = np.uint64(BASE)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@kernel
def _mix(value: Any) -> Any:
    """`filters.hashing.scramble` of one number."""
    value = (value ^ (value >> _SHIFT_1)) * _FACTOR_1
    value = (value ^ (value >> _SHIFT_2)) * _FACTOR_2
    return value ^ (value >> _SHIFT_3)


@kernel
def _capacity(count: int) -> int:
    """A power of two that leaves an open-addressed table of so many keys at most half full."""
    capacity = 16
    while capacity < 2 * count:
        capacity *= 2
    return capacity


@kernel
def count_among(hashes: Hashes, wanted: Hashes) -> int:
    """How many of the hashes are among a few wanted ones."""
    count = 0
    for value in hashes:
        for other in wanted:
            count += value == other
    return count


@kernel
def distinct(hashes: Hashes, lengths: Lengths) -> tuple[int, int]:
    """How many different hashes there are, and the sum of the lengths of their first occurrences."""
    capacity = _capacity(len(hashes))
    mask = np.uint64(capacity - 1)
    slots = np.zeros(capacity, np.int64)
    count = characters = 0
    for i in range(len(hashes)):
        at = np.int64(hashes[i] & mask)
        while slots[at] and hashes[slots[at] - 1] != hashes[i]:
            at = (at + 1) & (capacity - 1)
        if not slots[at]:
            slots[at] = i + 1
            count += 1
            characters += lengths[i]
    return count, characters


@kernel
def most_frequent_ngrams(hashes: Hashes, first: int, last: int) -> Lengths:
    """For each n from `first` (at least 2) to `last`: where the most frequent n-gram stands first; of several
    the one that stands first. int64[last - first + 1], -1 where there are fewer than n tokens."""
    starts = np.full(last - first + 1, -1, np.int64)
    state = hashes.copy()
    capacity = _capacity(len(hashes))
    mask = np.uint64(capacity - 1)
    slots = np.zeros(capacity, np.int64)
    counts = np.zeros(len(hashes), np.int64)
    for n in range(2, last + 1):
        count = len(hashes) - n + 1
        if count < 1:
            break
        for i in range(count):
            state[i] = _mix(state[i] * _BASE + hashes[i + n - 1])
        if n < first:
            continue
        slots[:] = 0
        counts[:] = 0
        for i in range(count):
            at = np.int64(state[i] & mask)
            while slots[at] and state[slots[at] - 1] != state[i]:
                at = (at + 1) & (capacity - 1)
            if not slots[at]:
                slots[at] = i + 1
            counts[slots[at] - 1] += 1
        best = 0
        for i in range(count):
            if counts[i] > counts[best]:
                best = i
        starts[n - first] = best
    return starts


@kernel
def repeated_ngrams(hashes: Hashes, lengths: Lengths, first: int, last: int, gap: int) -> Lengths:
    """For each n from `first` (at least 2) to `last`: characters of the tokens inside n-grams that occurred
    before, each token counted once, with `gap` characters between neighbours. int64[last - first + 1].

    Overlapping n-grams all count as occurrences (unlike those of `filters.annotators.repeats`).
    """
    totals = np.zeros(last - first + 1, np.int64)
    state = hashes.copy()
    capacity = _capacity(len(hashes))
    mask = np.uint64(capacity - 1)
    slots = np.zeros(capacity, np.int64)
    for n in range(2, last + 1):
        count = len(hashes) - n + 1
        if count < 2:
            break
        for i in range(count):
            state[i] = _mix(state[i] * _BASE + hashes[i + n - 1])
        if n < first:
            continue
        slots[:] = 0
        total = covered = 0
        for i in range(count):
            at = np.int64(state[i] & mask)
            while slots[at] and state[slots[at] - 1] != state[i]:
                at = (at + 1) & (capacity - 1)
            if not slots[at]:
                slots[at] = i + 1
                continue
            begin = max(covered, i)
            for j in range(begin, i + n):
                total += lengths[j]
            # Between the new tokens, and before them where they go on from what is covered.
            total += gap * (i + n - begin if begin > i else n - 1)
            covered = i + n
        totals[n - first] = total
        if not total:
            # Where no n-gram repeats, no longer one does.
            break
    return totals

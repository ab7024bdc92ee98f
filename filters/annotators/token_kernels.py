"""Counts over runs of tokens, compiled: the most frequent n-gram, and how much repeated n-grams cover.

Everything works on 64-bit hashes of the tokens; two n-grams are the same when the hash of their hashes is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.hashing import BASE, find, scramble, slots
from filters.jit import kernel

Hashes = npt.NDArray[np.uint64]
Lengths = npt.NDArray[np.int64]

_BASE, _ONE = np.uint64(BASE), np.uint64(1)


@kernel
def count_among(hashes: Hashes, wanted: Hashes) -> int:
    """How many of the hashes are among a few wanted ones."""
    count = 0
    for value in hashes:
        for other in wanted:
            count += value == other
    return count


@kernel
def most_frequent_ngrams(hashes: Hashes, first: int, last: int) -> Lengths:
    """For each n from `first` (at least 2) to `last`: where the most frequent n-gram stands first; of several
    the one that stands first. int64[last - first + 1], -1 where there are fewer than n tokens."""
    starts = np.full(last - first + 1, -1, np.int64)
    state = hashes.copy()
    keys = np.zeros(slots(len(hashes)), np.uint64)
    firsts = np.zeros(len(keys), np.int64)
    counts = np.zeros(len(hashes), np.int64)
    for n in range(2, last + 1):
        count = len(hashes) - n + 1
        if count < 1:
            break
        for i in range(count):
            state[i] = scramble(state[i] * _BASE + hashes[i + n - 1])
        if n < first:
            continue
        keys[:] = 0
        counts[:] = 0
        for i in range(count):
            key = state[i] | _ONE
            slot = find(keys, key)
            if not keys[slot]:
                keys[slot] = key
                firsts[slot] = i
            counts[firsts[slot]] += 1
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
    keys = np.zeros(slots(len(hashes)), np.uint64)
    for n in range(2, last + 1):
        count = len(hashes) - n + 1
        if count < 2:
            break
        for i in range(count):
            state[i] = scramble(state[i] * _BASE + hashes[i + n - 1])
        if n < first:
            continue
        keys[:] = 0
        total = covered = 0
        for i in range(count):
            key = state[i] | _ONE
            slot = find(keys, key)
            if not keys[slot]:
                keys[slot] = key
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

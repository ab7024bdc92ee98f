"""How much of a text repeats itself: counts over hashes, exactly as the published filters count."""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.base import Hashes, Offsets
from filters.hashing import BASE, find, power, raw_piece, scramble, slots
from filters.jit import kernel

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)
_PROBE = 16
"""Characters that two n-grams must share before they are compared."""


@kernel
def duplicates(hashes: Hashes, lengths: Offsets) -> tuple[int, int]:
    """How many elements occurred before, and the sum of their lengths."""
    keys = np.zeros(slots(len(hashes)), np.uint64)
    count = characters = 0
    for index in range(len(hashes)):
        key = hashes[index] | _ONE
        slot = find(keys, key)
        if keys[slot]:
            count += 1
            characters += lengths[index]
        keys[slot] = key
    return count, characters


@kernel
def joined(running: Hashes, starts: Offsets, ends: Offsets) -> tuple[Offsets, Hashes]:
    """Where the words begin when they are put together without spaces, and the running hash at those places:
    int64[n + 1], uint64[n + 1]."""
    count = len(starts)
    bounds = np.empty(count + 1, np.int64)
    hashes = np.empty(count + 1, np.uint64)
    bounds[0] = 0
    hashes[0] = np.uint64(0)
    for index in range(count):
        length = ends[index] - starts[index]
        bounds[index + 1] = bounds[index] + length
        word = raw_piece(running, starts[index], ends[index])
        hashes[index + 1] = hashes[index] * power(length) + word
    return bounds, hashes


@kernel
def top_ngrams_characters(word_hashes: Hashes, bounds: Offsets, smallest: int, largest: int) -> Offsets:
    """For each n from `smallest` (at least 2) to `largest`: characters of the most frequent n-gram, joined by
    single spaces, times its frequency; the first one wins a tie; 0 where there are fewer than n words.

    Word i takes bounds[i] to bounds[i + 1] where the words are put together without spaces.
    """
    words = len(word_hashes)
    result = np.zeros(largest + 1 - smallest, np.int64)
    # Where an n-gram occurs twice, its first n - 1 words do: each n looks where the one before found some.
    places = np.arange(max(0, words))
    state = word_hashes.copy()
    for n in range(2, largest + 1):
        keys = np.zeros(slots(len(places)), np.uint64)
        firsts = np.empty(len(keys), np.int64)
        counts = np.zeros(len(keys), np.int64)
        taken = np.empty(len(places), np.int64)
        best, most, tried = 0, 1, 0
        for index in range(len(places)):
            at = places[index]
            if at + n > words:
                break
            value = scramble(state[at] * _BASE + word_hashes[at + n - 1])
            state[at] = value
            key = value | _ONE
            slot = find(keys, key)
            if counts[slot] == 0:
                keys[slot] = key
                firsts[slot] = at
            counts[slot] += 1
            first = firsts[slot]
            if counts[slot] > most or (counts[slot] == most and first < best):
                best, most = first, counts[slot]
            taken[index] = slot
            tried += 1
        if n >= smallest and words >= n:
            result[n - smallest] = (bounds[best + n] - bounds[best] + n - 1) * most
        left = 0
        for index in range(tried):
            if counts[taken[index]] > 1:
                places[left] = places[index]
                left += 1
        places = places[:left]
    return result


@kernel
def _likely(
    running: Hashes, starts: Offsets, bounds: Offsets, hashes: Hashes, smallest: int
) -> npt.NDArray[np.int64]:
    """The words at which a repeated n-gram of at least `smallest` words may begin.

    Those from which on 16 characters (spaces left out) occur elsewhere too, and those where the n-gram has
    fewer.
    """
    words = len(starts)
    keys = np.zeros(slots(words), np.uint64)
    firsts = np.empty(len(keys), np.int64)
    found = np.zeros(words, np.bool_)
    last = 0
    for at in range(words + 1 - smallest):
        end = bounds[at] + _PROBE
        if bounds[at + smallest] < end:
            found[at] = True
        if end > bounds[words]:
            continue
        while last + 1 < words and bounds[last + 1] <= end:
            last += 1
        rest = end - bounds[last]
        value = hashes[last] - hashes[at] * power(bounds[last] - bounds[at])
        value = value * power(rest) + raw_piece(running, starts[last], starts[last] + rest)
        key = scramble(value) | _ONE
        slot = find(keys, key)
        if keys[slot]:
            found[at] = found[firsts[slot]] = True
        else:
            keys[slot] = key
            firsts[slot] = at
    return np.flatnonzero(found)


@kernel
def repeated_ngrams_characters(
    running: Hashes, starts: Offsets, bounds: Offsets, hashes: Hashes, smallest: int, largest: int
) -> Offsets:
    """For each n from `smallest` to `largest`: characters inside n-grams that occurred before, left to right,
    no character counted twice.

    `bounds` and `hashes` are those of `joined`: n-grams are compared by the characters of their words. After
    a repeated n-gram the count goes on behind it; n-grams inside it are not remembered.
    """
    words = len(starts)
    result = np.zeros(largest + 1 - smallest, np.int64)
    likely = _likely(running, starts, bounds, hashes, smallest)
    for n in range(smallest, largest + 1):
        keys = np.zeros(slots(len(likely)), np.uint64)
        behind = 0
        for at in likely:
            if at < behind:
                continue
            if at + n > words:
                break
            length = bounds[at + n] - bounds[at]
            key = scramble(hashes[at + n] - hashes[at] * power(length)) | _ONE
            slot = find(keys, key)
            if keys[slot]:
                result[n - smallest] += length
                behind = at + n
            else:
                keys[slot] = key
    return result

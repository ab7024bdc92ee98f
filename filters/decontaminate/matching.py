"""Finding the n-grams of an index in a text, and putting them together to hits."""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.decontaminate.words import CodePoints, cut
from filters.hashing import BASE, find, power, scramble
from filters.jit import kernel, loop

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Small = npt.NDArray[np.uint32]
_BASE = np.uint64(BASE)
_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)


@loop
def running(hashes: Hashes, prefix: Hashes) -> None:
    """The running hash of words into `prefix`: uint64[words + 1]."""
    total = np.uint64(0)
    prefix[0] = total
    for index in range(len(hashes)):
        total = total * _BASE + hashes[index]
        prefix[index + 1] = total


@loop
def bits(raw: np.uint64) -> np.uint64:
    """The two bits of a sequence in its word of the filter."""
    value: np.uint64 = (_ONE << (raw & _LOW)) | (_ONE << ((raw >> _SIX) & _LOW))
    return value


@kernel
def grams_of(hashes: Hashes, length: int, anchor: int) -> tuple[Hashes, Hashes, Numbers]:
    """Keys of all sequences of `length` words, the raw hashes of their first `anchor` words, and how many
    different words each has that are no numbers."""
    count = max(0, len(hashes) - length + 1)
    prefix = np.empty(len(hashes) + 1, np.uint64)
    running(hashes, prefix)
    keys = np.empty(count, np.uint64)
    anchors = np.empty(count, np.uint64)
    names = np.zeros(count, np.int64)
    for index in range(count):
        for place in range(index, index + length):
            fresh = hashes[place] & _ONE == 0
            for earlier in range(index, place):
                fresh = fresh and hashes[earlier] != hashes[place]
            names[index] += fresh
        key = scramble(prefix[index + length] - prefix[index] * power(length))
        keys[index] = key | np.uint64(key == np.uint64(0))
        anchors[index] = prefix[index + anchor] - prefix[index] * power(anchor)
    return keys, anchors, names


@kernel
def fill_filter(anchors: Hashes, size: int) -> Hashes:
    """A Bloom filter of so many 64-bit words (a power of two), two bits a key in one word (Putze, Sanders,
    Singler 2007, "Cache-, Hash- and Space-Efficient Bloom Filters": blocked)."""
    table = np.zeros(size, np.uint64)
    shift = np.uint64(64) - np.uint64(np.log2(size))
    for raw in anchors:
        table[raw >> shift] |= bits(raw)
    return table


@kernel
def fill_table(keys: Hashes, size: int) -> tuple[Hashes, Small]:
    """Keys and their numbers in a table for `filters.hashing.find`."""
    table = np.zeros(size, np.uint64)
    numbers = np.zeros(size, np.uint32)
    for index in range(len(keys)):
        slot = find(table, keys[index])
        table[slot] = keys[index]
        numbers[slot] = index
    return table, numbers


@loop
def _scan(
    prefix: Hashes,
    anchor: int,
    lengths: Numbers,
    sieve: Hashes,
    keys: Hashes,
    numbers: Small,
    places: Numbers,
    grams: Numbers,
    sizes: Numbers,
) -> int:
    """Write place, number and length of every indexed sequence; how many there are, which may be more than
    there is room for."""
    words = len(prefix) - 1
    shift = np.uint64(64) - np.uint64(np.log2(len(sieve)))
    factor = power(anchor)
    found = 0
    for end in range(anchor, words + 1):
        start = end - anchor
        raw = prefix[end] - prefix[start] * factor
        mask = bits(raw)
        if sieve[raw >> shift] & mask != mask:
            continue
        for length in lengths:
            if start + length > words:
                continue
            key = scramble(prefix[start + length] - prefix[start] * power(length))
            key |= np.uint64(key == np.uint64(0))
            slot = find(keys, key)
            if keys[slot] == key:
                if found < len(places):
                    places[found] = start
                    grams[found] = numbers[slot]
                    sizes[found] = length
                found += 1
    return found


@kernel
def matches(
    code_points: CodePoints,
    table: Small,
    expansions: Small,
    names: Hashes,
    greek: Hashes,
    command_keys: Hashes,
    command_kinds: Numbers,
    renamed: Hashes,
    anchor: int,
    lengths: Numbers,
    sieve: Hashes,
    keys: Hashes,
    numbers: Small,
) -> tuple[int, Numbers, Numbers, Numbers, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The indexed sequences of a text: how many words it has; of each sequence the word where it begins, its
    number and its length in words; where the words begin and end in the text."""
    hashes, starts, ends = cut(
        code_points, table, expansions, names, greek, command_keys, command_kinds, renamed
    )
    prefix = np.empty(len(hashes) + 1, np.uint64)
    running(hashes, prefix)
    room = 16
    while True:
        places = np.empty(room, np.int64)
        grams = np.empty(room, np.int64)
        sizes = np.empty(room, np.int64)
        found = _scan(prefix, anchor, lengths, sieve, keys, numbers, places, grams, sizes)
        if found <= room:
            return len(hashes), places[:found], grams[:found], sizes[:found], starts, ends
        room = found


@kernel
def expand(
    grams: Numbers, offsets: Numbers, entries: Small, positions: Small
) -> tuple[Numbers, Numbers, Numbers]:
    """For every place in an entry of every sequence: which sequence (index into `grams`), entry, position."""
    total = 0
    for gram in grams:
        total += offsets[gram + 1] - offsets[gram]
    which = np.empty(total, np.int64)
    entry = np.empty(total, np.int64)
    position = np.empty(total, np.int64)
    at = 0
    for index in range(len(grams)):
        for place in range(offsets[grams[index]], offsets[grams[index] + 1]):
            which[at], entry[at], position[at] = index, entries[place], positions[place]
            at += 1
    return which, entry, position


@kernel
def clusters(
    entry: Numbers, start: Numbers, end: Numbers, position: Numbers, weight: npt.NDArray[np.float64], gap: int
) -> tuple[Numbers, Numbers, Numbers, Numbers, npt.NDArray[np.float64]]:
    """Sequences of one entry that stand near each other in the document, as one.

    The arrays are in order of entry, then start. A new cluster begins where more than `gap` words lie between
    the end of what was found and the next sequence, and it does not follow as closely in the entry itself (a
    table in the middle of a question holds no evidence).

    Returns entry, first word, end (the word behind the last), how many different sequences of the entry, and
    the sum of their weights.
    """
    room = len(entry)
    found = np.empty((4, room), np.int64)
    sums = np.empty(room, np.float64)
    count = 0
    first = 0
    while first < len(entry):
        last = first + 1
        reached = end[first]
        while last < len(entry) and entry[last] == entry[first]:
            shift = (start[last] - start[last - 1]) - (position[last] - position[last - 1])
            if start[last] > reached + gap and abs(shift) > gap:
                break
            reached = max(reached, end[last])
            last += 1
        order = first + np.argsort(position[first:last])
        different = 0
        total = 0.0
        for index in range(len(order)):
            at = order[index]
            if index == 0 or position[at] != position[order[index - 1]]:
                different += 1
                total += weight[at]
        found[0, count], found[1, count] = entry[first], start[first]
        found[2, count], found[3, count] = reached, different
        sums[count] = total
        count += 1
        first = last
    return found[0, :count], found[1, :count], found[2, :count], found[3, :count], sums[:count]

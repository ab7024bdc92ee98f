"""Anchors by winnowing (Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document
fingerprinting", SIGMOD 2003): a place in every window of N units that its content alone determines.

The anchor of a window is the k-gram with the smallest hash of the N - k + 1 that it holds, the last of equal
ones. Equal windows have their anchors at equal places. Neighbouring windows mostly share their anchor: of
texts without structure one unit in (N - k + 2) / 2 is an anchor. The windows of an anchor and their text
together are its *context*; every window of a text lies in exactly one context, and of two equal windows both
contexts have the same anchor. A long context is cut (at _SEGMENT windows), which changes nothing of that.
"""

from __future__ import annotations

# ruff: noqa: PLR0917 (kernels take arrays one by one)
import numpy as np
import numpy.typing as npt

from filters.dedup.substring.units import Codes, Numbers
from filters.hashing import BASE, Hashes, find, power, scramble, slots
from filters.jit import kernel, loop

_BASE = np.uint64(BASE)
_KEY = np.uint64(0xD6E8FEB86659FD93)
"""Any odd number: the smallest of many hashes is small, but keys should fill their range."""
_SEGMENT = 1 << 20
"""Windows that are looked at in one go."""


@loop
def _winnow(
    codes: Codes,
    start: int,
    windows: int,
    table: Hashes,
    seed: np.uint64,
    length: int,
    gram: int,
    ring: Hashes,
    keys: Hashes,
    firsts: Numbers,
) -> int:
    """The anchors of the windows that begin at `start`, `start + 1` ... Writes the key of every anchor and
    the first window that has it, and returns how many there are. `ring` is scratch."""
    width = length - gram + 1
    leaving = power(gram)
    total = np.uint64(0)
    for index in range(start, start + gram - 1):
        total = total * _BASE + table[codes[index]]
    count, chosen, best_at, best, slot = 0, -1, -1, np.uint64(0), 0
    for at in range(windows + width - 1):
        total = total * _BASE + table[codes[start + at + gram - 1]]
        if at > 0:
            total -= table[codes[start + at - 1]] * leaving
        value = scramble(total ^ seed)
        ring[slot] = value
        slot = slot + 1 if slot + 1 < width else 0
        if best_at < 0 or value <= best:
            best_at, best = at, value
        elif best_at <= at - width:
            # From the oldest to the newest: `slot` is where the oldest stands.
            place, best = slot, ring[slot]
            best_at = at - width + 1
            for other in range(at - width + 2, at + 1):
                place = place + 1 if place + 1 < width else 0
                if ring[place] <= best:
                    best_at, best = other, ring[place]
        if at >= width - 1 and best_at != chosen:
            chosen = best_at
            keys[count] = scramble(best ^ _KEY)
            firsts[count] = start + at - width + 1
            count += 1
    return count


@kernel
def _longer(array: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    grown = np.empty(2 * len(array), np.uint64)
    grown[: len(array)] = array
    return grown


@kernel
def anchor_keys(
    codes: Codes, offsets: Numbers, texts: Numbers, seeds: Hashes, table: Hashes, length: int, gram: int
) -> Hashes:
    """The key of every anchor of some texts: uint64[anchors], of a run of equal ones only the first two.

    Args:
        codes, offsets, table: the units of all texts.
        texts: which of them, int64.
        seeds: uint64 a text; texts with different ones have no keys in common.
        length, gram: N and k.
    """
    ring = np.empty(length - gram + 1, np.uint64)
    keys, firsts = np.empty(_SEGMENT, np.uint64), np.empty(_SEGMENT, np.int64)
    found = np.empty(1024 + len(codes) // 16, np.uint64)
    count = 0
    for text in texts:
        start, windows = offsets[text], offsets[text + 1] - offsets[text] - length + 1
        while windows > 0:
            size = min(windows, _SEGMENT)
            anchors = _winnow(codes, start, size, table, seeds[text], length, gram, ring, keys, firsts)
            for index in range(anchors):
                key = keys[index]
                if count > 1 and found[count - 1] == key and found[count - 2] == key:
                    continue
                if count == len(found):
                    found = _longer(found)
                found[count] = key
                count += 1
            start += size
            windows -= size
    return found[:count]


@loop
def same(codes: Codes, one: int, other: int, length: int) -> bool:
    """Whether the same units stand at two places."""
    for index in range(length):  # noqa: SIM110 (a kernel)
        if codes[one + index] != codes[other + index]:
            return False
    return True


# Columns of the contexts that `contexts` finds.
KEY, TEXT, START, LENGTH, STRIDE, COUNT = range(6)


@kernel
def contexts(
    codes: Codes,
    offsets: Numbers,
    texts: Numbers,
    seeds: Hashes,
    table: Hashes,
    length: int,
    gram: int,
    wanted: Hashes,
) -> npt.NDArray[np.uint64]:
    """The contexts of all anchors with wanted keys: uint64[contexts, 6], in the order of `texts`, then of
    their place.

    Its columns: key, text, start (an index of `codes`), length in units; the same context again after
    `stride` units, `count` times in all (a text that repeats a short piece many times has as many anchors).

    Args:
        wanted: a table of `hashing.hash_set`.
        The others as for `anchor_keys`.
    """
    ring = np.empty(length - gram + 1, np.uint64)
    keys, firsts = np.empty(_SEGMENT, np.uint64), np.empty(_SEGMENT + 1, np.int64)
    found = np.empty((1024, 6), np.uint64)
    count = 0
    for text in texts:
        start, windows = offsets[text], offsets[text + 1] - offsets[text] - length + 1
        while windows > 0:
            size = min(windows, _SEGMENT)
            anchors = _winnow(codes, start, size, table, seeds[text], length, gram, ring, keys, firsts)
            firsts[anchors] = start + size
            for index in range(anchors):
                key = keys[index]
                if wanted[find(wanted, key)] == 0:
                    continue
                first = firsts[index]
                span = firsts[index + 1] - first + length - 1
                if count > 0:
                    last = found[count - 1]
                    stride = first - np.int64(last[START]) - np.int64(last[STRIDE] * (last[COUNT] - 1))
                    if (
                        last[KEY] == key
                        and np.int64(last[TEXT]) == text
                        and np.int64(last[LENGTH]) == span
                        and (last[COUNT] == 1 or np.int64(last[STRIDE]) == stride)
                        and same(codes, int(last[START]), first, span)
                    ):
                        last[STRIDE] = np.uint64(stride)
                        last[COUNT] += np.uint64(1)
                        continue
                if count == len(found):
                    grown = np.empty((2 * count, 6), np.uint64)
                    grown[:count] = found
                    found = grown
                found[count, KEY] = key
                found[count, TEXT] = np.uint64(text)
                found[count, START] = np.uint64(first)
                found[count, LENGTH] = np.uint64(span)
                found[count, STRIDE] = np.uint64(0)
                found[count, COUNT] = np.uint64(1)
                count += 1
            start += size
            windows -= size
    return found[:count]


@kernel
def classify(
    codes: Codes, keys: Hashes, starts: Numbers, lengths: Numbers, table: Hashes
) -> tuple[Numbers, Numbers, int]:
    """Which contexts are the same, compared unit by unit: int64[contexts], the number of each one's class;
    int64[classes], the first context of each; and how many contexts were compared.

    Classes are numbered as they come.
    """
    members, firsts = np.empty(len(starts), np.int64), np.empty(len(starts), np.int64)
    heads = np.full(slots(len(starts)), -1, np.int64)
    hashes = np.empty(len(starts), np.uint64)
    mask = len(heads) - 1
    count = compared = 0
    for index in range(len(starts)):
        total = keys[index]
        for place in range(starts[index], starts[index] + lengths[index]):
            total = total * _BASE + table[codes[place]]
        total = scramble(total)
        slot = np.int64(total) & mask
        while heads[slot] >= 0:
            known = heads[slot]
            first = firsts[known]
            if hashes[known] == total and keys[first] == keys[index] and lengths[first] == lengths[index]:
                compared += 1
                if same(codes, starts[first], starts[index], lengths[index]):
                    break
            slot = (slot + 1) & mask
        if heads[slot] < 0:
            heads[slot] = count
            hashes[count], firsts[count] = total, index
            count += 1
        members[index] = heads[slot]
    return members, firsts[:count].copy(), compared

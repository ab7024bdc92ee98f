"""Words of a source file as OpenCoder counts them, and how much its runs of words repeat.

The measures are RedPajama's (github.com/togethercomputer/RedPajama-Data, core/quality_signals), which
OpenCoder takes over: small letters, ASCII punctuation is white space, a word is then a run of word
characters or of other marks; a fraction is of the characters of all words. Compatibility forms of Unicode
are not unified, as they are there.
"""
# ruff: noqa: PLR0912, PLR0915 (one pass does many counts)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.base import TextView
from filters.characters import SPACE, WORD
from filters.hashing import BASE, Hashes, find, raw_piece, scramble, slots
from filters.jit import kernel, loop

TOP = (2, 3, 4)
"""Lengths of runs of which the most frequent counts."""
REPEATED = (5, 6, 7, 8, 9, 10)
"""Lengths of runs of which all that occur twice count."""

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)
_FIRST, _LAST, _DUPLICATED = TOP[0], TOP[-1], REPEATED[0]
_LONGEST = REPEATED[-1]


def lowered_code_points(view: TextView) -> npt.NDArray[np.uint32]:
    """Code points in small letters; of ASCII the kernels do that themselves."""
    if view.text.isascii():
        return view.code_points
    return np.frombuffer(view.lowered.encode("utf-32-le", "surrogatepass"), np.uint32)


@loop
def _punctuation(character: np.uint32) -> bool:
    """Python's `string.punctuation`."""
    return bool(
        33 <= character <= 47 or 58 <= character <= 64 or 91 <= character <= 96 or 123 <= character <= 126
    )


@kernel
def words(
    lowered: npt.NDArray[np.uint32], classes: npt.NDArray[np.uint32]
) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hash and length of every word: uint64[words], int64[words].

    Args:
        lowered: `lowered_code_points`.
        classes: of the text's own characters.
    """
    length = len(lowered)
    hashes, lengths = np.empty(length, np.uint64), np.empty(length, np.int64)
    count, at = 0, 0
    while at < length:
        if classes[at] & SPACE or _punctuation(lowered[at]):
            at += 1
            continue
        word = classes[at] & WORD != 0
        start, value = at, np.uint64(0)
        while at < length:
            character = lowered[at]
            if classes[at] & SPACE or _punctuation(character) or (classes[at] & WORD != 0) != word:
                break
            if 65 <= character <= 90:
                character += np.uint32(32)
            value = value * _BASE + scramble(np.uint64(character) + _ONE)
            at += 1
        hashes[count], lengths[count] = scramble(value), at - start
        count += 1
    return hashes[:count].copy(), lengths[:count].copy()


@kernel
def repetition(hashes: Hashes, lengths: npt.NDArray[np.int64], row: npt.NDArray[np.float64]) -> None:
    """Fill in mean length, share of distinct words, entropy (nats), top 2- to 4-grams, repeated 5- to
    10-grams: float64[12]; untouched where there is no word."""
    count = len(hashes)
    if count == 0:
        return
    total = 0
    bounds = np.zeros(count + 1, np.int64)
    running = np.zeros(count + 1, np.uint64)
    for index in range(count):
        total += lengths[index]
        bounds[index + 1] = total
        running[index + 1] = running[index] * _BASE + hashes[index]
    row[0] = total / count
    size = slots(count)
    keys = np.zeros(size, np.uint64)
    counts = np.zeros(size, np.int64)
    places = np.empty(count, np.int64)
    distinct = 0
    for index in range(count):
        slot = find(keys, hashes[index])
        if counts[slot] == 0:
            keys[slot] = max(hashes[index], _ONE)
            distinct += 1
        counts[slot] += 1
    row[1] = distinct / count
    entropy = 0.0
    for number in counts:
        if number > 0:
            share = number / count
            entropy -= share * np.log(share)
    row[2] = entropy
    marked = np.zeros(count, np.bool_)
    row[3:12] = 0.0
    for n in range(_FIRST, _LONGEST + 1):
        if count < n:
            break
        keys[:] = 0
        counts[:] = 0
        best, where = np.int64(1), -1
        for index in range(count - n + 1):
            key = scramble(raw_piece(running, index, index + n))
            slot = find(keys, key)
            keys[slot] = max(key, _ONE)
            counts[slot] += 1
            places[index] = slot
            best = max(best, counts[slot])
        if best == 1:
            # What occurs once does not begin a longer run that occurs twice.
            break
        if n <= _LAST:
            for index in range(count - n + 1):
                if counts[places[index]] == best:
                    where = index
                    break
            row[3 + n - _FIRST] = (bounds[where + n] - bounds[where]) * best / total
        elif n >= _DUPLICATED:
            marked[:] = False
            reach = 0
            characters = 0
            for index in range(count - n + 1):
                if counts[places[index]] > 1:
                    for inner in range(max(index, reach), index + n):
                        characters += lengths[inner]
                    reach = index + n
            row[6 + n - _DUPLICATED] = characters / total

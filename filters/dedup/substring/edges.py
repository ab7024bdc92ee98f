"""Cuts in code points: never inside a character, never between a character and what belongs to it."""

from __future__ import annotations

# ruff: noqa: PLR0912, PLR0915, PLR0917 (kernels take arrays one by one)
import functools
import unicodedata

import numpy as np
import numpy.typing as npt

from filters.characters import CODE_POINTS
from filters.dedup.substring.units import Numbers
from filters.jit import kernel, loop

Points = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.uint8]

_EXTENDS, _REGIONAL = np.uint8(1), np.uint8(2)
_JOINER, _RETURN, _FEED = 0x200D, 0x0D, 0x0A
# Unicode Standard Annex 29, table 2: Grapheme_Cluster_Break = Extend, SpacingMark, V, T and
# Regional_Indicator, as far as they are no marks by category.
_MORE_EXTENDING = (
    (0x200C, 0x200E),  # joiners
    (0x0E33, 0x0E34),  # Thai and Lao am
    (0x0EB3, 0x0EB4),
    (0x1160, 0x1200),  # Korean vowels and finals
    (0xD7B0, 0xD7FC),
    (0xFF9E, 0xFFA0),  # halfwidth voicing marks of kana
    (0x1F3FB, 0x1F400),  # colours of skin
    (0xE0020, 0xE0080),  # tags of flags
)
_REGIONS = (0x1F1E6, 0x1F200)
_MARKS = ((0, 0x20000), (0xE0100, 0xE01F0))
"""Where all marks lie."""


@functools.cache
def extending() -> Flags:
    """Which code points belong to the one before, or may: uint8[0x110000]."""
    table = np.zeros(CODE_POINTS, np.uint8)
    for first, last in _MARKS:
        table[first:last] = [unicodedata.category(chr(point))[0] == "M" for point in range(first, last)]
    for first, last in _MORE_EXTENDING:
        table[first:last] = _EXTENDS
    table[_REGIONS[0] : _REGIONS[1]] = _REGIONAL
    table.flags.writeable = False
    return table


@loop
def belongs(points: Points, first: int, place: int, table: Flags) -> bool:
    """Whether a code point belongs to the one before it, in a text that begins at `first`."""
    if place <= first:
        return False
    before, kind = points[place - 1], table[points[place]]
    if kind == _EXTENDS or before == _JOINER:
        return True
    if kind == _REGIONAL:
        flags = place
        while flags > first and table[points[flags - 1]] == _REGIONAL:
            flags -= 1
        return (place - flags) % 2 == 1
    return bool(before == _RETURN and points[place] == _FEED)


@kernel
def byte_points(
    data: npt.NDArray[np.uint8], offsets: Numbers, text: Numbers, run: Numbers, end: Numbers
) -> tuple[Numbers, Numbers]:
    """Places in bytes as boundaries in code points: the first one at or behind each `run`, the last one at or
    before each `end`.

    Args:
        data, offsets: texts in UTF-8. text: to which one each place belongs, ascending.
    """
    begun = np.empty(len(run), np.int64)
    ended = np.empty(len(end), np.int64)
    longest = 0
    for index in range(len(offsets) - 1):
        longest = max(longest, offsets[index + 1] - offsets[index])
    before = np.zeros(longest + 1, np.int64)
    last = -1
    for index in range(len(text)):
        start = offsets[text[index]]
        size = offsets[text[index] + 1] - start
        if text[index] != last:
            last = text[index]
            for place in range(size):
                before[place + 1] = before[place] + ((data[start + place] & 0xC0) != 0x80)
        begun[index] = before[run[index]]
        ended[index] = before[end[index]]
        if end[index] < size and (data[start + end[index]] & 0xC0) == 0x80:
            ended[index] -= 1
    return begun, ended


BYTES, CHARACTERS, WORDS, TOKENS = range(4)
"""How `finish` measures fragments: by bytes, by code points, by units that have places of their own."""


@loop
def _small(
    points: Points, base: int, begin: int, end: int, least: int, measure: int,
    starts: Numbers, ends: Numbers, unit: int, last: int,
) -> bool:  # fmt: skip
    """Whether what lies between two places of a text has fewer units than `least`."""
    size = 0
    if measure == CHARACTERS:
        return end - begin < least
    if measure == BYTES:
        for place in range(begin, end):
            point = points[base + place]
            size += 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
            if size >= least:
                return False
        return True
    while unit < last and starts[unit] < begin:
        unit += 1
    while unit < last and ends[unit] <= end:
        unit, size = unit + 1, size + 1
        if size >= least:
            return False
    return True


@kernel
def finish(
    text: Numbers,
    joined: Numbers,
    begin: Numbers,
    end: Numbers,
    kept: Numbers,
    kept_begin: Numbers,
    kept_end: Numbers,
    points: Points,
    bases: Numbers,
    table: Flags,
    least: int,
    measure: int,
    offsets: Numbers,
    starts: Numbers,
    ends: Numbers,
) -> tuple[Numbers, Numbers]:
    """The spans to cut, and their pieces.

    Args:
        text, joined, begin, end, kept, kept_begin, kept_end: pieces in code points, by text, then by place;
            joined ones belong to the span of the piece before.
        points, bases: code points of all texts, and where each text begins.
        table: `extending`.
        least, measure: fragments of fewer units are cut.
        offsets, starts, ends: the units of all texts, where they are measured by their places.

    Returns int64[spans, 3], text, begin and end; int64[pieces, 6], text, begin, end, kept (-1 for what is
    cut without standing elsewhere), where it begins and ends there.
    """
    spans = np.empty((len(text), 3), np.int64)
    # A piece, what has no place before it and behind it, a fragment before it and behind it.
    pieces = np.empty((5 * len(text), 6), np.int64)
    size = count = 0
    index = 0
    while index < len(text):
        current = text[index]
        base, length = bases[current], bases[current + 1] - bases[current]
        unit, last = 0, 0
        if measure >= WORDS:
            unit, last = offsets[current], offsets[current + 1]
        done = 0
        opened = size
        while index < len(text) and text[index] == current:
            group = index
            index += 1
            while index < len(text) and text[index] == current and joined[index]:
                index += 1
            first, stop = begin[group], end[index - 1]
            while first < stop and belongs(points, base, base + first, table):
                first += 1
            while stop > first and stop < length and belongs(points, base, base + stop, table):
                stop -= 1
            if stop <= first:
                continue
            if measure >= WORDS:
                while unit < last and starts[unit] < done:
                    unit += 1
            if first == done or (
                least > 0 and _small(points, base, done, first, least, measure, starts, ends, unit, last)
            ):
                if first > done:
                    count = _piece(pieces, count, current, done, first, -1, -1, -1)
                if size > opened:
                    spans[size - 1, 2] = stop
                else:
                    spans[size, 0], spans[size, 1], spans[size, 2] = current, done, stop
                    size += 1
            else:
                spans[size, 0], spans[size, 1], spans[size, 2] = current, first, stop
                size += 1
            at = first
            for one in range(group, index):
                head, tail = max(begin[one], at), min(end[one], stop)
                if tail <= head:
                    continue
                if head > at:
                    if measure == WORDS and at > first:
                        # White space between units goes with the unit before it.
                        pieces[count - 1, 2] = head
                    else:
                        count = _piece(pieces, count, current, at, head, -1, -1, -1)
                count = _piece(
                    pieces, count, current, head, tail, kept[one],
                    kept_begin[one] + head - begin[one], kept_end[one] - (end[one] - tail),
                )  # fmt: skip
                at = tail
            if stop > at:
                count = _piece(pieces, count, current, at, stop, -1, -1, -1)
            done = stop
        if measure >= WORDS:
            while unit < last and starts[unit] < done:
                unit += 1
        if (
            size > opened
            and done < length
            and least > 0
            and _small(points, base, done, length, least, measure, starts, ends, unit, last)
        ):
            spans[size - 1, 2] = length
            count = _piece(pieces, count, current, done, length, -1, -1, -1)
    return spans[:size], pieces[:count]


@loop
def _piece(
    pieces: Numbers, count: int, text: int, begin: int, end: int, kept: int, kept_begin: int, kept_end: int
) -> int:
    piece = pieces[count]
    piece[0], piece[1], piece[2], piece[3] = text, begin, end, kept
    piece[4], piece[5] = kept_begin, kept_end
    return count + 1

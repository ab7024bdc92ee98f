"""Where lines, paragraphs and sentences begin and end: kernels on arrays of code points. Words are in
`filters.words`.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from filters.abbreviations import ABBREVIATIONS
from filters.characters import BREAK, CLOSER, FIGURE, LETTER, LOWER, SPACE, TERMINAL, UPPER, WORD
from filters.hashing import piece, pieces, scan
from filters.jit import kernel
from filters.spans import Spans

Offsets = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

__all__ = ["Spans", "abbreviation_table", "cut", "lines", "paragraphs", "runs", "sentences", "trim"]

_LINE_FEED, _RETURN, _STOP = 0x0A, 0x0D, 0x2E
_WIDE = 0x3000
"""Terminal marks from here on (。！？) belong to scripts that are written without spaces."""
_SLOTS = 1 << 12


def cut(length: int, at: Offsets, widths: Offsets | int = 1) -> Spans:
    """The pieces between separators at `at` of the given widths: one more than there are separators."""
    starts = np.concatenate(([0], at + widths)).astype(np.int64)
    ends = np.concatenate((at, [length])).astype(np.int64)
    return Spans(starts, ends)


def runs(flags: Bits) -> Spans:
    """Maximal runs of true values."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return Spans(edges[0::2], edges[1::2])


@kernel
def trim(classes: Classes, starts: Offsets, ends: Offsets) -> tuple[Offsets, Offsets]:
    """The pieces without white space at their ends (`str.strip`); a blank one becomes empty, at its start."""
    firsts, lasts = starts.copy(), ends.copy()
    for index in range(len(starts)):
        first, last = starts[index], ends[index]
        while first < last and classes[last - 1] & SPACE:
            last -= 1
        while first < last and classes[first] & SPACE:
            first += 1
        if first == last:
            first = last = starts[index]
        firsts[index], lasts[index] = first, last
    return firsts, lasts


@kernel
def lines(code_points: CodePoints, classes: Classes) -> tuple[Offsets, Offsets]:
    """`str.splitlines` as offsets: CR LF is one end, and no line follows the last end."""
    length = len(code_points)
    count = 1
    for at in range(length):
        if classes[at] & BREAK:
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count = start = at = 0
    while at < length:
        if classes[at] & BREAK:
            starts[count], ends[count] = start, at
            count += 1
            if code_points[at] == _RETURN and at + 1 < length and code_points[at + 1] == _LINE_FEED:
                at += 1
            start = at + 1
        at += 1
    if start < length:
        starts[count], ends[count] = start, length
        count += 1
    return starts[:count].copy(), ends[:count].copy()


@kernel
def paragraphs(code_points: CodePoints, classes: Classes) -> tuple[Offsets, Offsets]:
    """The stripped text cut at two or more line feeds in a row; a blank text has one empty paragraph."""
    first, last = 0, len(code_points)
    while first < last and classes[last - 1] & SPACE:
        last -= 1
    while first < last and classes[first] & SPACE:
        first += 1
    if first == last:
        first = last = 0
    count = 1
    for at in range(first + 1, last):
        if code_points[at] == _LINE_FEED and code_points[at - 1] == _LINE_FEED:
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count, start, at = 0, first, first
    while at < last:
        feeds = at
        while feeds < last and code_points[feeds] == _LINE_FEED:
            feeds += 1
        if feeds - at > 1:
            starts[count], ends[count] = start, at
            count += 1
            start = feeds
        at = max(feeds, at + 1)
    starts[count], ends[count] = start, last
    return starts[: count + 1].copy(), ends[: count + 1].copy()


@functools.cache
def abbreviation_table() -> Hashes:
    """Hash set with open addressing of the abbreviations, as they stand and with a capital: 0 is an empty slot."""
    words = sorted({form for word in ABBREVIATIONS for form in (word, word[0].upper() + word[1:])})
    ends = np.cumsum([len(word) for word in words]).astype(np.int64)
    code_points = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
    _, running, _ = scan(code_points, np.zeros(0x110000, np.uint32))
    keys = np.zeros(_SLOTS, np.uint64)
    for key in pieces(running, np.concatenate((np.zeros(1, np.int64), ends[:-1])), ends):
        slot = int(key) % _SLOTS
        while keys[slot]:
            slot = (slot + 1) % _SLOTS
        keys[slot] = key
    return keys


@kernel
def _is_abbreviation(
    classes: Classes, code_points: CodePoints, running: Hashes, keys: Hashes, at: int
) -> bool:
    """Whether the full stop at `at` belongs to an abbreviation or an initial."""
    start = at
    letters = stops = 0
    while start > 0:
        if code_points[start - 1] == _STOP:
            stops += 1
        elif not classes[start - 1] & WORD:
            break
        elif classes[start - 1] & LETTER:
            letters += 1
        start -= 1
    if start == at:
        return False
    # "J. Smith", "z. B.", "e.g.", "U.S."
    if at - start == 1 and classes[start] & UPPER:
        return True
    if stops and letters and at - start - stops <= 2 * stops + 2:
        return True
    key = piece(running, start, at)
    slot = np.int64(key & np.uint64(_SLOTS - 1))
    while keys[slot] != 0:
        if keys[slot] == key:
            return True
        slot = (slot + 1) & (_SLOTS - 1)
    return False


@kernel
def sentences(
    code_points: CodePoints, classes: Classes, running: Hashes, keys: Hashes
) -> tuple[Offsets, Offsets]:
    """Sentences, trimmed and not empty; a line end always ends one.

    A run of terminal marks and closing quotes or brackets ends a sentence where white space follows, or where
    its last terminal mark is wide (of a script written without spaces). A full stop does not where the next
    letter is small, or where it belongs to an abbreviation (`filters.abbreviations`) or an initial.
    """
    length = len(code_points)
    count = 1
    for at in range(length):
        if classes[at] & (BREAK | TERMINAL):
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count = start = at = 0
    while at < length:
        flags = classes[at]
        if not flags & (BREAK | TERMINAL):
            at += 1
            continue
        first = last = at
        over = flags & BREAK != 0
        at += 1
        if not over:
            while at < length and classes[at] & (TERMINAL | CLOSER):
                if classes[at] & TERMINAL:
                    last = at
                at += 1
            over = at == length or classes[at] & SPACE != 0 or code_points[last] >= _WIDE
            if over and first == last and code_points[last] == _STOP:
                after = at
                while after < length and classes[after] & SPACE:
                    after += 1
                if after < length and classes[after] & LOWER:
                    over = False
                elif after < length:
                    over = not _is_abbreviation(classes, code_points, running, keys, first)
        if over:
            left, right = start, at
            while left < right and classes[right - 1] & SPACE:
                right -= 1
            while left < right and classes[left] & SPACE:
                left += 1
            if left < right:
                starts[count], ends[count] = left, right
                count += 1
            start = at
    while start < length and classes[length - 1] & SPACE:
        length -= 1
    while start < length and classes[start] & SPACE:
        start += 1
    if start < length:
        starts[count], ends[count] = start, length
        count += 1
    return starts[:count].copy(), ends[:count].copy()

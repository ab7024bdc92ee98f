"""Units of a text (lines, paragraphs, sentences), and what is cut where some of them go: kernels on arrays.

A unit that is cut takes the white space of one side with it. Of the two sides the one with more line ends
stays, in doubt that before it: so lines and paragraphs go with their line end, no empty lines pile up, a
sentence goes with its space, and the first or last sentence of a paragraph leaves the paragraph's end in its
place. At the beginning of the text all white space before goes too; at the end what stood there stays. The
indentation of a line is part of the line.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from filters.base import Offsets, TextView
from filters.characters import ALPHA, BREAK, LETTER, SPACE
from filters.jit import kernel, loop

Unit = Literal["line", "paragraph", "sentence"]
Classes = npt.NDArray[np.uint32]
States = npt.NDArray[np.int8]

STAYS, GOES, MUTE = 0, 1, 2
"""A unit stays, is cut, or has nothing to compare (no letter, no digit): then it goes with its neighbours."""


def units(view: TextView, unit: Unit) -> tuple[Offsets, Offsets, Offsets]:
    """Where the units of a text begin (with the indentation of their first line), start and end (without
    white space): int64[n] each. None is blank.

    Lines are those of `str.splitlines`; paragraphs are lines without a blank one between them; sentences are
    those of `TextView.sentences`.
    """
    if unit == "sentence":
        found = view.sentences
        return found.starts, found.starts, found.ends
    return _blocks(view.classes, view.lines.starts, view.lines.ends, unit == "paragraph")


@kernel
def _blocks(classes: Classes, starts: Offsets, ends: Offsets, join: bool) -> tuple[Offsets, Offsets, Offsets]:
    """Lines that are not blank, or with `join` runs of them."""
    count = 0
    begins, firsts, lasts = np.empty_like(starts), np.empty_like(starts), np.empty_like(starts)
    after_blank = True
    for index in range(len(starts)):
        start, end = starts[index], ends[index]
        while start < end and classes[start] & SPACE:
            start += 1
        while start < end and classes[end - 1] & SPACE:
            end -= 1
        if start == end:
            after_blank = True
            continue
        if after_blank or not join:
            begins[count], firsts[count] = starts[index], start
            count += 1
        lasts[count - 1] = end
        after_blank = False
    return begins[:count].copy(), firsts[:count].copy(), lasts[:count].copy()


@kernel
def settle(states: States, starts: Offsets, ends: Offsets, fragment: int, least_remaining: int) -> bool:
    """Complete which units go, in place; returns whether any does.

    Units that are mute go where all that stands between two cuts, or a cut and an end of the text, is mute.
    So does a stretch that stays between them with fewer than `fragment` characters. Where fewer than
    `least_remaining` would stay of the text, nothing does.
    """
    count = len(states)
    cut = False
    for index in range(count):
        cut |= states[index] == GOES
    if not cut:
        return False
    remaining = 0
    index = 0
    while index < count:
        if states[index] == GOES:
            index += 1
            continue
        after = index
        mute = True
        while after < count and states[after] != GOES:
            mute &= states[after] == MUTE
            after += 1
        length = ends[after - 1] - starts[index]
        if mute or length < fragment:
            states[index:after] = GOES
        else:
            states[index:after] = STAYS
            remaining += length
        index = after
    if remaining < least_remaining:
        states[:] = GOES
    return True


@loop
def _after_marks(classes: Classes, at: int) -> int:
    """The next place that is not between a character and the marks on it."""
    while 0 < at < len(classes) and classes[at] & LETTER and not classes[at] & ALPHA:
        at += 1
    return at


@loop
def _breaks(classes: Classes, start: int, end: int) -> int:
    """How many line ends there are."""
    count = 0
    for at in range(start, end):
        count += (classes[at] & BREAK) != 0
    return count


@kernel
def spans(
    classes: Classes, states: States, begins: Offsets, starts: Offsets, ends: Offsets
) -> tuple[Offsets, Offsets]:
    """What is cut, in order, never touching: int64[k] each."""
    count = len(states)
    first, last = np.empty(count, np.int64), np.empty(count, np.int64)
    found = index = 0
    while index < count:
        if states[index] != GOES:
            index += 1
            continue
        after = index
        while after < count and states[after] == GOES:
            after += 1
        start, end = begins[index], ends[after - 1]
        if index == 0:
            start = 0
            end = len(classes) if after == count else begins[after]
        elif after == count or _breaks(classes, end, begins[after]) > _breaks(
            classes, ends[index - 1], start
        ):
            start = ends[index - 1]
        else:
            end = begins[after]
        start, end = _after_marks(classes, start), _after_marks(classes, end)
        if start < end:
            first[found], last[found] = start, end
            found += 1
        index = after
    return first[:found].copy(), last[:found].copy()

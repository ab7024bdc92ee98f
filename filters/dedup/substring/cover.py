"""Which units of a text are cut, and from which earlier places they can be had.

All windows of a text that stand earlier follow from its contexts, in order. Neighbouring windows that stand
first as neighbours make a run; a run of windows p to q covers the units p to q + N. The cut is what all runs
cover; it is laid out in as few pieces as possible, each out of one run: from where the piece before ends, the
run that reaches farthest.
"""

from __future__ import annotations

# ruff: noqa: PLR0917 (kernels take arrays one by one)
import numpy as np

from filters.dedup.substring.units import Numbers
from filters.jit import kernel

# Columns of the pieces that `cover` returns.
ROW, JOINED, RUN, BEGIN, END, KEPT, FIRST, FROM, FROM_AT, LAST, LAST_AT = range(11)


@kernel
def _add(found: Numbers, count: int) -> Numbers:
    if count < len(found):
        return found
    grown = np.empty((2 * len(found), found.shape[1]), np.int64)
    grown[:count] = found
    return grown


@kernel
def cover(
    row: Numbers,
    start: Numbers,
    stride: Numbers,
    repeats: Numbers,
    context: Numbers,
    bounds: Numbers,
    at: Numbers,
    count: Numbers,
    number: Numbers,
    first: Numbers,
    own: Numbers,
    length: int,
    within: bool,
    slack: int,
) -> Numbers:
    """The pieces to cut: int64[pieces, 11], by row, then by place.

    Args:
        row, start, stride, repeats, context: places of contexts (`contexts`), by row, then by start.
        bounds: of the windows of each context among the following, int64[contexts + 1].
        at, count, number, first: of windows `at` to `at + count` of a context, the document and unit where
            they stand first.
        own: number of the document of every row.
        length: of a window. within: whether places in the document itself count.
        slack: by how many units pieces from different places should overlap, where they can.

    Columns: row; JOINED whether it begins where the piece before ends; RUN, where the run begins of which it
    is a part; BEGIN and END of the piece, in units of its text; KEPT, the number of the document where it
    stands first; FIRST, the entry of `at` with which the run begins; FROM and FROM_AT, the entry that covers
    BEGIN and the place of its first window; LAST and LAST_AT, the same for the last unit.
    """
    found = np.empty((256, 11), np.int64)
    pieces = 0
    # The run that grows, and the one that would be taken: begin, last window, number, place where it stands
    # first minus begin, and with which place, repetition and entry it begins and ends.
    run, held = np.full(9, -1, np.int64), np.full(9, -1, np.int64)
    reached, joined = -1, False
    current = -1
    for index in range(len(row) + 1):
        over = index == len(row) or row[index] != current
        if over and current >= 0:
            # The text ends: take what is held, then what has grown.
            found, pieces, reached, joined = _push(
                found, pieces, reached, joined, run, held, current, length, slack,
                start, stride, context, bounds, at, count, repeats,
            )  # fmt: skip
            if held[0] >= 0:
                found = _add(found, pieces)
                _lay(found[pieces], held, current, reached, joined, length,
                     start, stride, context, bounds, at, count, repeats)  # fmt: skip
                pieces += 1
            run[0] = held[0] = reached = -1
        if index == len(row):
            break
        current = row[index]
        for repeat in range(repeats[index]):
            for entry in range(bounds[context[index]], bounds[context[index] + 1]):
                begin = start[index] + repeat * stride[index] + at[entry]
                last = begin + count[entry] - 1
                earlier = number[entry] < own[current] or (
                    within and number[entry] == own[current] and first[entry] + length <= begin
                )
                if not earlier:
                    continue
                if (
                    run[0] >= 0
                    and run[1] + 1 == begin
                    and run[2] == number[entry]
                    and run[3] == first[entry] - begin
                ):
                    run[1] = last
                    continue
                found, pieces, reached, joined = _push(
                    found, pieces, reached, joined, run, held, current, length, slack,
                    start, stride, context, bounds, at, count, repeats,
                )  # fmt: skip
                run[0], run[1], run[2], run[3] = begin, last, number[entry], first[entry] - begin
                run[4], run[5], run[6] = index, repeat, entry
    return found[:pieces]


@kernel
def _push(
    found: Numbers, pieces: int, reached: int, joined: bool, run: Numbers, held: Numbers, row: int,
    length: int, slack: int, start: Numbers, stride: Numbers, context: Numbers, bounds: Numbers, at: Numbers,
    count: Numbers, repeats: Numbers,
) -> tuple[Numbers, int, int, bool]:  # fmt: skip
    """A run has ended: hold it, or what is held is laid first."""
    if run[0] < 0:
        return found, pieces, reached, joined
    if held[0] >= 0 and not (joined and run[0] <= reached - slack):
        found = _add(found, pieces)
        _lay(found[pieces], held, row, reached, joined, length,
             start, stride, context, bounds, at, count, repeats)  # fmt: skip
        pieces += 1
        reached, joined = held[1] + length, True
    if run[0] > reached:
        reached, joined = run[0], False
    held[:] = run
    return found, pieces, reached, joined


@kernel
def _lay(
    piece: Numbers, run: Numbers, row: int, reached: int, joined: bool, length: int, start: Numbers,
    stride: Numbers, context: Numbers, bounds: Numbers, at: Numbers, count: Numbers, repeats: Numbers,
) -> None:  # fmt: skip
    """Write the piece of a run from `reached` on."""
    piece[ROW], piece[JOINED], piece[RUN] = row, joined, run[0]
    piece[BEGIN], piece[END], piece[KEPT], piece[FIRST] = reached, run[1] + length, run[2], run[6]
    place, repeat, entry = run[4], run[5], run[6]
    piece[FROM] = -1
    while True:
        begin = start[place] + repeat * stride[place] + at[entry]
        last = begin + count[entry] - 1
        if piece[FROM] < 0 and last + length > reached:
            piece[FROM], piece[FROM_AT] = entry, begin
        if last == run[1]:
            piece[LAST], piece[LAST_AT] = entry, begin
            return
        entry += 1
        while entry == bounds[context[place] + 1]:
            repeat += 1
            if repeat == repeats[place]:
                place, repeat = place + 1, 0
            entry = bounds[context[place]]

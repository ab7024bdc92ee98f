"""Cutting a web archive into records, also where their stated lengths lie.

FastWARC's iterator trusts every Content-Length and stops for good where one is wrong. Here a length counts
only
if a record, or the end, follows it; otherwise the record is a fault and the next one is looked for: the place
where a blank line, or the beginning of a compressed member, is followed by `WARC/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from corpus.sources.streams import Lost, Piece, Tally
from corpus.sources.window import Window

MAGIC = b"WARC/"
MAX_HEADER = 64 << 10
"""FastWARC's limit is half of this."""
LOOKAHEAD = 4096
"""Blank lines behind a record; the format has one, some writers have more."""
SHORT = "short"
"""Reason, until it is known better, of a record at whose stated end there is no archive any more."""
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = re.compile(rb"\n\r?\n(?=WARC/\d\.\d+\r?\n)")


@dataclass(frozen=True, slots=True)
class Framed:
    """A record's header and block, and where it lies."""

    offset: int
    """Of a gzip input: where the record's member begins. Else: where the record begins, decompressed."""
    inner: int
    """How far into its member the record begins (0 in archives with a member a record)."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that cannot be used: lying_length, bad_header, too_large, corrupt, truncated, or junk
    between records."""

    offset: int
    inner: int
    reason: str
    detail: str
    header: bytes = b""
    """The record's header, where it has one."""


Reopen = Callable[[int], Iterator[Piece]]
"""The stream again, from an input offset where a member begins. Raises OSError where the input cannot do
that."""


def frame(window: Window, limit: int, reopen: Reopen, raw: Tally) -> Iterator[Framed | Fault | Lost]:
    """The records of an archive in order, with faults and losses where they are met.

    A record of more than `limit` bytes is `too_large` and never held in memory. An uncompressed archive
    that ends within a record is truncated; a compressed one would know, so there the record lies.
    """
    while True:
        _skip_blank(window)
        if not window.fill(len(MAGIC)):
            break
        yield from window.lost_before(window.start)
        if window.peek(len(MAGIC)) != MAGIC:
            offset, inner = window.member_at()
            skipped = _seek_record(window, 0)
            taken = window.lost_before(window.start)
            yield from taken
            if not taken:
                yield Fault(offset, inner, "junk", f"{skipped} bytes that belong to no record")
            continue
        for found in _record(window, limit, reopen):
            if not isinstance(found, Fault) or found.reason != SHORT:
                yield found
            elif raw.packing or window.fill(1):
                yield replace(found, reason="lying_length")
            else:
                yield replace(found, reason="truncated")
                yield Lost("truncated", "the last record is cut off", window.start)
    yield from window.lost_before(window.start)


def _record(window: Window, limit: int, reopen: Reopen) -> Iterator[Framed | Fault | Lost]:
    start = window.start
    offset, inner = window.member_at()
    size = _header_size(window)
    header = window.peek(size) if size else b""
    stated = _LENGTH.search(header)
    if stated is None:
        detail = "no Content-Length" if size else "the header has no end"
        reason = SHORT if not size and window.ended else "bad_header"
        yield from _lost_or(window, len(MAGIC), Fault(offset, inner, reason, detail, header))
        return
    length = int(stated[1])
    if length > limit:
        fault = Fault(offset, inner, "too_large", f"{length} bytes", header)
        yield from _large(window, limit, reopen, fault, size=size, length=length)
        return
    total = size + length
    held = window.fill(total + LOOKAHEAD)
    follows = _follows(window, total) if held >= total else None
    if follows is None or _member_inside(window, start + 1, start + total):
        detail = f"{length} bytes stated"
        reason = SHORT if held < total else "lying_length"
        yield from _lost_or(window, size, Fault(offset, inner, reason, detail, header))
        return
    # A member that fails its check where this record ends makes it doubtful, whole as it may look.
    if window.suspect(start, start + follows):
        lost = window.lost_before(start + follows)
        yield Fault(offset, inner, "corrupt", lost[0].detail, header)
        yield from lost
        window.skip(follows)
        return
    yield Framed(offset, inner, window.take(total))


def _large(
    window: Window, limit: int, reopen: Reopen, fault: Fault, *, size: int, length: int
) -> Iterator[Fault | Lost]:
    """A record that is too large to hold, or says so."""
    start = window.start
    window.fill(size + limit)
    next_record = _boundary(window, size)
    if next_record is not None and not _reaches(reopen, fault, size + length):
        window.skip(next_record)
        yield Fault(fault.offset, fault.inner, "lying_length", f"{length} bytes stated", fault.header)
        return
    window.skip(size)
    done = 0
    while done < length:
        step = window.skip(min(length - done, 1 << 20))
        done += step
        if not step or window.suspect(start, window.start):
            break
    lost = window.lost_before(window.start)
    if lost or done < length:
        reason = _reason(lost) if lost else SHORT
        yield Fault(fault.offset, fault.inner, reason, f"{length} bytes stated", fault.header)
        yield from lost
        _seek_record(window, 0)
        return
    if _follows(window, 0) is None:
        yield Fault(fault.offset, fault.inner, "lying_length", f"{length} bytes stated", fault.header)
        _seek_record(window, 0)
        return
    yield fault


def _reaches(reopen: Reopen, fault: Fault, total: int) -> bool:
    """Whether a record is really as long as it says, seen by reading it a second time."""
    try:
        window = Window(reopen(fault.offset))
        window.skip(fault.inner)
        return window.skip(total) == total and _follows(window, 0) is not None
    except OSError:
        return False


def _lost_or(window: Window, least: int, fault: Fault) -> Iterator[Fault | Lost]:
    """Go on to the next record; tell a loss on the way as the cause, else the fault."""
    _seek_record(window, least)
    lost = window.lost_before(window.start)
    if lost:
        yield Fault(fault.offset, fault.inner, _reason(lost), lost[0].detail, fault.header)
        yield from lost
    else:
        yield fault


def _reason(lost: list[Lost]) -> str:
    return "corrupt" if lost[0].reason.startswith("corrupt") else "truncated"


def _header_size(window: Window) -> int:
    """Bytes up to and with the blank line that ends the header; 0 if there is none in reach."""
    reach = 4096
    while True:
        held = window.fill(reach)
        ends = [
            end + len(mark)
            for mark in (b"\r\n\r\n", b"\n\n", b"\n\r\n")
            if (end := window.find(mark, 0, min(held, reach))) >= 0
        ]
        if ends:
            return min(ends)
        if held < reach or reach >= MAX_HEADER:
            return 0
        reach *= 4


def _follows(window: Window, at: int) -> int | None:
    """Where the next record, or the end, is behind a record that ends at `at`; None if something else is
    there."""
    behind = window.peek(LOOKAHEAD, at)
    rest = behind.lstrip(b"\r\n")
    place = at + len(behind) - len(rest)
    if not rest and len(behind) < LOOKAHEAD:
        return place
    return (
        place
        if rest.startswith(MAGIC) or window.begun(window.start + place, window.start + place + 1)
        else None
    )


def _member_inside(window: Window, low: int, high: int) -> bool:
    """Whether another record begins with a compressed member in [low, high)."""
    return any(
        window.peek(len(MAGIC), position - window.start) == MAGIC for position in window.begun(low, high)
    )


def _boundary(window: Window, begin: int) -> int | None:
    """Where, relative to the window, the next record begins in what was read ahead."""
    held = window.fill(0)
    places = [
        position - window.start
        for position in window.begun(window.start + max(begin, 1), window.start + held)
    ]
    places = [place for place in places if window.peek(len(MAGIC), place) == MAGIC]
    found = window.search(_BOUNDARY, max(begin - 4, 0))
    if found is not None:
        places.append(found)
    return min(places, default=None)


def _seek_record(window: Window, least: int) -> int:
    """Go to the next record behind the first `least` bytes, or to the end; returns how many bytes were
    passed."""
    begin = window.start
    while True:
        place = _boundary(window, least)
        if place is not None:
            window.skip(place)
            return window.start - begin
        held = window.fill(0)
        if window.ended:
            window.skip(held)
            return window.start - begin
        # A boundary may straddle the end of what was read ahead.
        keep = 32
        if held > least + keep:
            window.skip(held - keep)
            least = 0
        window.fill(window.fill(0) + (1 << 16))


def _skip_blank(window: Window) -> None:
    while True:
        data = window.peek(LOOKAHEAD)
        blank = len(data) - len(data.lstrip(b"\r\n"))
        window.skip(blank)
        if blank < LOOKAHEAD:
            return

"""ARC 1 archives (Internet Archive, Common Crawl until 2012): a line, then as many bytes as the line says.

    URL IP-address date media-type length

http://archive.org/web/researcher/ArcFileFormat.php. Lengths lie here too: a record ends where the next
line, or the end, follows, and is otherwise taken to reach to the next such line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.sources.framing import Fault
from corpus.sources.streams import Lost
from corpus.sources.window import Window

MAGIC = b"filedesc:"
_LINE = re.compile(rb"([a-z][a-z0-9+.-]*:\S*) (\d{1,3}(?:\.\d{1,3}){3}) (\d{14}) (\S+) (\d{1,18})\n")
_NEXT = re.compile(rb"\n(?=[a-z][a-z0-9+.-]*:\S{1,4096} \d{1,3}(?:\.\d{1,3}){3} \d{14} \S{1,200} \d{1,18}\n)")
_MAX_LINE = 8192


@dataclass(frozen=True, slots=True)
class FramedArc:
    """An ARC record and where it lies (as for WARC)."""

    offset: int
    inner: int
    url: bytes
    address: bytes
    date: bytes
    block: bytes

    def as_warc(self) -> bytes:
        """The same record as WARC/1.0, so that one path reads both."""
        d = self.date
        date = b"%b-%b-%bT%b:%b:%bZ" % (d[:4], d[4:6], d[6:8], d[8:10], d[10:12], d[12:14])
        kind = b"response" if self.url.startswith((b"http:", b"https:")) else b"metadata"
        return (
            b"WARC/1.0\r\nWARC-Type: %b\r\nWARC-Target-URI: %b\r\nWARC-Date: %b\r\nWARC-IP-Address: %b\r\n"
            b"Content-Type: application/http; msgtype=response\r\nContent-Length: %d\r\n\r\n"
            % (kind, self.url, date, self.address, len(self.block))
        ) + self.block


def frame(window: Window, limit: int) -> Iterator[FramedArc | Fault | Lost]:
    """The records of an ARC archive in order, with faults and losses where they are met."""
    while True:
        blank = len(data := window.peek(4096)) - len(data.lstrip(b"\r\n"))
        window.skip(blank)
        if not window.fill(1):
            break
        yield from window.lost_before(window.start)
        offset, inner = window.member_at()
        start = window.start
        line = _LINE.match(window.peek(_MAX_LINE))
        if line is None:
            _seek(window, 0)
            lost = window.lost_before(window.start)
            yield from lost
            if not lost:
                yield Fault(offset, inner, "junk", f"{window.start - start} bytes that belong to no record")
            continue
        size, length = line.end(), int(line[5])
        if length > limit:
            window.skip(size + length)
            # What is behind may be anything: if it is no record, it is junk, and told as such.
            yield Fault(offset, inner, "too_large", f"{length} bytes")
            yield from window.lost_before(window.start)
            continue
        held = window.fill(size + length + 2 * _MAX_LINE)
        behind = window.peek(_MAX_LINE, size + length).lstrip(b"\r\n")
        if held < size + length or not (_LINE.match(behind) or not behind):
            end = _next(window, size)
            if end is None and held < size + length:
                window.skip(held)
                lost = window.lost_before(window.start)
                yield Fault(offset, inner, "truncated", f"{length} bytes stated")
                yield from lost or [Lost("truncated", "the last record is cut off", window.start)]
                continue
            window.skip(size)
            _seek(window, 0)
            yield Fault(offset, inner, "lying_length", f"{length} bytes stated")
            yield from window.lost_before(window.start)
            continue
        if window.suspect(start, start + size + length):
            window.skip(size + length)
            lost = window.lost_before(window.start + 2)
            yield Fault(offset, inner, "corrupt", lost[0].detail if lost else "")
            yield from lost
            continue
        data = window.take(size + length)
        if line[1].startswith(MAGIC):
            continue
        yield FramedArc(offset, inner, line[1], line[2], line[3], data[size:])
    yield from window.lost_before(window.start)


def _next(window: Window, begin: int) -> int | None:
    """Where the next record's line begins in what was read ahead."""
    return window.search(_NEXT, max(begin - 1, 0))


def _seek(window: Window, begin: int) -> None:
    """Go to the next record's line, or to the end."""
    while True:
        place = _next(window, begin)
        if place is not None:
            window.skip(place)
            return
        held = window.fill(0)
        if window.ended:
            window.skip(held)
            return
        if held > 2 * _MAX_LINE:
            window.skip(held - 2 * _MAX_LINE)
        window.fill(window.fill(0) + (1 << 16))

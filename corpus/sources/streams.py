"""Compressed inputs as one stream of bytes that knows where members begin and where bytes were lost.

FastWARC's own readers take a truncated gzip file for a short one, and stop at the first damaged member. This
stream tells both, and goes on behind the damage: nobody loses an archive to one flipped bit, and nobody takes
half an archive for a whole one.
"""

from __future__ import annotations

import bz2
import importlib
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from fastwarc.stream_io import Lz4Reader, ZstdReader

from corpus.transfer import CONNECTION_LOST, reason_of
from gristmill.base.errors import describe

CHUNK = 1 << 20
GZIP_CHUNK = 1 << 17
"""What lies behind the end of a member is copied, so the less is read at once, the better."""
SMALL_CHUNK = 4096
GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_DICTIONARY_MAGIC = b"\x5d\x2a\x4d\x18"
"""The skippable frame in which a .warc.zst file carries its dictionary (IIPC's draft of WARC-Zstandard)."""
LZ4_MAGIC = b"\x04\x22\x4d\x18"


def _fastest() -> Any:
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return zlib


INFLATE = _fastest()
"""`zlib`, or the same by ISA-L (package `isal`, where it is installed), which takes 0.4 of the time."""


@dataclass(frozen=True, slots=True)
class Member:
    """A compressed member begins here, at this offset of the input."""

    offset: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Bytes are missing here: the member before this point is damaged (`corrupt`) or the input ends
    (`truncated`)."""

    reason: str
    detail: str
    offset: int
    damages: bool = False
    """Whether the bytes of the member before it may be wrong; else they are right, only the rest is
    missing."""


Piece = bytes | Member | Lost


class Tally:
    """A binary stream that counts what is read from it, and keeps the error that ends it."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.count = 0
        self.error: OSError | None = None
        self.packing = ""
        """How the stream is compressed; set by `unpack`."""

    def read(self, size: int = -1) -> bytes:
        """Read; after an error (which is kept) the stream has ended."""
        if self.error is not None:
            return b""
        try:
            data = self.raw.read(size) or b""
        except OSError as error:
            self.error = error
            return b""
        self.count += len(data)
        return data


def unpack(raw: Tally) -> Iterator[Piece]:
    """The decompressed stream of an input in pieces.

    gzip: `Member` before every member, `Lost("corrupt")` after a damaged one, `Lost("truncated")` at an end
    in
    the middle of a member. zstd and lz4: no members. A read error ends the stream with
    `Lost("connection_lost")`, or `Lost("changed")` where another version of the file turned up.
    """
    head = raw.read(CHUNK)
    if head.startswith(GZIP_MAGIC[:2]):
        raw.packing = "gzip"
        yield from _gzip(head, raw)
    elif head.startswith((ZSTD_MAGIC, ZSTD_DICTIONARY_MAGIC)):
        raw.packing = "zstd"
        yield from _foreign(ZstdReader(_Prefixed(head, raw)), raw)
    elif head.startswith(LZ4_MAGIC):
        raw.packing = "lz4"
        yield from _foreign(Lz4Reader(_Prefixed(head, raw)), raw)
    else:
        while head:
            yield head
            head = raw.read(CHUNK)
    if raw.error is not None:
        yield broken(raw.error, raw.count)


def unpack_named(raw: Tally, path: str) -> Iterator[Piece]:
    """`unpack`, and what is known by its name only: bzip2 (`.bz2`) and xz (`.xz`)."""
    if path.lower().endswith((".bz2", ".xz")):
        return _python(raw, bz2.BZ2File if path.lower().endswith(".bz2") else lzma.LZMAFile)
    return unpack(raw)


def _python(raw: Tally, opener: type[bz2.BZ2File] | type[lzma.LZMAFile]) -> Iterator[Piece]:
    """bzip2 and xz, by the standard library."""
    try:
        with opener(cast(Any, raw)) as file:
            while data := file.read1(CHUNK) if isinstance(file, lzma.LZMAFile) else file.read(CHUNK):
                yield data
    except (EOFError, OSError, lzma.LZMAError) as error:
        if raw.error is None:
            reason = "truncated" if isinstance(error, EOFError) else "corrupt_to_end"
            yield Lost(reason, describe(error), raw.count)
    if raw.error is not None:
        yield broken(raw.error, raw.count)


def broken(error: OSError, offset: int) -> Lost:
    """What an error of reading means for the input."""
    return Lost(reason_of(error, CONNECTION_LOST), describe(error), offset)


class _Prefixed:
    """A stream of which the beginning has been read already."""

    def __init__(self, head: bytes, raw: Tally) -> None:
        self.head, self.raw = head, raw

    def read(self, size: int = CHUNK) -> bytes:
        """The beginning first."""
        if self.head:
            data, self.head = self.head[:size], self.head[size:]
            return data
        return self.raw.read(size)

    def tell(self) -> int:
        """Bytes handed out."""
        return self.raw.count - len(self.head)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Not possible."""
        raise OSError("not seekable")

    def close(self) -> None:
        """The owner closes the raw stream."""


def _foreign(reader: ZstdReader | Lz4Reader, raw: Tally) -> Iterator[Piece]:
    data = bytearray()
    while True:
        try:
            # An error takes with it whatever its read would have returned.
            some = reader.read(SMALL_CHUNK)
        except OSError as error:
            yield bytes(data)
            if raw.error is None:
                # The reader does not tell a damaged frame from one cut short; behind either nothing is
                # found again.
                ended = not raw.read(1)
                yield Lost("truncated" if ended else "corrupt_to_end", describe(error), raw.count)
            return
        data += some
        if len(data) >= CHUNK or not some:
            yield bytes(data)
            data.clear()
        if not some:
            return


def _gzip(data: bytes, raw: Tally) -> Iterator[Piece]:
    while True:
        data = _skip_padding(data, raw)
        if not data:
            return
        offset = raw.count - len(data)
        if len(data) < len(GZIP_MAGIC) and GZIP_MAGIC.startswith(data):
            yield Lost("truncated", "the last member is cut off", raw.count)
            return
        if not data.startswith(GZIP_MAGIC[:2]):
            yield Lost("corrupt", "bytes between members that are no gzip", offset)
            data = _next_member(data, raw)
            continue
        yield Member(offset)
        inflater = INFLATE.decompressobj(wbits=31)
        kept = data
        try:
            while True:
                out = inflater.decompress(data, CHUNK)
                if out:
                    yield out
                if inflater.eof:
                    data = inflater.unused_data
                    break
                data = inflater.unconsumed_tail
                if not data and not out:
                    data = kept = raw.read(GZIP_CHUNK)
                    if not data:
                        if raw.error is None:
                            yield Lost("truncated", "the last member is cut off", raw.count)
                        return
        except INFLATE.error:
            yield Lost("corrupt", "the member is damaged", offset, damages=True)
            # The next member begins behind this one's own magic bytes.
            behind = max(offset + 1, raw.count - len(kept))
            data = _next_member(kept[behind - (raw.count - len(kept)) :], raw)


def _skip_padding(data: bytes, raw: Tally) -> bytes:
    """What follows behind the zero bytes that may lie between members; empty at the end."""
    data = data.lstrip(b"\0")
    while len(data) < len(GZIP_MAGIC) and (more := raw.read(CHUNK)):
        data = (data + more).lstrip(b"\0")
    return data


def _next_member(data: bytes, raw: Tally) -> bytes:
    """Look for bytes that begin a member and inflate; returns them and what was read behind them."""
    while True:
        start = data.find(GZIP_MAGIC)
        if start < 0:
            tail = data[-2:]
            data = raw.read(CHUNK)
            if not data:
                return b""
            data = tail + data
            continue
        data = data[start:]
        if len(data) < 1024:
            data += raw.read(CHUNK)
        try:
            if zlib.decompressobj(wbits=31).decompress(data[:4096], 4096):
                return data
        except zlib.error:
            pass
        data = data[1:]

"""Archives made for tests: WARC records, whole and lying, and ways to pack them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence

from fastwarc.stream_io import Lz4Writer, ZstdWriter


def http(
    body: bytes, content_type: str = "text/html; charset=utf-8", status: str = "200 OK", more: str = ""
) -> bytes:
    """An HTTP response."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{more}\r\n".encode() + body


def record(
    number: int,
    block: bytes,
    *,
    kind: str = "response",
    length: int | str | None = None,
    more: str = "",
    url: str | None = None,
) -> bytes:
    """A WARC record; `length` is what it says of itself, the truth by default."""
    header = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:test:{number:012d}>\r\n"
        f"WARC-Date: 2024-05-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z\r\n"
        f"WARC-Target-URI: {url or f'http://example.org/{number}'}\r\n{more}"
        f"Content-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block) if length is None else length}\r\n\r\n"
    )
    return header.encode() + block + b"\r\n\r\n"


WORDS = (
    "mill stone water wheel grain flour river bread field harvest sack miller dam sluice gear shaft wind",
    "sail oak iron the of and that with have be to from which was are they this each before after over",
)
VOCABULARY = " ".join(WORDS).split()


def prose(number: int, sentences: int = 12) -> str:
    """Some sentences, different for every number, the same every time."""
    out = []
    state = number * 2654435761 + 1
    for _ in range(sentences):
        words = []
        for _ in range(9 + state % 7):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            words.append(VOCABULARY[(state >> 33) % len(VOCABULARY)])
        out.append(" ".join(words).capitalize() + ".")
    return " ".join(out)


def page(number: int, sentences: int = 12) -> bytes:
    """A web page about as plain as they come."""
    paragraphs = "".join(f"<p>{prose(number * 7 + i, sentences)}</p>" for i in range(3))
    return (
        f"<html><head><title>Page {number}</title></head><body><main><article><h1>Page {number}</h1>"
        f"{paragraphs}</article></main></body></html>"
    ).encode()


def pages(count: int, first: int = 0, sentences: int = 12) -> list[bytes]:
    """Records of so many pages."""
    return [record(n, http(page(n, sentences))) for n in range(first, first + count)]


def pack(records: Sequence[bytes], packing: str) -> bytes:
    """Records as an archive: `plain`, `members` (gzip, one a record), `gzip` (one for all), `blocks` (gzip
    members that take no notice of records), `zst`, `lz4`."""
    whole = b"".join(records)
    match packing:
        case "plain":
            return whole
        case "members":
            return b"".join(gzip.compress(item, mtime=0) for item in records)
        case "gzip":
            return gzip.compress(whole, mtime=0)
        case "blocks":
            return b"".join(gzip.compress(whole[i : i + 777], mtime=0) for i in range(0, len(whole), 777))
        case "zst" | "lz4":
            writer = ZstdWriter if packing == "zst" else Lz4Writer
            out = io.BytesIO()
            for item in records:
                with writer(out) as file:
                    file.write(item)
            return out.getvalue()
    raise ValueError(packing)


PACKINGS = ("plain", "members", "gzip", "blocks", "zst", "lz4")
ENDINGS = {"plain": "", "members": ".gz", "gzip": ".gz", "blocks": ".gz", "zst": ".zst", "lz4": ".lz4"}

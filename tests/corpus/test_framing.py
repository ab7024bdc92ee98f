"""Records are found as FastWARC finds them in sound archives, and around every fault in others."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources import streams
from corpus.sources.framing import Fault, Framed, frame
from corpus.sources.streams import Lost, Piece, Tally, unpack
from corpus.sources.window import Window
from tests.corpus.archives import PACKINGS, http, pack, page, pages, record

LIMIT = 1 << 16


def found(data: bytes, limit: int = LIMIT) -> list[Framed | Fault | Lost]:
    def again(offset: int) -> Iterator[Piece]:
        if not data.startswith((b"\x1f\x8b", b"WARC/")):
            raise OSError
        return unpack(Tally(io.BytesIO(data[offset:])))

    raw = Tally(io.BytesIO(data))
    return list(frame(Window(unpack(raw)), limit, again, raw))


def bodies(items: list[Framed | Fault | Lost]) -> list[bytes]:
    return [item.data for item in items if isinstance(item, Framed)]


def reasons(items: list[Framed | Fault | Lost]) -> list[str]:
    return [item.reason for item in items if not isinstance(item, Framed)]


block = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", b"\r\n\r\n", b"WARC/1.0\r\n", b"x\r\n\r\nWARC/1.0\r\nContent-Length: 3\r\n\r\nabc", page(1)]
    ),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(block, min_size=1, max_size=8), st.sampled_from(PACKINGS))
def test_sound_archives_give_every_record(blocks: list[bytes], packing: str) -> None:
    records = [record(n, body) for n, body in enumerate(blocks)]
    items = found(pack(records, packing))
    assert reasons(items) == []
    assert bodies(items) == [item.removesuffix(b"\r\n\r\n") for item in records]
    places = [(item.offset, item.inner) for item in items if isinstance(item, Framed)]
    assert len(set(places)) == len(places)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 7),
    st.integers(0, 6),
    st.sampled_from([0, 1, 5, 44, 60, 200, 333, 5000, LIMIT + 1, 10**9, 10**17, "12x", "-5", ""]),
    st.sampled_from(PACKINGS),
)
def test_a_lying_record_takes_no_other_with_it(
    count: int, which: int, length: int | str, packing: str
) -> None:
    which = min(which, count - 1)
    records = pages(count)
    truth = len(http(page(which)))
    if length == truth:
        return
    records[which] = record(which, http(page(which)), length=length)
    items = found(pack(records, packing))
    sound = [item.removesuffix(b"\r\n\r\n") for n, item in enumerate(records) if n != which]
    assert bodies(items) == sound
    told = reasons(items)
    if packing == "plain" and which == count - 1 and not isinstance(length, str) and length > truth:
        # Nobody can tell a last record that lies from one that is cut off.
        assert told == ["truncated", "truncated"]
    elif isinstance(length, str):
        assert told[0] in ("bad_header", "truncated")
    else:
        assert told == ["lying_length"]


@pytest.mark.parametrize("packing", PACKINGS)
def test_too_large_is_told_apart_from_lying(packing: str) -> None:
    large = record(2, b"x\r\n\r\nWARC/1.0\r\n" * 10_000)
    records = [*pages(2), large, *pages(2, first=3)]
    items = found(pack(records, packing))
    sound = [item.removesuffix(b"\r\n\r\n") for n, item in enumerate(records) if n != 2]
    if packing in ("zst", "lz4"):
        # No way back into these: what looks like records inside a large one is not believed, nor is its
        # length.
        assert set(bodies(items)) == set(sound)
        assert "lying_length" in reasons(items)
    else:
        assert bodies(items) == sound
        assert reasons(items) == ["too_large"]


def test_truncation_anywhere_keeps_what_came_before() -> None:
    records = pages(3, sentences=1)
    whole = [item.removesuffix(b"\r\n\r\n") for item in records]
    data = pack(records, "members")
    ends = {len(pack(records[:n], "members")) for n in range(4)}
    for cut in range(0, len(data), 1):
        items = found(data[:cut])
        kept = bodies(items)
        assert kept == whole[: len(kept)]
        complete = max(n for n in range(4) if len(pack(records[:n], "members")) <= cut)
        assert len(kept) >= complete
        if cut in ends:
            assert reasons(items) == []
        elif cut > 1:
            assert reasons(items)[-1] == "truncated", cut


def test_a_flipped_bit_costs_one_member() -> None:
    records = pages(4, sentences=1)
    whole = [item.removesuffix(b"\r\n\r\n") for item in records]
    members = [gzip.compress(item, mtime=0) for item in records]
    data = b"".join(members)
    low, high = len(members[0]), len(members[0]) + len(members[1])
    source = random.Random(5)
    for _ in range(300):
        at, bit = source.randrange(low, high), source.randrange(8)
        flipped = bytearray(data)
        flipped[at] ^= 1 << bit
        items = found(bytes(flipped))
        kept = bodies(items)
        # Some bits of a gzip header mean nothing (time, system); any other loses the member, and is told.
        assert kept == whole or (kept == [whole[0], *whole[2:]] and reasons(items)), (
            at - low,
            bit,
            reasons(items),
        )


def test_junk_between_records_is_told() -> None:
    records = pages(3)
    items = found(pack([records[0], b"what is this\r\n\r\n", records[1], records[2]], "members"))
    assert bodies(items) == [item.removesuffix(b"\r\n\r\n") for item in records]
    assert reasons(items) == ["junk"]


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0), b"\r\n\r\n", b"\0" * 100])
def test_nothing_is_found_in_nothing(data: bytes) -> None:
    assert bodies(found(data)) == []


def test_genuine_archives_as_fastwarc_reads_them(testdata: Path) -> None:
    for path in sorted((testdata / "web" / "archives").glob("*.warc*.gz")):
        with path.open("rb") as file:
            theirs = [(r.stream_pos, r.content_length) for r in ArchiveIterator(file, parse_http=False)]
        ours = found(path.read_bytes(), 1 << 24)
        assert reasons(ours) == []
        assert [item.offset for item in ours if isinstance(item, Framed)] == [
            position for position, _ in theirs
        ]
        lengths = [len(item.data) for item in ours if isinstance(item, Framed)]
        assert all(length > stated for length, (_, stated) in zip(lengths, theirs, strict=True))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["members", "gzip", "blocks"]), st.integers(0, 1 << 30), st.integers(0, 3), st.booleans()
)
def test_both_inflaters_lose_the_same(packing: str, seed: int, flips: int, cut: bool) -> None:
    """A store must not depend on which of them is installed."""
    pytest.importorskip("isal")
    data = bytearray(pack(pages(6), packing))
    choose = random.Random(seed)
    for _ in range(flips):
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    damaged = bytes(data[: choose.randrange(len(data))] if cut else data)
    with pytest.MonkeyPatch.context() as patch:
        fast = found(damaged)
        patch.setattr(streams, "INFLATE", zlib)
        assert found(damaged) == fast

"""Archives become documents; every record that does not is in the ledger, every broken input is named."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from datatrove.data import Document

from corpus.ledger import Ledger
from corpus.manifest import WarcSource
from corpus.sources.warc import Warc, fetched_at
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError
from tests.corpus.archives import ENDINGS, PACKINGS, http, pack, page, pages, prose, record


def read(*paths: Path | str, **options: object) -> tuple[list[Document], Ledger]:
    """All documents of all tasks, and one ledger for all."""
    # One engine, that of counts and texts in these tests, wherever they run.
    fields = {"type": "warc", "paths": [str(p) for p in paths], "extract": {"engine": "resiliparse"}}
    source = Warc(WarcSource.model_validate({**fields, **options}), "crawl")
    ledger = Ledger()
    documents = [doc for task in source.tasks() for doc in source.read(task, ledger, lambda done: None)]
    return documents, ledger


def archive(folder: Path, records: list[bytes], packing: str = "members", name: str = "a") -> Path:
    path = folder / f"{name}.warc{ENDINGS[packing]}"
    path.write_bytes(pack(records, packing))
    return path


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_same_documents(tmp_path: Path, packing: str) -> None:
    documents, ledger = read(archive(tmp_path, pages(5), packing))
    assert [doc.metadata["url"] for doc in documents] == [f"http://example.org/{n}" for n in range(5)]
    assert all(prose(n * 7) in doc.text for n, doc in enumerate(documents))
    assert documents[1].metadata["title"] == "Page 1"
    assert documents[1].metadata["fetched_at"] == datetime(2024, 5, 1, 10, 0, 1)
    assert documents[1].metadata["warc_file"] == f"a.warc{ENDINGS[packing]}"
    assert len({doc.id for doc in documents}) == 5
    assert (ledger.records, ledger.rows, ledger.incomplete) == (5, [], [])


def test_the_key_is_the_file_name_and_the_offset_of_the_member(tmp_path: Path) -> None:
    path = archive(tmp_path, pages(3))
    documents, _ = read(path)
    for doc in documents:
        offset = doc.metadata["warc_offset"]
        assert doc.id == stable_id("warc", "a.warc.gz", offset)
        member = zlib.decompressobj(31).decompress(path.read_bytes()[offset:])
        assert doc.metadata["url"].encode() in member
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path.rename(folder / path.name)
    assert [doc.id for doc in read(folder)[0]] == [doc.id for doc in documents]


def test_records_that_are_no_documents_have_reasons(tmp_path: Path) -> None:
    html = page(1)
    records = [
        record(1, http(html)),
        record(2, http(html, status="404 Not Found")),
        record(3, http(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10, "image/png")),
        record(4, http(bytes(range(256)) * 10)),
        record(5, http(b"<html><body></body></html>")),
        record(6, http(b"")),
        record(7, b"this is no HTTP"),
        record(8, b"", kind="revisit"),
        record(9, b"GET / HTTP/1.1\r\n\r\n", kind="request"),
        record(10, http(html), length=7),
        record(11, http(b"x" * 5000)),
        record(12, http(b"\x00\x01\x02" * 1000, "text/plain")),
        record(13, http(html)),
    ]
    documents, ledger = read(archive(tmp_path, records), max_record_bytes=4000)
    assert [doc.metadata["url"][-2:] for doc in documents] == ["/1", "13"]
    assert ledger.reasons() == {
        "decode:not_text": 2,
        "extract:empty_text": 1,
        "read:empty_body": 1,
        "read:http_status": 1,
        "read:lying_length": 1,
        "read:media_type": 1,
        "read:no_http": 1,
        "read:revisit": 1,
        "read:too_large": 1,
    }
    assert ledger.records == 12
    assert ledger.ignored == {"request": 1}
    assert ledger.records == len(documents) + sum(ledger.reasons().values())
    assert not ledger.incomplete
    assert ledger.table().num_rows == 10


def test_encodings_of_bodies(tmp_path: Path) -> None:
    html = page(3)
    bodies = [
        http(gzip.compress(html), more="Content-Encoding: gzip\r\n"),
        http(zlib.compress(html), more="Content-Encoding: deflate\r\n"),
        http(b"%x\r\n%b\r\n0\r\n\r\n" % (len(html), html), more="Transfer-Encoding: chunked\r\n"),
        # What the header states and the body is not: as Common Crawl of 2008 and ClueWeb09 have it.
        http(html, more="Content-Encoding: gzip\r\n"),
        http(html, more="Transfer-Encoding: chunked\r\nContent-Encoding: br\r\n"),
        http(html, more="Content-Encoding: wonderful\r\n"),
        http(gzip.compress(html)[:-40], more="Content-Encoding: gzip\r\n"),
    ]
    documents, ledger = read(archive(tmp_path, [record(n, body) for n, body in enumerate(bodies)]))
    assert len(documents) == len(bodies), ledger.rows
    assert all(prose(21) in doc.text for doc in documents)


def test_a_body_that_unpacks_to_too_much(tmp_path: Path) -> None:
    bomb = http(gzip.compress(b"a" * 3_000_000), more="Content-Encoding: gzip\r\n")
    documents, ledger = read(archive(tmp_path, [record(1, bomb), *pages(1)]), max_record_bytes=100_000)
    assert len(documents) == 1
    assert ledger.reasons() == {"read:too_large": 1}


def test_wet_conversions(tmp_path: Path) -> None:
    texts = ["Une page. Deux pages.", "日本語の文章です。"]
    records = [record(n, text.encode(), kind="conversion") for n, text in enumerate(texts)]
    documents, _ = read(archive(tmp_path, records))
    assert [doc.text for doc in documents] == texts


@pytest.mark.parametrize("packing", ["members", "gzip", "plain", "zst"])
def test_a_cut_archive_keeps_what_was_read_and_is_named(tmp_path: Path, packing: str) -> None:
    path = archive(tmp_path, pages(40), packing)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    documents, ledger = read(path)
    assert 10 < len(documents) < 40
    assert [(lost.input, lost.reason) for lost in ledger.incomplete] == [(path.name, "truncated")]


def test_a_flipped_archive_reads_on_behind_the_damage(tmp_path: Path) -> None:
    path = archive(tmp_path, pages(10))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    documents, ledger = read(path)
    assert len(documents) == 9
    assert [lost.reason for lost in ledger.incomplete] == ["corrupt"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"not an archive at all\n" * 100, "not_an_archive"),
        (gzip.compress(b"not an archive at all\n" * 100, mtime=0), "not_an_archive"),
        (b"\x1f\x8b\x08\x00garbage that only begins like gzip", "corrupt"),
        (b"%PDF-1.4" + bytes(range(256)) * 100, "not_an_archive"),
    ],
)
def test_inputs_that_are_no_archives_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    bad, good = tmp_path / "bad.warc.gz", archive(tmp_path, pages(2), name="good")
    bad.write_bytes(content)
    documents, ledger = read(bad, good)
    assert len(documents) == 2
    assert [(lost.input, lost.reason) for lost in ledger.incomplete] == [("bad.warc.gz", reason)]


def test_a_page_of_100_mb_is_never_held(tmp_path: Path) -> None:
    """In a process of its own, whose peak memory is then known."""
    for packing, content in (("plain", b"x" * 100_000_000), ("members", b"<p>y</p>" * 12_500_000)):
        path = archive(
            tmp_path, [*pages(2), record(9, http(content)), *pages(2, first=10)], packing, name=packing
        )
        script = (
            "import resource, sys\nfrom tests.corpus.test_warc import read\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "documents, ledger = read(sys.argv[1])\n"
            "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "print(len(documents), ledger.reasons(), after - before)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        )
        documents, rest = done.stdout.split(" ", 1)
        reasons, grown = rest.rsplit(" ", 1)
        assert (documents, reasons) == ("4", "{'read:too_large': 1}")
        assert int(grown) < 100_000, "kilobytes"


def test_missing_and_ambiguous_paths_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to read there"):
        read(tmp_path / "nowhere.warc.gz")
    with pytest.raises(UserError, match="no such file"):
        read(f"{tmp_path}/*.warc.gz")
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        archive(tmp_path / folder, pages(1))
    with pytest.raises(UserError, match=r"2 archives are called 'a\.warc\.gz'"):
        read(tmp_path)
    assert len(read(f"{tmp_path}/x/*.warc.gz")[0]) == 1


def test_genuine_archives(testdata: Path) -> None:
    """Counted by hand with zcat and FastWARC; every record is a document or has a reason."""
    expected = {
        "cc-main-2020-34_head.warc.gz": (16, {}),
        "cc2008_sample.arc": (115, {"extract:empty_text": 10, "read:http_status": 14, "read:media_type": 6}),
        "cc2024_whirlwind.warc.gz": (1, {}),
        "cc2024_whirlwind.warc.wet.gz": (1, {}),
        "clueweb-quirk.warc.gz": (29, {}),
        "dolma_sample-0000.warc.gz": (22, {}),
        "dolma_sample-0001.warc.gz": (15, {}),
        "govuk_2014.warc.gz": (32, {"extract:empty_text": 2, "read:http_status": 5, "read:media_type": 23}),
        "govuk_2014_revisit.warc.gz": (
            5,
            {"extract:empty_text": 1, "read:http_status": 1, "read:revisit": 55},
        ),
    }
    for name, (count, reasons) in expected.items():
        documents, ledger = read(testdata / "web" / "archives" / name)
        assert (len(documents), ledger.reasons(), ledger.incomplete) == (count, reasons, []), name
        assert ledger.records == count + sum(reasons.values())
    documents, _ = read(testdata / "web" / "archives" / "clueweb-quirk.warc.gz")
    charsets = Counter(doc.metadata["charset"] for doc in documents)
    assert charsets["euc_jp"] + charsets["shift_jis"] + charsets["utf-8"] == 29
    assert all("\ufffd" not in doc.text[:200] for doc in documents)


def test_the_arc_sample_survives_lies(tmp_path: Path, testdata: Path) -> None:
    data = (testdata / "web" / "archives" / "cc2008_sample.arc").read_bytes()
    path = tmp_path / "a.arc"
    whole = [doc.text for doc in read(testdata / "web" / "archives" / "cc2008_sample.arc")[0]]
    at = data.index(b" text/html ", 200_000)
    end = data.index(b"\n", at)
    path.write_bytes(data[:at] + b" text/html 17" + data[end:])
    documents, ledger = read(path)
    assert ledger.reasons()["read:lying_length"] == 1
    lost = [text for text in whole if text not in {doc.text for doc in documents}]
    assert len(documents) == len(whole) - len(lost) >= len(whole) - 1
    path.write_bytes(data[:2_000_000])
    documents, ledger = read(path)
    assert [lost.reason for lost in ledger.incomplete] == ["truncated"]
    assert [doc.text for doc in documents] == whole[: len(documents)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2020-08-08T17:27:41Z", datetime(2020, 8, 8, 17, 27, 41)),
        ("2020-08-08T17:27:41.123456Z", datetime(2020, 8, 8, 17, 27, 41, 123456)),
        ("2020-08-08T19:27:41+02:00", datetime(2020, 8, 8, 17, 27, 41)),
        ("2008-10-294T05:21:46-0700", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(value: str | None, expected: datetime | None) -> None:
    assert fetched_at(value) == expected


def test_headers_that_later_decisions_want_are_kept_each_line_of_them(tmp_path: Path) -> None:
    more = (
        "X-Robots-Tag: otherbot: noindex\r\nServer: mill\r\nx-robots-tag: noai\r\nTDM-Reservation: 1\r\n"
        'Link: </license>; rel="license"\r\nContent-Usage: train-ai=n\r\n'
    )
    (document,), _ = read(archive(tmp_path, [record(1, http(page(1), more=more))]))
    assert document.metadata["http"] == {
        "x-robots-tag": "otherbot: noindex\nnoai",
        "tdm-reservation": "1",
        "link": '</license>; rel="license"',
        "content-usage": "train-ai=n",
    }

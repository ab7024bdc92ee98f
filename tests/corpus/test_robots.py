"""robots.txt files of archives become one table: the newest that says anything, whole and in order."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from corpus import robots
from corpus.build import build
from corpus.manifest import CorpusManifest
from corpus.robots import collect
from filters.robots import RobotsTable, table_digest
from filters.urls import parse_url
from gristmill.base.errors import UserError
from gristmill.cli.main import app
from tests.corpus.archives import http, page


def answer(
    url: str,
    body: bytes | str = "",
    *,
    status: str = "200 OK",
    date: str = "2024-05-01T10:00:00Z",
    more: str = "",
    kind: str = "text/plain",
) -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    block = http(raw, kind, status, more)
    header = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Date: {date}\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return header.encode() + block + b"\r\n\r\n"


BAN = "User-agent: GPTBot\nDisallow: /\n"
RECORDS = [
    answer(
        "https://b.example/robots.txt", "\ufeffUser-agent: *\nDisallow: /old", date="2024-01-01T00:00:00Z"
    ),
    answer("https://b.example/robots.txt", BAN, date="2024-03-01T00:00:00Z"),
    answer("https://b.example/robots.txt", status="503 Service Unavailable", date="2024-04-01T00:00:00Z"),
    answer(
        "http://b.example:80/robots.txt",
        "x",
        status="301 Moved",
        more="Location: https://b.example/robots.txt\r\n",
    ),
    answer("https://a.example/page", BAN),
    answer("https://A.example:8443/robots.txt", status="404 Not Found"),
    answer("https://html.example/robots.txt", " <!doctype html><p>no such page"),
    answer(
        "https://packed.example/robots.txt", gzip.compress(BAN.encode()), more="Content-Encoding: gzip\r\n"
    ),
    answer("https://relative.example/robots.txt", status="302 Found", more="Location: /r/robots.txt\r\n"),
    answer("https://big.example/robots.txt", "#" * (600 << 10) + "\n" + BAN),
    answer("not an address/robots.txt", BAN),
]


def archive(folder: Path, name: str, records: list[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.warc.gz"
    path.write_bytes(b"".join(gzip.compress(item, mtime=0) for item in records))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_of_each_host_the_newest_answer_that_says_anything_stays(tmp_path: Path) -> None:
    archive(tmp_path / "in", "one", RECORDS)
    summary = collect([str(tmp_path / "in")], tmp_path / "robots.parquet")
    found = {(row["host"], row["scheme"]): row for row in rows(tmp_path / "robots.parquet")}
    assert list(found) == sorted(found)
    assert (summary.records, summary.hosts, summary.exit_code) == (9, 7, 0)
    assert found["b.example", "https"]["body"] == BAN
    assert found["b.example", "http"]["location"] == "https://b.example/robots.txt"
    assert found["a.example:8443", "https"]["status"] == 404
    assert found["html.example", "https"]["body"] == ""
    assert found["packed.example", "https"]["body"] == BAN
    assert found["relative.example", "https"]["location"] == "https://relative.example/r/robots.txt"
    assert len(found["big.example", "https"]["body"]) == 500 << 10
    table = RobotsTable(tmp_path / "robots.parquet")
    (of_http,) = table.answers([parse_url("http://b.example/x")])
    assert of_http is not None
    assert of_http.body == BAN
    assert not list(tmp_path.glob(".*"))


def test_the_table_does_not_depend_on_workers_archives_or_interruptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        archive(tmp_path / "in", f"part{number}", RECORDS[number::4])
    archive(tmp_path / "all", "whole", list(reversed(RECORDS)))
    monkeypatch.setattr(robots, "ROW_GROUP_ROWS", 3)
    for name, source, workers in (("a", "in", 1), ("b", "in", 2), ("c", "all", 1)):
        collect([str(tmp_path / source)], tmp_path / f"{name}.parquet", workers=workers)
    read = robots.read_archive
    calls = 0

    def fails_at_the_third(*arguments: Any) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return read(*arguments)

    monkeypatch.setattr(robots, "read_archive", fails_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        collect([str(tmp_path / "in")], tmp_path / "d.parquet")
    assert not (tmp_path / "d.parquet").exists()
    assert collect([str(tmp_path / "in")], tmp_path / "d.parquet").reused == 2
    tables = {(tmp_path / f"{name}.parquet").read_bytes() for name in "abcd"}
    assert len(tables) == 1
    assert len({table_digest(tmp_path / f"{name}.parquet") for name in "abcd"}) == 1
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3


def test_a_broken_archive_is_named_and_what_was_read_of_it_counts(tmp_path: Path) -> None:
    path = archive(tmp_path, "cut", RECORDS[:3] + RECORDS[7:8])
    path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / "text.warc.gz").write_bytes(b"no archive")
    summary = collect([str(tmp_path / "*.warc.gz")], tmp_path / "out/robots.parquet")
    assert [lost[:1] for lost in summary.incomplete] == [["cut.warc.gz"], ["text.warc.gz"]]
    assert summary.exit_code == 1
    assert [row["body"] for row in rows(tmp_path / "out/robots.parquet")] == [BAN]
    with pytest.raises(UserError, match="archives"):
        collect([str(tmp_path / "nowhere")], tmp_path / "x.parquet")


def test_a_crawl_of_common_crawl_is_found_by_its_list(tmp_path: Path) -> None:
    name = "crawl-data/CC-MAIN-2024-18/segments/1/robotstxt/a.warc.gz"
    archive((tmp_path / name).parent, "a", RECORDS)
    with gzip.open(tmp_path / "crawl-data/CC-MAIN-2024-18/robotstxt.paths.gz", "wt") as file:
        file.write(f"{name}\n")
    result = CliRunner().invoke(
        app,
        [
            "corpus",
            "robots",
            "CC-MAIN-2024-18",
            "--base-url",
            str(tmp_path),
            "-o",
            str(tmp_path / "r.parquet"),
            "--json",
        ],
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["hosts"] == 7


def test_a_build_honours_what_robots_txt_says(tmp_path: Path) -> None:
    archive(tmp_path / "robots", "r", [answer("https://no.example/robots.txt", BAN)])
    collect([str(tmp_path / "robots")], tmp_path / "robots.parquet")
    noai = "X-Robots-Tag: noai\r\n"
    pages = [
        answer(f"https://{host}/{number}", page(number), more=more, kind="text/html")
        for number, (host, more) in enumerate(
            [("no.example", ""), ("yes.example", ""), ("yes.example", noai)]
        )
    ]
    archive(tmp_path / "pages", "p", pages)
    manifest = CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "x",
            "output": str(tmp_path / "store"),
            "source": {"type": "warc", "paths": [str(tmp_path / "pages")]},
            "annotators": [{"name": "opt_out", "options": {"robots": str(tmp_path / "robots.parquet")}}],
            "early_drop": "opt-out",
            "executor": {"type": "local", "workers": 1},
        }
    )
    summary = build(manifest)
    assert summary.documents == 1
    assert {reason.rpartition(":")[2]: count for reason, count in summary.dropped.items()} == {
        "opt_out_robots": 1,
        "opt_out_noai": 1,
    }

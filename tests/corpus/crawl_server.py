"""A small crawl in the layout of data.commoncrawl.org, and a server that gives it out with faults by
plan."""

from __future__ import annotations

import contextlib
import gzip
import io
import random
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType

from tests.corpus.archives import http, page, prose, record

CRAWL = "CC-MAIN-2024-33"
SITES = (
    ("www.mill.example", "mill.example", "example", "eng"),
    ("mill.example", "mill.example", "example", "eng,deu"),
    ("blog.mill.example", "mill.example", "example", "deu,eng"),
    ("windmuehle.de", "windmuehle.de", "de", "deu"),
    ("molen.nl", "molen.nl", "nl", "nld"),
)
"""Host, registered domain, top-level domain, languages of the made pages, taken in turn."""


def made_archive(number: int, count: int) -> bytes:
    """A WARC file as Common Crawl writes it: a gzip member a record, pages of several sites and types."""
    records = [record(number, b"software: test\r\n", kind="warcinfo")]
    for n in range(count):
        site = SITES[n % len(SITES)][0]
        url = f"https://{site}/{number}/{n}"
        body, media = (
            (prose(n).encode(), "text/plain") if n % 7 == 3 else (page(number * 1000 + n, 6), "text/html")
        )
        records += [
            record(n, b"GET / HTTP/1.1\r\n\r\n", kind="request", url=url),
            record(n, http(body, f"{media}; charset=utf-8"), url=url),
            record(n, b"fetchTimeMs: 20\r\n", kind="metadata", url=url),
        ]
    return b"".join(gzip.compress(item, mtime=0) for item in records)


def made_wet(number: int, count: int) -> bytes:
    """The WET file to it."""
    records = [record(number, b"software: test\r\n", kind="warcinfo")]
    records += [
        record(
            n, prose(number * 1000 + n).encode(), kind="conversion", url=f"https://mill.example/{number}/{n}"
        )
        for n in range(count)
    ]
    return b"".join(gzip.compress(item, mtime=0) for item in records)


def lay_out(
    root: Path,
    warcs: Sequence[bytes],
    wets: Sequence[bytes] = (),
    *,
    crawl: str = CRAWL,
    index_files: int = 3,
) -> Path:
    """Write archives, their lists and their columnar index in the layout of Common Crawl."""
    lists: dict[str, list[str]] = {"warc": [], "wet": []}
    rows: list[dict[str, Any]] = []
    for kind, ending, archives in (("warc", "warc.gz", warcs), ("wet", "warc.wet.gz", wets)):
        for number, data in enumerate(archives):
            segment = f"crawl-data/{crawl}/segments/17226403{number % 2}.0/{kind}"
            path = f"{segment}/CC-MAIN-20240802234508-20240803024508-{number:05d}.{ending}"
            _write(root / path, data)
            lists[kind].append(path)
            if kind == "warc":
                rows += index_rows(path, data)
    rows.sort(key=lambda row: (row["url_surtkey"], row["warc_filename"], row["warc_record_offset"]))
    table = f"cc-index/table/cc-main/warc/crawl={crawl}"
    lists["cc-index-table"] = []
    step = -(-len(rows) // index_files) or 1
    for number in range(index_files):
        path = f"{table}/subset=warc/part-{number:05d}.c000.gz.parquet"
        lists["cc-index-table"].append(path)
        _write(root / path, _parquet(rows[number * step : number * step + step]))
    other = f"{table}/subset=robotstxt/part-00000.c000.gz.parquet"
    lists["cc-index-table"].append(other)
    _write(root / other, b"never to be read")
    for kind, paths in lists.items():
        _write(root / f"crawl-data/{crawl}/{kind}.paths.gz", gzip.compress("\n".join([*paths, ""]).encode()))
    return root


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    texts = (
        *("url_surtkey", "url", "url_host_name", "url_host_tld", "url_host_registered_domain", "url_path"),
        *("content_mime_detected", "content_languages", "warc_filename"),
    )
    numbers = [
        ("fetch_status", pa.int16()),
        ("warc_record_offset", pa.int32()),
        ("warc_record_length", pa.int32()),
    ]
    schema = pa.schema([*((name, pa.string()) for name in texts), *numbers])
    pq.write_table(pa.Table.from_pylist(rows, schema), out, row_group_size=20, compression="gzip")
    return out.getvalue()


def index_rows(path: str, data: bytes) -> list[dict[str, Any]]:
    """The index's rows of an archive: its responses, and where their members lie."""
    rows = []
    starts = [item.stream_pos for item in ArchiveIterator(io.BytesIO(data), parse_http=False)] + [len(data)]
    for number, item in enumerate(
        ArchiveIterator(io.BytesIO(data), WarcRecordType.any_type, parse_http=True)
    ):
        if item.record_type != WarcRecordType.response or item.http_headers is None:
            continue
        url = item.headers.get("WARC-Target-URI") or ""
        parts = urlsplit(url)
        host = parts.hostname or ""
        known = {name: (domain, tld, languages) for name, domain, tld, languages in SITES}
        domain, tld, languages = known.get(
            host, (".".join(host.split(".")[-2:]), host.rpartition(".")[2], None)
        )
        rows.append(
            {
                "url_surtkey": ",".join(reversed(host.split("."))) + ")" + parts.path,
                "url": url, "url_host_name": host, "url_host_tld": tld, "url_host_registered_domain": domain,
                "url_path": parts.path, "content_languages": languages,
                "content_mime_detected": (item.http_headers.get("Content-Type") or "").partition(";")[0],
                "warc_filename": path, "fetch_status": item.http_headers.status_code,
                "warc_record_offset": starts[number],
                "warc_record_length": starts[number + 1] - starts[number],
            }
        )  # fmt: skip
    return rows


FAULTS = (
    *(
        "reset",
        "reset_early",
        "503:0",
        "503:date",
        "429:0",
        "500",
        "truncated",
        "short_length",
        "long_length",
    ),
    *("no_length", "hollow", "ignored_range", "wrong_range", "changed"),
)
"""What can go wrong with an answer: a status with a `Retry-After`, or what the name says. `stalled` is
apart, for it takes its time."""
ON_HEAD = ("reset_early", "503:0", "503:date", "429:0", "500")


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    range: str | None
    number: int
    """How many requests for this path came before."""


Plan = Callable[[Asked], str | None]


def nothing(asked: Asked) -> str | None:
    """No faults."""
    return None


@dataclass
class SeededPlan:
    """Faults at random, the same for the same seed in whatever order the paths are asked for; a path has
    at most `most` of them, so that patience is always rewarded."""

    seed: int
    share: float = 0.5
    most: int = 5
    faults: Sequence[str] = FAULTS
    happened: Counter[str] = field(default_factory=Counter)
    by_path: Counter[str] = field(default_factory=Counter)

    def __call__(self, asked: Asked) -> str | None:
        """The fault of a request."""
        dice = random.Random(f"{self.seed} {asked.path} {asked.number}")
        if dice.random() >= self.share or self.by_path[asked.path] >= self.most:
            return None
        fault = dice.choice(ON_HEAD if asked.method == "HEAD" else self.faults)
        self.by_path[asked.path] += 1
        self.happened[fault] += 1
        return fault


class CrawlServer(ThreadingHTTPServer):
    """Serves a folder, with ranges, entity tags and the faults of `plan`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, plan: Plan = nothing, upstream: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root, self.plan, self.upstream = root, plan, upstream
        self.asked: list[Asked] = []
        self.sent = 0
        self.version = '"one"'
        self.stall_seconds = 1.0
        self.guard = threading.Lock()
        self.numbers: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where the crawl lies."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: CrawlServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self.answer("HEAD")

    def do_GET(self) -> None:
        self.answer("GET")

    def answer(self, method: str) -> None:
        server, path = self.server, urlsplit(self.path).path.lstrip("/")
        with server.guard:
            asked = Asked(method, path, self.headers.get("Range"), server.numbers[path])
            server.numbers[path] += 1
            server.asked.append(asked)
            fault = server.plan(asked)
        if fault in ("reset_early", "stalled"):
            time.sleep(server.stall_seconds if fault == "stalled" else 0)
            self.reset()
        elif fault is not None and fault[:3].isdigit():
            status, _, after = fault.partition(":")
            # A date is one that has passed.
            date = formatdate(time.time() - 5, usegmt=True)
            self.refuse(int(status), {"date": date, "": None}.get(after, after))
        elif server.upstream is not None:
            self.forward(server.upstream, method, fault)
        elif not (file := server.root / path).is_file():
            self.refuse(404)
        else:
            self.give(file.read_bytes(), method, asked.range, fault)

    def give(self, data: bytes, method: str, wanted: str | None, fault: str | None) -> None:
        start, stop, status = 0, len(data), 200
        if wanted and fault != "ignored_range":
            low, _, high = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(low), min(int(high) + 1, len(data)) if high else len(data)
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status = 206
        body = data[start:stop]
        if fault == "changed":
            body = bytes(byte ^ 0x55 for byte in body)
        if fault == "wrong_range" and status == 206:
            start = max(0, start - 3)
            body = data[start : stop - 3]
        length = len(body) + {"short_length": -(len(body) // 3), "long_length": 100}.get(fault or "", 0)
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(data)}")
        if fault == "no_length":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"other"' if fault == "changed" else self.server.version)
        self.end_headers()
        if method == "HEAD":
            return
        cut = dict.fromkeys(("reset", "truncated", "changed", "no_length"), len(body) * 2 // 3)
        body = body[: {**cut, "hollow": 0, "short_length": length}.get(fault or "", len(body))]
        self.wfile.write(body)
        self.server.sent += len(body)
        if fault == "reset":
            self.reset()
        elif fault in ("truncated", "changed", "no_length", "long_length", "hollow"):
            self.close_connection = True

    def forward(self, upstream: str, method: str, fault: str | None) -> None:
        """Hand on what another server says, or the first part of it."""
        names = ("range", "if-match", "authorization", "x-amz-date", "x-amz-content-sha256")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        request = urllib.request.Request(upstream + self.path, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, found, body = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, found, body = error.code, error.headers, error.read()
        self.send_response(status)
        for name, value in found.items():
            if name.lower() not in ("connection", "server", "date", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", found.get("Content-Length") or str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) * 2 // 3] if fault in ("reset", "truncated") else body)
        if fault == "reset":
            self.reset()
        elif fault == "truncated":
            self.close_connection = True

    def refuse(self, status: int, retry_after: str | None = None) -> None:
        self.send_response(status)
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def reset(self) -> None:
        """An RST instead of a FIN."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


@contextlib.contextmanager
def serving(root: Path, plan: Plan = nothing, upstream: str | None = None) -> Iterator[CrawlServer]:
    """A running server; with `upstream` it stands before another one, and `root` does not matter."""
    with CrawlServer(root, plan, upstream) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

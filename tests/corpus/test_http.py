"""Reading over HTTP: a broken connection is taken up again, or told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import corpus.http
from corpus.http import HttpFile
from corpus.inputs import find, open_input
from corpus.ledger import Ledger
from corpus.manifest import WarcSource
from corpus.sources.warc import Warc
from gristmill.base.errors import UserError
from tests.corpus.archives import pack, pages

DATA = pack(pages(60), "members")


class Server(ThreadingHTTPServer):
    """Serves DATA and resets every connection after `cut` bytes."""

    cut: int | None = None
    ranges = True
    requests = 0
    breaks = 1 << 30
    """How many connections are reset."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.answer(b"")

    def do_GET(self) -> None:
        self.answer(DATA)

    def answer(self, data: bytes) -> None:
        server = self.server
        if not self.path.endswith(".gz"):
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(DATA) - start))
        if server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"one"')
        self.end_headers()
        if not data:
            return
        server.requests += 1
        broken = server.cut is not None and server.breaks > 0
        self.wfile.write(
            data[start : start + server.cut] if broken and server.cut is not None else data[start:]
        )
        if broken:
            server.breaks -= 1
            self.wfile.flush()
            # An RST instead of a FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(corpus.http, "PAUSE_SECONDS", 0.001)
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server: Server, name: str = "a.warc.gz") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/crawl/{name}"


def read(server: Server) -> tuple[list[str], Ledger]:
    source = Warc(WarcSource(type="warc", paths=(url(server),)), "crawl")
    ledger = Ledger()
    (task,) = source.tasks()
    return [doc.id for doc in source.read(task, ledger, lambda done: None)], ledger


def test_a_sound_connection(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(DATA)
    source = Warc(WarcSource(type="warc", paths=(str(path),)), "crawl")
    ledger = Ledger()
    local = [doc.id for task in source.tasks() for doc in source.read(task, ledger, lambda done: None)]
    ids, ledger = read(server)
    assert ids == local
    assert not ledger.rows
    (found,) = find([url(server)])
    assert (found.name, found.size, found.stamp) == ("a.warc.gz", len(DATA), '"one"')


def test_a_connection_that_breaks_is_taken_up_again(server: Server) -> None:
    whole, _ = read(server)
    server.cut, before = 3001, server.requests
    ids, ledger = read(server)
    assert ids == whole
    assert not ledger.incomplete
    assert server.requests - before >= len(DATA) // 3001


def test_a_connection_that_cannot_be_taken_up_again_is_told(server: Server) -> None:
    whole, _ = read(server)
    server.cut, server.ranges = len(DATA) // 2, False
    ids, ledger = read(server)
    assert 0 < len(ids) < len(whole)
    assert ids == whole[: len(ids)]
    assert [(lost.input, lost.reason) for lost in ledger.incomplete] == [("a.warc.gz", "connection_lost")]


def test_seeking_and_plain_reading(server: Server) -> None:
    with HttpFile(url(server)) as file:
        file.seek(100)
        assert file.read(50) == DATA[100:150]
        assert file.tell() == 150
        file.seek(len(DATA))
        assert file.read(10) == b""
    with open_input(url(server)) as stream:
        assert stream.read() == DATA


def test_what_is_not_there(server: Server) -> None:
    with pytest.raises(UserError, match="nothing to read there"):
        find([url(server, "nothing")])
    with pytest.raises(OSError, match="404"):
        open_input(url(server, "nothing"))
    gone = url(server)
    server.shutdown()
    server.server_close()
    # A server that does not answer is an input that cannot be opened, told in the summary; not a mistake.
    source = Warc(WarcSource(type="warc", paths=(gone,)), "crawl")
    ledger = Ledger()
    assert [doc for task in source.tasks() for doc in source.read(task, ledger, lambda done: None)] == []
    assert [lost.reason for lost in ledger.incomplete] == ["cannot_open"]


def test_other_file_systems(tmp_path: Path) -> None:
    """fsspec's `memory://` stands for s3:// and its like."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/crawl/x/a.warc.gz", DATA)
    memory.pipe("/crawl/x/.hidden/b.warc.gz", DATA)
    memory.pipe("/crawl/x/readme.txt", b"no archive")
    for path in ("memory://crawl/x", "memory://crawl/x/*.gz", "memory://crawl/x/a.warc.gz"):
        source = Warc(WarcSource(type="warc", paths=(path,)), "crawl")
        (task,) = source.tasks()
        assert [item.name for item in task.inputs] == ["a.warc.gz"]
        assert len(list(source.read(task, Ledger(), lambda done: None))) == 60
    with pytest.raises(UserError, match="nothing to read there"):
        find(["memory://nowhere"])
    with pytest.raises(UserError, match=r"cannot list|cannot open"):
        find(["nosuchprotocol://x"])

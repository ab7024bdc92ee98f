"""Remote files: whatever a server does, the bytes are those of one version, or it is told."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus.http import HttpRemote
from corpus.inputs import Input, Plainly, open_blocks, open_input, read_whole
from corpus.manifest import Transfer
from corpus.pace import Pace
from corpus.transfer import BLOCK, Beyond, Changed, GaveUp, Patience, Unavailable, facts, fetch
from tests.corpus.crawl_server import FAULTS, Asked, SeededPlan, serving

QUICK = Transfer(first_pause_seconds=0.001, longest_pause_seconds=0.004, requests_per_second=None)
ACCESS = Plainly(transfer=QUICK)
DATA = random.Random(7).randbytes(300_000)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    (root / "data").write_bytes(DATA)
    (root / "empty").write_bytes(b"")
    (root / "long").write_bytes(DATA * 40)
    return root


class Script:
    """The given faults, one a request, then none."""

    def __init__(self, *faults: str | None) -> None:
        self.faults = list(faults)

    def __call__(self, asked: Asked) -> str | None:
        return self.faults.pop(0) if self.faults else None


def all_of(stream: BinaryIO, step: int = 50_000) -> bytes:
    return b"".join(iter(lambda: stream.read(step) or b"", b""))


UNCHANGED = [fault for fault in FAULTS if fault != "changed"]


@pytest.mark.parametrize("size", [None, len(DATA), len(DATA) - 1000])
@pytest.mark.parametrize("fault", UNCHANGED)
def test_each_fault_once(root: Path, fault: str, size: int | None) -> None:
    """Whatever was heard of the size before, right or wrong."""
    for before in (0, 1):
        with serving(root, Script(*["truncated"] * before, fault)) as server:
            with open_input(f"{server.url}data", ACCESS, size) as stream:
                assert all_of(stream) == DATA
            data, answer = fetch(HttpRemote(f"{server.url}data"), 1000, 250_000, QUICK)
            assert (data, answer.size) == (DATA[1000:250_000], len(DATA))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([*UNCHANGED, None]), max_size=7),
    st.integers(0, len(DATA)),
    st.integers(0, len(DATA)),
    st.integers(1000, len(DATA)),
)
@example(["reset", "ignored_range", "wrong_range", "wrong_range"], 0, 0, 1000)
def test_faults_in_any_order(
    root: Path, faults: Sequence[str | None], low: int, high: int, step: int
) -> None:
    with serving(root, Script(*faults)) as server, open_input(f"{server.url}data", ACCESS) as stream:
        assert all_of(stream, step) == DATA
    low, high = sorted((low, high))
    with serving(root, Script(*faults, *("changed",) * (len(faults) < 5))) as server:
        remote = HttpRemote(f"{server.url}data")
        if low < high:
            assert fetch(remote, low, high, QUICK)[0] == DATA[low:high]
        with pytest.raises(Beyond):
            fetch(remote, len(DATA) + low, len(DATA) + high + 1, QUICK)


def test_an_empty_file(root: Path) -> None:
    for faults in ((), ("reset_early",), ("503:0",), ("long_length",)):
        with serving(root, Script(*faults)) as server, open_input(f"{server.url}empty", ACCESS) as stream:
            assert all_of(stream) == b""


def test_a_file_that_changes_in_the_middle_is_never_spliced(root: Path) -> None:
    for faults in (("truncated", "changed"), ("changed",), ("reset", "503:0", "changed")):
        with serving(root, Script(*faults)) as server:
            with open_input(f"{server.url}data", ACCESS) as stream, pytest.raises(Changed):
                all_of(stream)
            with open_input(f"{server.url}data", ACCESS) as stream:
                assert all_of(stream) == DATA
        with serving(root, Script(*faults)) as server:
            assert read_whole(f"{server.url}data", ACCESS) == DATA
    # Once told, it is told again: nobody goes on behind the seam.
    script = Script("truncated", "changed")
    with serving(root, script) as server, open_input(f"{server.url}data", ACCESS) as stream:
        for _ in range(3):
            with pytest.raises(Changed):
                all_of(stream)


def test_a_shortened_file_has_changed(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    script = Script("truncated")
    with serving(tmp_path, script) as server, open_input(f"{server.url}data", ACCESS) as stream:
        assert stream.read(100_000) == DATA[:100_000]
        (tmp_path / "data").write_bytes(DATA[:50_000])
        with pytest.raises(Changed, match="shorter"):
            all_of(stream)


def test_what_is_not_there_is_not_asked_for_twice(root: Path) -> None:
    with serving(root) as server:
        with pytest.raises(FileNotFoundError, match="404"):
            open_input(f"{server.url}nothing", ACCESS)
        with pytest.raises(FileNotFoundError):
            facts(HttpRemote(f"{server.url}nothing"), QUICK)
        assert len(server.asked) == 2


def test_refused_for_asking_too_fast(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """403 is for good from a host that never served, and a word about manners from one that has."""
    monkeypatch.setattr("corpus.http._served", set())
    with serving(root, Script("403")) as server:
        with pytest.raises(PermissionError, match="403"):
            open_input(f"{server.url}data", ACCESS)
        assert read_whole(f"{server.url}data", ACCESS) == DATA
        server.plan = Script("403", "403:0")
        assert read_whole(f"{server.url}data", ACCESS) == DATA
        server.plan = Script("401")
        with pytest.raises(PermissionError, match="401"):
            open_input(f"{server.url}data", ACCESS)


def test_giving_up_keeps_what_was_read(root: Path) -> None:
    policy = QUICK.model_copy(update={"tries": 3})
    with serving(root, Script("truncated", *["503:0"] * 3)) as server:
        with open_input(f"{server.url}data", Plainly(transfer=policy)) as stream:
            assert stream.read() == DATA[:200_000]
            with pytest.raises(GaveUp, match="3 tries, the last: HTTP status 503"):
                stream.read()
        assert len(server.asked) == 3


def test_a_server_that_is_gone() -> None:
    with pytest.raises(GaveUp, match="tries"):
        open_input("http://127.0.0.1:9/x", Plainly(transfer=QUICK.model_copy(update={"tries": 2})))


def test_a_silent_server_is_asked_again(root: Path) -> None:
    policy = QUICK.model_copy(update={"timeout_seconds": 0.2})
    with serving(root, Script("stalled")) as server:
        assert read_whole(f"{server.url}data", Plainly(transfer=policy)) == DATA


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """They grow up to a cap, begin anew after a success, and are never shorter than what the server asks
    for."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    patience = Patience(Transfer(tries=20, first_pause_seconds=1, longest_pause_seconds=8))
    for _ in range(6):
        patience.wait(ConnectionResetError())
    for pause, most in zip(slept, (1, 2, 4, 8, 8, 8), strict=True):
        assert most <= pause <= most * 1.5
    patience.wait(Unavailable("busy", 120))
    assert slept[-1] == 120
    patience.progress()
    patience.wait(ConnectionResetError())
    assert slept[-1] <= 1.5
    with pytest.raises(GaveUp, match="come back in 3600 seconds"):
        patience.wait(Unavailable("busy", 3600))
    for error in (FileNotFoundError(), PermissionError(), Changed(), Beyond()):
        with pytest.raises(type(error)):
            patience.wait(error)


def test_retry_after_is_honoured(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("corpus.transfer.time.sleep", slept.append)
    with serving(root, Script("503:7")) as server:
        assert fetch(HttpRemote(f"{server.url}data"), 0, 10, QUICK)[0] == DATA[:10]
    assert slept == [7]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 50), st.data())
def test_reading_here_and_there(root: Path, seed: int, data: st.DataObject) -> None:
    long = DATA * 40
    plan = SeededPlan(seed, faults=UNCHANGED)
    with serving(root, plan) as server:
        stream = open_blocks(Input("long", f"{server.url}long", len(long), '"one"'), ACCESS)
        for _ in range(8):
            at = data.draw(st.integers(0, len(long)))
            size = data.draw(st.sampled_from([0, 1, 1000, BLOCK, 3 * BLOCK + 1, 9 * BLOCK]))
            assert stream.seek(at) == at
            assert stream.read(size) == long[at : at + size]
            assert stream.tell() == min(at + size, len(long))
        stream.seek(-10, io.SEEK_END)
        assert stream.read() == long[-10:]


def test_blocks_are_of_the_version_that_was_listed(root: Path) -> None:
    with serving(root) as server:
        stream = open_blocks(Input("data", f"{server.url}data", len(DATA), '"another"'), ACCESS)
        with pytest.raises(Changed):
            stream.read(10)
        # Blocks that were fetched are not fetched again.
        stream = open_blocks(Input("data", f"{server.url}data", len(DATA), '"one"'), ACCESS)
        before = len(server.asked)
        for at in range(0, len(DATA), 10_000):
            stream.seek(at)
            stream.read(10_000)
        assert len(server.asked) - before == 1


def test_connections_are_used_again(root: Path) -> None:
    """A hundred records of a crawl do not cost a hundred handshakes."""
    from corpus import http

    http._manager.cache_clear()
    with serving(root) as server:
        for at in range(0, 100_000, 1000):
            fetch(HttpRemote(f"{server.url}data"), at, at + 100, QUICK)
        pool = http._pool(server.url).connection_from_url(server.url)
    assert pool.num_requests == 100
    assert pool.num_connections == 1


def test_workers_of_a_machine_keep_pace_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Turns are given out one after the other, whoever asks; a clock that was set back holds nobody up."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    slept: list[float] = []
    now = [1000.0]
    monkeypatch.setattr("corpus.pace.time.sleep", slept.append)
    monkeypatch.setattr("corpus.pace.time.monotonic", lambda: now[0])
    one, other, elsewhere = Pace("a", 4), Pace("a", 4), Pace("b", 4)
    for pace in (one, other, one, elsewhere):
        pace.wait()
    assert slept == [0, 0.25, 0.5, 0]
    now[0] = 1010
    one.wait()
    assert slept[-1] == 0
    now[0] = -5000
    one.wait()
    other.wait()
    assert slept[-2:] == [0, 0.25]


def test_requests_are_paced(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    policy = QUICK.model_copy(update={"requests_per_second": 50})
    with serving(root) as server:
        started = time.monotonic()
        for _ in range(6):
            read_whole(f"{server.url}empty", Plainly(transfer=policy))
        assert time.monotonic() - started >= (len(server.asked) - 1) / 50

"""Whatever happens to a build (kill -9, a full disk), the same command ends in the same bytes."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from corpus.build import build
from corpus.executors import LOGS, Workers
from corpus.parts import WORK
from corpus.store import Store
from gristmill.base.atomic import TEMP_MARK
from gristmill.base.errors import UserError
from tests.corpus.stores import contents, crawl, manifest

COMMAND = [sys.executable, "-m", "gristmill.cli.main", "corpus", "build"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crawl(tmp_path_factory.mktemp("inputs") / "crawl", 6, 120)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, inputs: Path) -> dict[str, str]:
    output = tmp_path_factory.mktemp("undisturbed") / "store"
    build(wanted(output, inputs))
    return contents(output)


def wanted(output: Path, inputs: Path, workers: int = 1) -> Any:
    annotators = ["gopher", "gopher_repetition", "stats"]
    return manifest(output, [inputs], annotators=annotators, executor={"type": "local", "workers": workers})


def start(folder: Path, inputs: Path, workers: int, store: Path | None = None) -> subprocess.Popen[bytes]:
    """The command itself, in a process group of its own."""
    file = folder / "m.yaml"
    file.write_text(
        yaml.safe_dump(
            wanted(store or folder / "store", inputs, workers).model_dump(mode="json", exclude_none=True)
        )
    )
    log = (folder / "log").open("ab")
    return subprocess.Popen([*COMMAND, str(file)], start_new_session=True, stdout=log, stderr=log)


def leftovers(store: Path) -> list[str]:
    return [str(path) for path in store.rglob("*") if TEMP_MARK in path.name or path.name == WORK]


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_at_random_times(
    tmp_path: Path, inputs: Path, undisturbed: dict[str, str], workers: int
) -> None:
    source = random.Random(workers)
    store = tmp_path / "store"
    kills = 0
    while kills < 6:
        process = start(tmp_path, inputs, source.choice((1, 2)))
        # Files of the store, not seconds, tell how far it is: a busy machine is killed at the same places.
        files, delay = source.randrange(70), source.uniform(0, 0.05)
        while process.poll() is None and sum(len(found) for _, _, found in os.walk(store)) < files:
            time.sleep(0.002)
        time.sleep(delay)
        if process.poll() is not None:
            # It got through: the next one begins anew.
            shutil.rmtree(store)
            continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        if (store / "store.json").exists():
            assert Store.open(store).verify() == []
    process = start(tmp_path, inputs, workers)
    assert process.wait() == 0, (tmp_path / "log").read_text()
    assert contents(store) == undisturbed
    assert leftovers(store) == []


def test_a_resumed_build_keeps_finished_parts(
    tmp_path: Path, inputs: Path, undisturbed: dict[str, str]
) -> None:
    store = tmp_path / "store"
    process = start(tmp_path, inputs, 1)
    while process.poll() is None and len(list((store / WORK / "done").glob("*.json"))) < 2:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = {path.stem for path in (store / WORK / "done").glob("*.json")}
    assert 2 <= len(done) < 6
    before = {part: (store / "documents" / f"{part}.parquet").stat().st_mtime_ns for part in done}
    # A part that was damaged in the meantime is made again.
    damaged = sorted(done)[0]
    (store / "documents" / f"{damaged}.parquet").write_bytes(b"damaged")
    summary = build(wanted(store, inputs))
    assert summary.reused_parts == len(done) - 1
    after = {part: (store / "documents" / f"{part}.parquet").stat().st_mtime_ns for part in done}
    assert {part for part in done if before[part] == after[part]} == done - {damaged}
    assert contents(store) == undisturbed


def test_kill_while_deciding(tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped between two parts of the decisions: the store says that it has none, until they are made."""
    from corpus import decide as deciding

    first = wanted(tmp_path / "s", inputs)
    build(first)
    before = contents(tmp_path / "s")
    policy = {"name": "strict", "rules": [{"drop": "gopher.words < 400", "reason": "short"}]}
    other = first.model_validate({**first.model_dump(), "policy": policy})
    real = deciding.decide_part
    calls = iter(range(100))

    def fails(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(deciding, "decide_part", fails)
    with pytest.raises(KeyboardInterrupt):
        deciding.decide(other)
    assert Store.open(tmp_path / "s").policies == []
    with pytest.raises(UserError, match="no decisions of a policy 'strict'"):
        next(Store.open(tmp_path / "s").documents(policy="strict"))
    monkeypatch.undo()
    deciding.decide(first)
    assert contents(tmp_path / "s") == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_stops_cleanly_and_resumes(
    small_disk: Path, inputs: Path, undisturbed: dict[str, str], workers: int
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 450_000)
    with pytest.raises(OSError) as caught:
        build(wanted(small_disk / "store", inputs, workers))
    assert caught.value.errno == errno.ENOSPC
    assert not (small_disk / "store" / "store.json").exists()
    for path in (small_disk / "store").glob("documents/part-*.parquet"):
        assert path.read_bytes()[-4:] == b"PAR1"
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    build(wanted(small_disk / "store", inputs, workers))
    assert contents(small_disk / "store") == undisturbed
    assert leftovers(small_disk / "store") == []


def test_a_full_disk_is_one_line(small_disk: Path, inputs: Path, tmp_path: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 450_000)
    for workers in (1, 2):
        (tmp_path / "log").unlink(missing_ok=True)
        process = start(tmp_path, inputs, workers, small_disk / "store")
        assert process.wait() == 2
        (said,) = (tmp_path / "log").read_text().strip().splitlines()
        assert "no space left" in said


class Dies(PipelineStep):
    """A worker that the system kills."""

    type, name = "test", "dies"

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from data or ()


class Fails(PipelineStep):
    """A step with a user's mistake in it."""

    type, name = "test", "fails"

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        if rank == 1:
            raise UserError("nonsense", where="rules.yaml:3", mend="make sense")
        time.sleep(60)
        yield from data or ()


def test_a_killed_worker_is_told_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a worker process was killed"):
        Workers([Dies()], tasks=4, workers=2, logging_dir=str(tmp_path / LOGS), skip_completed=False).run()


def test_a_mistake_in_a_worker_ends_the_others(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match=r"rules.yaml:3: nonsense; make sense"):
        Workers([Fails()], tasks=2, workers=2, logging_dir=str(tmp_path / LOGS), skip_completed=False).run()
    assert time.monotonic() - started < 50


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = """
import sys
from corpus.executors import Workers
from tests.corpus.test_kill import Writes
if __name__ == "__main__":
    folder = sys.argv[1]
    Workers([Writes(folder)], tasks=2, workers=2, logging_dir=folder, skip_completed=False).run()
"""
    file = tmp_path / "main.py"
    file.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, str(file), str(tmp_path)], env=environment)
    while len(pids := list(tmp_path.glob("pid-*"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    for _ in range(200):
        alive = [path for path in pids if Path(f"/proc/{path.name.removeprefix('pid-')}/cmdline").exists()]
        if not [path for path in alive if _cmdline(path)]:
            return
        time.sleep(0.05)
    pytest.fail("workers outlive their parent")


def _cmdline(path: Path) -> bytes:
    """Empty for a process that is gone or only waits to be buried."""
    try:
        return Path(f"/proc/{path.name.removeprefix('pid-')}/cmdline").read_bytes()
    except OSError:
        return b""


class Writes(PipelineStep):
    """Says which process runs it, and stays."""

    type, name = "test", "writes"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        (Path(self.folder) / f"pid-{os.getpid()}").touch()
        time.sleep(60)
        yield from data or ()

"""A run that is killed, stopped or starved of disk ends in the same bytes as one that was left alone."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.children import READER, RUN, count_changes, server, start
from tests.trainer.fakes import ArithmeticReader, manifest
from tests.trainer.test_checkpoint import small_disk
from trainer import checkpoint
from trainer.checkpoint import Record
from trainer.train import train

STEPS = 52


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return server()


@pytest.fixture(scope="module")
def undisturbed(context: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(context, folder)
    process.join()
    assert process.exitcode == 0
    return results(folder)


def results(folder: Path) -> dict[str, bytes]:
    """All that must not depend on interruptions: final weights, last checkpoint, closing record, metrics."""
    paths = [*(folder / "model").iterdir(), *(folder / "checkpoints" / f"step-{STEPS:08d}").iterdir()]
    found = {str(path.relative_to(folder)): path.read_bytes() for path in [*paths, folder / "finished.json"]}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    clocks = ("seconds", "tokens_per_second", "data_wait")
    kept = [{name: value for name, value in line.items() if name not in clocks} for line in lines]
    found["metrics"] = json.dumps(kept).encode()
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert not list(folder.rglob("*.tmp-*"))
    return found


def finish(context: ForkServerContext, folder: Path) -> None:
    process = start(context, folder)
    process.join()
    assert process.exitcode == 0


def test_the_process_does_not_matter(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    train(manifest(tmp_path, **RUN), reader=READER)
    assert results(tmp_path) == undisturbed


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_at_random_times(
    tmp_path: Path, context: ForkServerContext, undisturbed: dict[str, bytes], seed: int
) -> None:
    delays = random.Random(seed)
    for _ in range(6):
        process = start(context, tmp_path)
        time.sleep(delays.uniform(0.02, 0.5))
        assert process.pid is not None
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
    finish(context, tmp_path)
    assert results(tmp_path) == undisturbed


def test_kill_9_at_changes_of_the_file_system(
    tmp_path: Path, context: ForkServerContext, undisturbed: dict[str, bytes]
) -> None:
    changes = count_changes(tmp_path / "counted")
    assert changes > 100
    places = random.Random(4)
    # Some of the changes up to a run's second checkpoint, and some of all others.
    chosen = [*places.sample(range(36), 8), *places.sample(range(36, changes), 8)]
    for number, place in enumerate(chosen):
        folder = tmp_path / str(number % 4)  # several deaths in a row hit the same run
        process = start(context, folder, die_at=place)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
    for number in range(4):
        finish(context, tmp_path / str(number))
        assert results(tmp_path / str(number)) == undisturbed


@pytest.mark.parametrize("largest", [20_000, 100_000, 165_000])
def test_death_in_the_middle_of_a_checkpoints_file(
    tmp_path: Path, context: ForkServerContext, undisturbed: dict[str, bytes], largest: int
) -> None:
    process = start(context, tmp_path, largest_file=largest)
    process.join()
    assert process.exitcode == -signal.SIGXFSZ
    assert [path.suffix for path in (tmp_path / "checkpoints").iterdir()] != []
    assert not list((tmp_path / "checkpoints").glob("step-*"))
    finish(context, tmp_path)
    assert results(tmp_path) == undisturbed


class Signalling(ArithmeticReader):
    """Sends this process a signal when a certain sequence of a phase is read."""

    def __init__(self, at: tuple[int, int], number: int) -> None:
        super().__init__(READER.phases)
        self.at, self.number = at, number

    def read(self, phase: int, indices: Any) -> Any:
        if phase == self.at[0] and self.at[1] in indices:
            os.kill(os.getpid(), self.number)
        return super().read(phase, indices)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(
    tmp_path: Path, undisturbed: dict[str, bytes], number: signal.Signals
) -> None:
    handler = signal.getsignal(number)
    summary = train(manifest(tmp_path, **RUN), reader=Signalling((0, 40), number))
    assert summary.stopped_by == number.name
    assert 18 <= summary.steps <= 22
    assert summary.checkpoint == tmp_path / "checkpoints" / f"step-{summary.steps:08d}"
    assert summary.weights is None
    assert not (tmp_path / "finished.json").exists()
    assert signal.getsignal(number) is handler
    again = train(manifest(tmp_path, **RUN), reader=READER)
    assert again.resumed_from == summary.steps
    assert results(tmp_path) == undisturbed


def test_sigterm_from_outside_exits_cleanly(
    tmp_path: Path, context: ForkServerContext, undisturbed: dict[str, bytes]
) -> None:
    process = start(context, tmp_path)
    metrics = tmp_path / "metrics.jsonl"
    while process.is_alive() and not (metrics.exists() and metrics.stat().st_size > 0):
        time.sleep(0.005)
    process.terminate()
    process.join()
    assert process.exitcode == 0
    finish(context, tmp_path)
    assert results(tmp_path) == undisturbed


class Crashing(ArithmeticReader):
    """Fails when a certain sequence of a phase is read."""

    def __init__(self, at: tuple[int, int]) -> None:
        super().__init__(READER.phases)
        self.at = at

    def read(self, phase: int, indices: Any) -> Any:
        if phase == self.at[0] and self.at[1] in indices:
            raise RuntimeError("the power is gone")
        return super().read(phase, indices)


@pytest.mark.parametrize(("every", "last_saved"), [(41, 41), (40, 40), (21, 42)])
def test_resume_at_and_around_the_phase_boundary(
    tmp_path: Path, undisturbed: dict[str, bytes], every: int, last_saved: int
) -> None:
    run = manifest(tmp_path, **{**RUN, "checkpoint": {"every": every}})
    with pytest.raises(RuntimeError, match="the power is gone"):
        train(run, reader=Crashing((1, 3)))
    summary = train(run, reader=READER)
    assert summary.resumed_from == last_saved
    assert results(tmp_path) == undisturbed


def test_a_truncated_checkpoint_is_passed_over(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    with pytest.raises(RuntimeError):
        train(manifest(tmp_path, **RUN), reader=Crashing((0, 70)))
    newest = max((tmp_path / "checkpoints").glob("step-*"))
    assert newest.name == "step-00000030"
    file = newest / "__0_0.distcp"
    os.truncate(file, file.stat().st_size // 2)
    summary = train(manifest(tmp_path, **RUN), reader=READER)
    assert summary.resumed_from == 24
    assert results(tmp_path) == undisturbed


@pytest.mark.parametrize("tensorboard", [False, True])
@pytest.mark.parametrize("left", [100_000, 0])
def test_a_full_disk_stops_and_resumes(
    tmp_path: Path, undisturbed: dict[str, bytes], left: int, tensorboard: bool
) -> None:
    run_fields = RUN | {"tensorboard": tensorboard}
    with small_disk(tmp_path / "disk", "4m") as disk:
        run = disk / "run"

        class Filling(ArithmeticReader):
            def read(self, phase: int, indices: Any) -> Any:
                if phase == 0 and 40 in indices:
                    free = os.statvfs(disk)
                    (disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_bsize - left))
                return super().read(phase, indices)

        with pytest.raises(OSError) as caught:
            train(manifest(run, **run_fields), reader=Filling(READER.phases))
        assert caught.value.errno == errno.ENOSPC
        saved = sorted(path.name for path in (run / "checkpoints").iterdir())
        assert saved == ["step-00000012", "step-00000018"]
        (disk / "filler").unlink()
        summary = train(manifest(run, **run_fields), reader=READER)
        assert summary.resumed_from == 18
        assert results(run) == undisturbed


def test_a_disk_too_full_for_the_final_weights(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        run, save = disk / "run", checkpoint.save

        def save_and_fill(folder: Path, tensors: Any, record: Record, keep: int) -> Path:
            path = save(folder, tensors, record, keep)
            if record.step == STEPS:
                free = os.statvfs(disk)
                (disk / "filler").write_bytes(b"x" * (free.f_bavail * free.f_bsize))
            return path

        monkeypatch.setattr(checkpoint, "save", save_and_fill)
        with pytest.raises(OSError) as caught:
            train(manifest(run, **RUN), reader=READER)
        monkeypatch.undo()
        assert caught.value.errno == errno.ENOSPC
        assert not (run / "finished.json").exists()
        (disk / "filler").unlink()
        assert train(manifest(run, **RUN), reader=READER).resumed_from == STEPS
        assert results(run) == undisturbed

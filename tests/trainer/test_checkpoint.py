from __future__ import annotations

import errno
import json
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from gristmill.base.errors import UserError
from trainer import checkpoint
from trainer.checkpoint import Record


def record(step: int) -> Record:
    return Record(step, lock="abc", model={"a": 1}, fixed={}, tunable={}, numerics={}, targets=3)


def tensors(value: float, size: int = 1000) -> dict[str, Any]:
    return {
        "model": {"a": torch.full((size,), value), "b": torch.arange(6).view(2, 3) * value},
        "optimizer": {"a": {"step": torch.tensor(value), "exp_avg": torch.full((size,), -value)}},
    }


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_round_trip(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, tensors(2.0), record(7), keep=2)
    assert path.name == "step-00000007"
    found = checkpoint.latest(tmp_path, pytest.fail)
    assert found is not None
    assert found[0] == path
    assert (found[1].step, found[1].targets, found[1].model) == (7, 3, {"a": 1})
    into = tensors(0.0)
    checkpoint.load(path, into)
    torch.testing.assert_close(into, tensors(2.0), rtol=0, atol=0)


def test_the_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    one = checkpoint.save(tmp_path / "here", tensors(2.0), record(7), keep=2)
    other = checkpoint.save(tmp_path / "some" / "where" / "else", tensors(2.0), record(7), keep=2)
    assert files(one) == files(other)
    for content in files(one).values():
        assert str(tmp_path).encode() not in content


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        checkpoint.save(tmp_path, tensors(step), record(step), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000010"]
    assert checkpoint.newest(tmp_path) == tmp_path / "step-00000010"


def test_an_abandoned_course_is_removed(tmp_path: Path) -> None:
    for step in (1, 2, 5):
        checkpoint.save(tmp_path, tensors(step), record(step), keep=3)
    checkpoint.save(tmp_path, tensors(3), record(3), keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step-0000000{step}" for step in (1, 2, 3)]


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "no record", "half a record", "empty"])
@pytest.mark.parametrize("name", ["__0_0.distcp", ".metadata"])
def test_damage_is_found_and_the_one_before_is_taken(tmp_path: Path, damage: str, name: str) -> None:
    checkpoint.save(tmp_path, tensors(1), record(1), keep=3)
    path = checkpoint.save(tmp_path, tensors(2), record(2), keep=3)
    file = path / name
    content = file.read_bytes()
    if damage == "truncate":
        file.write_bytes(content[:-1])
    elif damage == "flip":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "remove":
        file.unlink()
    elif damage == "no record":
        (path / "checkpoint.json").unlink()
    elif damage == "half a record":
        (path / "checkpoint.json").write_bytes((path / "checkpoint.json").read_bytes()[:100])
    else:
        for each in path.iterdir():
            each.unlink()
    notes: list[str] = []
    found = checkpoint.latest(tmp_path, notes.append)
    assert found is not None
    assert found[1].step == 1
    assert len(notes) == 1
    assert "step-00000002 is damaged" in notes[0]


def test_nothing_good_left_is_an_error_not_a_fresh_start(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path / "none", pytest.fail) is None
    path = checkpoint.save(tmp_path, tensors(1), record(1), keep=3)
    (path / "__0_0.distcp").write_bytes(b"")
    with pytest.raises(UserError, match="all are damaged"):
        checkpoint.latest(tmp_path, lambda note: None)


def test_a_record_from_elsewhere_does_not_pass(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, tensors(1), record(1), keep=3)
    values = json.loads((path / "checkpoint.json").read_text())
    (path / "checkpoint.json").write_text(json.dumps({**values, "surprise": 1}))
    with pytest.raises(ValueError, match="not readable"):
        checkpoint.check(path)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A real file system that fills up; the test is skipped where it cannot be mounted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_an_oserror_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        good = checkpoint.save(disk, tensors(1), record(1), keep=2)
        with pytest.raises(OSError) as caught:
            checkpoint.save(disk, tensors(2, size=200_000), record(2), keep=2)
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in disk.iterdir()] == [good.name]
        assert checkpoint.latest(disk, pytest.fail) is not None


def test_a_file_that_may_not_grow_is_an_oserror_and_leaves_nothing(tmp_path: Path) -> None:
    # The limit on file size fails writes in the middle of a file, as a full disk does, and needs no rights.
    checkpoint.save(tmp_path, tensors(1), record(1), keep=2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            checkpoint.save(tmp_path, tensors(2, size=200_000), record(2), keep=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]

"""Files that exist whole or not at all: write beside the target, flush to disk, rename over it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

TEMP_MARK = ".tmp-"
"""Every temporary file or folder of ours has this in its name, so that leftovers of a kill can be swept."""


def _temp_name(target: Path) -> str:
    return f".{target.name}{TEMP_MARK}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """A temporary path in the target's folder; renamed over the target when the block ends without an error.

    The file is flushed to disk before the rename, so a power cut leaves the old file or the new one.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=_temp_name(target), dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_open(target: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """`open` for writing, atomically: the target appears, complete, when the block ends without an error."""
    with atomic_path(target) as temporary, temporary.open(mode, **options) as file:
        yield file
        file.flush()


def atomic_write(target: str | Path, content: bytes | str) -> None:
    """Write a small file in one go, atomically."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_open(target) as file:
        file.write(data)


def move(path: Path, target: Path) -> None:
    """Rename a file over another in the same file system, and flush the rename to disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    _sync_folder(target.parent)


@contextlib.contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """A temporary folder beside the target; takes the target's place when the block ends without an error."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=_temp_name(target), dir=target.parent))
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        temporary.chmod(0o755)
        if target.exists():
            # A folder cannot be renamed over a full one: step the old one aside, under a name that is swept.
            aside = Path(tempfile.mkdtemp(prefix=_temp_name(target), dir=target.parent))
            target.replace(aside / target.name)
            temporary.replace(target)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sweep(folder: str | Path) -> int:
    """Remove what a killed writer left under a folder; returns how many leftovers there were.

    Call it only where no other writer is at work in the folder.
    """
    folder = Path(folder)
    leftovers = list(folder.rglob(f".*{TEMP_MARK}*")) if folder.is_dir() else []
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(leftovers)

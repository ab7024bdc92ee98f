"""Checkpoints: torch distributed checkpoints in folders that exist whole or not at all.

    checkpoints/step-00000100/
        checkpoint.json     what it belongs to, and the size and SHA-256 of every other file
        .metadata           torch.distributed.checkpoint's index
        __0_0.distcp        the tensors

The bytes depend on the tensors and the record alone: no time, host or path is in them.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from gristmill.base.atomic import TEMP_MARK, atomic_folder
from gristmill.base.digest import canonical_json, sha256_file
from gristmill.base.errors import UserError

RECORD = "checkpoint.json"
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Record:
    """What a checkpoint belongs to.

    Attributes:
        step: optimizer steps done; training goes on with step number `step`, counted from 0.
        lock: digest of the mixture's lock.
        model: configuration of the model.
        fixed, tunable: `RunManifest.fixed()` and `.tunable()`.
        numerics: torch version, device, precision, threads: what bit-identical repetition depends on.
        targets: targets that the loss has seen.
        skipped, skipped_in_a_row: steps skipped for a non-finite gradient, in all and just before `step`.
    """

    step: int
    lock: str
    model: dict[str, Any]
    fixed: dict[str, Any]
    tunable: dict[str, Any]
    numerics: dict[str, Any]
    targets: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Writer(FileSystemWriter):
    """torch's file writer without the random save id and the absolute path that it puts into the index."""

    def storage_meta(self) -> None:
        return None


def save(folder: Path, tensors: dict[str, Any], record: Record, keep: int) -> Path:
    """Write a checkpoint atomically, then remove all but the `keep` newest.

    Checkpoints beyond `record.step` belong to a course that was abandoned (a damaged one was passed over)
    and are removed too.

    Args:
        folder: the run's `checkpoints` folder.
        tensors: nested dictionaries of tensors.

    Errors: OSError when the disk is full or fails; nothing half-written stays.
    """
    target = folder / f"step-{record.step:08d}"
    with atomic_folder(target) as temporary:
        with _plain_errors():
            writer = _Writer(temporary, single_file_per_rank=True, thread_count=1, sync_files=False)
            save_distributed(tensors, storage_writer=writer, no_dist=True)
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
            for path in sorted(temporary.iterdir())
        }
        content = canonical_json({**asdict(record), "files": files})
        (temporary / RECORD).write_bytes(content + b"\n")
    _retain(folder, record.step, keep)
    return target


def latest(folder: Path, note: Callable[[str], None]) -> tuple[Path, Record] | None:
    """The newest checkpoint that is complete and undamaged, or None where there is none at all.

    Damaged ones are passed over with a note. Errors: UserError when there are checkpoints and all are
    damaged.
    """
    damaged = []
    for _, path in reversed(_listed(folder)):
        try:
            record = check(path)
        except ValueError as error:
            note(f"checkpoint {path.name} is damaged ({error}): going back to the one before")
            damaged.append(path)
        else:
            return path, record
    if damaged:
        raise UserError(
            "no checkpoint can be read: all are damaged",
            where=str(folder),
            mend="remove the folder to train from the beginning",
        )
    return None


def check(path: Path) -> Record:
    """Read a checkpoint's record and compare every file with its checksum. Errors: ValueError, saying
    what."""
    try:
        values = json.loads((path / RECORD).read_bytes())
        record = Record(**values)
    except FileNotFoundError:
        raise ValueError(f"{RECORD} is missing") from None
    except (ValueError, TypeError):
        raise ValueError(f"{RECORD} is not readable") from None
    if not record.files:
        raise ValueError(f"{RECORD} names no files")
    for name, expected in record.files.items():
        file = path / name
        if not file.is_file():
            raise ValueError(f"{name} is missing")
        if (size := file.stat().st_size) != expected["bytes"]:
            raise ValueError(f"{name} has {size:,} bytes instead of {expected['bytes']:,}")
        if sha256_file(file) != expected["sha256"]:
            raise ValueError(f"{name} does not match its checksum")
    return record


def load(path: Path, tensors: dict[str, Any]) -> None:
    """Load into the given tensors, in place. `check` the checkpoint first. Errors: OSError,
    RuntimeError."""
    with _plain_errors():
        load_distributed(tensors, storage_reader=FileSystemReader(path), no_dist=True)


def newest(folder: Path) -> Path | None:
    """The newest checkpoint by name, unchecked, or None."""
    listed = _listed(folder)
    return listed[-1][1] if listed else None


def _listed(folder: Path) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    matches = ((path, _NAME.fullmatch(path.name)) for path in folder.iterdir())
    return sorted((int(match[1]), path) for path, match in matches if match)


def _retain(folder: Path, step: int, keep: int) -> None:
    listed = _listed(folder)
    course = [path for number, path in listed if number <= step]
    for path in [*course[:-keep], *(path for number, path in listed if number > step)]:
        # Renamed first: a kill in the middle leaves a leftover to sweep, not a damaged checkpoint.
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}{TEMP_MARK}", dir=folder))
        path.replace(aside / path.name)
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Undo torch's wrapping: a full disk is an OSError, anything else a RuntimeError.

    CheckpointException derives from BaseException, and the file's OSError hides in the context of the
    error that
    torch's zip writer raises after it.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            yield
    except CheckpointException as error:
        for cause, _ in error.failures.values():
            inner: BaseException | None = cause
            while inner is not None:
                if isinstance(inner, OSError):
                    raise inner from None
                inner = inner.__cause__ or inner.__context__
        raise RuntimeError(str(error)) from None

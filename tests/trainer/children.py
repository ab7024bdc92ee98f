"""Training in child processes that die in chosen ways. A fork server has torch loaded already."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from tests.trainer.fakes import ArithmeticReader, manifest

READER = ArithmeticReader([("short", 16, 82), ("long", 32, 22)])
"""41 and 11 batches of two: the phase boundary is no multiple of the checkpoint interval."""

RUN: dict[str, Any] = {"batch": {"sequences": 2, "micro": 1}, "checkpoint": {"every": 6, "keep": 2}}

_CHANGES = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "shutil.rmtree",
    "tempfile.mkdtemp",
)


def server() -> ForkServerContext:
    """A context whose children start with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.trainer.children", "trainer.train"])
    return context


def start(
    context: ForkServerContext, output: Path, die_at: int | None = None, largest_file: int | None = None
) -> ForkServerProcess:
    """Train in a child.

    Args:
        die_at: SIGKILL itself at this one of its changes to the file system (opening for writing, renaming,
            removing, making a folder ...), counted from 0.
        largest_file: die in the middle of the write that would make a file larger than this.
    """
    process = context.Process(target=_child, args=(output, die_at, largest_file))
    process.start()
    return process


def count_changes(output: Path) -> int:
    """Train in this process; returns how often the file system is changed."""
    counter = _Counter(None)
    sys.addaudithook(counter)
    _train(output)
    counter.active = False
    return counter.seen


class _Counter:
    def __init__(self, die_at: int | None) -> None:
        self.die_at, self.seen, self.active = die_at, 0, True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active:
            return
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if writes or event in _CHANGES:
            if self.seen == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.seen += 1


def _child(output: Path, die_at: int | None, largest_file: int | None) -> None:
    if largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    if die_at is not None:
        sys.addaudithook(_Counter(die_at))
    _train(output)


def _train(output: Path) -> None:
    from trainer.train import train

    train(manifest(output, **RUN), reader=READER)

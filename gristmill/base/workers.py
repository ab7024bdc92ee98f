"""datatrove's local executor on worker processes that can be killed, and its logs in files.

What every stage that runs on this machine needs: documents, tokens.
"""

from __future__ import annotations

import contextlib
import copy
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import IO, Any

import datatrove.executor.base as datatrove_base
from datatrove.executor.local import LocalPipelineExecutor
from loguru import logger

from gristmill.base.errors import UserError


class Workers(LocalPipelineExecutor):
    """datatrove's local executor on processes that can be killed.

    Its own pool waits for ever for a worker that the system has killed (for memory, as a rule), and its
    workers outlive a killed parent. Here the first is a UserError, and orphans end within a second. The log
    goes to datatrove's files and not to the terminal.
    """

    def run(self) -> None:
        """Run all ranks; the first error ends the others."""
        self.save_executor_as_json()
        if self.workers == 1:
            steps: list[Any] = list(self.pipeline)
            for rank in range(self.tasks):
                self.pipeline: list[Any] = copy.deepcopy(steps)
                self._run_for_rank(rank)
            return
        with worker_pool(self.workers, self.start_method) as pool:
            for done in as_completed([pool.submit(self._run_for_rank, rank) for rank in range(self.tasks)]):
                done.result()

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> None:
        # What it returns are statistics that lie in the log folder; they need not travel.
        with log_to_files():
            super()._run_for_rank(rank, local_rank, node_rank)


@contextlib.contextmanager
def worker_pool(workers: int, start_method: str = "forkserver") -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that end with this one, however it ends; the first error ends the others.

    Raises UserError where a worker was killed.
    """
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context(start_method), initializer=_end_with_parent
    )
    try:
        yield pool
        pool.shutdown()
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed (out of memory?)",
            mend="the same command goes on; fewer workers need less memory",
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()


def _end_with_parent() -> None:
    """In a worker: end when the main process is gone, however it ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _add(file: IO[str]) -> None:
    """Log into a file for as long as the disk has room; a full one is told by those who need it."""

    def write(message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            file.write(message)
            file.flush()

    logger.add(write, level="DEBUG")


@contextlib.contextmanager
def log_to_files() -> Iterator[None]:
    """Let datatrove's tasks log to their files alone; its `add_task_logger` would add standard error."""

    def add(folder: Any, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        file = folder.open(f"logs/task_{rank:05d}.log", "w")
        logger.remove()
        _add(file)
        return file

    def close(file: Any) -> None:
        logger.remove()
        with contextlib.suppress(OSError):
            file.close()

    before = datatrove_base.add_task_logger, datatrove_base.close_task_logger
    datatrove_base.add_task_logger, datatrove_base.close_task_logger = add, close
    try:
        yield
    finally:
        datatrove_base.add_task_logger, datatrove_base.close_task_logger = before


@contextlib.contextmanager
def main_log(folder: Path) -> Iterator[None]:
    """Send what the main process of an executor logs into a file instead of the terminal."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "executor.log").open("a")
    logger.remove()
    _add(file)
    try:
        yield
    finally:
        logger.remove()
        logger.add(sys.stderr, level="WARNING")
        with contextlib.suppress(OSError):
            file.close()

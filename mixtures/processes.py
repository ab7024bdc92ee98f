"""Worker processes for datatrove pipelines: a pool that ends with the run, however the run ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from datatrove.executor import LocalPipelineExecutor
from loguru import logger

from gristmill.base.errors import UserError


class ProcessExecutor(LocalPipelineExecutor):
    """datatrove's local executor on a pool that notices what happens to its processes.

    The original hands tasks out through a manager process, which lives on when the run is killed, and waits
    for ever when a worker is. Here workers end when the main process is gone, and a worker that is gone ends
    the run. Nothing is printed.
    """

    def run(self) -> None:
        """Run every task. Errors: the first task's error; UserError when a worker was killed."""
        logger.disable("datatrove")
        try:
            if self.workers == 1:
                for rank in range(self.tasks):
                    self._run_for_rank(rank)
            else:
                self._run_pool()
        finally:
            logger.enable("datatrove")

    def _run_pool(self) -> None:
        context = multiprocessing.get_context(self.start_method)
        pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_begin_worker)
        try:
            futures = [pool.submit(self._run_for_rank, rank) for rank in range(self.tasks)]
            for future in as_completed(futures):
                future.result()
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed, most likely for its memory",
                mend="the same command goes on; give it fewer --workers",
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """In a new worker: keep datatrove's log off the terminal, and end when the main process does."""
    logger.disable("datatrove")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)

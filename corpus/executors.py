"""The executor that a manifest asks for: datatrove's own, local, Slurm or Ray."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import datatrove.executor.base as datatrove_base
from datatrove.data import DocumentsPipeline
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from corpus.manifest import CorpusManifest, LocalExecutor, RayExecutor, SlurmExecutor
from gristmill.base.errors import UserError, missing_extra

LOGS = ".logs"
"""Folder inside a store for logs; no part of its contents."""


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
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context(self.start_method),
            initializer=end_with_parent,
            initargs=(os.getpid(),),
        )
        try:
            for done in as_completed([pool.submit(self._run_for_rank, rank) for rank in range(self.tasks)]):
                done.result()
            pool.shutdown()
        except BrokenProcessPool:
            raise UserError(
                "a worker process was killed (out of memory?)",
                mend="the same command goes on; fewer `executor.workers` need less memory",
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> None:
        # What it returns are statistics that lie in the log folder; they need not travel.
        with log_to_files():
            super()._run_for_rank(rank, local_rank, node_rank)


def end_with_parent(parent: int) -> None:
    """In a worker: end when the main process is gone, however it ended."""

    def watch() -> None:
        while True:
            time.sleep(0.5)
            try:
                os.kill(parent, 0)
            except ProcessLookupError:
                os._exit(1)
            except PermissionError:
                pass

    threading.Thread(target=watch, daemon=True).start()


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


class FolderStep(PipelineStep):
    """Lets a worker on another machine see relative paths as the command did: needs a shared file system."""

    type = "📁 - FOLDER"
    name = "working folder"

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = str(folder)

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Change into the folder, and hand on what comes in."""
        os.chdir(self.folder)
        if data:
            yield from data


@dataclass(frozen=True, slots=True)
class Stage:
    """A datatrove pipeline whose ranks are independent of each other."""

    name: str
    """Folder of its logs."""
    steps: Sequence[PipelineStep]
    tasks: int


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(options: LocalExecutor, stage: Stage, logs: Path) -> LocalPipelineExecutor:
    """Worker processes here. Which tasks are done is ours to know: datatrove is told to run all it is
    given."""
    workers = min(options.workers or cores(), stage.tasks)
    return Workers(
        list(stage.steps),
        tasks=stage.tasks,
        workers=workers,
        logging_dir=str(logs / stage.name),
        skip_completed=False,
    )


def slurm(
    options: SlurmExecutor,
    manifest: CorpusManifest,
    stages: Sequence[Stage],
    *,
    logs: Path,
    finish: Sequence[PipelineStep],
) -> list[Any]:
    """A job array for each stage, each after the one before, then the job that finishes the store: run the
    last one, which submits all.

    Raises UserError where `sbatch` or `dill`, which hands the steps to the jobs, is not installed.
    """
    if shutil.which("sbatch") is None:
        raise UserError(
            "there is no `sbatch` here", where="executor.type: slurm", mend="run it on a login node"
        )
    if importlib.util.find_spec("dill") is None:
        raise missing_extra("dill", "slurm", "the Slurm executor")
    from datatrove.executor.slurm import SlurmPipelineExecutor

    common: dict[str, Any] = {
        "partition": options.partition,
        "time": options.time,
        "mem_per_cpu_gb": options.mem_per_cpu_gb,
        "qos": options.qos,
        "env_command": options.env_command,
        "condaenv": options.condaenv,
        "venv_path": options.venv_path,
        "sbatch_args": dict(options.sbatch_args),
        "srun_args": dict(options.srun_args) or None,
        "requeue": options.requeue,
        "mail_user": options.mail_user,
        "mail_type": options.mail_type,
        "skip_completed": False,
    }
    name = options.job_name or manifest.name
    jobs: list[Any] = []
    for stage in stages:
        jobs.append(
            SlurmPipelineExecutor(
                [FolderStep(Path.cwd()), *stage.steps],
                tasks=stage.tasks,
                workers=options.workers,
                cpus_per_task=options.cpus_per_task,
                tasks_per_job=options.tasks_per_job,
                max_array_size=options.max_array_size,
                job_name=name,
                logging_dir=str(logs / stage.name),
                depends=jobs[-1] if jobs else None,
                **common,
            )
        )
    jobs.append(
        SlurmPipelineExecutor(
            [FolderStep(Path.cwd()), *finish],
            tasks=1,
            cpus_per_task=options.cpus_per_task,
            job_name=f"{name}-finish",
            logging_dir=str(logs / "finish"),
            depends=jobs[-1],
            **common,
        )
    )
    return jobs


def at_work(jobs: Sequence[str]) -> bool:
    """Whether Slurm still knows of one of these jobs."""
    if not jobs or shutil.which("squeue") is None:
        return False
    command = ["squeue", "--noheader", "--format=%i", f"--jobs={','.join(jobs)}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    # For jobs that it has forgotten squeue returns an error.
    return found.returncode == 0 and bool(found.stdout.strip())


def ray(options: RayExecutor, stage: Stage, logs: Path) -> Any:
    """Ray tasks. Starts or joins a Ray cluster. Raises UserError where `ray` is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise missing_extra("ray", "ray", "the Ray executor")
    import ray as engine
    from datatrove.executor.ray import RayPipelineExecutor

    if not engine.is_initialized():
        engine.init(address=options.address, log_to_driver=False, include_dashboard=False)
    return RayPipelineExecutor(
        [FolderStep(Path.cwd()), *stage.steps],
        tasks=stage.tasks,
        workers=options.workers,
        cpus_per_task=options.cpus_per_task,
        mem_per_cpu_gb=options.mem_per_cpu_gb,
        tasks_per_job=options.tasks_per_job,
        time=options.time,
        logging_dir=str(logs / stage.name),
        skip_completed=False,
    )

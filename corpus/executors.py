"""The executor that a manifest asks for: datatrove's own, local, Slurm or Ray."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datatrove.executor.base as datatrove_base
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from corpus.manifest import CorpusManifest, LocalExecutor, RayExecutor, SlurmExecutor
from gristmill.base.errors import missing_extra

LOGS = ".logs"
"""Folder inside a store for logs; no part of its contents."""


class QuietLocalExecutor(LocalPipelineExecutor):
    """datatrove's local executor, whose log goes to its files and not to the terminal."""

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        with log_to_files():
            return super()._run_for_rank(rank, local_rank, node_rank)


@contextlib.contextmanager
def log_to_files() -> Iterator[None]:
    """Let datatrove's tasks log to their files alone; `add_task_logger` would add standard error."""

    def add(folder: Any, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
        file = folder.open(f"logs/task_{rank:05d}.log", "w")
        logger.remove()
        logger.add(file, level="INFO")
        return file

    def close(file: Any) -> None:
        logger.complete()
        logger.remove()
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
    logger.remove()
    with (folder / "executor.log").open("a") as file:
        logger.add(file, level="INFO")
        try:
            yield
        finally:
            logger.complete()
            logger.remove()
            logger.add(sys.stderr, level="WARNING")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(
    options: LocalExecutor, steps: Sequence[PipelineStep], tasks: int, logs: Path
) -> LocalPipelineExecutor:
    """Worker processes here. Which tasks are done is ours to know: datatrove is told to run all it is
    given."""
    workers = min(options.workers or cores(), tasks)
    return QuietLocalExecutor(
        list(steps), tasks=tasks, workers=workers, logging_dir=str(logs), skip_completed=False
    )


def slurm(
    options: SlurmExecutor,
    manifest: CorpusManifest,
    steps: Sequence[PipelineStep],
    *,
    tasks: int,
    logs: Path,
    finish: Sequence[PipelineStep],
) -> Any:
    """A job array over the parts and, depending on it, the job that finishes the store: run the returned one.

    Raises UserError where `dill`, which hands the steps to the jobs, is not installed.
    """
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
    parts = SlurmPipelineExecutor(
        list(steps),
        tasks=tasks,
        workers=options.workers,
        cpus_per_task=options.cpus_per_task,
        tasks_per_job=options.tasks_per_job,
        max_array_size=options.max_array_size,
        job_name=name,
        logging_dir=str(logs / "parts"),
        **common,
    )
    return SlurmPipelineExecutor(
        list(finish),
        tasks=1,
        cpus_per_task=options.cpus_per_task,
        job_name=f"{name}-finish",
        logging_dir=str(logs / "finish"),
        depends=parts,
        **common,
    )


def ray(options: RayExecutor, steps: Sequence[PipelineStep], tasks: int, logs: Path) -> Any:
    """Ray tasks. Starts or joins a Ray cluster. Raises UserError where `ray` is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise missing_extra("ray", "ray", "the Ray executor")
    import ray as engine
    from datatrove.executor.ray import RayPipelineExecutor

    if not engine.is_initialized():
        engine.init(address=options.address, log_to_driver=False, include_dashboard=False)
    return RayPipelineExecutor(
        list(steps),
        tasks=tasks,
        workers=options.workers,
        cpus_per_task=options.cpus_per_task,
        mem_per_cpu_gb=options.mem_per_cpu_gb,
        tasks_per_job=options.tasks_per_job,
        time=options.time,
        logging_dir=str(logs),
        skip_completed=False,
    )

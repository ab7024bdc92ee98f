"""The executor that a manifest asks for: datatrove's own, local, Slurm or Ray."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.data import DocumentsPipeline
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from corpus.manifest import CorpusManifest, LocalExecutor, RayExecutor, SlurmExecutor
from gristmill.base.errors import UserError, missing_extra
from gristmill.base.workers import Workers

LOGS = ".logs"
"""Folder inside a store for logs; no part of its contents."""


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

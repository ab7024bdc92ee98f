"""What all methods of deduplication share: a job over the parts of stores, stages of independent tasks.

A method compares documents and writes annotations; a policy decides what is dropped or cut. Every selected
document has a number, its rank in one total order (`filters.dedup.numbering`); the copy to keep is the one
with the smallest number. So no result depends on the order of inputs, on the number of tasks or workers, or
on how often the work was interrupted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from datatrove.pipeline.base import PipelineStep

from gristmill.base.progress import Progress, Silent
from gristmill.base.workers import worker_pool

CLUSTERS = pa.schema(
    [
        ("cluster", pa.string()),
        ("id", pa.string()),
        ("keep", pa.bool_()),
        ("size", pa.int64()),
        ("similarity", pa.float64()),
    ]
)
"""A ledger of documents that are copies of each other, clusters of two or more, the kept copy first:
`cluster` is the id of the kept copy, `similarity` that with it."""

SPANS = pa.schema(
    [
        ("id", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("kept_id", pa.string()),
        ("kept_start", pa.int64()),
        ("kept_end", pa.int64()),
    ]
)
"""A ledger of pieces of texts that stand elsewhere too, in code points, and where the kept one stands."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a store."""

    name: str
    """`part-00000` and so on."""
    files: tuple[str, ...]
    """The documents file, then annotation files; their rows correspond."""
    known: bool = False
    """Of an earlier store: compared with, not annotated."""


@dataclass(frozen=True, slots=True)
class Job:
    """Which documents are compared, and what the work may use."""

    parts: tuple[Part, ...]
    work: str
    """Folder on a file system that all tasks share; what is in it belongs to this job alone."""
    prefer: str
    """SQL order of documents: of copies the first is kept. The id, ascending, settles ties."""
    where: str | None = None
    """SQL condition: only these documents are compared."""
    by: str | None = None
    """SQL expression: only documents with the same value are compared."""
    memory_mb: int = 2000
    """What one process may use in all, MiB."""
    tasks: int = 1
    """Into how many key ranges a stage is cut. No result depends on it."""

    def folder(self, name: str) -> Path:
        """A folder of the work folder, which is made if need be."""
        folder = Path(self.work) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@dataclass(frozen=True, slots=True)
class Stage:
    """A datatrove step whose ranks are independent of each other, after the stages before it.

    Every rank writes its files atomically, and does nothing where they are there.
    """

    name: str
    step: PipelineStep
    tasks: int


class Method(Protocol):
    """A way to find what is there twice."""

    @property
    def name(self) -> str:
        """Prefix of the columns, and with the version the folder of the annotation."""
        ...

    @property
    def version(self) -> str: ...

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """What it writes, beside `id`."""
        ...

    @property
    def needs(self) -> Sequence[str]:
        """Columns of annotators that it reads."""
        ...

    def meaning(self) -> Any:
        """Settings on which the values depend, as JSON has them."""
        ...

    def stages(self, job: Job) -> list[Stage]:
        """The work, in order, the numbering apart. Reads no data: documents need not be there yet."""
        ...

    def conclude(self, job: Job, target: Path, ledger: Path, progress: Progress) -> dict[str, Any]:
        """Write the annotation of every part that is not known, `target/<part>.parquet`, and the ledger.

        Same rows, same order as the documents; null where a document was not compared. Returns facts for
        `store.json`.
        """
        ...


def run_stages(stages: Sequence[Stage], workers: int = 1, progress: Progress | None = None) -> None:
    """Run stages on this machine, one after the other, their ranks in so many processes."""
    with contextlib.ExitStack() as resources:
        most = min(workers, max((stage.tasks for stage in stages), default=1))
        pool = resources.enter_context(worker_pool(most)) if most > 1 else None
        for stage in stages:
            task = (progress or Silent()).task(stage.name, total=stage.tasks, unit="tasks")
            ranks = range(stage.tasks)
            if pool is not None and stage.tasks > 1:
                waiting = [pool.submit(run_rank, stage.step, rank, stage.tasks) for rank in ranks]
                for done in as_completed(waiting):
                    done.result()
                    task.advance()
            else:
                for rank in ranks:
                    run_rank(stage.step, rank, stage.tasks)
                    task.advance()
            task.close()


def run_rank(step: PipelineStep, rank: int, tasks: int) -> None:
    """One task of a stage."""
    for _ in step.run(None, rank, tasks) or ():
        pass

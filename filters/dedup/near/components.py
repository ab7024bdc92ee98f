"""Components: candidates that similar pairs connect. One array of 8 bytes a candidate, in one task."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.base import Job
from filters.dedup.near.forest import flatten, join_all
from filters.dedup.near.pairs import PAIRS
from filters.dedup.near.scratch import Candidates, Files, budget
from gristmill.base.atomic import atomic_path
from gristmill.base.errors import UserError


class ComponentStep(PipelineStep):
    """Writes the component of every candidate, as the first candidate in it; one task.

    Args:
        kind: which edges, and how the file is named.
        ranks: how many tasks have found edges.
        before: the components that the edges join; every candidate its own by default.
    """

    type = "🫂 - NEAR"
    name = "components"

    def __init__(self, files: Files, kind: str, ranks: int, before: str | None = None) -> None:
        super().__init__()
        self.files, self.kind, self.ranks, self.before = files, kind, ranks, before

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        target = self.files.labels(self.kind)
        if target.is_file():
            return
        with self.track_time():
            count = len(Candidates.read(self.files))
            check_memory(self.files.job, count)
            if self.before is None:
                parents = np.arange(count, dtype=np.int64)
            else:
                parents = np.fromfile(self.files.labels(self.before), np.int64)
            for each in range(self.ranks):
                with pq.ParquetFile(self.files.edges(self.kind, each)) as opened:
                    for batch in opened.iter_batches(PAIRS):
                        join_all(parents, batch.column(0).to_numpy(), batch.column(1).to_numpy())
            flatten(parents)
            with atomic_path(target) as path:
                parents.tofile(path)


def check_memory(job: Job, candidates: int) -> None:
    """Raises UserError where 8 bytes a candidate are more than a task of this job may use."""
    lacking = 8 * candidates - budget(job)
    if lacking > 0:
        raise UserError(
            f"the components of {candidates:,} candidates do not fit in {job.memory_mb} MB",
            where="dedup",
            mend=f"raise `memory_mb` by {(lacking >> 20) + 1}",
        )

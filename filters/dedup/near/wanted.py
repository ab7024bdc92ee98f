"""Which documents are candidates that matter, one bit a document.

Without older stores those are all that are in a bucket. Next to older stores only what a new document may
change is of interest: documents that share buckets with a new one, or with such a document, and so on. What
is alike among the others was found when their own store was deduplicated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.near.candidates import ROWS, Keys
from filters.dedup.near.components import check_memory
from filters.dedup.near.forest import flatten, join_all
from filters.dedup.near.scratch import Candidates, Files, Int64, bitmap, mark
from filters.dedup.numbering import read_numbers
from gristmill.base.atomic import atomic_path


class WantedStep(PipelineStep):
    """Writes the bitmap; one task. Next to older stores it holds 8 bytes a candidate."""

    type = "🫂 - NEAR"
    name = "candidates that matter"

    def __init__(self, files: Files, keys: Keys) -> None:
        super().__init__()
        self.files, self.job, self.keys = files, files.job, keys

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        if self.files.wanted.is_file():
            return
        with self.track_time():
            self.total = sum(pq.read_metadata(part.files[0]).num_rows for part in self.job.parts)
            words = bitmap(self.total)
            for _, numbers in self._buckets():
                mark(words, numbers)
            if any(part.known for part in self.job.parts):
                words = self._near_new(Candidates(words)).words
            with atomic_path(self.files.wanted) as path:
                words.tofile(path)

    def _buckets(self) -> Iterator[tuple[Int64, Int64]]:
        """Leader and number of all that are in buckets."""
        for rank in range(self.keys.bands * self.keys.ranges(self.job)):
            yield from _columns(self.files.buckets(rank))

    def _near_new(self, candidates: Candidates) -> Candidates:
        """Those that buckets connect with a new document."""
        check_memory(self.job, len(candidates))
        new = self._new()
        parents = np.arange(len(candidates))
        for leaders, numbers in self._buckets():
            join_all(parents, candidates.ranks(leaders), candidates.ranks(numbers))
        flatten(parents)
        matters = np.zeros(len(candidates), np.bool_)
        for _, numbers in self._buckets():
            matters[parents[candidates.ranks(numbers[new.among(numbers)])]] = True
        for rank in range(self.keys.ranges(self.job)):
            for leaders, numbers in _columns(self.files.equal(rank)):
                # A new document may be represented by an older one with the same shingles.
                touched = leaders[new.among(numbers)]
                matters[parents[candidates.ranks(touched[candidates.among(touched)])]] = True
        words = bitmap(self.total)
        mark(words, candidates.numbers(np.flatnonzero(matters[parents])))
        return Candidates(words)

    def _new(self) -> Candidates:
        """The documents that are not of older stores."""
        words = bitmap(self.total)
        for index, part in enumerate(self.job.parts):
            if not part.known:
                numbers = read_numbers(self.job, index)[0]
                mark(words, numbers[numbers >= 0])
        return Candidates(words)


def _columns(file: Path) -> Iterator[tuple[Int64, Int64]]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(ROWS, columns=["leader", "number"]):
            yield batch.column("leader").to_numpy(), batch.column("number").to_numpy()

"""The first of every bucket compared with all others, which connects nearly all that is alike.

Every pair of the smallest number of a bucket with another of its documents is compared once, however many
bands propose it. What is left, pairs of others that are still not connected, is for `rest`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.near.candidates import Keys
from filters.dedup.near.scratch import Candidates, Files, Int64, budget, room
from filters.dedup.near.shingle_sets import ShingleSets, stretches
from filters.dedup.near.verify import similarities
from filters.dedup.numbering import database
from gristmill.base.atomic import atomic_path

EDGES = pa.schema([("a", pa.int64()), ("b", pa.int64())])
"""Similar candidates. The footer says how many pairs were `compared`."""
Edges = tuple[Int64, Int64, int]
"""Similar candidates a[k] and b[k], and how many pairs were compared to find them."""
PAIRS = 1 << 17
"""Pairs at a time."""


class PairStep(PipelineStep):
    """Compares the pairs whose smaller number lies in one range of numbers a rank."""

    type = "🫂 - NEAR"
    name = "pairs"

    def __init__(self, files: Files, keys: Keys, threshold: float) -> None:
        super().__init__()
        self.files, self.job, self.keys, self.threshold = files, files.job, keys, threshold

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the rank's file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        target = self.files.edges("pairs", rank)
        if not target.is_file():
            with self.track_time():
                write_edges(target, self._edges(rank, world_size))

    def _edges(self, rank: int, world_size: int) -> Iterator[Edges]:
        for a, b in self._pairs(rank, world_size):
            yield from self._similar(a, b)

    def _pairs(self, rank: int, world_size: int) -> Iterator[tuple[Int64, Int64]]:
        """Pairs of candidates, ordered."""
        files = self.files
        candidates = Candidates.read(files)
        total = sum(pq.read_metadata(part.files[0]).num_rows for part in self.job.parts)
        low, high = (total * place // world_size for place in (rank, rank + 1))
        buckets = [str(files.buckets(each)) for each in range(self.keys.bands * self.keys.ranges(self.job))]
        with database(self.job, "pairing candidates") as connection:
            connection.execute(f"SET memory_limit = '{budget(self.job) // 2 >> 20}MiB'")
            connection.execute("SET preserve_insertion_order = false")
            reader = connection.sql(
                "SELECT DISTINCT leader, number FROM read_parquet(?)"
                " WHERE leader >= ? AND leader < ? AND number > leader ORDER BY ALL",
                params=[buckets, low, high],
            ).to_arrow_reader(PAIRS)
            for batch in reader:
                a, b = (column.to_numpy() for column in batch.columns)
                wanted = candidates.among(a)
                yield candidates.ranks(a[wanted]), candidates.ranks(b[wanted])

    def _similar(self, a: Int64, b: Int64) -> Iterator[Edges]:
        sets = ShingleSets(self.files)
        each, at = np.unique(np.concatenate((a, b)), return_inverse=True)
        addresses = sets.addresses(each)
        left, right = at[: len(a)], at[len(a) :]
        sizes = addresses["count"].astype(np.int64)
        small, large = np.minimum(sizes[left], sizes[right]), np.maximum(sizes[left], sizes[right])
        # Jaccard is at most the smaller size over the larger.
        possible = small / large >= self.threshold
        left, right = left[possible], right[possible]
        new = np.diff(left, prepend=-1) != 0
        for cut in stretches(sizes[right] + sizes[left] * new, room(self.job)):
            needed, near = np.unique(np.concatenate((left[cut], right[cut])), return_inverse=True)
            flat, starts, ends = sets.load(addresses[needed])
            count = len(near) // 2
            similar = similarities(flat, starts, ends, near[:count], near[count:], self.threshold) >= 0.0
            yield each[left[cut]][similar], each[right[cut]][similar], count


def write_edges(target: str | Path, edges: Iterator[Edges]) -> None:
    """Write edges as they are found, atomically."""
    total = 0
    with atomic_path(target) as path, pq.ParquetWriter(path, EDGES, compression="zstd") as writer:
        for a, b, compared in edges:
            total += compared
            if len(a):
                writer.write_batch(pa.record_batch([a, b], schema=EDGES))
        writer.add_key_value_metadata({"compared": str(total)})

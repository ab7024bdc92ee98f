"""What the first of a bucket did not connect: its other documents compared with each other.

Only buckets whose documents are not in one component by now are looked at. There each document is compared
with those of other components, until one is similar (`verify.connect`). At worst, in a bucket of n documents
none of which is like another, that is n (n - 1) / 2 comparisons, as many as there are pairs of candidates; in
a bucket of documents that are alike, one each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.near.candidates import ROWS
from filters.dedup.near.pairs import Edges, write_edges
from filters.dedup.near.scratch import Candidates, Files, Int64, Words, read_at, room
from filters.dedup.near.shingle_sets import ShingleSets, stretches
from filters.dedup.near.verify import connect, connect_all


class RestStep(PipelineStep):
    """Goes through the buckets of a band and key range, those of one file a rank."""

    type = "🫂 - NEAR"
    name = "rest of the buckets"

    def __init__(self, files: Files, threshold: float) -> None:
        super().__init__()
        self.files, self.threshold = files, threshold

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the rank's file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        target = self.files.edges("rest", rank)
        if not target.is_file():
            with self.track_time():
                write_edges(target, self._edges(rank))

    def _edges(self, rank: int) -> Iterator[Edges]:
        limit = room(self.files.job)
        sets = ShingleSets(self.files)
        for members, labels, bounds in self._buckets(rank):
            addresses = sets.addresses(members)
            totals = np.add.reduceat(addresses["count"].astype(np.int64), bounds[:-1])
            for cut in stretches(totals, limit):
                low, high = int(bounds[cut.start]), int(bounds[cut.stop])
                if cut.stop - cut.start == 1 and totals[cut.start] > limit:
                    yield from self._large(sets, addresses[low:high], labels[low:high], limit // 2)
                    continue
                values, nodes = np.unique(labels[low:high], return_inverse=True)
                flat, starts, ends = sets.load(addresses[low:high])
                forest = np.arange(len(values))
                within = bounds[cut.start : cut.stop + 1] - low
                a, b, compared = connect_all(flat, starts, ends, nodes, forest, within, self.threshold)
                yield values[a], values[b], compared

    def _large(
        self, sets: ShingleSets, addresses: npt.NDArray[np.void], labels: Int64, limit: int
    ) -> Iterator[Edges]:
        """A bucket that does not fit in memory: its blocks, each with itself and with each before it."""
        values, nodes = np.unique(labels, return_inverse=True)
        forest = np.arange(len(values))
        blocks = list(stretches(addresses["count"].astype(np.int64), limit))
        for index, block in enumerate(blocks):
            for other in [None, *blocks[:index]]:
                places = np.r_[other, block] if other is not None else np.r_[block]
                old = other.stop - other.start if other is not None else 0
                flat, starts, ends = sets.load(addresses[places])
                first = 0 if places[0] == 0 else -1
                a, b, compared = connect(
                    flat, starts, ends, nodes[places], forest, old, other is None, first, self.threshold
                )
                yield values[a], values[b], compared

    def _buckets(self, rank: int) -> Iterator[tuple[Int64, Int64, Int64]]:
        """Buckets of three or more whose documents are not in one component: candidates, their components,
        and the bounds of the buckets."""
        candidates = Candidates.read(self.files)
        for leaders, keys, numbers in self._whole(rank):
            wanted = candidates.among(leaders)
            leader, key, number = leaders[wanted], keys[wanted], numbers[wanted]
            if not len(number):
                continue
            members = candidates.ranks(number)
            labels = read_at(self.files.labels("pairs"), np.int64, members)
            new = (np.diff(leader, prepend=-1) != 0) | (np.diff(key, prepend=key[0]) != 0)
            bounds = np.append(np.flatnonzero(new), len(number))
            sizes = np.diff(bounds)
            other = labels != np.repeat(labels[bounds[:-1]], sizes)
            chosen = np.logical_or.reduceat(other, bounds[:-1]) & (sizes > 2)
            if chosen.any():
                inside = np.repeat(chosen, sizes)
                yield members[inside], labels[inside], np.concatenate(([0], np.cumsum(sizes[chosen])))

    def _whole(self, rank: int) -> Iterator[tuple[Int64, Words, Int64]]:
        """Leader, key and number of the members of buckets, some whole buckets at a time."""
        waiting: list[pa.RecordBatch] = []
        with pq.ParquetFile(self.files.buckets(rank)) as opened:
            for batch in opened.iter_batches(ROWS):
                leader, key = batch.column(0).to_numpy(), batch.column(1).to_numpy()
                # Where the batch's last bucket begins: what comes before is whole.
                last = int(np.flatnonzero((leader != leader[-1]) | (key != key[-1]))[-1:].sum()) + 1
                if (leader[0], key[0]) == (leader[-1], key[-1]):
                    last = 0
                if waiting and (last or not _same(waiting[0], batch)):
                    table = pa.Table.from_batches([*waiting, batch.slice(0, last)])
                    yield _arrays(table)
                    waiting = []
                elif last:
                    yield _arrays(pa.Table.from_batches([batch.slice(0, last)]))
                waiting.append(batch.slice(last))
        if waiting:
            yield _arrays(pa.Table.from_batches(waiting))


def _same(one: pa.RecordBatch, other: pa.RecordBatch) -> bool:
    """Whether two batches begin with the same bucket."""
    return bool(one.slice(0, 1).select([0, 1]).equals(other.slice(0, 1).select([0, 1])))


def _arrays(table: pa.Table) -> tuple[Int64, Words, Int64]:
    leader, key, number = (column.to_numpy() for column in table.columns)
    return leader, key, number

"""Leaders: inside a component each document beside a kept copy that it is truly like, with no chains.

In the order of their numbers each document follows the first leader that it is similar to, and leads if there
is none. So the smallest number leads, what is similar to it follows it, and the others choose again among
themselves. It costs at most the product of a component's documents and its leaders.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.near.scratch import Candidates, Files, Int64, budget, read_in_turn, room
from filters.dedup.near.shingle_sets import ShingleSets, stretches
from filters.dedup.near.verify import choose
from gristmill.base.atomic import atomic_path

FOLLOWERS = pa.schema([("number", pa.int64()), ("leader", pa.int64()), ("similarity", pa.float64())])
"""A candidate in a component of two or more, its leader (itself, maybe) and the similarity with it. The
footer says how many pairs were `compared`."""
_BINS = 1 << 12
_MEMBERS = 1 << 18
"""Members whose addresses are in memory at a time."""


class LeaderStep(PipelineStep):
    """Chooses the leaders in one range of components a rank."""

    type = "🫂 - NEAR"
    name = "leaders"

    def __init__(self, files: Files, threshold: float) -> None:
        super().__init__()
        self.files, self.threshold = files, threshold

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the rank's file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        target = self.files.leaders(rank)
        if target.is_file():
            return
        compared = 0
        with (
            self.track_time(),
            atomic_path(target) as path,
            pq.ParquetWriter(path, FOLLOWERS, compression="zstd") as writer,
        ):
            candidates = Candidates.read(self.files)
            for members, leaders, similar, more in self._choose(rank, world_size, len(candidates)):
                compared += more
                numbers, led = candidates.numbers(members), candidates.numbers(leaders)
                writer.write_batch(pa.record_batch([numbers, led, similar], schema=FOLLOWERS))
            writer.add_key_value_metadata({"compared": str(compared)})

    def _choose(self, rank: int, world_size: int, count: int) -> Iterator[Chosen]:
        sets = ShingleSets(self.files)
        limit = room(self.files.job)
        for members, bounds in self._components(count * rank // world_size, count * (rank + 1) // world_size):
            sizes = np.diff(bounds)
            for some in stretches(sizes, _MEMBERS):
                low, high = int(bounds[some.start]), int(bounds[some.stop])
                within = bounds[some.start : some.stop + 1] - low
                yield from _choose(sets, members[low:high], within, limit, self.threshold)

    def _components(self, low: int, high: int) -> Iterator[tuple[Int64, Int64]]:
        """Members of components of two or more whose first member is in a range, by component, in order; and
        the bounds of the components."""
        # A quarter of the memory holds them, in four arrays of 8 bytes. Components are never cut.
        limit = budget(self.files.job) // 4 // 32
        width = max(-(-(high - low) // _BINS), 1)
        sizes = np.zeros(_BINS, np.int64)
        for _, labels in self._labelled(low, high):
            sizes += np.bincount((labels - low) // width, minlength=_BINS)
        for cut in stretches(sizes, limit):
            start, end = low + cut.start * width, min(low + cut.stop * width, high)
            pieces = list(self._labelled(start, end))
            members = np.concatenate([np.empty(0, np.int64), *(piece[0] for piece in pieces)])
            labels = np.concatenate([np.empty(0, np.int64), *(piece[1] for piece in pieces)])
            del pieces
            order = np.argsort(labels, kind="stable")
            members, labels = members[order], labels[order]
            bounds = np.append(np.flatnonzero(np.diff(labels, prepend=-1)), len(labels))
            several = np.diff(bounds) > 1
            if several.any():
                inside = np.repeat(several, np.diff(bounds))
                yield members[inside], np.concatenate(([0], np.cumsum(np.diff(bounds)[several])))

    def _labelled(self, low: int, high: int) -> Iterator[tuple[Int64, Int64]]:
        """Candidates whose component is in a range, and their components."""
        first = 0
        for labels in read_in_turn(self.files.labels("rest"), np.int64):
            inside = np.flatnonzero((labels >= low) & (labels < high))
            yield first + inside, labels[inside]
            first += len(labels)


Chosen = tuple[Int64, Int64, "np.ndarray[tuple[int], np.dtype[np.float64]]", int]
"""Members, their leaders, the similarities, and how many pairs were compared."""


def _choose(
    sets: ShingleSets, members: Int64, bounds: Int64, limit: int, threshold: float
) -> Iterator[Chosen]:
    """Leaders in components one after the other, as many at a time as fit into `limit` shingles."""
    addresses = sets.addresses(members)
    counts = addresses["count"].astype(np.int64)
    totals = np.add.reduceat(counts, bounds[:-1])
    for cut in stretches(totals, limit):
        low, high = int(bounds[cut.start]), int(bounds[cut.stop])
        if totals[cut.start] > limit:
            yield from _choose_large(sets, members[low:high], limit // 2, threshold)
            continue
        flat, starts, ends = sets.load(addresses[low:high])
        within = bounds[cut.start : cut.stop + 1] - low
        chosen, similar, compared = choose(flat, starts, ends, within, 0, True, threshold)
        yield members[low:high], members[low + chosen], similar, compared


def _choose_large(sets: ShingleSets, left: Int64, limit: int, threshold: float) -> Iterator[Chosen]:
    """Leaders in a component that does not fit in memory.

    The first block of what is left settles its leaders; all others then follow one of those, or are left for
    the next round.
    """
    while len(left):
        addresses = sets.addresses(left)
        head, *others = stretches(addresses["count"].astype(np.int64), limit)
        flat, starts, ends = sets.load(addresses[head])
        bounds = np.array([0, len(starts)])
        chosen, similar, compared = choose(flat, starts, ends, bounds, 0, True, threshold)
        yield left[head], left[chosen], similar, compared
        leaders = np.unique(chosen)
        remaining = []
        for block in others:
            places = np.r_[leaders, block]
            flat, starts, ends = sets.load(addresses[places])
            old = len(leaders)
            chosen, similar, compared = choose(
                flat, starts, ends, np.array([0, len(starts)]), old, False, threshold
            )
            chosen, similar = chosen[old:], similar[old:]
            found = chosen >= 0
            yield left[block][found], left[leaders[chosen[found]]], similar[found], compared
            remaining.append(left[block][~found])
        left = np.concatenate(remaining) if remaining else left[:0]

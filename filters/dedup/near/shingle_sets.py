"""The shingle sets of the candidates, on disk: made once from the texts, read where they are compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.base import TextView
from filters.dedup.near.scratch import (
    ADDRESS,
    INDEX,
    Candidates,
    Files,
    Int64,
    Words,
    budget,
    pread,
    read_at,
    runs,
)
from filters.dedup.numbering import read_numbers
from filters.dedup.shingles import Recipe, shingles
from gristmill.base.atomic import atomic_path

_ROWS = 1024
"""Texts in memory at a time."""


class ShingleStep(PipelineStep):
    """Writes the shingle sets of a part's candidates, rank r those of every so-many-th part from r on. Each
    text is read once."""

    type = "🫂 - NEAR"
    name = "shingle sets"

    def __init__(self, files: Files, recipe: Recipe) -> None:
        super().__init__()
        self.files, self.job, self.recipe = files, files.job, recipe

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the rank's files, unless they are there; hand on what comes in."""
        if data:
            yield from data
        candidates = None
        for index in range(rank, len(self.job.parts), world_size):
            if not self.files.index(index).is_file():
                with self.track_time():
                    candidates = candidates or Candidates.read(self.files)
                    self._write(index, candidates)

    def _write(self, index: int, candidates: Candidates) -> None:
        numbers = read_numbers(self.job, index)[0]
        wanted = candidates.among(numbers)
        counts: list[int] = []
        with atomic_path(self.files.shingles(index)) as path, path.open("wb") as file:
            for texts in _texts(self.job.parts[index].files[0], wanted):
                for text in texts:
                    found = shingles(TextView(text), self.recipe)
                    file.write(found.data)
                    counts.append(len(found))
        rows = np.zeros(len(counts), INDEX)
        rows["number"], rows["count"] = numbers[wanted], counts
        rows["offset"][1:] = np.cumsum(rows["count"])[:-1]
        with atomic_path(self.files.index(index)) as path:
            rows.tofile(path)


def _texts(file: str, wanted: npt.NDArray[np.bool_]) -> Iterator[list[str]]:
    """The texts of the wanted rows, some at a time; row groups without any are not read."""
    with pq.ParquetFile(file) as opened:
        first = 0
        for group in range(opened.num_row_groups):
            rows = opened.metadata.row_group(group).num_rows
            if wanted[first : first + rows].any():
                for batch in opened.iter_batches(_ROWS, row_groups=[group], columns=["text"]):
                    chosen = wanted[first : first + batch.num_rows]
                    yield batch.column(0).filter(pa.array(chosen)).fill_null("").to_pylist()
                    first += batch.num_rows
            else:
                first += rows


class AddressStep(PipelineStep):
    """Writes where the shingle set of every candidate is, in the order of their numbers; one task."""

    type = "🫂 - NEAR"
    name = "addresses"

    def __init__(self, files: Files) -> None:
        super().__init__()
        self.files, self.job = files, files.job

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        files = self.files
        if files.addresses.is_file():
            return
        with self.track_time(), atomic_path(files.addresses) as path, path.open("wb") as file:
            candidates = Candidates.read(files)
            # So many of them at a time; the indexes of all parts are read for each stretch.
            stretch = max(budget(self.job) // 2 // ADDRESS.itemsize, 1)
            for first in range(0, len(candidates), stretch):
                addresses = np.zeros(min(stretch, len(candidates) - first), ADDRESS)
                for part in range(len(self.job.parts)):
                    index = np.fromfile(files.index(part), INDEX)
                    at = candidates.ranks(index["number"].copy()) - first
                    inside = (at >= 0) & (at < len(addresses))
                    at, index = at[inside], index[inside]
                    addresses["offset"][at], addresses["count"][at] = index["offset"], index["count"]
                    addresses["part"][at] = part
                addresses.tofile(file)


class ShingleSets:
    """The shingle sets of candidates, read as they are asked for. Sizes are in shingles of 8 bytes."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def addresses(self, candidates: Int64) -> npt.NDArray[np.void]:
        """Where the sets of these candidates are: ADDRESS[n]."""
        return read_at(self.files.addresses, ADDRESS, candidates)

    def load(self, addresses: npt.NDArray[np.void]) -> tuple[Words, Int64, Int64]:
        """The sets at these addresses: all of them in one array, and where each begins and ends in it."""
        order = np.lexsort((addresses["offset"], addresses["part"]))
        chosen = addresses[order]
        counts = chosen["count"].astype(np.int64)
        bounds = np.concatenate(([0], np.cumsum(counts)))
        sets = np.empty(bounds[-1], np.uint64)
        parts, firsts = np.unique(chosen["part"], return_index=True)
        for part, start, end in zip(parts, firsts, [*firsts[1:], len(chosen)], strict=True):
            _read(self.files.shingles(int(part)), chosen["offset"][start:end], bounds[start : end + 1], sets)
        starts, ends = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
        starts[order], ends[order] = bounds[:-1], bounds[1:]
        return sets, starts, ends


def _read(path: Path, offsets: Int64, bounds: Int64, sets: Words) -> None:
    """Read sets at these offsets of a part's file to their bounds in `sets`; neighbours are read as one."""
    cuts = runs(offsets, offsets + bounds[1:] - bounds[:-1])
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        where = zip(
            offsets[cuts[:-1]].tolist(), bounds[cuts[:-1]].tolist(), bounds[cuts[1:]].tolist(), strict=True
        )
        for offset, start, end in where:
            pread(descriptor, sets[start:end], offset * sets.itemsize)


def stretches(sizes: Int64, limit: int) -> Iterator[slice]:
    """Cuts of a sequence whose sizes add up to at most the limit; what is larger stands alone."""
    totals = np.cumsum(sizes)
    start, before = 0, 0
    while start < len(sizes):
        end = max(int(np.searchsorted(totals, before + limit, "right")), start + 1)
        yield slice(start, end)
        start, before = end, int(totals[end - 1])

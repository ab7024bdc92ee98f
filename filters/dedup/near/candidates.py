"""Candidates: documents that share the key of a band, found band by band and key range by key range.

A task reads one column of keys twice. First it notes which keys occur at least twice, in two bits a hash:
too many may be noted, none is missed. Then the rows with noted keys go to DuckDB, which groups them out of
core. Documents with equal shingle sets (`digest`) are in the same buckets everywhere: the one with the
smallest number stands for all of them, so that a million copies weigh as much as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.base import Job
from filters.dedup.near.scratch import Files, Int64, Words, budget
from filters.dedup.numbering import database, read_numbers
from filters.dedup.tables import write_relation
from filters.hashing import scramble
from filters.jit import loop

BUCKETS = pa.schema([("leader", pa.int64()), ("key", pa.uint64()), ("number", pa.int64())])
"""A bucket: `leader` is its smallest number, which with the key tells it from others. Ordered by all."""
EQUAL = pa.schema([("leader", pa.int64()), ("number", pa.int64())])
"""`number` has the same shingles as `leader`, the smallest number that has them. Ordered."""
ROWS = 1 << 17
"""Rows in memory at a time."""
_1, _32 = np.uint64(1), np.uint64(32)


@dataclass(frozen=True, slots=True)
class Keys:
    """Where the keys are: columns of the annotator `minhash` under its label."""

    label: str
    bands: int

    def band(self, index: int) -> str:
        """The column of a band's keys."""
        return f"{self.label}.band_{index:02d}"

    @property
    def digest(self) -> str:
        """The column that says which shingle sets are equal."""
        return f"{self.label}.digest"

    def ranges(self, job: Job) -> int:
        """Into how many key ranges every column is cut: there are at least as many tasks as asked for."""
        return -(-job.tasks // (self.bands + 1))

    def tasks(self, job: Job) -> int:
        """Tasks of the stage: those of the bands, then those of the digest."""
        return (self.bands + 1) * self.ranges(job)


class CandidateStep(PipelineStep):
    """Writes the buckets of a band, or the documents with equal shingles, in one range of keys a rank."""

    type = "🫂 - NEAR"
    name = "candidates"

    def __init__(self, files: Files, keys: Keys) -> None:
        super().__init__()
        self.files, self.job, self.keys = files, files.job, keys

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the rank's file, unless it is there; hand on what comes in."""
        if data:
            yield from data
        ranges = self.keys.ranges(self.job)
        band, place = divmod(rank, ranges)
        equal = band == self.keys.bands
        target = self.files.equal(place) if equal else self.files.buckets(rank)
        if target.is_file():
            return
        with self.track_time(), database(self.job, "finding candidates") as connection:
            # With the digest goes the first band: two sets would have to agree in both by accident.
            columns = (
                (self.keys.digest, self.keys.band(0)) if equal else (self.keys.band(band), self.keys.digest)
            )
            rows = _rows(self.job, columns, place, ranges)
            connection.execute(f"SET memory_limit = '{budget(self.job) * 5 // 8 >> 20}MiB'")
            connection.execute("SET preserve_insertion_order = false")
            connection.register("rows", rows)
            connection.execute(
                "CREATE TEMP TABLE vertices AS"
                " SELECT grp, key, digest, min(number) AS number FROM rows GROUP BY ALL"
                if not equal
                else "CREATE TEMP TABLE vertices AS SELECT grp, key, digest, number FROM rows"
            )
            same = "grp, key, digest" if equal else "grp, key"
            connection.execute(
                f"CREATE TEMP TABLE leaders AS SELECT {same}, min(number) AS leader"
                f" FROM vertices GROUP BY ALL HAVING count(*) > 1"
            )
            schema = EQUAL if equal else BUCKETS
            found = connection.sql(
                f"SELECT {', '.join(schema.names)} FROM vertices JOIN leaders USING ({same})"
                f" {'WHERE number > leader' if equal else ''} ORDER BY ALL"
            )
            write_relation(found, schema, target)


def _rows(job: Job, columns: tuple[str, str], place: int, ranges: int) -> pa.RecordBatchReader:
    """Group, key, digest and number of all selected documents whose key may occur twice."""
    schema = pa.schema(
        [("grp", pa.uint64()), ("key", pa.uint64()), ("digest", pa.uint64()), ("number", pa.int64())]
    )
    total = sum(pq.read_metadata(part.files[0]).num_rows for part in job.parts)
    seen = _table(min(8 * total // ranges, budget(job) // 4))
    for index in range(len(job.parts)):
        for _, batch in _batches(job, index, columns[:1]):
            keys = _in_range(batch.column(0), place, ranges)[0]
            _note(seen, keys)

    def chosen() -> Iterator[pa.RecordBatch]:
        for index in range(len(job.parts)):
            numbers, groups = read_numbers(job, index)
            for first, batch in _batches(job, index, columns):
                keys, rows = _in_range(batch.column(0), place, ranges)
                at = first + rows
                keep = np.zeros(len(keys), np.bool_)
                _noted(seen, keys, keep)
                keep &= numbers[at] >= 0
                digests = batch.column(1).take(pa.array(rows[keep])).to_numpy()
                at = at[keep]
                yield pa.record_batch([groups[at], keys[keep], digests, numbers[at]], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, chosen())


def _batches(job: Job, index: int, columns: tuple[str, ...]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The annotator's columns of a part, some rows at a time, and the row where each batch begins."""
    for file in job.parts[index].files:
        if columns[0] in pq.read_schema(file).names:
            with pq.ParquetFile(file) as opened:
                first = 0
                for batch in opened.iter_batches(ROWS, columns=list(columns)):
                    yield first, batch.select(list(columns))
                    first += batch.num_rows
            return
    raise ValueError(f"{job.parts[index].files[0]}: no column {columns[0]} beside it")


def _in_range(column: pa.Array, place: int, ranges: int) -> tuple[Words, Int64]:
    """The keys of a column that lie in a key range, and their rows; a null is no key."""
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    keys = column.drop_null().to_numpy()
    if ranges > 1:
        inside = _range_of(keys, ranges) == place
        keys, rows = keys[inside], rows[inside]
    return keys, rows


def _range_of(keys: Words, ranges: int) -> Int64:
    """Which of so many ranges of equal width a key lies in: int64[n]."""
    return ((keys >> _32) * np.uint64(ranges) >> _32).astype(np.int64)


def _table(size: int) -> Words:
    """Room for two bits a hash: about so many bytes, a power of two."""
    return np.zeros(1 << max(min(size // 8, 1 << 40).bit_length() - 1, 10), np.uint64)


@loop
def _note(seen: Words, keys: Words) -> None:
    """Count each key: its even bit is set when it has come once, its odd bit when it has come twice."""
    mask = np.uint64(len(seen) - 1)
    for index in range(len(keys)):
        value = scramble(keys[index])
        word = np.int64((value >> np.uint64(5)) & mask)
        bit = (value & np.uint64(31)) << _1
        once = _1 << bit
        seen[word] |= ((seen[word] & once) << _1) | once


@loop
def _noted(seen: Words, keys: Words, found: npt.NDArray[np.bool_]) -> None:
    """Which keys have come twice, or share their bits with one that has."""
    mask = np.uint64(len(seen) - 1)
    for index in range(len(keys)):
        value = scramble(keys[index])
        word = np.int64((value >> np.uint64(5)) & mask)
        bit = ((value & np.uint64(31)) << _1) | _1
        found[index] = (seen[word] >> bit) & _1 != 0

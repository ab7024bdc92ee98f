"""DuckDB's results as Parquet files and as tables part by part, a bounded number of rows in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from filters.dedup.base import Job
from filters.dedup.numbering import FLOOR_MB, database
from gristmill.base.atomic import atomic_path

BATCH = 1 << 16
"""Rows that are read at a time."""


@contextlib.contextmanager
def fitted(job: Job, what: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """`database`, with as much memory as is left beside what this process holds already: kernels and what
    earlier tasks have not given back.

    A third is left for what DuckDB takes beyond its limit and for the batches that are read.
    """
    with database(job, what) as connection:
        room = (job.memory_mb - _resident_mb()) * 2 // 3
        connection.execute(f"SET memory_limit = '{max(room, 64)}MiB'")
        yield connection


def _resident_mb() -> int:
    """Memory that this process holds, MiB; what is usual where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return FLOOR_MB
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def write_relation(
    relation: duckdb.DuckDBPyRelation,
    schema: pa.Schema,
    target: str | Path,
    row_group: int = BATCH,
    dictionary: bool = False,
) -> int:
    """Write a result whose order is settled, atomically; returns how many rows there are.

    The bytes depend on the rows alone, not on the batches in which they come. Without a dictionary hashes,
    numbers and ids take less time and space.
    """
    rows = 0
    with (
        atomic_path(target) as path,
        pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=dictionary) as writer,
    ):
        for table in _even(relation.to_arrow_reader(BATCH), schema, row_group):
            writer.write_table(table, row_group_size=row_group)
            rows += table.num_rows
    return rows


def _even(reader: pa.RecordBatchReader, schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The rows as tables of `size` rows, the last one of what is left."""
    waiting = schema.empty_table()
    for batch in reader:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
        whole = waiting.num_rows // size * size
        for at in range(0, whole, size):
            yield waiting.slice(at, size).combine_chunks()
        waiting = waiting.slice(whole)
    if waiting.num_rows:
        yield waiting.combine_chunks()


def by_part(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each part that has any: index of the part and table; the result is ordered by its column
    `part`."""
    waiting: list[pa.Table] = []
    current = -1
    for batch in relation.to_arrow_reader(BATCH):
        table = pa.Table.from_batches([batch])
        parts = table.column("part").to_numpy()
        start = 0
        while start < len(parts):
            part = int(parts[start])
            end = int(parts.searchsorted(part, side="right"))
            if part != current and waiting:
                yield current, pa.concat_tables(waiting)
                waiting = []
            current = part
            waiting.append(table.slice(start, end - start))
            start = end
    if waiting:
        yield current, pa.concat_tables(waiting)

"""Exact duplicates: documents whose normalised text is the same (`filters.annotators.exact_hash`).

The hash was written in the first pass over the text; here DuckDB groups it, out of core, and reads no text.
Every document stays in the store: it is annotated with its group, the group's size, and whether it is the
copy to keep. The copy to keep is the first of an explicit order, given as SQL.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.conditions import parse_order
from filters.decide import read_columns
from filters.dedup.groups import KeyGroups
from gristmill.base.atomic import atomic_folder
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent

NAME, VERSION = "exact", "1"
HASH = "exact.hash"
PREFER = "fetched_at ASC NULLS LAST, exact.length DESC"
"""The earliest copy, then the longest; the smallest id settles what is left."""

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("exact.cluster", pa.string()),
        ("exact.size", pa.int64()),
        ("exact.keep", pa.bool_()),
    ]
)
"""id; the id of the copy that is kept; how many copies there are; whether this one is kept."""


class Exact(KeyGroups):
    """Columns `exact.cluster`, `.size`, `.keep`; the ledger gives copies a similarity of 1."""

    def __init__(self, name: str = NAME, key: str = HASH) -> None:
        super().__init__(key, name, similarity=1.0)


@dataclass(frozen=True, slots=True)
class ExactSummary:
    """What exact deduplication found."""

    documents: int
    clusters: int
    """Groups of two or more."""
    duplicates: int
    """Documents that are not the copy to keep."""


def annotate_exact(
    parts: Sequence[Sequence[str | Path]],
    target: str | Path,
    *,
    prefer: str = PREFER,
    memory_limit: str = "2GB",
    threads: int = 2,
    temp_directory: str | Path | None = None,
    progress: Progress | None = None,
    where: str = "prefer",
) -> ExactSummary:
    """Write `target/part-*.parquet` (SCHEMA) for every part: same rows, same order, same file names as the
    documents.

    Args:
        parts: for every part its documents file, then the annotation files whose columns are needed
        (`exact.hash` and
            what `prefer` names); rows correspond by position, and their ids are checked.
        target: folder of the annotation; it appears when complete and replaces an older one. prefer: SQL
        order list; of every group the first document is kept. The id, ascending, settles ties; documents
            with the same id, the part and the row.
        memory_limit: of DuckDB; beyond it, it works on disk.
        temp_directory: where, a folder of the system's by default.
        where: what messages call `prefer`.

    Raises UserError for a `prefer` that is no order over the columns that there are.
    """
    progress = progress or Silent()
    if not parts:
        with atomic_folder(target):
            return ExactSummary(0, 0, 0)
    order = parse_order(prefer, _columns(parts[0]), where)
    with tempfile.TemporaryDirectory(prefix="gristmill-exact-", dir=temp_directory) as scratch:
        database = duckdb.connect(
            str(Path(scratch) / "exact.duckdb"),
            config={
                "memory_limit": memory_limit,
                "threads": threads,
                "temp_directory": scratch,
                "preserve_insertion_order": "false",
            },
        )
        try:
            documents = _load(database, parts, order.columns, progress)
            _group(database, order.sql)
            with atomic_folder(target) as folder:
                _write(database, parts, folder, progress)
            found = database.execute("SELECT count(*) FILTER (keep), count(*) FROM copies").fetchone()
        except duckdb.Error as error:
            raise _named(error, memory_limit, where) from error
        finally:
            database.close()
    clusters, members = found or (0, 0)
    return ExactSummary(documents, clusters, members - clusters)


def _named(error: duckdb.Error, memory_limit: str, where: str) -> Exception:
    """What DuckDB ran into, as an error of the kind that the front door knows."""
    message = str(error).splitlines()[0]
    if "No space left on device" in str(error):
        return OSError(errno.ENOSPC, message)
    if isinstance(error, duckdb.OutOfMemoryException):
        return UserError(
            f"exact deduplication does not fit in {memory_limit}: {message}", mend="raise the memory limit"
        )
    if isinstance(error, duckdb.IOException):
        return OSError(errno.EIO, message)
    return UserError(f"cannot order the copies: {message}", where=where)


def _columns(files: Sequence[str | Path]) -> dict[str, pa.DataType]:
    """Names and types of the columns of a part's files."""
    return {field.name: field.type for file in files for field in pq.read_schema(file)}


def _load(
    database: duckdb.DuckDBPyConnection,
    parts: Sequence[Sequence[str | Path]],
    columns: Sequence[str],
    progress: Progress,
) -> int:
    """Bring keys and order columns of every part into DuckDB's own file; returns how many documents there
    are."""
    task = progress.task("exact duplicates: read", total=len(parts), unit="parts")
    documents = 0
    for number, files in enumerate(parts):
        batch = read_columns(files, [HASH, *columns])
        documents += batch.num_rows
        batch = batch.append_column("gristmill part", pa.array(np.full(batch.num_rows, number, np.int64)))
        batch = batch.append_column("gristmill row", pa.array(np.arange(batch.num_rows, dtype=np.int64)))
        database.register("batch", batch)
        if number == 0:
            database.execute("CREATE TABLE rows AS SELECT * FROM batch LIMIT 0")
        database.execute("INSERT INTO rows BY NAME SELECT * FROM batch")
        database.unregister("batch")
        task.advance()
    task.close()
    return documents


def _group(database: duckdb.DuckDBPyConnection, order: str) -> None:
    """All members of groups of two or more, with their group's choice, in the order of the store."""
    database.execute(
        f"""
        CREATE TABLE copies AS
        SELECT "gristmill part" AS part, "gristmill row" AS row, first_value(id) OVER w AS cluster,
               count(*) OVER (PARTITION BY "{HASH}") AS size, row_number() OVER w = 1 AS keep
        FROM rows SEMI JOIN (
            SELECT "{HASH}" FROM rows WHERE "{HASH}" IS NOT NULL GROUP BY "{HASH}" HAVING count(*) > 1
        ) USING ("{HASH}")
        WINDOW w AS (PARTITION BY "{HASH}" ORDER BY {order}, id, "gristmill part", "gristmill row")
        ORDER BY part, row
        """
    )


def _write(
    database: duckdb.DuckDBPyConnection,
    parts: Sequence[Sequence[str | Path]],
    folder: Path,
    progress: Progress,
) -> None:
    task = progress.task("exact duplicates: write", total=len(parts), unit="parts")
    for number, files in enumerate(parts):
        ids = pq.read_table(files[0], columns=["id"], partitioning=None).column("id").combine_chunks()
        copies = database.execute(
            "SELECT row, cluster, size, keep FROM copies WHERE part = ? ORDER BY row", [number]
        ).fetchnumpy()
        at = copies["row"]
        clusters = ids.to_numpy(zero_copy_only=False)
        sizes = np.ones(len(ids), np.int64)
        keep = np.ones(len(ids), np.bool_)
        clusters = clusters.copy()
        clusters[at], sizes[at], keep[at] = copies["cluster"], copies["size"], copies["keep"]
        table = pa.table(
            [ids.cast(pa.string()), pa.array(clusters, pa.string()), pa.array(sizes), pa.array(keep)],
            schema=SCHEMA,
        )
        pq.write_table(table, folder / Path(files[0]).name, compression="zstd")
        task.advance()
    task.close()

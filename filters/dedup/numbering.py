"""Numbering documents: the rank of every selected one in a total order, so that "better" is "smaller".

The order is SQL over a store's columns (`prefer`), then the id. One sort by DuckDB, out of core, gives it:

    numbers/<index of the part>.parquet    number int64, -1 where not selected; group uint64; a row a document
    numbers/documents.parquet              part, row, id: the document with number n stands in row n
"""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.conditions import Condition, parse_condition, parse_order
from filters.decide import read_columns
from filters.dedup.base import Job, Part, Stage
from gristmill.base.atomic import atomic_path
from gristmill.base.errors import UserError

NUMBERS = pa.schema([("number", pa.int64()), ("group", pa.uint64())])
DOCUMENTS = pa.schema([("part", pa.int32()), ("row", pa.int32()), ("id", pa.string())])
ROW_GROUP = 1 << 16
"""Rows that a look-up reads at a time."""
_CACHED = 8
"""Row groups that a look-up keeps."""
FLOOR_MB = 400
"""What the interpreter, Arrow and DuckDB take before they hold any data, MiB (measured: 250 to 330)."""


def number_stage(job: Job) -> Stage:
    """The stage that comes before all stages of a method."""
    return Stage("number", NumberStep(job), 1)


class NumberStep(PipelineStep):
    """Numbers the documents of a job; one task.

    Raises UserError for an order, condition or expression that is none, and for a column that a part has
    not.
    """

    type = "🔢 - NUMBER"
    name = "number documents"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the numbers, unless they are there; hand on what comes in."""
        if data:
            yield from data
        if rank == 0 and not documents_file(self.job).is_file():
            with self.track_time():
                _number(self.job)


def documents_file(job: Job) -> Path:
    """Where the numbered documents are, DOCUMENTS: number n in row n."""
    return job.folder("numbers") / "documents.parquet"


def numbers_file(job: Job, index: int) -> Path:
    """Where the numbers of a part are: rows as its documents, NUMBERS."""
    return job.folder("numbers") / f"{index:05d}.parquet"


def read_numbers(job: Job, index: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Number and group of every document of a part: int64[rows], -1 where not selected; uint64[rows]."""
    table = pq.read_table(numbers_file(job, index), partitioning=None)
    return table.column("number").to_numpy(), table.column("group").to_numpy()


class Inverse:
    """Which document a number belongs to. Reads ranges of the file; memory is bounded."""

    def __init__(self, job: Job) -> None:
        self._file = pq.ParquetFile(documents_file(job))
        self._groups: OrderedDict[int, pa.Table] = OrderedDict()

    def __len__(self) -> int:
        """How many documents are selected."""
        return int(self._file.metadata.num_rows)

    def __enter__(self) -> Inverse:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _rows(self, numbers: npt.NDArray[np.int64], columns: list[str]) -> pa.Table:
        """The rows of the numbers, in their order."""
        if not len(numbers):
            return DOCUMENTS.empty_table().select(columns)
        order = np.argsort(numbers, kind="stable")
        wanted = numbers[order]
        groups = wanted // ROW_GROUP
        pieces = []
        for group in np.unique(groups):
            chosen = wanted[groups == group] - group * ROW_GROUP
            pieces.append(self._group(int(group)).select(columns).take(pa.array(chosen)))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(pieces).combine_chunks().take(pa.array(back))

    def _group(self, group: int) -> pa.Table:
        if group in self._groups:
            self._groups.move_to_end(group)
        else:
            self._groups[group] = self._file.read_row_group(group)
            if len(self._groups) > _CACHED:
                self._groups.popitem(last=False)
        return self._groups[group]

    def places(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Part index and row of each number: int64[n], int64[n]."""
        found = self._rows(numbers, ["part", "row"])
        part, row = found.column("part").to_numpy(), found.column("row").to_numpy()
        return part.astype(np.int64), row.astype(np.int64)

    def ids(self, numbers: npt.NDArray[np.int64]) -> pa.Array:
        """The id of each number: string[n]."""
        found = self._rows(numbers, ["id"]).column("id").combine_chunks()
        return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


@contextlib.contextmanager
def database(job: Job, what: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own that keeps to the job's memory and works on disk in the job's folder beyond it.

    Args:
        job: whose limit and folder.
        what: what it does, for messages.

    Raises UserError where the memory does not do, OSError where the disk does not.
    """
    limit = max(job.memory_mb - FLOOR_MB, job.memory_mb // 4, 64)
    with tempfile.TemporaryDirectory(prefix="gristmill-duckdb-", dir=job.folder("scratch")) as scratch:
        connection = duckdb.connect(
            str(Path(scratch) / "work.duckdb"),
            config={
                "memory_limit": f"{limit}MiB",
                "threads": 1,
                "temp_directory": scratch,
            },
        )
        try:
            yield connection
        except duckdb.Error as error:
            raise _named(error, what, job.memory_mb) from error
        finally:
            connection.close()


def _named(error: duckdb.Error, what: str, memory_mb: int) -> Exception:
    """What DuckDB ran into, as an error of the kind that the front door knows."""
    message = str(error).splitlines()[0]
    if "No space left on device" in str(error):
        return OSError(errno.ENOSPC, message)
    if isinstance(error, duckdb.OutOfMemoryException):
        return UserError(
            f"{what} does not fit in {memory_mb} MB: {message}", where="dedup", mend="raise `memory_mb`"
        )
    if isinstance(error, duckdb.IOException):
        return OSError(errno.EIO, message)
    return UserError(f"{what}: {message}", where="dedup")


def _number(job: Job) -> None:
    with database(job, "numbering the documents") as connection:
        if not job.parts:
            _write_documents(connection.sql("SELECT 0 AS part, 0 AS row, '' AS id LIMIT 0"), job)
            return
        for index in range(len(job.parts)):
            order = _load(connection, job, index)
        connection.execute(
            "CREATE TABLE numbered AS SELECT part, row, id, grp FROM rows"
            f" ORDER BY {order.sql}, id, part, row"
        )
        connection.execute("DROP TABLE rows")
        connection.execute(
            "CREATE TABLE places AS SELECT part, row, rowid AS number, grp FROM numbered ORDER BY part, row"
        )
        for index, part in enumerate(job.parts):
            _write_numbers(connection, job, index, pq.read_metadata(part.files[0]).num_rows)
        _write_documents(connection.sql("SELECT part, row, id FROM numbered ORDER BY rowid"), job)


def _expressions(job: Job, part: Part) -> tuple[Condition, Condition | None, Condition | None]:
    """The job's SQL, checked against the columns of a part."""
    columns: Mapping[str, pa.DataType] = {
        field.name: field.type for file in part.files for field in pq.read_schema(file)
    }
    return (
        parse_order(job.prefer, columns, "prefer"),
        parse_condition(job.where, columns, "where") if job.where is not None else None,
        parse_condition(job.by, columns, "by") if job.by is not None else None,
    )


def _load(connection: duckdb.DuckDBPyConnection, job: Job, index: int) -> Condition:
    """Bring the selected rows of a part into the table `rows`: part, row, grp, and the columns of the
    order, which is returned."""
    part = job.parts[index]
    order, condition, expression = _expressions(job, part)
    wanted = {name: None for given in (order, condition, expression) if given for name in given.columns}
    batch = read_columns(part.files, list(wanted))
    batch = batch.append_column("gristmill row", pa.array(np.arange(batch.num_rows, dtype=np.int64)))
    connection.register("batch", batch)
    kept = "".join(f', "{name}"' for name in dict.fromkeys(order.columns) if name != "id")
    group = f"hash({expression.sql})" if expression else "0::UBIGINT"
    chosen = f"WHERE coalesce({condition.sql}, false)" if condition else ""
    query = f'SELECT {index} AS part, "gristmill row" AS row, {group} AS grp, id{kept} FROM batch {chosen}'
    if index == 0:
        connection.execute(f"CREATE TABLE rows AS {query}")
    else:
        connection.execute(f"INSERT INTO rows BY NAME {query}")
    connection.unregister("batch")
    return order


def _write_numbers(connection: duckdb.DuckDBPyConnection, job: Job, index: int, rows: int) -> None:
    found = connection.execute("SELECT row, number, grp FROM places WHERE part = ?", [index]).fetchnumpy()
    number, group = np.full(rows, -1, np.int64), np.zeros(rows, np.uint64)
    number[found["row"]], group[found["row"]] = found["number"], found["grp"]
    with atomic_path(numbers_file(job, index)) as path:
        pq.write_table(pa.table([number, group], schema=NUMBERS), path, compression="zstd")


def _write_documents(relation: duckdb.DuckDBPyRelation, job: Job) -> None:
    """The documents in the order of their numbers, a bounded number of rows in memory."""
    with (
        atomic_path(documents_file(job)) as path,
        pq.ParquetWriter(path, DOCUMENTS, compression="zstd") as writer,
    ):
        reader = relation.to_arrow_reader(ROW_GROUP)
        waiting: list[pa.RecordBatch] = []
        held = 0
        for batch in reader:
            waiting.append(batch)
            held += batch.num_rows
            while held >= ROW_GROUP:
                table = pa.Table.from_batches(waiting).cast(DOCUMENTS)
                writer.write_table(table.slice(0, ROW_GROUP), row_group_size=ROW_GROUP)
                rest = table.slice(ROW_GROUP).combine_chunks()
                waiting, held = rest.to_batches(), rest.num_rows
        if held:
            writer.write_table(pa.Table.from_batches(waiting).cast(DOCUMENTS), row_group_size=ROW_GROUP)

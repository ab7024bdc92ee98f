"""Documents with equal keys: groups of two or more, and of each the copy to keep, the smallest number.

    <name>/keys/<index of the part>.parquet     KEYS of its selected documents, in order
    <name>/groups-<ranks>/<rank>.parquet        MEMBERS of the groups of a key range, by part and row

Keys are compared by their MD5, 128 bits, together with the document's group: the chance that any two of 10^12
different keys agree is 10^-15. A document without a key is no copy of any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.decide import read_columns
from filters.dedup.base import CLUSTERS, Job, Stage
from filters.dedup.numbering import read_numbers
from filters.dedup.tables import by_part, fitted, write_relation
from gristmill.base.atomic import atomic_path
from gristmill.base.progress import Progress

KEYS = pa.schema(
    [
        ("high", pa.uint64()),
        ("low", pa.uint64()),
        ("number", pa.int64()),
        ("part", pa.int32()),
        ("row", pa.int32()),
        ("id", pa.string()),
    ]
)
MEMBERS = pa.schema(
    [
        ("part", pa.int32()),
        ("row", pa.int32()),
        ("number", pa.int64()),
        ("id", pa.string()),
        ("kept", pa.int64()),
        ("cluster", pa.string()),
        ("size", pa.int64()),
    ]
)
ROW_GROUP = 1 << 14
"""Rows of a row group: one that a key range does not touch is not read."""


class KeyGroups:
    """A method of deduplication: documents with the same value in a column are copies of each other.

    Columns: `.cluster`, the id of the copy to keep; `.size`, how many copies there are; `.keep`, whether this
    is the copy to keep. A document that is unique or has no key is a cluster of its own.

    Args:
        key: a column of strings; null is no key.
        name: prefix of the columns.
        similarity: what the ledger says of copies: what equal keys prove of their texts, if anything.
    """

    version = "1"

    def __init__(self, key: str, name: str, similarity: float | None) -> None:
        self.key, self.name, self.similarity = key, name, similarity

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        kinds = {"cluster": pa.string(), "size": pa.int64(), "keep": pa.bool_()}
        return {f"{self.name}.{column}": kind for column, kind in kinds.items()}

    @property
    def needs(self) -> Sequence[str]:
        return (self.key,)

    def meaning(self) -> Any:
        return {"key": self.key}

    def stages(self, job: Job) -> list[Stage]:
        """The keys of parts, the groups of key ranges."""
        parts = max(1, min(len(job.parts), job.tasks))
        return [
            Stage(f"{self.name}: keys", KeysStep(job, self.name, self.key), parts),
            Stage(f"{self.name}: groups", GroupsStep(job, self.name), job.tasks),
        ]

    def conclude(self, job: Job, target: Path, ledger: Path, progress: Progress) -> dict[str, Any]:
        """Write the annotation of every part that is not known, and the ledger (CLUSTERS): the clusters that
        have a member there, with all their members.

        Returns `clusters`, how many those are, and `duplicates`, how many annotated documents are not the
        copy to keep.
        """
        task = progress.task(f"{self.name}: write", total=len(job.parts), unit="parts")
        duplicates = 0
        with fitted(job, f"writing {self.name}") as connection:
            connection.execute("CREATE TABLE wanted (part INTEGER)")
            wanted = [index for index, part in enumerate(job.parts) if not part.known]
            connection.register("indexes", pa.table({"part": pa.array(wanted, pa.int32())}))
            connection.execute("INSERT INTO wanted SELECT part FROM indexes")
            connection.read_parquet([str(file) for file in _groups_files(job, self.name)]).create_view(
                "members"
            )
            own = connection.sql("SELECT * FROM members SEMI JOIN wanted USING (part) ORDER BY part, row")
            found = by_part(own)
            at, copies = next(found, (-1, None))
            for index in wanted:
                here = copies if at == index else None
                duplicates += self._write_part(job, index, here, target)
                if here is not None:
                    at, copies = next(found, (-1, None))
                task.advance()
            connection.execute(
                "CREATE TABLE touched AS SELECT DISTINCT kept FROM members SEMI JOIN wanted USING (part)"
            )
            counted = connection.execute("SELECT count(*) FROM touched").fetchall()
            similarity = "NULL" if self.similarity is None else str(self.similarity)
            write_relation(
                connection.sql(
                    f"SELECT cluster, id, number = kept AS keep, size, {similarity}::DOUBLE AS similarity"
                    " FROM members SEMI JOIN touched USING (kept) ORDER BY kept, number"
                ),
                CLUSTERS,
                ledger,
                dictionary=True,
            )
        task.close()
        return {"clusters": counted[0][0], "duplicates": duplicates}

    def _write_part(self, job: Job, index: int, members: pa.Table | None, target: Path) -> int:
        """Annotate a part; returns how many of its documents are not the copy to keep."""
        part = job.parts[index]
        ids = pq.read_table(part.files[0], columns=["id"], partitioning=None).column("id")
        ids = ids.combine_chunks().cast(pa.string())
        numbers, _ = read_numbers(job, index)
        left_out = numbers < 0
        clusters = ids.to_numpy(zero_copy_only=False).copy()
        sizes, keep = np.ones(len(ids), np.int64), np.ones(len(ids), np.bool_)
        if members is not None:
            rows = members.column("row").to_numpy()
            clusters[rows] = members.column("cluster").to_numpy()
            sizes[rows] = members.column("size").to_numpy()
            keep[rows] = members.column("number").to_numpy() == members.column("kept").to_numpy()
        arrays = [
            ids,
            pa.array(clusters, pa.string(), mask=left_out),
            pa.array(sizes, mask=left_out),
            pa.array(keep, mask=left_out),
        ]
        with atomic_path(target / f"{part.name}.parquet") as path:
            pq.write_table(pa.table(arrays, ["id", *self.columns]), path, compression="zstd")
        return int(np.count_nonzero(~keep))


def _keys_file(job: Job, name: str, index: int) -> Path:
    return job.folder(f"{name}/keys") / f"{index:05d}.parquet"


def _groups_files(job: Job, name: str) -> list[Path]:
    """One for each rank. How many there are is part of the folder's name: a run that goes on with another
    number of ranks cuts the keys elsewhere."""
    folder = job.folder(f"{name}/groups-{job.tasks}")
    return [folder / f"{rank:05d}.parquet" for rank in range(job.tasks)]


class KeysStep(PipelineStep):
    """Writes the keys of parts; rank r does every so-many-th part from r on."""

    type = "🔑 - KEYS"
    name = "keys of documents"

    def __init__(self, job: Job, label: str, key: str) -> None:
        super().__init__()
        self.job, self.label, self.key = job, label, key

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write what is not there; hand on what comes in."""
        if data:
            yield from data
        for index in range(rank, len(self.job.parts), world_size):
            target = _keys_file(self.job, self.label, index)
            if not target.is_file():
                with self.track_time():
                    self._write(index, target)

    def _write(self, index: int, target: Path) -> None:
        numbers, groups = read_numbers(self.job, index)
        table = read_columns(self.job.parts[index].files, [self.key])
        rows = pa.table(
            [
                table.column("id"),
                table.column(self.key),
                pa.array(numbers),
                pa.array(groups),
                pa.array(np.arange(len(numbers), dtype=np.int32)),
            ],
            ["id", "key", "number", "grp", "row"],
        )
        with fitted(self.job, f"the keys of {self.label}") as connection:
            connection.register("documents", rows)
            keys = connection.sql(
                f"SELECT md5_number_upper(k) AS high, md5_number_lower(k) AS low, number, {index} AS part,"
                " row, id FROM (SELECT grp || ' ' || key AS k, number, row, id FROM documents"
                " WHERE number >= 0 AND key IS NOT NULL) ORDER BY high, low, number"
            )
            write_relation(keys, KEYS, target, ROW_GROUP)


class GroupsStep(PipelineStep):
    """Groups the keys of a range; rank r of n has the r-th n-th of all."""

    type = "👯 - GROUPS"
    name = "groups of equal keys"

    def __init__(self, job: Job, label: str) -> None:
        super().__init__()
        self.job, self.label = job, label

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the members of its range, unless they are there; hand on what comes in."""
        if data:
            yield from data
        target = _groups_files(self.job, self.label)[rank]
        if not target.is_file():
            with self.track_time(), fitted(self.job, f"the groups of {self.label}") as connection:
                write_relation(self._members(connection, rank), MEMBERS, target, ROW_GROUP)

    def _members(self, connection: duckdb.DuckDBPyConnection, rank: int) -> duckdb.DuckDBPyRelation:
        files = [str(_keys_file(self.job, self.label, index)) for index in range(len(self.job.parts))]
        if not files:
            connection.register("keys", KEYS.empty_table())
        else:
            connection.read_parquet(files).filter(key_range(rank, self.job.tasks)).create_view("keys")
        connection.execute(
            "CREATE TABLE groups AS SELECT high, low, min(number) AS kept, count(*) AS size"
            " FROM keys GROUP BY high, low HAVING count(*) > 1"
        )
        connection.execute(
            "CREATE TABLE members AS SELECT part, row, number, id, kept, size"
            " FROM keys JOIN groups USING (high, low)"
        )
        return connection.sql(
            "SELECT part, row, number, id, kept, cluster, size FROM members JOIN"
            " (SELECT number AS kept, id AS cluster FROM members WHERE number = kept) USING (kept)"
            " ORDER BY part, row"
        )


def key_range(rank: int, ranks: int, column: str = "high") -> str:
    """SQL condition for the keys of a rank: all 64-bit numbers cut into equal ranges."""
    first, last = ((rank + step) * 2**64 // ranks for step in (0, 1))
    return f"{column} BETWEEN {first}::UBIGINT AND {last - 1}::UBIGINT"

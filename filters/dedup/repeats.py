"""Pieces of texts, written part by part, and which of them are repeated, counted by key range.

<name>/pieces/<index of the part>.parquet    PIECES of its selected documents
<name>/cuts-<ranks>/<rank>.parquet           CUTS: pieces of a key range that are cut, by part, number, place
<name>/spans-<ranks>/<part>.parquet          the annotation of a part that is not known
<name>/rows-<ranks>/<part>.parquet           ROWS: its rows of the ledger
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.base import Offsets, TextView
from filters.dedup.base import Job
from filters.dedup.cutting import Unit, units
from filters.dedup.folding import Fold, digests, fold_table, windows
from filters.dedup.groups import key_range
from filters.dedup.numbering import read_numbers
from filters.dedup.tables import fitted, write_relation
from gristmill.base.atomic import atomic_path

PIECES = pa.schema(
    [
        ("high", pa.uint64()),
        ("low", pa.uint64()),
        ("number", pa.int64()),
        ("part", pa.int32()),
        ("place", pa.int32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
    ]
)
"""`place`: its first unit, among those that are not mute; `start`, `end`: where it stands in the text."""
CUTS = pa.schema(
    [
        ("part", pa.int32()),
        ("number", pa.int64()),
        ("place", pa.int32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("kept_number", pa.int64()),
        ("kept_place", pa.int32()),
        ("kept_start", pa.int32()),
        ("kept_end", pa.int32()),
    ]
)
"""`kept_…`: the occurrence that stays; null where none does."""
RUN = 1 << 18
"""Pieces that are sorted at a time: about 30 MB."""
ROW_GROUP = 1 << 14
"""Rows of a row group: one that a key range or a part does not touch is not read."""
BATCH = 32
"""Documents that are read at a time."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is compared and what is cut: see `filters.dedup.pieces.Repeated`."""

    name: str
    unit: Unit
    window: int
    fold: tuple[Fold, ...]
    least_documents: int
    least_words: int
    keep: Literal["first", "none"]
    fragment: int
    least_remaining: int

    def file(self, job: Job, kind: str, index: int) -> Path:
        """A file of the work folder. What depends on the number of ranks has that in its folder's name."""
        ranks = "" if kind == "pieces" else f"-{job.tasks}"
        return job.folder(f"{self.name}/{kind}{ranks}") / f"{index:05d}.parquet"

    def look(
        self, view: TextView
    ) -> tuple[tuple[Offsets, Offsets, Offsets], npt.NDArray[np.uint64], Offsets]:
        """The units of a text (begin, start, end), the hash of each, twice its words or -1 for mute ones."""
        found = units(view, self.unit)
        return found, *digests(view.code_points, found[1], found[2], fold_table(self.fold))


def texts(file: str | Path, selected: npt.NDArray[np.bool_]) -> Iterator[tuple[int, str]]:
    """Row and text of the selected documents of a part, a few of them in memory."""
    row = 0
    with pq.ParquetFile(file) as documents:
        for batch in documents.iter_batches(BATCH, columns=["text"], use_threads=False):
            column = batch.column(0)
            for at in np.flatnonzero(selected[row : row + len(column)]).tolist():
                yield row + at, column[at].as_py() or ""
            row += len(column)


class PiecesStep(PipelineStep):
    """Writes the pieces of parts; rank r does every so-many-th part from r on."""

    type = "✂️ - PIECES"
    name = "pieces of documents"

    def __init__(self, job: Job, settings: Settings) -> None:
        super().__init__()
        self.job, self.settings = job, settings

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write what is not there; hand on what comes in."""
        if data:
            yield from data
        for index in range(rank, len(self.job.parts), world_size):
            target = self.settings.file(self.job, "pieces", index)
            if not target.is_file():
                with self.track_time():
                    self._write(index, target)

    def _write(self, index: int, target: Path) -> None:
        numbers, groups = read_numbers(self.job, index)
        waiting: list[tuple[npt.NDArray[Any], ...]] = []
        held = 0
        with (
            atomic_path(target) as path,
            pq.ParquetWriter(
                path, PIECES, compression="zstd", use_dictionary=["part"], write_statistics=["high"]
            ) as writer,
        ):
            for row, text in texts(self.job.parts[index].files[0], numbers >= 0):
                found = self._pieces(TextView(text), int(numbers[row]), int(groups[row]))
                waiting.append(found)
                held += len(found[0])
                if held >= RUN:
                    _write_run(writer, index, waiting)
                    waiting, held = [], 0
            if held:
                _write_run(writer, index, waiting)

    def _pieces(self, view: TextView, number: int, group: int) -> tuple[npt.NDArray[Any], ...]:
        settings = self.settings
        (_, starts, ends), hashes, words = settings.look(view)
        speaking = words >= 0
        if not speaking.all():
            starts, ends = starts[speaking], ends[speaking]
            hashes, words = hashes[speaking], words[speaking]
        places, keys = windows(hashes, words, settings.window, settings.least_words, np.uint64(group))
        lasts = places + (settings.window - 1)
        return keys, np.full(len(places), number), places, starts[places], ends[lasts]


def _write_run(writer: pq.ParquetWriter, index: int, waiting: list[tuple[npt.NDArray[Any], ...]]) -> None:
    """Write pieces in the order of their keys, so that a rank finds its range in few row groups."""
    keys, *others = (np.concatenate(column) for column in zip(*waiting, strict=True))
    order = np.argsort(keys[:, 0])
    number, place, start, end = (column[order] for column in others)
    part = np.full(len(order), index, np.int32)
    columns = [keys[order, 0], keys[order, 1], number, part, place, start, end]
    table = pa.table(
        [pa.array(column).cast(f.type) for column, f in zip(columns, PIECES, strict=True)], PIECES.names
    )
    writer.write_table(table.cast(PIECES), row_group_size=ROW_GROUP)


class CutsStep(PipelineStep):
    """Finds what is repeated and what of it is cut; rank r of n has the r-th n-th of all keys."""

    type = "👯 - REPEATED"
    name = "repeated pieces"

    def __init__(self, job: Job, settings: Settings) -> None:
        super().__init__()
        self.job, self.settings = job, settings

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the cuts of its range, unless they are there; hand on what comes in."""
        if data:
            yield from data
        target = self.settings.file(self.job, "cuts", rank)
        if not target.is_file():
            with (
                self.track_time(),
                fitted(self.job, f"repeated pieces of {self.settings.name}") as connection,
            ):
                write_relation(self._cuts(connection, rank), CUTS, target, ROW_GROUP)

    def _cuts(self, connection: duckdb.DuckDBPyConnection, rank: int) -> duckdb.DuckDBPyRelation:
        job, settings = self.job, self.settings
        files = [str(settings.file(job, "pieces", index)) for index in range(len(job.parts))]
        if files:
            connection.read_parquet(files).filter(key_range(rank, job.tasks)).create_view("pieces")
        else:
            connection.register("pieces", PIECES.empty_table())
        several = "AND min(number) <> max(number)" if settings.least_documents > 1 else ""
        connection.execute(
            "CREATE TABLE frequent AS SELECT high, low FROM pieces GROUP BY high, low"
            f" HAVING count(*) > 1 {several}"
        )
        connection.execute("CREATE TABLE found AS SELECT * FROM pieces SEMI JOIN frequent USING (high, low)")
        if settings.least_documents > 2:
            connection.execute(
                "CREATE TABLE rare AS SELECT high, low FROM found GROUP BY high, low"
                f" HAVING count(DISTINCT number) < {settings.least_documents}"
            )
            connection.execute("CREATE VIEW repeated AS SELECT * FROM found ANTI JOIN rare USING (high, low)")
        else:
            connection.execute("CREATE VIEW repeated AS SELECT * FROM found")
        known = ", ".join(str(index) for index, part in enumerate(job.parts) if part.known)
        own = f"part NOT IN ({known})" if known else "true"
        columns = 'part, number, place, start, "end"'
        if settings.keep == "none":
            kept = "NULL AS kept_number, NULL AS kept_place, NULL AS kept_start, NULL AS kept_end"
            return connection.sql(
                f"SELECT {columns}, {kept} FROM repeated WHERE {own} ORDER BY part, number, place"
            )
        connection.execute(
            "CREATE TABLE best AS SELECT high, low, min(number) AS kept_number FROM repeated"
            " GROUP BY high, low"
        )
        connection.execute(
            "CREATE TABLE firsts AS SELECT high, low, any_value(kept_number) AS kept_number,"
            ' min(place) AS kept_place, min(start) AS kept_start, arg_min("end", place) AS kept_end'
            " FROM repeated JOIN best USING (high, low) WHERE number = kept_number GROUP BY high, low"
        )
        return connection.sql(
            f"SELECT {columns}, kept_number, kept_place, kept_start, kept_end FROM repeated"
            f" JOIN firsts USING (high, low) WHERE {own} AND (number <> kept_number OR place <> kept_place)"
            " ORDER BY part, number, place"
        )

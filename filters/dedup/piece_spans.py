"""What is cut of the documents of a part, as its annotation and its rows of the ledger.

<name>/spans-<ranks>/<part>.parquet    the annotation of a part that is not known
<name>/rows-<ranks>/<part>.parquet     ROWS: its rows of the ledger
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.base import Offsets, TextView
from filters.dedup.base import Job
from filters.dedup.cutting import GOES, MUTE, STAYS, settle, spans
from filters.dedup.numbering import read_numbers
from filters.dedup.repeats import Settings, texts
from filters.dedup.tables import fitted
from filters.findings import PIECES
from gristmill.base.atomic import atomic_path

ROWS = pa.schema(
    [
        ("number", pa.int64()),
        ("id", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("kept_number", pa.int64()),
        ("kept_start", pa.int64()),
        ("kept_end", pa.int64()),
    ]
)
BLOCK = 1 << 12
"""Documents whose cuts are in memory at a time, and rows of a row group of the annotation."""


Arrays = dict[str, npt.NDArray[Any]]


class SpansStep(PipelineStep):
    """Makes the annotation of parts that are not known; rank r does every so-many-th part from r on."""

    type = "✂️ - SPANS"
    name = "spans to cut"

    def __init__(self, job: Job, settings: Settings) -> None:
        super().__init__()
        self.job, self.settings = job, settings

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write what is not there; hand on what comes in."""
        if data:
            yield from data
        for index in range(rank, len(self.job.parts), world_size):
            target = self.settings.file(self.job, "spans", index)
            if not self.job.parts[index].known and not target.is_file():
                with self.track_time(), fitted(self.job, f"spans of {self.settings.name}") as connection:
                    self._write(connection, index, target)

    def _write(self, connection: duckdb.DuckDBPyConnection, index: int, target: Path) -> None:
        documents = self.job.parts[index].files[0]
        numbers, _ = read_numbers(self.job, index)
        ids = pq.read_table(documents, columns=["id"], partitioning=None).column("id")
        ids = ids.combine_chunks().cast(pa.string())
        kinds = [pa.string(), PIECES, pa.int64(), pa.float64()]
        names = ["id", *columns(self.settings.name)]
        schema = pa.schema(list(zip(names, kinds, strict=True)))
        self._load(connection, index, numbers)
        found = texts(documents, numbers >= 0)
        row, text = next(found, (len(ids), ""))
        with (
            atomic_path(target) as path,
            pq.ParquetWriter(path, schema, compression="zstd") as writer,
            atomic_path(self.settings.file(self.job, "rows", index)) as rows_path,
            pq.ParquetWriter(rows_path, ROWS, compression="zstd") as rows,
        ):
            for first in range(0, len(ids), BLOCK):
                last = min(first + BLOCK, len(ids))
                cuts = _between(connection, first, last)
                bounds = np.searchsorted(cuts["row"], np.arange(first, last + 1))
                block = Block(last - first)
                while row < last:
                    at, after = bounds[row - first], bounds[row - first + 1]
                    block.add(row - first, len(text), *self._spans(text, cuts["place"][at:after]))
                    row, text = next(found, (len(ids), ""))
                arrays = [ids.slice(first, last - first), *block.arrays()]
                writer.write_table(pa.table(arrays, schema=schema), row_group_size=BLOCK)
                rows.write_table(_ledger_rows(cuts, numbers, ids))

    def _load(
        self, connection: duckdb.DuckDBPyConnection, index: int, numbers: npt.NDArray[np.int64]
    ) -> None:
        """The cuts of a part by row and place, as the table `cuts`."""
        files = [str(self.settings.file(self.job, "cuts", rank)) for rank in range(self.job.tasks)]
        connection.register("documents", pa.table({"number": numbers, "row": np.arange(len(numbers))}))
        connection.read_parquet(files).filter(f"part = {index}").create_view("of_part")
        connection.execute(
            'CREATE TABLE cuts AS SELECT row, place, start, "end", coalesce(kept_number, -1) AS kept_number,'
            " coalesce(kept_place, 0) AS kept_place, coalesce(kept_start, 0) AS kept_start,"
            " coalesce(kept_end, 0) AS kept_end FROM of_part JOIN documents USING (number)"
            " ORDER BY row, place"
        )

    def _spans(self, text: str, places: npt.NDArray[Any]) -> tuple[Offsets, Offsets]:
        """What is cut of a text whose pieces at these places go."""
        if not len(places):
            return places, places
        settings = self.settings
        view = TextView(text)
        (begins, starts, ends), _, words = settings.look(view)
        speaking = words >= 0
        goes = np.zeros(np.count_nonzero(speaking), np.bool_)
        for step in range(settings.window):
            goes[places + step] = True
        states = np.full(len(begins), MUTE, np.int8)
        states[speaking] = np.where(goes, GOES, STAYS)
        settle(states, starts, ends, settings.fragment, settings.least_remaining)
        return spans(view.classes, states, begins, starts, ends)


def columns(name: str) -> list[str]:
    """Names of the columns."""
    return [f"{name}.spans", f"{name}.characters", f"{name}.share"]


def _between(connection: duckdb.DuckDBPyConnection, first: int, last: int) -> Arrays:
    """The cuts of some rows of the part."""
    query = "SELECT * FROM cuts WHERE row >= ? AND row < ? ORDER BY row, place"
    found = connection.sql(query, params=[first, last]).to_arrow_table()
    return {name: found.column(name).to_numpy() for name in found.column_names}


class Block:
    """The annotation of some rows; those that nothing is added to are null."""

    def __init__(self, rows: int) -> None:
        self._missing = np.ones(rows, np.bool_)
        self._counts, self._lengths = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._starts: list[Offsets] = []
        self._ends: list[Offsets] = []
        self._characters = np.zeros(rows, np.int64)

    def add(self, row: int, length: int, starts: Offsets, ends: Offsets) -> None:
        """What is cut of a text of so many characters; rows come in order."""
        self._missing[row] = False
        self._lengths[row] = length
        if len(starts):
            self._counts[row] = len(starts)
            self._characters[row] = (ends - starts).sum()
            self._starts.append(starts)
            self._ends.append(ends)

    def arrays(self) -> list[pa.Array]:
        """Spans, characters, share."""
        none = [np.zeros(0, np.int64)]
        values = pa.StructArray.from_arrays(
            [pa.array(np.concatenate(self._starts or none)), pa.array(np.concatenate(self._ends or none))],
            fields=list(PIECES.value_type),
        )
        offsets = np.zeros(len(self._counts) + 1, np.int32)
        np.cumsum(self._counts, out=offsets[1:])
        share = self._characters / np.maximum(self._lengths, 1)
        return [
            pa.ListArray.from_arrays(pa.array(offsets), values, type=PIECES, mask=pa.array(self._missing)),
            pa.array(self._characters, mask=self._missing),
            pa.array(share, mask=self._missing | (self._lengths == 0)),
        ]


def _ledger_rows(cuts: Arrays, numbers: npt.NDArray[np.int64], ids: pa.Array) -> pa.Table:
    """Cuts as rows of the ledger: those that follow each other, here and where they are kept, are one."""
    row, place = cuts["row"], cuts["place"]
    kept, kept_place = cuts["kept_number"], cuts["kept_place"]
    begins = np.ones(len(row), np.bool_)
    begins[1:] = (
        (np.diff(row) != 0)
        | (np.diff(place) != 1)
        | (np.diff(kept) != 0)
        | ((np.diff(kept_place) != 1) & (kept[1:] >= 0))
    )
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(row)) - 1 if len(first) else first
    nowhere = kept[first] < 0
    return pa.table(
        [
            pa.array(numbers[row[first]]),
            ids.take(pa.array(row[first])),
            pa.array(cuts["start"][first]).cast(pa.int64()),
            pa.array(cuts["end"][last]).cast(pa.int64()),
            pa.array(kept[first], mask=nowhere),
            pa.array(cuts["kept_start"][first], mask=nowhere).cast(pa.int64()),
            pa.array(cuts["kept_end"][last], mask=nowhere).cast(pa.int64()),
        ],
        schema=ROWS,
    )

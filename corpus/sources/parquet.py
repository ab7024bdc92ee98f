"""Parquet files, one document a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document

from corpus.inputs import Input, find, open_blocks
from corpus.ledger import Ledger
from corpus.manifest import ParquetSource
from corpus.sources.base import Meter, Task
from corpus.sources.fields import RowReader
from corpus.transfer import reason_of
from gristmill.base.errors import UserError, describe, did_you_mean
from gristmill.base.progress import Progress

_BATCH_ROWS = 512


class Parquet:
    """Parquet files, cut between row groups into parts of about `bytes_per_part` uncompressed bytes."""

    unit = "rows"

    def __init__(self, options: ParquetSource, name: str) -> None:
        self.options, self.name = options, name
        self.rows = RowReader(
            "parquet", name, options.text, options.id, options.url, options.language, options.license
        )

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task a run of row groups. A file whose footer cannot be read is one task, which will say so."""
        found = find(self.options.paths, self.options, wanted=lambda n: n.lower().endswith(".parquet"))
        return [task for item in found for task in self._cut(item)]

    def _cut(self, item: Input) -> Iterator[Task]:
        try:
            with open_blocks(item, self.options) as stream:
                meta = pq.ParquetFile(stream).metadata
                names = list(meta.schema.to_arrow_schema().names)
        except (OSError, pa.ArrowException):
            yield Task((item,))
            return
        for column in (self.options.text, self.options.id):
            if column is not None and column not in names:
                mend = did_you_mean(column, names)
                raise UserError(f"no column '{column}'", where=f"source.paths: {item.name}", mend=mend)
        low = rows = size = 0
        for group in range(meta.num_row_groups):
            rows += meta.row_group(group).num_rows
            size += meta.row_group(group).total_byte_size
            if size >= self.options.bytes_per_part or group == meta.num_row_groups - 1:
                yield Task((item,), (low, group + 1), rows)
                low, rows, size = group + 1, 0, 0
        if not meta.num_row_groups:
            yield Task((item,), (0, 0), 0)

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of a run of row groups. A row's key is its number in the file."""
        (item,) = task.inputs
        try:
            stream = open_blocks(item, self.options)
        except OSError as error:
            ledger.give_up(item.name, "cannot_open", describe(error))
            return
        with stream:
            try:
                file = pq.ParquetFile(stream)
            except (OSError, pa.ArrowException) as error:
                ledger.give_up(item.name, reason_of(error, "not_parquet"), describe(error))
                return
            low, high = task.span or (0, file.metadata.num_row_groups)
            number = sum(file.metadata.row_group(group).num_rows for group in range(low))
            done = 0
            for group in range(low, high):
                size = file.metadata.row_group(group).num_rows
                try:
                    for position, row in enumerate(_rows(file, group)):
                        document = self.rows.document(row, item.name, number + position, ledger)
                        if document is not None:
                            yield document
                except (OSError, pa.ArrowException) as error:
                    detail = f"row group {group}: {describe(error)}"
                    ledger.give_up(item.name, reason_of(error, "corrupt"), detail, number)
                number += size
                done += size
                meter(done)
                ledger.input_bytes += file.metadata.row_group(group).total_byte_size


def _rows(file: pq.ParquetFile, group: int) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group]):
        yield from batch.to_pylist()

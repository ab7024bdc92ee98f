"""Parquet files, one document a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document

from corpus.inputs import Input, find, open_blocks
from corpus.ledger import Ledger
from corpus.manifest import ParquetSource
from corpus.sources.base import Meter, Task
from corpus.sources.fields import RowReader
from corpus.transfer import Changed, GaveUp, reason_of
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress

_BATCH_ROWS = 512


class Parquet:
    """Parquet files, cut between row groups into parts of about `bytes_per_part` uncompressed bytes."""

    unit = "rows"

    def __init__(self, options: ParquetSource, name: str) -> None:
        self.options, self.name = options, name
        self.rows = RowReader("parquet", name, options)

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task a run of row groups. A file whose footer cannot be read is one task, which will say
        so."""
        found = find(self.options.paths, self.options, wanted=lambda n: n.lower().endswith(".parquet"))
        return [task for item in found for task in self._cut(item)]

    def _cut(self, item: Input) -> Iterator[Task]:
        try:
            with open_blocks(item, self.options) as stream:
                meta = pq.ParquetFile(stream).metadata
                self._columns(meta.schema.to_arrow_schema())
        except UserError as error:
            raise UserError(error.what, where=f"source.paths: {item.name}", mend=error.mend) from None
        except (GaveUp, Changed) as error:
            # How many parts there are depends on it: nothing can be done before it can be read.
            mend = "the same command tries again"
            raise UserError(f"cannot be read now: {describe(error)}", where=item.name, mend=mend) from None
        except (OSError, pa.ArrowException):
            yield Task((item,))
            return
        low = rows = size = 0
        for group in range(meta.num_row_groups):
            rows += meta.row_group(group).num_rows
            size += meta.row_group(group).total_byte_size
            if size >= self.options.bytes_per_part or group == meta.num_row_groups - 1:
                yield Task((item,), (low, group + 1), rows)
                low, rows, size = group + 1, 0, 0
        if not meta.num_row_groups:
            yield Task((item,), (0, 0), 0)

    def _columns(self, schema: pa.Schema) -> list[str]:
        """What is read of a file. Raises UserError where a column is missing."""
        return self.rows.columns(list(_paths(schema)))

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
            columns = self._columns(file.schema_arrow)
            low, high = task.span or (0, file.metadata.num_row_groups)
            number = sum(file.metadata.row_group(group).num_rows for group in range(low))
            done = 0
            for group in range(low, high):
                size = file.metadata.row_group(group).num_rows
                try:
                    for position, row in enumerate(_rows(file, group, columns)):
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


def _paths(fields: Iterable[pa.Field], above: str = "") -> Iterator[str]:
    """Names of fields, and the paths of those within them."""
    for field in fields:
        yield above + field.name
        if pa.types.is_struct(field.type):
            yield from _paths(field.type, f"{above}{field.name}.")


def _rows(file: pq.ParquetFile, group: int, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=columns):
        yield from batch.to_pylist()

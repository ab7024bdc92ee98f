"""Files of sections, each of which can be read alone: how stages hand on what they found.

What a stage by part finds goes to stages by key range and back, so every file is cut at what the other side
reads: a file of a block of documents into key ranges, a file of a key range into blocks. They are Arrow IPC
files, a record batch a section.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from gristmill.base.atomic import atomic_path


def write_sections(
    path: Path,
    table: pa.Table | pa.RecordBatch,
    bounds: Sequence[int],
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write rows bounds[i] to bounds[i + 1] as section i, atomically.

    Args:
        facts: arrays that are read before the sections are (`Sections.fact`).
    """
    schema = table.schema.with_metadata(
        {name: np.ascontiguousarray(values, np.int64).tobytes() for name, values in (facts or {}).items()}
    )
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with atomic_path(path) as temporary, pa.ipc.new_file(str(temporary), schema, options=options) as file:
        for first, last in pairwise(bounds):
            piece = table.slice(first, last - first)
            arrays = [_whole(piece.column(index)) for index in range(piece.num_columns)]
            file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


class Sections:
    """A file of sections, open for reading."""

    def __init__(self, path: Path) -> None:
        self._source = pa.OSFile(str(path))
        self._file = pa.ipc.open_file(self._source)

    def __enter__(self) -> Sections:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def __len__(self) -> int:
        return int(self._file.num_record_batches)

    def __getitem__(self, index: int) -> pa.RecordBatch:
        return self._file.get_batch(index)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return (self[index] for index in range(len(self)))

    def fact(self, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """One of the arrays that were stored beside the sections."""
        return np.frombuffer(self._file.schema.metadata[name.encode()], np.int64)

"""Runs of rows of a local Parquet file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def rows(path: Path, low: int, high: int) -> pa.Table:
    """The rows [low, high) of a file; only the row groups that hold them are read."""
    file = pq.ParquetFile(path)
    groups: list[int] = []
    before = at = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if at < high and at + count > low:
            before = before if groups else low - at
            groups.append(group)
        at += count
    return file.read_row_groups(groups).slice(before, high - low)

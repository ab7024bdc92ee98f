"""The columns of a document store, and how its Parquet files are written so that equal rows are equal
bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("url", pa.string()),
        ("fetched_at", pa.timestamp("us")),
        ("language", pa.string()),
        ("license", pa.string()),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
        ("repo", pa.string()),
        ("commit", pa.string()),
        ("path", pa.string()),
        ("metadata", pa.string()),
    ]
)
"""A document. `id`: 128-bit hex. `fetched_at`: UTC. `warc_file`, `warc_offset`, `repo`, `commit`, `path`: the
native key. `metadata`: a JSON object with whatever else the source knows (title, charset, ...)."""

LEDGER = pa.schema(
    [
        ("id", pa.string()),
        ("input", pa.string()),
        ("offset", pa.int64()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""A record or input that became no document: its id where it has one, where it lies, and why."""

FIELDS = frozenset(DOCUMENTS.names) - {"id", "text", "metadata"}
"""Keys of `Document.metadata` that are columns of their own."""

COMPRESSION: dict[str, Any] = {"compression": "zstd", "compression_level": 3}
ROW_GROUP_ROWS = 4096
ROW_GROUP_BYTES = 32 << 20
"""A row group ends at so many rows or so many bytes of text, whichever comes first: what a reader holds in
memory at a time. Part of the store's bytes: a change is a new version of the format."""
FREE_TEXT = ("text", "metadata", "detail")
"""Columns whose minimum and maximum say nothing, and would put whole texts into the footer."""
UNIQUE = ("id", "text", "url", "metadata", "warc_offset", "path", "exact.hash")
"""Columns that a dictionary would only make larger; so are hashes, uint64."""


def parquet_writer(path: str | Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer whose bytes depend on the rows and the row groups alone (and on the version of pyarrow)."""
    return pq.ParquetWriter(
        path,
        schema,
        use_dictionary=[f.name for f in schema if f.name not in UNIQUE and f.type != pa.uint64()],
        write_statistics=[name for name in schema.names if name not in FREE_TEXT],
        **COMPRESSION,
    )


def annotation_schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    """The schema of an annotation: `id` and the annotator's columns."""
    return pa.schema([("id", pa.string()), *columns.items()])

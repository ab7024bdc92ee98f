"""From benchmark files to an index: what the command line does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from filters.decontaminate.benchmarks import Given, load_benchmarks
from filters.decontaminate.files import read_rows
from filters.decontaminate.index import COMMON, LEAST, N, build_index
from gristmill.base.errors import UserError


def index_benchmarks(
    benchmarks: Mapping[str, Given],
    target: Path,
    *,
    n: int = N,
    least: int = LEAST,
    common: int = COMMON,
    clean: Sequence[str | Path] = (),
    clean_documents: int = 1,
    field: str = "text",
) -> dict[str, Any]:
    """Read benchmarks and write their index; returns its description (index.json).

    Args:
        benchmarks: names with files, or with files and fields (`filters.decontaminate.benchmarks`).
        target: the folder, which is replaced.
        n, least, common, clean_documents: as of `filters.decontaminate.index.build_index`.
        clean: document stores, or files of texts (.parquet, .jsonl, packed ones too), known to be clean.
        field: where the files have their texts.

    Raises UserError where something cannot be read or makes no sense.
    """
    items = load_benchmarks(benchmarks)
    texts = partial(clean_texts, clean, field) if clean else None
    return build_index(
        items, target, n=n, least=least, common=common, clean=texts, clean_documents=clean_documents
    )


def clean_texts(places: Sequence[str | Path], field: str = "text") -> Iterator[str]:
    """The texts of document stores (folders with `documents/*.parquet`) and of files, in order.

    Raises UserError where a place cannot be read or has no such field."""
    for place in map(Path, places):
        parts = sorted((place / "documents").glob("*.parquet")) if place.is_dir() else [place]
        if not parts:
            raise UserError(
                "no documents there", where=str(place), mend="a document store, or a file of texts"
            )
        for part in parts:
            if part.suffix == ".parquet":
                yield from _column(part, field)
            else:
                yield from _values(part, field)


def _column(path: Path, field: str) -> Iterator[str]:
    try:
        with pq.ParquetFile(path) as file:
            if field not in file.schema_arrow.names:
                raise _absent(path, field, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=1000, columns=[field]):
                yield from (text for text in batch.column(0).to_pylist() if text)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the clean texts: {error}", where=str(path)) from None


def _values(path: Path, field: str) -> Iterator[str]:
    for row in read_rows(path):
        if field not in row:
            raise _absent(path, field, list(row))
        if row[field]:
            yield str(row[field])


def _absent(path: Path, field: str, fields: Sequence[str]) -> UserError:
    return UserError(f"no field '{field}'", where=str(path), mend=f"fields there are: {', '.join(fields)}")

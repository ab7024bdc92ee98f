"""Rows of benchmark files: JSON lines, JSON, Parquet, CSV, on disk or from the Hub."""

from __future__ import annotations

import csv
import fnmatch
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from glob import iglob
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.hub import SCHEME, model_file, model_folder
from gristmill.base.errors import UserError, describe

ENDINGS = (".jsonl", ".json", ".parquet", ".csv")
PACKED = (".zst", ".gz", ".bz2")
WHAT = "benchmark"
Row = Mapping[str, Any]


def find_files(ref: str, patterns: Sequence[str]) -> list[tuple[str, Path]]:
    """The files that an address names, in order, each with its name within the folder or repository.

    Args:
        ref: a file, a folder, a glob, or `hf://organisation/name@commit` with or without `/file`.
        patterns: which files of a repository are wanted.

    Raises UserError where there is none.
    """
    if ref.startswith(SCHEME):
        if ref.count("/") > SCHEME.count("/") + 1:
            path = model_file(ref, WHAT, "dataset")
            return [(path.name, path)]
        folder = model_folder(ref, patterns, WHAT, "dataset")
        found = [one for one in _below(folder) if any(fnmatch.fnmatch(one[0], item) for item in patterns)]
        if not found:
            raise UserError(
                f"the repository has no files {', '.join(patterns)}",
                where=ref,
                mend=f"name one: {ref}/<file>",
            )
        return found
    path = Path(ref)
    if path.is_dir():
        found = _below(path)
    elif path.is_file():
        found = [(path.name, path)]
    else:
        names = sorted(iglob(ref, recursive=True))  # noqa: PTH207 (absolute patterns too)
        found = [(Path(name).name, Path(name)) for name in names]
    if not found:
        raise UserError(
            "no benchmark files there", where=ref, mend=f"a file or folder of {', '.join(ENDINGS)}"
        )
    return found


def _below(folder: Path) -> list[tuple[str, Path]]:
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return sorted((name, path) for name, path in names.items() if _ending(path)[0] in ENDINGS)


def _ending(path: Path) -> tuple[str, bool]:
    """The ending that says what a file holds, and whether it is packed."""
    packed = path.suffix in PACKED
    return Path(path.stem).suffix if packed else path.suffix, packed


def read_rows(path: Path, header: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a file.

    Args:
        path: .jsonl, .json (a list, or one row), .parquet or .csv, also packed (.zst, .gz, .bz2).
        header: names of the columns of a CSV file without a header (one whose first line has as many columns,
            and none called as the first of these).

    Raises UserError for a file that cannot be read, naming the line.
    """
    ending, _ = _ending(path)
    readers = {".jsonl": _lines, ".json": _json, ".parquet": _parquet}
    if ending not in (*readers, ".csv"):
        raise UserError(
            f"a benchmark's file ends with {', '.join(ENDINGS)} (or with {', '.join(PACKED)} behind it)",
            where=str(path),
        )
    try:
        yield from _csv(path, header) if ending == ".csv" else readers[ending](path)
    except (OSError, pa.ArrowException, UnicodeError, csv.Error) as error:
        raise UserError(f"cannot read the benchmark: {describe(error)}", where=str(path)) from None


def _text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedReader(pa.input_stream(str(path), compression="detect")), encoding="utf-8-sig", newline=""
    )


def _lines(path: Path) -> Iterator[Row]:
    with _text(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _row(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _json(path: Path) -> Iterator[Row]:
    with _text(path) as file:
        content = file.read()
    # Some data sets call JSON lines .json.
    try:
        parsed = json.loads(content)
    except ValueError:
        yield from _lines(path)
        return
    for row in parsed if isinstance(parsed, list) else [parsed]:
        yield _row(row, str(path))


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where=where) from None


def _row(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise UserError("a row is an object with fields", where=where)
    return value


def _parquet(path: Path) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=64):
            yield from batch.to_pylist()


def _csv(path: Path, header: Sequence[str]) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    with _text(path) as file:
        rows = csv.reader(file)
        first = next(rows, None)
        if first is None:
            return
        if header and len(first) == len(header) and header[0] not in first:
            yield dict(zip(header, first, strict=True))
        else:
            header = first
        for row in rows:
            yield dict(zip(header, row, strict=False))

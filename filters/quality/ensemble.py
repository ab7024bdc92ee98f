"""The ensemble of Nemotron-CC (arXiv 2412.02595, section 3.2; NVIDIA-NeMo/Nemotron, recipes/data_curation/
nemotron-cc/step_3-quality_classification.py): scores of several classifiers made comparable, and tiers.

Every classifier's scores are cut at the percentiles 5, 10, … 95 of the corpus, where a document weighs as
much as it has bytes: bucket b holds the text between the percentiles 5b and 5b + 5. A document's bucket is
the greatest that any classifier gives it, and buckets make tiers.

The percentile p is the least score at which documents with that score or a lower one have p percent of the
bytes (the inverted distribution function); a score's bucket is the number of thresholds that it reaches
(`np.digitize`). A null score has no part in either.
"""

from __future__ import annotations

import errno
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.conditions import Condition
from filters.decide import read_columns
from gristmill.base.atomic import atomic_folder
from gristmill.base.errors import UserError, did_you_mean
from gristmill.base.progress import Progress, Silent

NAME, VERSION = "ensemble", "1"
PERCENTILES = tuple(range(5, 100, 5))
BUCKETS = len(PERCENTILES) + 1
TIERS: Mapping[str, int] = {"high": 19, "medium-high": 18, "medium": 12, "medium-low": 7, "low": 0}
"""Least bucket of each tier (Nemotron-CC, table 3)."""
BYTES = "stats.bytes"
"""The column of a document's size, where it was measured; else the texts are read."""
Thresholds = Mapping[str, tuple[float, ...]]
"""By classifier, one threshold for each of PERCENTILES."""


@dataclass(frozen=True)
class Ensemble:
    """What is combined, and how."""

    columns: Mapping[str, str]
    """Column of the score, by the classifier's name."""
    sample: float = 1.0
    """Share of the documents whose scores make the thresholds, chosen by a hash of the id."""
    seed: int = 0
    """Chooses another sample."""
    where: Condition | None = None
    """Only documents that make it true count for the thresholds."""
    thresholds: Thresholds | None = None
    """Thresholds that are given; else they are computed."""
    tiers: Mapping[str, int] = field(default_factory=lambda: dict(TIERS))
    """Least bucket of each tier."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the annotation: the greatest bucket, its tier, and each classifier's bucket."""
        buckets = [(f"quality.bucket_{name}", pa.int64()) for name in self.columns]
        return pa.schema(
            [("id", pa.string()), ("quality.bucket", pa.int64()), ("quality.tier", pa.string()), *buckets]
        )

    def meaning(self) -> list[Any]:
        """Everything that the values depend on, apart from the scores."""
        where = self.where.sql if self.where is not None else None
        thresholds = {name: list(row) for name, row in self.thresholds.items()} if self.thresholds else None
        chosen = None if thresholds else [self.sample, self.seed, where]
        return [NAME, VERSION, list(self.columns.items()), chosen, thresholds, dict(self.tiers)]


@dataclass(frozen=True, slots=True)
class EnsembleSummary:
    """What the ensemble found."""

    thresholds: Thresholds
    sampled: int
    """Documents whose scores made the thresholds; 0 for thresholds that were given."""
    buckets: dict[int, int]
    """Documents by bucket."""
    tiers: dict[str, int]
    """Documents by tier."""


def annotate_ensemble(
    parts: Sequence[Sequence[str | Path]],
    target: str | Path,
    ensemble: Ensemble,
    *,
    memory_limit: str = "2GB",
    threads: int = 2,
    temp_directory: str | Path | None = None,
    progress: Progress | None = None,
) -> EnsembleSummary:
    """Write `target/part-*.parquet` for every part: same rows, same order, same file names as the documents.

    Args:
        parts: for every part its documents file, then the annotation files; rows correspond by position.
        target: folder of the annotation; it appears when complete and replaces an older one.
        ensemble: what is combined.
        memory_limit: of DuckDB; beyond it, it works on disk.
        temp_directory: where, a folder of the system's by default.

    Raises UserError where no document makes thresholds.
    """
    progress = progress or Silent()
    sampled, thresholds = 0, ensemble.thresholds
    if thresholds is None:
        config: dict[str, str | int] = {"memory_limit": memory_limit, "threads": threads}
        sampled, thresholds = _compute(parts, ensemble, config, temp_directory, progress)
    buckets = np.zeros(BUCKETS, np.int64)
    tiers = dict.fromkeys(ensemble.tiers, 0)
    with atomic_folder(target) as folder:
        task = progress.task("ensemble: write", total=len(parts), unit="parts")
        for files in parts:
            table = combine(read_columns(files, list(ensemble.columns.values())), ensemble, thresholds)
            pq.write_table(table, folder / Path(files[0]).name, compression="zstd")
            found = table.column("quality.bucket").drop_null().to_numpy()
            buckets += np.bincount(found, minlength=BUCKETS)
            counted = pc.value_counts(table.column("quality.tier").combine_chunks().drop_null())
            for row in counted.to_pylist():
                tiers[row["values"]] += row["counts"]
            task.advance()
        task.close()
    return EnsembleSummary(
        thresholds, sampled, {number: int(count) for number, count in enumerate(buckets)}, tiers
    )


def combine(scores: pa.Table, ensemble: Ensemble, thresholds: Thresholds) -> pa.Table:
    """Buckets and tiers of documents by their scores; `ensemble.schema`."""
    columns = []
    best = np.full(scores.num_rows, -1, np.int64)
    for name, column in ensemble.columns.items():
        values = scores.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing = np.isnan(values)
        bucket = np.where(missing, -1, np.digitize(values, np.array(thresholds[name])))
        best = np.maximum(best, bucket)
        columns.append(pa.array(bucket, pa.int64(), mask=missing))
    order = sorted(ensemble.tiers.items(), key=lambda item: item[1])
    least = np.array([bucket for _, bucket in order])
    names = np.array([None, *(name for name, _ in order)], object)
    tier = names[np.searchsorted(least, best, side="right")]
    none = best < 0
    arrays = [scores.column("id").cast(pa.string()), pa.array(best, mask=none), pa.array(tier, mask=none)]
    return pa.table([*arrays, *columns], schema=ensemble.schema)


def _compute(
    parts: Sequence[Sequence[str | Path]],
    ensemble: Ensemble,
    config: dict[str, str | int],
    temp_directory: str | Path | None,
    progress: Progress,
) -> tuple[int, Thresholds]:
    """How many documents were sampled, and the thresholds."""
    with tempfile.TemporaryDirectory(prefix="gristmill-ensemble-", dir=temp_directory) as scratch:
        database = duckdb.connect(
            str(Path(scratch) / "ensemble.duckdb"),
            config={**config, "temp_directory": scratch, "preserve_insertion_order": "false"},
        )
        try:
            sampled = _load(database, parts, ensemble, progress)
            thresholds = {}
            for number, name in enumerate(ensemble.columns):
                found = percentiles(database, f"s{number}")
                if found is None and any(pq.read_metadata(files[0]).num_rows for files in parts):
                    raise UserError(
                        f"no document has a score of '{name}' to make thresholds from",
                        where="ensemble",
                        mend="a greater `sample`, or another `where`",
                    )
                thresholds[name] = found or (math.inf,) * len(PERCENTILES)
            return sampled, thresholds
        except duckdb.Error as error:
            message = str(error).splitlines()[0]
            if "No space left on device" in str(error):
                raise OSError(errno.ENOSPC, message) from error
            if isinstance(error, duckdb.OutOfMemoryException):
                raise UserError(
                    f"the ensemble does not fit in {config['memory_limit']}: {message}",
                    mend="raise the memory limit",
                ) from error
            raise UserError(f"the ensemble fails: {message}", where="ensemble.where") from error
        finally:
            database.close()


def _load(
    database: duckdb.DuckDBPyConnection,
    parts: Sequence[Sequence[str | Path]],
    ensemble: Ensemble,
    progress: Progress,
) -> int:
    """Bring scores and bytes of the sampled documents into DuckDB's own file; returns how many."""
    task = progress.task("ensemble: read", total=len(parts), unit="parts")
    kinds = ", ".join(f"s{number} DOUBLE" for number in range(len(ensemble.columns)))
    database.execute(f"CREATE TABLE rows (weight BIGINT, {kinds})")
    chosen = ", ".join(f'"{column}"::DOUBLE' for column in ensemble.columns.values())
    conditions = [ensemble.where.sql] if ensemble.where is not None else []
    if ensemble.sample < 1:
        # MD5 spreads ids evenly, whatever they are, and is the same in every version of the engine.
        bound = f"{int(ensemble.sample * 2**128):032x}"
        conditions.append(f"md5('{ensemble.seed}:' || id) < '{bound}'")
    condition = " AND ".join(f"({text})" for text in conditions) or "true"
    wanted = [*ensemble.columns.values(), *(ensemble.where.columns if ensemble.where is not None else ())]
    for files in parts:
        batch = read_columns(files, [*wanted, *([BYTES] if _has(files, BYTES) else [])])
        weights = batch.column(BYTES) if BYTES in batch.column_names else text_bytes(files[0])
        batch = batch.append_column("gristmill weight", weights)
        database.register("batch", batch)
        database.execute(f'INSERT INTO rows SELECT "gristmill weight", {chosen} FROM batch WHERE {condition}')
        database.unregister("batch")
        task.advance()
    task.close()
    row = database.execute("SELECT count(*) FROM rows").fetchone()
    return int(row[0]) if row else 0


def _has(files: Sequence[str | Path], column: str) -> bool:
    return any(column in pq.read_schema(file).names for file in files)


def text_bytes(documents: str | Path) -> pa.ChunkedArray:
    """Bytes in UTF-8 of every text of a part, a batch of texts in memory at a time."""
    with pq.ParquetFile(documents) as file:
        sizes = [
            pc.binary_length(batch.column(0)).cast(pa.int64())
            for batch in file.iter_batches(batch_size=1024, columns=["text"])
        ]
    return pa.chunked_array(sizes, pa.int64())


def percentiles(database: duckdb.DuckDBPyConnection, column: str) -> tuple[float, ...] | None:
    """The weighted percentiles of a column of the table `rows`; None without a score."""
    cuts = ", ".join(f"min(score) FILTER (share >= {p}::DOUBLE / 100::DOUBLE)" for p in PERCENTILES)
    row = database.execute(
        f"""
        SELECT {cuts} FROM (
            SELECT score, (sum(weight) OVER (ORDER BY score))::DOUBLE / (sum(weight) OVER ())::DOUBLE AS share
            FROM (
                SELECT {column} AS score, sum(weight) AS weight FROM rows
                WHERE {column} IS NOT NULL AND NOT isnan({column}) GROUP BY 1
            )
        )
        """
    ).fetchone()
    return None if row is None or row[0] is None else tuple(float(value) for value in row)


def as_json(thresholds: Thresholds) -> dict[str, dict[str, float]]:
    """Thresholds as the recipe writes them: by classifier, then by percentile."""
    return {
        name: {str(p): value for p, value in zip(PERCENTILES, row, strict=True) if math.isfinite(value)}
        for name, row in thresholds.items()
    }


def from_json(content: Any, names: Sequence[str], where: str) -> Thresholds:
    """Thresholds of these classifiers. Raises UserError for any that is missing or no ascending row."""
    if not isinstance(content, Mapping):
        raise UserError("not thresholds: expected {classifier: {percentile: score}}", where=where)
    thresholds = {}
    for name in names:
        row = content.get(name)
        if not isinstance(row, Mapping):
            raise UserError(
                f"no thresholds of '{name}'", where=where, mend=did_you_mean(name, map(str, content))
            )
        try:
            values = tuple(float(row[str(p)]) for p in PERCENTILES)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"'{name}' has no threshold for {error}", where=where) from None
        if list(values) != sorted(values) or not all(map(math.isfinite, values)):
            raise UserError(f"the thresholds of '{name}' do not rise", where=where)
        thresholds[name] = values
    return thresholds


def read_thresholds(path: str | Path, names: Sequence[str]) -> Thresholds:
    """Thresholds from a JSON file as the recipe writes it."""
    try:
        content = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read thresholds: {error}", where=str(path)) from None
    return from_json(content, names, str(path))

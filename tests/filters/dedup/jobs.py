"""Jobs of deduplication for tests: documents spread over parts, the stages, and what came out."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.base import annotate_texts
from filters.dedup.base import Job, Method, Part, run_stages
from filters.dedup.numbering import number_stage
from filters.registry import build_annotator
from gristmill.base.progress import Silent

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("url", pa.string()),
        ("fetched_at", pa.timestamp("us")),
        ("score", pa.float64()),
        ("language", pa.string()),
    ]
)
Row = Mapping[str, Any]


def parts(
    folder: Path, batches: Sequence[Sequence[Row]], annotators: Sequence[str] = (), known: int = 0
) -> tuple[Part, ...]:
    """Every batch as a part with the columns of annotators; the first `known` ones are of an older store."""
    found: list[Part] = []
    for number, rows in enumerate(batches):
        table = pa.Table.from_pylist([dict(row) for row in rows], DOCUMENTS)
        files = [folder / "documents" / f"part-{number:05d}.parquet"]
        files[0].parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, files[0], row_group_size=7)
        columns = table.select(["url"]).to_pylist()
        for name, values in annotate_texts(
            [build_annotator(name) for name in annotators], table.column("text").to_pylist(), columns
        ).items():
            files.append(folder / name / f"part-{number:05d}.parquet")
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(values.add_column(0, "id", table.column("id")), files[-1])
        found.append(Part(f"part-{number:05d}", tuple(map(str, files)), known=number < known))
    return tuple(found)


@dataclass(frozen=True)
class Outcome:
    """What a method wrote."""

    rows: list[dict[str, Any]]
    """The annotation, all parts one after the other."""
    ledger: list[dict[str, Any]]
    facts: dict[str, Any]
    files: dict[str, bytes]
    """Every part's file and the ledger's, whole."""


def compare(method: Method, job: Job, folder: Path, workers: int = 1) -> Outcome:
    """Number the documents, run the stages, conclude into `folder`."""
    run_stages([number_stage(job), *method.stages(job)], workers)
    target, ledger = folder / "out", folder / "ledger.parquet"
    target.mkdir(parents=True)
    facts = method.conclude(job, target, ledger, Silent())
    files = sorted(target.iterdir())
    assert [file.name for file in files] == [f"{part.name}.parquet" for part in job.parts if not part.known]
    tables = [pq.read_table(file) for file in files]
    for table in tables:
        assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
            "id": pa.string(),
            **method.columns,
        }
    return Outcome(
        [row for table in tables for row in table.to_pylist()],
        pq.read_table(ledger).to_pylist(),
        facts,
        {file.name: file.read_bytes() for file in (*files, ledger)},
    )


def shuffled(rows: Sequence[Row], seed: int, count: int) -> list[list[Row]]:
    """The rows in another order, in so many batches of uneven sizes, some of them empty."""
    rng = random.Random(seed)
    mixed = rng.sample(list(rows), len(rows))
    cuts = sorted(rng.randint(0, len(mixed)) for _ in range(count - 1))
    return [mixed[start:end] for start, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


def by_id(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """The annotation by id."""
    return {row["id"]: row for row in outcome.rows}


__all__ = ["DOCUMENTS", "Job", "Outcome", "by_id", "compare", "parts", "replace", "shuffled"]

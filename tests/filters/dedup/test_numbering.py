"""Documents are numbered by an order that is theirs alone, whatever the parts they lie in."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.dedup import numbering
from filters.dedup.base import Job, Part, run_stages
from filters.dedup.numbering import Inverse, number_stage, read_numbers
from gristmill.base.errors import UserError

SCHEMA = pa.schema([("id", pa.string()), ("language", pa.string()), ("score", pa.float64())])


def parts(folder: Path, rows: list[dict[str, Any]], count: int) -> tuple[Part, ...]:
    """The rows, spread over so many parts, the score in a file of its own."""
    found: list[Part] = []
    for number in range(count):
        table = pa.Table.from_pylist(rows[number::count], SCHEMA)
        files = [folder / f"{kind}-{number}.parquet" for kind in ("documents", "scores")]
        pq.write_table(table.select(["id", "language"]), files[0])
        pq.write_table(table.select(["id", "score"]), files[1])
        found.append(Part(f"part-{number:05d}", tuple(map(str, files))))
    return tuple(found)


def numbered(job: Job) -> dict[str, tuple[int, int]]:
    """Number and group by id, of all documents."""
    run_stages([number_stage(job)])
    found: dict[str, tuple[int, int]] = {}
    for index, part in enumerate(job.parts):
        ids = pq.read_table(part.files[0]).column("id").to_pylist()
        number, group = read_numbers(job, index)
        found.update(zip(ids, zip(number.tolist(), group.tolist(), strict=True), strict=True))
    return found


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    random.seed(3)
    return [
        {
            "id": f"{n:03}",
            "language": random.choice(["de", "en", None]),
            "score": random.choice([0.5, 1.0, None]),
        }
        for n in range(200)
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_the_order_is_prefer_then_the_id(
    rows: list[dict[str, Any]], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "ROW_GROUP", 32)
    random.shuffle(rows)
    job = Job(
        parts(tmp_path, rows, count),
        str(tmp_path / "work"),
        prefer="score DESC NULLS LAST",
        where="language = 'de' OR language IS NULL",
        by="language",
    )
    found = numbered(job)
    selected = [row for row in rows if row["language"] != "en"]
    expected = sorted(selected, key=lambda row: (-(row["score"] or 0), row["id"]))
    assert {key: number for key, (number, _) in found.items() if number >= 0} == {
        row["id"]: number for number, row in enumerate(expected)
    }
    assert sum(number < 0 for number, _ in found.values()) == len(rows) - len(selected)
    groups = {row["language"]: found[row["id"]][1] for row in selected}
    assert len(set(groups.values())) == 2
    assert all(found[row["id"]][1] == groups[row["language"]] for row in selected)
    with Inverse(job) as inverse:
        assert len(inverse) == len(expected)
        wanted = np.array(random.sample(range(len(expected)), 60) * 2)
        assert inverse.ids(wanted).to_pylist() == [expected[n]["id"] for n in wanted]
        part, row = inverse.places(wanted)
        assert [rows[p + count * r]["id"] for p, r in zip(part, row, strict=True)] == [
            expected[n]["id"] for n in wanted
        ]
        assert not len(inverse.ids(wanted[:0]))
    # Once done, it is done: the same files stay.
    before = {file: file.stat().st_mtime_ns for file in Path(job.work).rglob("*.parquet")}
    run_stages([number_stage(job)])
    assert before == {file: file.stat().st_mtime_ns for file in Path(job.work).rglob("*.parquet")}


def test_nothing_to_number(tmp_path: Path) -> None:
    job = Job((), str(tmp_path / "work"), prefer="id")
    run_stages([number_stage(job)])
    with Inverse(job) as inverse:
        assert len(inverse) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prefer": "scor"}, "prefer: unknown column 'scor'; did you mean 'score'"),
        ({"where": "langage = 'de'"}, "where: unknown column 'langage'; did you mean 'language'"),
        ({"by": "(SELECT 1)"}, "by: the condition .* contains a subquery"),
        ({"prefer": "language::INT"}, "numbering the documents: "),
    ],
)
def test_mistakes(fields: dict[str, str], message: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    job = replace(Job(parts(tmp_path, rows, 1), str(tmp_path / "work"), prefer="id"), **fields)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        run_stages([number_stage(job)])

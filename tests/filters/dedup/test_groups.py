"""Documents with equal keys, against a slow twin; the same bytes whatever the tasks, parts, restarts."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.dedup import groups, tables
from filters.dedup.base import Job, Part, run_stages
from filters.dedup.groups import KeyGroups
from filters.dedup.numbering import number_stage
from filters.dedup.tables import by_part, write_relation
from gristmill.base.errors import UserError
from tests.filters.dedup.jobs import by_id, compare, parts, shuffled

DAY = datetime.datetime(2024, 1, 1)
KEYS = st.sampled_from(["a", "b", "c", "d", None, ""])
DRAWN = st.lists(
    st.tuples(KEYS, st.sampled_from(["de", "en"]), st.sampled_from([0.0, 0.5, 1.0])), max_size=30
)


def document(key: int, url: str | None, language: str = "en", score: float = 0.0) -> dict[str, Any]:
    return {"id": f"{key:03}", "text": "", "url": url, "language": language, "score": score}


def twin(
    rows: list[dict[str, Any]], group: Callable[[Any], Any], order: Callable[[Any], Any]
) -> dict[str, dict[str, Any]]:
    """Every document beside all documents with its key."""
    found = {}
    for row in rows:
        copies = [row]
        if row["url"] is not None:
            copies = sorted((o for o in rows if (o["url"], group(o)) == (row["url"], group(row))), key=order)
        found[row["id"]] = {
            "id": row["id"],
            "same.cluster": copies[0]["id"],
            "same.size": len(copies),
            "same.keep": row is copies[0],
        }
    return found


def ledger(found: dict[str, dict[str, Any]], rows: list[dict[str, Any]], order: Any) -> list[dict[str, Any]]:
    """The clusters of two or more, by the twin."""
    place = {row["id"]: n for n, row in enumerate(sorted(rows, key=order))}
    members = [row for row in found.values() if row["same.size"] > 1]
    members.sort(key=lambda row: (place[row["same.cluster"]], place[row["id"]]))
    return [
        {
            "cluster": row["same.cluster"],
            "id": row["id"],
            "keep": row["same.keep"],
            "size": row["same.size"],
            "similarity": 0.5,
        }
        for row in members
    ]


@given(DRAWN, st.tuples(st.integers(1, 4), st.integers(1, 5)), st.booleans(), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_groups_against_the_twin(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], sizes: tuple[int, int], apart: bool, seed: int
) -> None:
    count, tasks = sizes
    folder = tmp_path_factory.mktemp("groups")
    rows = [document(n * 7 % 101, *values) for n, values in enumerate(drawn)]
    job = Job(
        parts(folder, shuffled(rows, seed, count)),
        str(folder / "work"),
        prefer="score DESC",
        by="language" if apart else None,
        tasks=tasks,
    )
    outcome = compare(KeyGroups("url", "same", 0.5), job, folder)
    expected = twin(rows, lambda row: apart and row["language"], order := lambda r: (-r["score"], r["id"]))
    assert by_id(outcome) == expected
    assert outcome.ledger == ledger(expected, rows, order)
    assert outcome.facts == {
        "clusters": len({row["same.cluster"] for row in expected.values() if row["same.size"] > 1}),
        "duplicates": sum(not row["same.keep"] for row in expected.values()),
    }


ROWS = [
    document(n, None if n % 11 == 0 else f"u{n % 37}", "en" if n % 3 else "de", n % 5) for n in range(400)
]
METHOD = KeyGroups("url", "same", 1.0)


def test_the_same_bytes_whatever_the_tasks_the_workers_and_the_memory(tmp_path: Path) -> None:
    files = parts(tmp_path, [ROWS[:150], [], ROWS[150:151], ROWS[151:]])
    job = Job(files, str(tmp_path / "1"), prefer="score DESC", memory_mb=2000)
    first = compare(METHOD, job, tmp_path / "a")
    others = [
        (replace(job, work=str(tmp_path / "2"), tasks=7, memory_mb=100), 1),
        (replace(job, work=str(tmp_path / "3"), tasks=3), 2),
    ]
    for other, workers in others:
        assert compare(METHOD, other, tmp_path / f"out-{workers}", workers).files == first.files
    assert len({row["same.size"] for row in first.rows}) > 2


def test_the_same_choice_whatever_the_order_of_parts(tmp_path: Path) -> None:
    outcomes = []
    for seed in range(3):
        folder = tmp_path / str(seed)
        job = Job(parts(folder, shuffled(ROWS, seed, seed + 1)), str(folder / "work"), prefer="score DESC")
        outcomes.append(compare(METHOD, job, folder))
    assert by_id(outcomes[0]) == by_id(outcomes[1]) == by_id(outcomes[2])
    assert outcomes[0].files["ledger.parquet"] == outcomes[1].files["ledger.parquet"]


@pytest.mark.parametrize("known", [1, 2])
def test_known_parts_count_but_are_not_written(tmp_path: Path, known: int) -> None:
    batches = [ROWS[:100], ROWS[100:200], ROWS[200:]]
    whole = compare(
        METHOD, Job(parts(tmp_path / "a", batches), str(tmp_path / "a/work"), "id DESC"), tmp_path / "a"
    )
    job = Job(parts(tmp_path / "b", batches, known=known), str(tmp_path / "b/work"), "id DESC")
    added = compare(METHOD, job, tmp_path / "b")
    for name in added.files:
        if name.startswith("part"):
            assert added.files[name] == whole.files[name]
    own = {row["id"] for batch in batches[known:] for row in batch}
    touched = {row["cluster"] for row in whole.ledger if row["id"] in own}
    assert added.ledger == [row for row in whole.ledger if row["cluster"] in touched]
    assert added.facts == {
        "clusters": len(touched),
        "duplicates": sum(row["id"] in own and not row["keep"] for row in whole.ledger),
    }


def test_what_is_not_selected_is_null_and_no_copy(tmp_path: Path) -> None:
    job = Job(parts(tmp_path, [ROWS]), str(tmp_path / "work"), "id", where="language = 'de'")
    outcome = compare(METHOD, job, tmp_path)
    chosen = [row for row in ROWS if row["language"] == "de"]
    expected = twin(chosen, lambda row: 0, lambda row: row["id"])
    for row in outcome.rows:
        nothing = {"id": row["id"], "same.cluster": None, "same.size": None, "same.keep": None}
        assert row == expected.get(row["id"], nothing)


class Limit:
    """Writes so many files, then is killed."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.written: list[Path] = []

    def __call__(self, relation: Any, schema: Any, target: Path, *more: Any) -> int:
        if len(self.written) == self.allowed:
            raise KeyboardInterrupt
        self.written.append(target)
        return write_relation(relation, schema, target, *more)


def test_killed_at_any_file_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = parts(tmp_path, [ROWS[:150], ROWS[150:]])
    job = Job(files, str(tmp_path / "whole"), prefer="score DESC", tasks=3)
    whole = compare(METHOD, job, tmp_path / "a")
    for allowed in range(5):
        broken = replace(job, work=str(tmp_path / f"work-{allowed}"))
        with monkeypatch.context() as patch:
            limit = Limit(allowed)
            patch.setattr(groups, "write_relation", limit)
            with pytest.raises(KeyboardInterrupt):
                run_stages([number_stage(broken), *METHOD.stages(broken)])
        stamps = {file: file.stat().st_mtime_ns for file in limit.written}
        assert compare(METHOD, broken, tmp_path / f"out-{allowed}").files == whole.files
        assert stamps == {file: file.stat().st_mtime_ns for file in limit.written}
        assert len(stamps) == allowed


def test_no_parts_and_equal_ids_do_no_harm(tmp_path: Path) -> None:
    nothing = compare(METHOD, Job((), str(tmp_path / "w"), "id", tasks=2), tmp_path / "a")
    assert (nothing.rows, nothing.ledger, nothing.facts) == ([], [], {"clusters": 0, "duplicates": 0})
    rows = [document(1, "x"), document(1, "x"), document(2, "y")]
    outcome = compare(METHOD, Job(parts(tmp_path, [[], rows]), str(tmp_path / "v"), "id"), tmp_path / "b")
    assert [row["same.keep"] for row in outcome.rows] == [True, False, True]


def test_more_than_memory_holds_goes_through_the_disk(tmp_path: Path) -> None:
    found: list[Part] = []
    for number in range(3):
        keys = range(number * 100_000, number * 100_000 + 100_000)
        table = pa.table({"id": [f"{key:064}" for key in keys], "url": [f"{key // 2:090}" for key in keys]})
        pq.write_table(table, tmp_path / f"part-{number}.parquet")
        found.append(Part(f"part-{number:05d}", (str(tmp_path / f"part-{number}.parquet"),)))
    job = Job(tuple(found), str(tmp_path / "work"), "id", memory_mb=100)
    outcome = compare(METHOD, job, tmp_path)
    assert outcome.facts == {"clusters": 150_000, "duplicates": 150_000}
    assert not list((tmp_path / "work/scratch").iterdir())


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    job = Job(parts(tmp_path, [ROWS[:3]]), str(tmp_path / "work"), "id")
    with pytest.raises(ValueError, match=r"columns not found: url\.key"):
        compare(KeyGroups("url.key", "same", None), job, tmp_path)


def test_an_order_that_is_none_is_a_users_mistake(tmp_path: Path) -> None:
    job = Job(parts(tmp_path, [ROWS[:3]]), str(tmp_path / "work"), "fetched DESC")
    with pytest.raises(UserError, match="prefer: unknown column 'fetched'; did you mean 'fetched_at'"):
        compare(METHOD, job, tmp_path)


def test_rows_by_part_over_the_borders_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH", 2048)
    with duckdb.connect() as connection:
        rows = connection.sql(
            "SELECT range // 3000 * 2 AS part, range AS row FROM range(10000) ORDER BY range"
        )
        found = [(part, table.column("row").to_pylist()) for part, table in by_part(rows)]
    assert found == [(2 * n, list(range(3000 * n, min(3000 * n + 3000, 10000)))) for n in range(4)]

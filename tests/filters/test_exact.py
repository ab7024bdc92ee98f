"""Exact duplicates: grouped by their normalised text, the copy to keep chosen by the order asked for."""

from __future__ import annotations

import datetime
import errno
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.annotators.exact_hash import normalise
from filters.base import annotate_texts
from filters.dedup import exact
from filters.dedup.exact import SCHEMA, ExactSummary, annotate_exact
from filters.registry import build_annotator
from gristmill.base.errors import UserError

DAY = datetime.datetime(2024, 1, 1)


def document(key: int, text: str, day: int | None = 0, score: float = 0.0) -> dict[str, Any]:
    fetched = None if day is None else DAY + datetime.timedelta(days=day)
    return {"id": f"{key:03}", "text": text, "fetched_at": fetched, "score": score}


def store(folder: Path, parts: list[list[dict[str, Any]]]) -> list[list[Path]]:
    """Documents and their hashes, as a store has them."""
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.string()),
            ("fetched_at", pa.timestamp("us")),
            ("score", pa.float64()),
        ]
    )
    files = []
    for number, rows in enumerate(parts):
        documents, hashes = folder / f"d/part-{number:05}.parquet", folder / f"h/part-{number:05}.parquet"
        for path in (documents, hashes):
            path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows, schema)
        pq.write_table(table, documents)
        (found,) = annotate_texts([build_annotator("exact_hash")], table.column("text").to_pylist()).values()
        pq.write_table(found.add_column(0, "id", table.column("id")), hashes)
        files.append([documents, hashes])
    return files


def found(target: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(target.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]


TEXTS = st.sampled_from(
    ["A mill.", "a  mill.", "a mill.\n", "Grain", "grain ", "", " \n", "é", "e\u0301", "other"]
)
DOCUMENTS = st.lists(
    st.tuples(TEXTS, st.one_of(st.none(), st.integers(0, 3)), st.sampled_from([0.0, 0.5, 1.0])), max_size=25
)


def slow(rows: list[dict[str, Any]], order: Any) -> list[dict[str, Any]]:
    """Every document beside all documents with its normalised text, sorted."""
    answers = []
    for row in rows:
        copies = sorted((o for o in rows if normalise(o["text"]) == normalise(row["text"])), key=order)
        answers.append(
            {
                "id": row["id"],
                "exact.cluster": copies[0]["id"],
                "exact.size": len(copies),
                "exact.keep": row is copies[0],
            }
        )
    return answers


def default_order(row: dict[str, Any]) -> Any:
    return (row["fetched_at"] is None, row["fetched_at"] or DAY, -len(row["text"]), row["id"])


@given(DOCUMENTS, st.integers(1, 9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_document_gets_its_group_and_one_copy_is_kept(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, int | None, float]],
    size: int,
    best: bool,
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    rows = [document(key * 7 % 101, *values) for key, values in enumerate(drawn)]
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    order = (lambda row: (-row["score"], row["id"])) if best else default_order
    prefer = {"prefer": "score DESC"} if best else {}
    summary = annotate_exact(store(folder, parts), folder / "out", threads=1, **prefer)
    expected = slow(rows, order)
    assert found(folder / "out") == expected
    assert [pq.read_table(path).num_rows for path in sorted((folder / "out").glob("*"))] == list(
        map(len, parts)
    )
    assert summary == ExactSummary(
        documents=len(rows),
        clusters=len({row["exact.cluster"] for row in expected if row["exact.size"] > 1}),
        duplicates=sum(not row["exact.keep"] for row in expected),
    )


def test_the_same_bytes_whatever_the_threads_and_the_memory(tmp_path: Path) -> None:
    rows = [document(key, f"text number {key % 700}", key % 5) for key in range(3000)]
    files = store(tmp_path, [rows[:1000], rows[1000:1001], rows[1001:]])
    settings_of = {"one": {"threads": 1}, "two": {"threads": 4, "memory_limit": "64MB"}}
    for name, options in settings_of.items():
        annotate_exact(files, tmp_path / name, **options)  # type: ignore[arg-type]
    names = [path.name for path in sorted((tmp_path / "one").glob("*"))]
    assert names == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert pq.read_schema(tmp_path / "one" / names[0]).equals(SCHEMA)


def test_more_than_memory_holds_goes_through_the_disk(tmp_path: Path) -> None:
    rows = [document(key, "", key % 5) | {"id": f"{key:064}"} for key in range(300_000)]
    parts = []
    for number in range(3):
        piece = rows[number * 100_000 : (number + 1) * 100_000]
        table = pa.table(
            {
                "id": [row["id"] for row in piece],
                "fetched_at": pa.array([row["fetched_at"] for row in piece], pa.timestamp("us")),
                "exact.hash": [
                    f"{key // 2:032x}" for key in range(number * 100_000, number * 100_000 + 100_000)
                ],
                "exact.length": pa.array([5] * len(piece), pa.int64()),
            }
        )
        pq.write_table(table, tmp_path / f"part-{number}.parquet")
        parts.append([tmp_path / f"part-{number}.parquet"])
    summary = annotate_exact(parts, tmp_path / "out", memory_limit="48MB", threads=1, temp_directory=tmp_path)
    assert summary == ExactSummary(300_000, 150_000, 150_000)
    assert sum(row["exact.keep"] for row in found(tmp_path / "out")) == 150_000
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out",
        *[f"part-{n}.parquet" for n in range(3)],
    ]


def test_it_replaces_an_older_annotation_whole(tmp_path: Path) -> None:
    files = store(tmp_path, [[document(1, "a")], [document(2, "A")]])
    annotate_exact(files, tmp_path / "out")
    annotate_exact(files[:1], tmp_path / "out")
    assert [row["exact.size"] for row in found(tmp_path / "out")] == [1]
    annotate_exact([], tmp_path / "out")
    assert found(tmp_path / "out") == []


def test_empty_parts_and_equal_ids_do_no_harm(tmp_path: Path) -> None:
    rows = [document(1, "same"), document(1, "same"), document(2, "other")]
    annotate_exact(store(tmp_path, [[], rows, []]), tmp_path / "out")
    assert [row["exact.keep"] for row in found(tmp_path / "out")] == [True, False, True]
    assert [row["exact.size"] for row in found(tmp_path / "out")] == [2, 2, 1]


@pytest.mark.parametrize(
    ("prefer", "told"),
    [
        ("fetched DESC", "prefer: unknown column 'fetched'; did you mean 'fetched_at'?"),
        ("score DESC NULLS", "prefer: cannot read the order"),
        ("1", "names no column"),
        ("random()", "calls 'random'"),
        ("score; DROP TABLE rows", "cannot read the order"),
        ("score LIMIT 1", "is not a list of columns or expressions"),
        ("(SELECT score)", "contains a subquery"),
        ("length(score)", "prefer: cannot order the copies: Binder Error"),
    ],
)
def test_an_order_that_is_none_is_a_users_mistake(tmp_path: Path, prefer: str, told: str) -> None:
    files = store(tmp_path, [[document(1, "a"), document(2, "a")]])
    with pytest.raises(UserError) as caught:
        annotate_exact(files, tmp_path / "out", prefer=prefer)
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_an_os_error() -> None:
    error = exact._named(exact.duckdb.IOException("IO Error: ... No space left on device"), "2GB", "prefer")
    assert isinstance(error, OSError)
    assert error.errno == errno.ENOSPC


def test_what_counts_as_the_same_text() -> None:
    assert normalise(" A\u00a0 Mill\r\n") == "a mill"
    assert normalise("E\u0301") == normalise("é")
    assert normalise("a.") != normalise("a")
    assert normalise("\ud800") == "\ud800"

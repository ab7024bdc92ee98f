"""Exact duplicates: grouped by their normalised text, the copy to keep chosen by the order asked for."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.annotators.exact_hash import normalise
from filters.dedup.base import Job
from filters.dedup.exact import PREFER, Exact
from gristmill.base.errors import UserError
from tests.filters.dedup.jobs import compare, parts

DAY = datetime.datetime(2024, 1, 1)
TEXTS = st.sampled_from(
    ["A mill.", "a  mill.", "a mill.\n", "Grain", "grain ", "", " \n", "é", "e\u0301", "other"]
)
DOCUMENTS = st.lists(
    st.tuples(TEXTS, st.one_of(st.none(), st.integers(0, 3)), st.sampled_from([0.0, 0.5, 1.0])), max_size=25
)


def document(key: int, text: str, day: int | None = 0, score: float = 0.0) -> dict[str, Any]:
    fetched = None if day is None else DAY + datetime.timedelta(days=day)
    return {"id": f"{key:03}", "text": text, "fetched_at": fetched, "score": score}


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
@settings(max_examples=20, deadline=None)
def test_every_document_gets_its_group_and_one_copy_is_kept(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, int | None, float]],
    size: int,
    best: bool,
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    rows = [document(key * 7 % 101, *values) for key, values in enumerate(drawn)]
    batches = [rows[at : at + size] for at in range(0, len(rows), size)]
    order = (lambda row: (-row["score"], row["id"])) if best else default_order
    prefer = "score DESC" if best else PREFER
    job = Job(parts(folder, batches, ["exact_hash"]), str(folder / "work"), prefer)
    outcome = compare(Exact(), job, folder)
    expected = slow(rows, order)
    assert outcome.rows == expected
    assert outcome.facts == {
        "clusters": len({row["exact.cluster"] for row in expected if row["exact.size"] > 1}),
        "duplicates": sum(not row["exact.keep"] for row in expected),
    }
    copies = {(row["exact.cluster"], row["id"]) for row in expected if row["exact.size"] > 1}
    assert {(row["cluster"], row["id"]) for row in outcome.ledger} == copies
    assert all(row["similarity"] == 1.0 for row in outcome.ledger)


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
        ("length(score)", "numbering the documents: Binder Error"),
    ],
)
def test_an_order_that_is_none_is_a_users_mistake(tmp_path: Path, prefer: str, told: str) -> None:
    files = parts(tmp_path, [[document(1, "a"), document(2, "a")]], ["exact_hash"])
    with pytest.raises(UserError) as caught:
        compare(Exact(), Job(files, str(tmp_path / "work"), prefer), tmp_path)
    assert told in str(caught.value)


def test_under_another_name() -> None:
    exact = Exact("copies", "other.hash")
    assert list(exact.columns) == ["copies.cluster", "copies.size", "copies.keep"]
    assert exact.needs == ("other.hash", "other.length")
    assert exact.meaning() != Exact().meaning()


def test_what_counts_as_the_same_text() -> None:
    assert normalise(" A\u00a0 Mill\r\n") == "a mill"
    assert normalise("E\u0301") == normalise("é")
    assert normalise("a.") != normalise("a")
    assert normalise("\ud800") == "\ud800"

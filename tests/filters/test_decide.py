"""Decisions: the first match wins, null does not match, and a store, a batch and a pipeline decide alike."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datatrove.data import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.decide import DECISION_SCHEMA, bind, count, decide_part, read_columns
from filters.rules import load_ruleset
from filters.step import RuleFilterStep
from gristmill.base.errors import UserError

COLUMNS = {"a.x": pa.float64(), "a.n": pa.int64(), "b.s": pa.string(), "b.f": pa.bool_()}
VALUES = {
    "a.x": st.one_of(st.none(), st.sampled_from([0.1, 0.3, 0.65, 0.30000000000000004]), st.floats()),
    "a.n": st.one_of(st.none(), st.integers(-3, 3)),
    "b.s": st.one_of(st.none(), st.sampled_from(["en", "de", "", "x'y"])),
    "b.f": st.one_of(st.none(), st.booleans()),
}
ROWS = st.lists(st.fixed_dictionaries(VALUES), max_size=20)
CONDITIONS = [
    "a.x > 0.3",
    "a.x < 0.65 OR a.x IS NULL",
    "a.n = 0",
    "NOT b.f",
    "b.s IN ('en', 'x''y')",
    "a.n * 2 > a.x",
    "b.f AND b.s <> ''",
    "true",
    "a.n / 2 > 0.5",
    "isnan(a.x)",
]
RULES = st.lists(
    st.tuples(st.sampled_from(["drop", "tier"]), st.sampled_from(CONDITIONS), st.sampled_from("pqrs")),
    max_size=6,
)


def ruleset(rules: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [
        {"drop": condition, "reason": label} if action == "drop" else {"tier": label, "when": condition}
        for action, condition, label in rules
    ]


def table(rows: list[dict[str, Any]]) -> pa.Table:
    arrays = {name: pa.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()}
    return pa.table({"id": pa.array([str(number) for number in range(len(rows))], pa.string()), **arrays})


def slow(rules: list[tuple[str, str, str]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The meaning of a rule set: each condition asked alone, each document by itself."""
    decisions = []
    for number, row in enumerate(rows):
        reason = tier = None
        for action, condition, label in rules:
            quoted = condition
            for name in COLUMNS:
                quoted = quoted.replace(name, f'"{name}"')
            one = table([row])
            database = duckdb.connect()
            database.register("one", one)
            ((answer,),) = database.execute(f"SELECT ({quoted}) FROM one").fetchall()
            if answer and action == "drop" and reason is None:
                reason = label
            if answer and action == "tier" and tier is None:
                tier = label
        decisions.append(
            {"id": str(number), "keep": reason is None, "reason": reason, "tier": None if reason else tier}
        )
    return decisions


@given(RULES, st.lists(st.fixed_dictionaries(VALUES), max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_rule_set_means_what_it_says(rules: list[tuple[str, str, str]], rows: list[dict[str, Any]]) -> None:
    bound = bind(load_ruleset(ruleset(rules)), COLUMNS)
    assert bound.decide(table(rows)).to_pylist() == slow(rules, rows)


@given(RULES, ROWS, st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_a_store_and_a_pipeline_decide_alike(
    tmp_path_factory: pytest.TempPathFactory,
    rules: list[tuple[str, str, str]],
    rows: list[dict[str, Any]],
    batch_size: int,
) -> None:
    folder = tmp_path_factory.mktemp("store")
    bound = bind(load_ruleset(ruleset(rules)), COLUMNS)
    whole = table(rows)
    pq.write_table(whole.select(["id"]), folder / "documents.parquet")
    pq.write_table(whole.select(["id", "a.x", "a.n"]), folder / "a.parquet")
    pq.write_table(whole.select(["id", "b.s", "b.f"]), folder / "b.parquet")
    files = [folder / name for name in ("documents.parquet", "a.parquet", "b.parquet")]
    counts = decide_part(bound, files, folder / "decisions.parquet")
    stored = pq.read_table(folder / "decisions.parquet")
    assert stored.schema.equals(DECISION_SCHEMA)

    dropped: list[tuple[str, str]] = []
    step = RuleFilterStep(
        bound, COLUMNS, batch_size, on_drop=lambda d, reason: dropped.append((d.id, reason))
    )
    documents = [Document(text="", id=str(number), metadata=dict(row)) for number, row in enumerate(rows)]
    kept = list(step.run(iter(documents)))
    assert [(row["id"], row["tier"]) for row in stored.to_pylist() if row["keep"]] == [
        (document.id, document.metadata.get("tier")) for document in kept
    ]
    assert [(row["id"], row["reason"]) for row in stored.to_pylist() if not row["keep"]] == dropped
    assert (counts.rows, counts.kept) == (len(rows), len(kept))
    assert sum(counts.reasons.values()) == len(dropped)
    for reason, number in counts.reasons.items():
        assert step.stats[f"dropped_{reason}"].total == number


def test_counts_are_sorted_and_complete() -> None:
    rows = [dict.fromkeys(COLUMNS) | {"a.n": number} for number in (1, 2, 2, 3, 4)]
    rules = [("drop", "a.n = 2", "two"), ("drop", "a.n = 1", "one"), ("tier", "a.n = 4", "top")]
    counts = count(bind(load_ruleset(ruleset(rules)), COLUMNS).decide(table(rows)))
    assert (counts.rows, counts.kept) == (5, 2)
    assert list(counts.reasons.items()) == [("one", 1), ("two", 2)]
    assert counts.tiers == {"top": 1}


def test_a_condition_that_fails_on_a_document_names_its_rule() -> None:
    bound = bind(load_ruleset(ruleset([("drop", "b.f", "f"), ("drop", "b.s::INTEGER > 5", "s")])), COLUMNS)
    assert bound.decide(table([dict.fromkeys(COLUMNS) | {"b.s": "7"}])).column("reason").to_pylist() == ["s"]
    with pytest.raises(
        UserError, match=r"rules \(rule 2\): the condition `b\.s::INTEGER > 5` fails: Conversion"
    ):
        bound.decide(table([dict.fromkeys(COLUMNS) | {"b.s": "seven"}]))


def test_only_the_columns_that_rules_read_are_read(tmp_path: Path) -> None:
    documents = pa.table({"id": ["1", "2"], "text": ["a", "b"], "url": ["u", "v"]})
    pq.write_table(documents, tmp_path / "d.parquet")
    pq.write_table(pa.table({"id": ["1", "2"], "a.n": [1, 2], "a.x": [0.5, 0.25]}), tmp_path / "a.parquet")
    found = read_columns([tmp_path / "d.parquet", tmp_path / "a.parquet"], ["a.x"])
    assert found.to_pydict() == {"id": ["1", "2"], "a.x": [0.5, 0.25]}
    with pytest.raises(ValueError, match=r"columns not found: a\.z"):
        read_columns([tmp_path / "d.parquet"], ["a.z"])


@pytest.mark.parametrize("ids", [["2", "1"], ["1"], ["1", "2", "3"], ["1", None]])
def test_rows_that_do_not_correspond_are_refused(tmp_path: Path, ids: list[str]) -> None:
    pq.write_table(pa.table({"id": ["1", "2"]}), tmp_path / "d.parquet")
    pq.write_table(
        pa.table({"id": pa.array(ids, pa.string()), "a.x": [0.5] * len(ids)}), tmp_path / "a.parquet"
    )
    with pytest.raises(ValueError, match=r"a\.parquet: its rows are not those of .*d\.parquet"):
        read_columns([tmp_path / "d.parquet", tmp_path / "a.parquet"], ["a.x"])


def test_equal_decisions_are_equal_bytes(tmp_path: Path) -> None:
    rows = [dict.fromkeys(COLUMNS) | {"a.n": number % 7} for number in range(5000)]
    pq.write_table(table(rows), tmp_path / "d.parquet")
    bound = bind(load_ruleset(ruleset([("drop", "a.n = 2", "two"), ("tier", "a.n = 4", "top")])), COLUMNS)
    for name in ("one", "two"):
        decide_part(bound, [tmp_path / "d.parquet"], tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_bound_rules_and_the_step_travel_to_workers() -> None:
    bound = bind(load_ruleset(ruleset([("drop", "a.n = 2", "two")])), COLUMNS)
    step = pickle.loads(pickle.dumps(RuleFilterStep(bound, COLUMNS)))
    documents = [Document(text="", id=str(n), metadata={"a.n": n}) for n in range(4)]
    assert [document.id for document in step.run(iter(documents))] == ["0", "1", "3"]


def test_text_and_times_of_a_document_are_columns_too() -> None:
    columns = {"text": pa.string(), "fetched_at": pa.timestamp("us"), "id": pa.string()}
    rules = load_ruleset([{"drop": "text = 'x' OR id = '1' OR year(fetched_at) < 2000", "reason": "no"}])
    step = RuleFilterStep(bind(rules, columns), columns)
    documents = [
        Document(text="x", id="0"),
        Document(text="y", id="1"),
        Document(text="y", id="2", metadata={"fetched_at": "1999-12-31T23:59:59"}),
        Document(text="y", id="3", metadata={"fetched_at": "2001-01-01T00:00:00"}),
        Document(text="y", id="4"),
    ]
    assert [document.id for document in step.run(iter(documents))] == ["3", "4"]
    assert step.filter(documents[0]) == (False, "no")

"""The ensemble of Nemotron-CC, against a twin of the recipe's NumPy code."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.conditions import parse_condition
from filters.quality.ensemble import (
    BUCKETS,
    PERCENTILES,
    TIERS,
    Ensemble,
    annotate_ensemble,
    as_json,
    combine,
    from_json,
    read_thresholds,
)
from gristmill.base.errors import UserError

NAMES = ("dclm", "edu")
COLUMNS = {name: f"quality.{name}" for name in NAMES}


def twin_thresholds(scores: Sequence[float], weights: Sequence[int]) -> list[float]:
    """The recipe: sort, running weight over all, the first score at or above each percentile."""
    order = np.argsort(np.array(scores), kind="stable")
    running = np.cumsum(np.array(weights)[order])
    share = running / running[-1]
    return [np.array(scores)[order][np.searchsorted(share, p / 100.0, side="left")] for p in range(5, 100, 5)]


def twin_tier(bucket: int) -> str:
    """Table 3 of the paper."""
    if bucket == 19:
        return "high"
    if bucket == 18:
        return "medium-high"
    if 12 <= bucket <= 17:
        return "medium"
    return "medium-low" if 7 <= bucket <= 11 else "low"


def write(
    folder: Path, parts: Sequence[Sequence[dict[str, Any]]], with_bytes: bool = False
) -> list[list[Path]]:
    """A store's files: documents with texts, and an annotation of scores."""
    files = []
    for number, rows in enumerate(parts):
        name = f"part-{number:05d}.parquet"
        (folder / "documents").mkdir(parents=True, exist_ok=True)
        (folder / "scores").mkdir(exist_ok=True)
        ids = [row["id"] for row in rows]
        texts = pa.array([row["text"] for row in rows], pa.string())
        pq.write_table(
            pa.table({"id": pa.array(ids, pa.string()), "text": texts}), folder / "documents" / name
        )
        columns = {
            column: pa.array([row[key] for row in rows], pa.float64()) for key, column in COLUMNS.items()
        }
        if with_bytes:
            columns["stats.bytes"] = pa.array([len(row["text"].encode()) for row in rows], pa.int64())
        pq.write_table(pa.table({"id": pa.array(ids, pa.string()), **columns}), folder / "scores" / name)
        files.append([folder / "documents" / name, folder / "scores" / name])
    return files


def found(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def random_rows(count: int, seed: int = 0, ties: bool = False) -> list[dict[str, Any]]:
    source = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        dclm, edu = source.beta(0.3, 2), source.normal(1.5, 1)
        rows.append(
            {
                "id": hashlib.md5(f"{seed}{number}".encode()).hexdigest(),
                "text": "ü" * int(source.pareto(1.2) * 20 + 1),
                "dclm": float(np.round(dclm, 2 if ties else 17)),
                "edu": float(np.float32(edu)),
            }
        )
    return rows


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("with_bytes", [False, True])
def test_the_recipe(tmp_path: Path, ties: bool, with_bytes: bool) -> None:
    rows = random_rows(3000, ties=ties)
    files = write(tmp_path, [rows[:1000], rows[1000:1001], [], rows[1001:]], with_bytes)
    summary = annotate_ensemble(files, tmp_path / "out", Ensemble(COLUMNS))
    weights = [len(row["text"].encode()) for row in rows]
    buckets = {}
    for name in NAMES:
        scores = [row[name] for row in rows]
        expected = twin_thresholds(scores, weights)
        assert list(summary.thresholds[name]) == expected
        buckets[name] = np.digitize(np.array(scores), np.array(expected))
    best = np.maximum(buckets["dclm"], buckets["edu"])
    result = found(tmp_path / "out")
    assert [row["id"] for row in result] == [row["id"] for row in rows]
    assert [row["quality.bucket"] for row in result] == best.tolist()
    for name in NAMES:
        assert [row[f"quality.bucket_{name}"] for row in result] == buckets[name].tolist()
    assert [row["quality.tier"] for row in result] == [twin_tier(bucket) for bucket in best]
    assert summary.sampled == 3000
    assert summary.buckets == {number: int((best == number).sum()) for number in range(BUCKETS)}
    assert sum(summary.tiers.values()) == 3000
    if not ties:
        # A bucket of one classifier holds a twentieth of the bytes, to a document's size.
        sizes = np.bincount(buckets["edu"], weights=weights, minlength=20) / sum(weights)
        assert np.abs(sizes - 0.05).max() < 2 * max(weights) / sum(weights)


SCORES = st.one_of(st.integers(0, 4).map(lambda n: n / 4), st.floats(-10, 10, width=32))


@given(st.lists(st.tuples(SCORES, st.integers(1, 50)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_scores_and_weights(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[float, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [
        {"id": f"{number:032x}", "text": "x" * size, "dclm": score, "edu": -score}
        for number, (score, size) in enumerate(pairs)
    ]
    summary = annotate_ensemble(write(folder, [rows]), folder / "out", Ensemble(COLUMNS))
    sizes = [size for _, size in pairs]
    assert list(summary.thresholds["dclm"]) == twin_thresholds([score for score, _ in pairs], sizes)
    assert list(summary.thresholds["edu"]) == twin_thresholds([-score for score, _ in pairs], sizes)
    for row, source in zip(found(folder / "out"), rows, strict=True):
        # By definition: how many thresholds the score reaches.
        reached = [sum(cut <= source[name] for cut in summary.thresholds[name]) for name in NAMES]
        assert row["quality.bucket"] == max(reached)


def test_missing_scores_take_no_part(tmp_path: Path) -> None:
    rows = random_rows(400)
    for row in rows[::3]:
        row["dclm"] = None
    rows[0]["edu"] = None
    rows[1]["edu"] = math.nan
    summary = annotate_ensemble(write(tmp_path, [rows]), tmp_path / "out", Ensemble(COLUMNS))
    scored = [row for row in rows if row["dclm"] is not None]
    expected = twin_thresholds([row["dclm"] for row in scored], [len(row["text"].encode()) for row in scored])
    assert list(summary.thresholds["dclm"]) == expected
    result = found(tmp_path / "out")
    assert result[0]["quality.bucket"] is None
    assert result[0]["quality.tier"] is None
    assert result[1]["quality.bucket"] == result[1]["quality.bucket_dclm"]
    assert result[1]["quality.bucket_edu"] is None
    assert result[3]["quality.bucket"] == result[3]["quality.bucket_edu"]


def test_a_sample_is_drawn_by_ids_alone(tmp_path: Path) -> None:
    rows = random_rows(4000)
    one = write(tmp_path / "one", [rows])
    many = write(tmp_path / "many", [rows[number::7] for number in range(7)])
    tenth = Ensemble(COLUMNS, sample=0.1, seed=3)
    first = annotate_ensemble(one, tmp_path / "a", tenth)
    again = annotate_ensemble(many, tmp_path / "b", tenth, threads=1, memory_limit="64MB")
    other = annotate_ensemble(one, tmp_path / "c", Ensemble(COLUMNS, sample=0.1, seed=4))
    assert first.thresholds == again.thresholds != other.thresholds
    assert 330 < first.sampled < 470
    bound = f"{int(0.1 * 2**128):032x}"
    chosen = [row for row in rows if hashlib.md5(f"3:{row['id']}".encode()).hexdigest() < bound]
    assert len(chosen) == first.sampled
    weights = [len(row["text"].encode()) for row in chosen]
    assert list(first.thresholds["edu"]) == twin_thresholds([row["edu"] for row in chosen], weights)


def test_a_population_can_be_chosen(tmp_path: Path) -> None:
    rows = random_rows(500)
    where = parse_condition("quality.edu > 1", [*COLUMNS.values()], "ensemble.where")
    summary = annotate_ensemble(write(tmp_path, [rows]), tmp_path / "out", Ensemble(COLUMNS, where=where))
    chosen = [row for row in rows if row["edu"] > 1]
    assert summary.sampled == len(chosen)
    weights = [len(row["text"].encode()) for row in chosen]
    assert list(summary.thresholds["dclm"]) == twin_thresholds([row["dclm"] for row in chosen], weights)
    assert sum(summary.buckets.values()) == 500
    nobody = parse_condition("quality.edu > 1000", [*COLUMNS.values()], "ensemble.where")
    with pytest.raises(UserError, match="no document has a score of 'dclm'"):
        annotate_ensemble(write(tmp_path / "x", [rows]), tmp_path / "y", Ensemble(COLUMNS, where=nobody))


def test_thresholds_of_an_older_crawl(tmp_path: Path) -> None:
    old = annotate_ensemble(write(tmp_path / "old", [random_rows(500)]), tmp_path / "a", Ensemble(COLUMNS))
    file = tmp_path / "thresholds.json"
    file.write_text(json.dumps(as_json(old.thresholds)))
    loaded = read_thresholds(file, NAMES)
    assert loaded == old.thresholds
    rows = random_rows(300, seed=9)
    new = annotate_ensemble(
        write(tmp_path / "new", [rows]), tmp_path / "b", Ensemble(COLUMNS, thresholds=loaded)
    )
    assert (new.thresholds, new.sampled) == (old.thresholds, 0)
    expected = np.digitize([row["edu"] for row in rows], np.array(old.thresholds["edu"]))
    assert [row["quality.bucket_edu"] for row in found(tmp_path / "b")] == expected.tolist()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "not thresholds"),
        ({"dclm": {}}, "'dclm' has no threshold for '5'"),
        ({"dclm": {str(p): 1 - p / 100 for p in PERCENTILES}}, "do not rise"),
        ({"dcml": {}}, "no thresholds of 'dclm'; did you mean 'dcml'"),
    ],
)
def test_wrong_thresholds(content: Any, told: str) -> None:
    with pytest.raises(UserError) as caught:
        from_json(content, ["dclm"], "t.json")
    assert told in str(caught.value)


def test_other_tiers_and_the_edges() -> None:
    thresholds = {"dclm": tuple(p / 100 for p in PERCENTILES)}
    scores = [p / 100 for p in range(0, 100, 5)]
    table = pa.table({"id": [str(n) for n in range(20)], "quality.dclm": scores})
    whole = combine(table, Ensemble({"dclm": "quality.dclm"}), thresholds)
    assert whole.column("quality.bucket").to_pylist() == list(range(20))
    assert whole.column("quality.tier").to_pylist() == [twin_tier(bucket) for bucket in range(20)]
    top = combine(table, Ensemble({"dclm": "quality.dclm"}, tiers={"best": 15}), thresholds)
    assert top.column("quality.tier").to_pylist() == [None] * 15 + ["best"] * 5
    assert [twin_tier(bucket) for bucket in TIERS.values()] == list(TIERS)


def test_an_empty_store(tmp_path: Path) -> None:
    summary = annotate_ensemble(write(tmp_path, [[]]), tmp_path / "out", Ensemble(COLUMNS))
    assert found(tmp_path / "out") == []
    assert as_json(summary.thresholds) == {"dclm": {}, "edu": {}}
    assert annotate_ensemble([], tmp_path / "none", Ensemble(COLUMNS)).sampled == 0

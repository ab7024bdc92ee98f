"""Near duplicates against a slow twin over all pairs; the same bytes whatever the tasks, parts, restarts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.annotators.minhash import MinHash
from filters.base import TextView, annotate_texts
from filters.dedup.base import Job, Part, run_stages
from filters.dedup.minhash import band_keys, family, jaccard
from filters.dedup.near import scratch
from filters.dedup.near.method import Near
from filters.dedup.near.scratch import Files
from filters.dedup.numbering import number_stage
from filters.dedup.shingles import Recipe, shingles
from tests.filters.dedup import jobs
from tests.filters.dedup.jobs import Outcome, by_id, compare, shuffled

PREFER = "score DESC"
WEAK = MinHash(n=1, bands=3, rows=1)
"""Few rows and bands: many candidates, and pairs that only a third document connects."""
FINEWEB = MinHash()


def parts(
    folder: Path, batches: Sequence[Sequence[Mapping[str, Any]]], annotator: MinHash, known: int = 0
) -> tuple[Part, ...]:
    """Parts with the annotator's columns."""
    made = []
    for part in jobs.parts(folder, batches, known=known):
        ids, texts = pq.read_table(part.files[0], columns=["id", "text"]).columns
        table = annotate_texts([annotator], texts.to_pylist())["minhash@1"]
        path = folder / "minhash" / f"{part.name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.add_column(0, "id", ids), path)
        made.append(replace(part, files=(*part.files, str(path))))
    return tuple(made)


def run(
    folder: Path,
    batches: Sequence[Sequence[Mapping[str, Any]]],
    annotator: MinHash = WEAK,
    threshold: float = 0.6,
    *,
    known: int = 0,
    workers: int = 1,
    **options: Any,
) -> Outcome:
    job = Job(parts(folder / "in", batches, annotator, known), str(folder / "work"), PREFER, **options)
    return compare(Near(annotator.recipe, threshold), job, folder, workers)


def twin(
    rows: Sequence[Mapping[str, Any]], recipe: Recipe, threshold: float, by: str | None = None
) -> dict[str, dict[str, Any]]:
    """Every pair of documents looked at, then components, then leaders: the annotation by id."""
    order = sorted(rows, key=lambda row: (-row["score"], row["id"]))
    functions = family(recipe)
    sets = [shingles(TextView(row["text"]), recipe) for row in order]
    bands = [band_keys(found, functions) if len(found) else None for found in sets]
    component = list(range(len(order)))
    for a in range(len(order)):
        for b in range(a + 1, len(order)):
            keys, others = bands[a], bands[b]
            if keys is None or others is None or (by and order[a][by] != order[b][by]):
                continue
            if (keys == others).any() and jaccard(sets[a], sets[b]) >= threshold:
                old, new = component[b], component[a]
                component = [new if label == old else label for label in component]
    found = {}
    left = list(range(len(order)))
    while left:
        leader = left[0]
        similar = {leader: 1.0} | {
            n: jaccard(sets[leader], sets[n])
            for n in left[1:]
            if component[n] == component[leader] and jaccard(sets[leader], sets[n]) >= threshold
        }
        for n, similarity in similar.items():
            found[order[n]["id"]] = {
                "id": order[n]["id"],
                "near.cluster": order[leader]["id"],
                "near.size": len(similar),
                "near.keep": n == leader,
                "near.similarity": similarity,
            }
        left = [n for n in left if n not in similar]
    return found


def ledger(found: Mapping[str, Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The clusters of two or more, by the twin."""
    place = {row["id"]: (-row["score"], row["id"]) for row in rows}
    members = sorted(
        (row for row in found.values() if row["near.size"] > 1),
        key=lambda row: (place[row["near.cluster"]], place[row["id"]]),
    )
    names = ("cluster", "keep", "size", "similarity")
    return [{"id": row["id"], **{name: row[f"near.{name}"] for name in names}} for row in members]


def document(number: int, words: Sequence[int], score: float = 0.0, language: str = "en") -> dict[str, Any]:
    text = " ".join(f"w{chr(97 + word)}" for word in words)
    return {"id": f"{number:03}", "text": text, "score": score, "language": language}


WORDS = st.lists(st.integers(0, 9), max_size=12)
DRAWN = st.lists(
    st.tuples(WORDS, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from(["de", "en"])), max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=DRAWN, threshold=st.sampled_from([0.3, 0.5, 0.75, 1.0]), tasks=st.integers(1, 9), data=st.data())
def test_twin(
    drawn: Any, threshold: float, tasks: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What comes out is what comparing all pairs gives, whatever the order, parts and tasks."""
    rows = [document(number, *one) for number, one in enumerate(drawn)]
    by = data.draw(st.sampled_from([None, "language"]))
    batches = shuffled(rows, data.draw(st.integers(0, 99)), data.draw(st.integers(1, 4)))
    outcome = run(tmp_path_factory.mktemp("near"), batches, threshold=threshold, tasks=tasks, by=by)
    expected = twin(rows, WEAK.recipe, threshold, by)
    assert by_id(outcome) == expected
    assert outcome.ledger == ledger(expected, rows)
    duplicates = sum(not row["near.keep"] for row in expected.values())
    clusters = len({row["near.cluster"] for row in expected.values() if row["near.size"] > 1})
    assert outcome.facts == {"clusters": clusters, "duplicates": duplicates}

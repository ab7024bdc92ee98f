"""Near duplicates against a slow twin over all pairs; the same bytes whatever the tasks, parts, restarts."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.annotators.minhash import MinHash
from filters.base import TextView, annotate_texts
from filters.dedup.base import Job, Part, run_stages
from filters.dedup.minhash import band_keys, family, jaccard
from filters.dedup.near import leaders, pairs, rest, scratch, verify
from filters.dedup.near.forest import flatten
from filters.dedup.near.method import Near
from filters.dedup.near.scratch import Files
from filters.dedup.numbering import number_stage
from filters.dedup.shingles import Recipe, shingles
from tests.filters import samples
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


def crowd(seed: int, count: int) -> list[dict[str, Any]]:
    """Documents that are more or less alike: sets of a few words, most of them another one's with some words
    more or less."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    sets: list[set[int]] = []
    for number in range(count):
        words = set(rng.sample(range(20), rng.randint(0, 10)))
        if sets and rng.random() < 0.8:
            words = rng.choice(sets) ^ set(rng.sample(range(20), rng.randint(0, 3)))
        sets.append(words)
        score, language = rng.choice([0.0, 0.5, 1.0]), rng.choice(["de", "en", "en", "en"])
        rows.append(document(number, sorted(words), score, language))
    return rows


DRAWN = st.builds(crowd, st.integers(0, 1 << 30), st.integers(0, 60))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=DRAWN, threshold=st.sampled_from([0.3, 0.5, 0.75, 1.0]), tasks=st.integers(1, 5), data=st.data())
def test_twin(
    rows: Any, threshold: float, tasks: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What comes out is what comparing all pairs gives, whatever the order, parts and tasks."""
    by = data.draw(st.sampled_from([None, "language"]))
    batches = shuffled(rows, data.draw(st.integers(0, 99)), data.draw(st.integers(1, 4)))
    outcome = run(tmp_path_factory.mktemp("near"), batches, threshold=threshold, tasks=tasks, by=by)
    expected = twin(rows, WEAK.recipe, threshold, by)
    assert by_id(outcome) == expected
    assert outcome.ledger == ledger(expected, rows)
    duplicates = sum(not row["near.keep"] for row in expected.values())
    clusters = len({row["near.cluster"] for row in expected.values() if row["near.size"] > 1})
    assert outcome.facts == {"clusters": clusters, "duplicates": duplicates}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=DRAWN, room=st.integers(1, 40), seed=st.integers(0, 99))
def test_sets_beyond_memory(
    rows: Any, room: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Buckets and components that do not fit in memory are worked through in blocks, to the same end."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (leaders, pairs, rest):
            patch.setattr(module, "room", lambda job: room)
        outcome = run(tmp_path_factory.mktemp("near"), shuffled(rows, seed, 2), threshold=0.4)
    assert by_id(outcome) == twin(rows, WEAK.recipe, 0.4)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=DRAWN, known=st.integers(1, 3), seed=st.integers(0, 99))
def test_older_stores(rows: Any, known: int, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Next to older stores new documents are annotated as if all were new; the ledger tells what changes for
    old ones."""
    batches = shuffled(rows, seed, 4)
    outcome = run(tmp_path_factory.mktemp("near"), batches, threshold=0.4, known=known, tasks=2)
    expected = twin(rows, WEAK.recipe, 0.4)
    new = {row["id"] for batch in batches[known:] for row in batch}
    assert by_id(outcome) == {key: row for key, row in expected.items() if key in new}
    touched = {expected[key]["near.cluster"] for key in new}
    assert outcome.ledger == [row for row in ledger(expected, rows) if row["cluster"] in touched]


def test_three_crawls(tmp_path: Path) -> None:
    """Three stores, each compared with those before it: what each says of its documents is what a run over
    all documents up to then says, and texts that no new document may change are not read again."""
    rows = noisy(4, 240)
    random.Random(5).shuffle(rows)
    batches = [rows[:120], rows[120:230], rows[230:]]
    for known in range(3):
        so_far = [row for batch in batches[: known + 1] for row in batch]
        folder = tmp_path / str(known)
        outcome = run(folder, batches[: known + 1], FINEWEB, known=known)
        expected = twin(so_far, FINEWEB.recipe, 0.6)
        assert by_id(outcome) == {row["id"]: expected[row["id"]] for row in batches[known]}
    whole = run(tmp_path / "whole", batches, FINEWEB)
    new = {row["id"] for row in batches[2]}
    assert outcome.rows == [row for row in whole.rows if row["id"] in new]
    touched = {row["near.cluster"] for row in outcome.rows}
    assert outcome.ledger == [row for row in whole.ledger if row["cluster"] in touched]
    read, all_read = (
        (tmp_path / name / "work/near/1/addresses.bin").stat().st_size for name in ("2", "whole")
    )
    assert read < all_read / 2


def test_equal_to_an_old_one(tmp_path: Path) -> None:
    """A new document that has the shingles of an old one finds the copy that the old one has."""
    words = list(range(12))
    old = [document(0, words, 1.0), document(1, words[:-1], 0.5)]
    new = [document(2, words[:-1])]
    outcome = run(tmp_path, [old, new], known=1)
    expected = twin(old + new, WEAK.recipe, 0.6)
    assert expected["002"]["near.cluster"] == "000"
    assert by_id(outcome) == {"002": expected["002"]}
    assert outcome.ledger == ledger(expected, old + new)


def test_not_compared(tmp_path: Path) -> None:
    """Documents that the condition leaves out have nulls, and are nobody's copy; a text without a word is."""
    words = list(range(10))
    rows = [document(0, words, 1.0), document(1, words), document(2, words, 0.5), document(3, [])]
    outcome = run(tmp_path, [rows, []], where="score < 1")
    nothing = dict.fromkeys(["cluster", "size", "keep", "similarity"])
    assert by_id(outcome)["000"] == {
        "id": "000",
        **{f"near.{name}": value for name, value in nothing.items()},
    }
    rest = twin(rows[1:], WEAK.recipe, 0.6)
    assert [by_id(outcome)[row["id"]] for row in rows[1:]] == [rest[row["id"]] for row in rows[1:]]
    assert [row["id"] for row in outcome.ledger] == ["002", "001"]


def test_nothing(tmp_path: Path) -> None:
    """No part at all, and parts without documents."""
    assert run(tmp_path / "none", []).facts == {"clusters": 0, "duplicates": 0}
    assert run(tmp_path / "empty", [[], []]).rows == []


def noisy(seed: int, documents: int, words: int = 60) -> list[dict[str, Any]]:
    """Documents of which many are copies of others with words changed."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(500)]
    texts: list[list[str]] = []
    for _ in range(documents):
        if texts and rng.random() < 0.6:
            text = list(rng.choice(texts))
            for _ in range(rng.choice([0, 0, 1, 2, 6])):
                text[rng.randrange(len(text))] = rng.choice(vocabulary)
        else:
            text = rng.choices(vocabulary, k=words)
        texts.append(text)
    return [
        {"id": f"{number:05}", "text": " ".join(text), "score": rng.choice([0.0, 0.5])}
        for number, text in enumerate(texts)
    ]


def test_same_bytes(tmp_path: Path) -> None:
    """Order, parts, tasks, workers and an interruption change no byte of annotations and ledger."""
    rows = noisy(1, 300)
    batches = [rows[:100], rows[100:130], rows[130:]]
    first = run(tmp_path / "first", batches, FINEWEB)
    assert by_id(first) == twin(rows, FINEWEB.recipe, 0.6)
    assert 20 < first.facts["clusters"] < first.facts["duplicates"]
    several = run(tmp_path / "several", batches, FINEWEB, tasks=40, workers=2)
    assert several.files == first.files
    other = run(tmp_path / "other", shuffled(rows, 5, 6), FINEWEB, tasks=3)
    assert by_id(other) == by_id(first)
    assert other.files["ledger.parquet"] == first.files["ledger.parquet"]


def test_interrupted(tmp_path: Path) -> None:
    """Whatever files a killed run had finished, it goes on from there to the same bytes, and makes none of
    them again."""
    batches = [noisy(1, 120), noisy(2, 50)]
    batches[1] = [{**row, "id": "x" + row["id"]} for row in batches[1]]
    whole = run(tmp_path / "whole", batches, FINEWEB, tasks=3)
    job = Job(parts(tmp_path / "in", batches, FINEWEB), str(tmp_path / "work"), PREFER, tasks=3)
    method = Near(FINEWEB.recipe, 0.6)
    run_stages([number_stage(job)])
    for stage in method.stages(job):
        ranks = range(0, stage.tasks, 2)
        for rank in ranks:
            list(stage.step.run(None, rank, stage.tasks))
        written = {
            path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*.[bp]*") if path.is_file()
        }
        run_stages([stage])
        assert {path: path.stat().st_mtime_ns for path in written} == written
    again = compare(method, job, tmp_path)
    assert again.files == whole.files


def test_many_alike(tmp_path: Path) -> None:
    """20,000 documents that are all alike: each is compared at most once a band, and once with its leader."""
    rng = random.Random(3)
    vocabulary = ["".join(word) for word in itertools.product("abcdefghij", repeat=4)]
    words = vocabulary[:120]
    count = 20_000
    rows = []
    for number in range(count):
        text = list(words)
        text[rng.randrange(len(text))] = vocabulary[1000 + number % 5000]
        rows.append({"id": f"{number:05}", "text": " ".join(text), "score": 0.0})
    folder = tmp_path / "in"
    job = Job(parts(folder, [rows], FINEWEB), str(tmp_path / "work"), PREFER)
    method = Near(FINEWEB.recipe, 0.8)
    outcome = compare(method, job, tmp_path)
    assert outcome.facts == {"clusters": 1, "duplicates": count - 1}
    files = Files(job, "near")
    bands = FINEWEB.recipe.bands
    assert compared(files.edges("pairs", 0)) < bands * count
    assert sum(compared(files.edges("rest", band)) for band in range(bands)) == 0
    assert compared(files.leaders(0)) < count


def compared(path: Path) -> int:
    """How many pairs a task has compared."""
    return int(pq.read_metadata(path).metadata[b"compared"])


def test_alike_but_for_the_first() -> None:
    """A bucket whose first member is like no other costs the others one comparison each too."""
    count = 3000
    sets = np.concatenate([np.arange(100, 110), *(np.arange(10, 20) for _ in range(count - 1))])
    starts = np.arange(count) * 10
    nodes, forest = np.arange(count), np.arange(count)
    left, right, looked = verify.connect(
        sets.astype(np.uint64), starts, starts + 10, nodes, forest, 0, True, 0, 0.8
    )
    assert looked == len(left) == len(right) == count - 2
    flatten(forest)
    assert forest.tolist() == [0] + [1] * (count - 1)


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.floats(0.01, 1.0))
def test_similarity(left: set[int], right: set[int], threshold: float) -> None:
    """What is at least the threshold is found, exactly as it is; also where sets are long."""
    for factor in (1, 7):
        a, b = (
            np.array(sorted(n * factor + k for n in some for k in range(factor)), np.uint64)
            for some in (left, right)
        )
        exact = jaccard(a, b)
        sets = np.concatenate((a, b))
        for bound in (threshold, exact or 1.0):
            found = verify.similarity(sets, 0, len(a), len(a), len(sets), bound)
            assert found == (exact if exact >= bound else -1.0)


@given(st.sets(st.integers(0, 3000), min_size=1), st.data())
def test_candidates(numbers: set[int], data: st.DataObject) -> None:
    """Ranks and numbers are inverse; what is not in the set is not among it."""
    words = scratch.bitmap(3001)
    inside = np.array(sorted(numbers))
    scratch.mark(words, inside)
    candidates = scratch.Candidates(words)
    assert len(candidates) == len(inside)
    order = np.array(data.draw(st.permutations(range(len(inside)))))
    assert candidates.ranks(inside[order]).tolist() == order.tolist()
    assert candidates.numbers(order).tolist() == inside[order].tolist()
    assert np.flatnonzero(candidates.among(np.arange(-1, 3001))).tolist() == (inside + 1).tolist()


@given(st.integers(1, 3000), st.data())
def test_read_at(count: int, data: st.DataObject) -> None:
    """Values at any places, also of the last, short page."""
    places = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=50)), np.int64)
    with tempfile.NamedTemporaryFile() as file:
        np.arange(count, dtype=np.int64).tofile(file.name)
        assert scratch.read_at(Path(file.name), np.int64, places).tolist() == places.tolist()


@pytest.mark.parametrize("annotator", [FINEWEB, MinHash("nemotron-cc", normalisation="simplified")])
def test_novels(testdata: Path, tmp_path: Path, annotator: MinHash) -> None:
    """The sixteen novels in two editions are found, and no other pair. The editions break lines elsewhere:
    their characters as they are have little in common."""
    novels = list(samples.rows(testdata / "dedup/novels_pairs.jsonl.zst"))
    rows = [{"id": f"{n:02}", "text": novel["text"], "score": 0.0} for n, novel in enumerate(novels)]
    outcome = run(tmp_path, [rows[::2], rows[1::2]], annotator, 0.8)
    pairs: dict[str, set[str]] = {}
    for row, novel in zip(rows, novels, strict=True):
        if novel["pair"] is not None:
            pairs.setdefault(novel["pair"], set()).add(row["id"])
    clusters: dict[str, set[str]] = {}
    for row in outcome.ledger:
        clusters.setdefault(row["cluster"], set()).add(row["id"])
    assert len(pairs) == 16
    assert sorted(map(sorted, clusters.values())) == sorted(map(sorted, pairs.values()))
    assert all(0.8 <= row["similarity"] <= 1.0 for row in outcome.ledger)

"""The ensemble in a store: made at the end of a build, and again when scores or settings change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus import derived
from corpus.annotate import Annotate
from corpus.build import build
from corpus.decide import decide
from corpus.manifest import CorpusManifest
from corpus.report.counts import report
from corpus.store import Store
from filters.quality.ensemble import PERCENTILES
from gristmill.base.errors import UserError
from tests.corpus.stores import contents, crawl, manifest
from tests.filters.quality.models import fasttext_model
from tests.filters.quality.test_ensemble import twin_thresholds, twin_tier


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crawl(tmp_path_factory.mktemp("inputs") / "crawl", 3, 40)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two classifiers as a manifest lists them."""
    folder = tmp_path_factory.mktemp("models")
    chosen = []
    for number, name in enumerate(("one", "two")):
        examples = {"hq": ["mill stone water wheel grain"], "cc": ["page miller town river flour"]}
        path = fasttext_model(folder / f"{name}.bin", examples, seed=number, epoch=1, lr=0.05)
        options = {"model": str(path), "label": "hq"}
        chosen.append({"name": "quality", "as": name, "options": options})
    return chosen


def wanted(store: Path, inputs: Path, models: list[dict[str, Any]], **fields: Any) -> CorpusManifest:
    given = {
        "annotators": ["gopher", *models],
        "ensemble": {"classifiers": ["one", "two"]},
        "policy": {"name": "tiers", "rules": "nemotron-cc-tiers"},
        **fields,
    }
    return manifest(store, [inputs], **given)


def rows(store: Path, *columns: str) -> list[dict[str, Any]]:
    return [row for batch in Store.open(store).documents(columns) for row in batch.to_pylist()]


def test_buckets_and_tiers_of_a_store(tmp_path: Path, inputs: Path, models: list[dict[str, Any]]) -> None:
    summary = build(wanted(tmp_path / "s", inputs, models))
    store = Store.open(tmp_path / "s")
    assert store.verify() == []
    found = rows(tmp_path / "s", "text", "quality.one", "quality.two", "quality.bucket", "quality.tier")
    sizes = [len(row["text"].encode()) for row in found]
    reached = []
    for name in ("one", "two"):
        scores = [row[f"quality.{name}"] for row in found]
        thresholds = twin_thresholds(scores, sizes)
        entry = store.content["annotations"]["ensemble@1"]
        assert [entry["thresholds"][name][str(p)] for p in PERCENTILES] == thresholds
        reached.append(np.digitize(scores, thresholds))
    best = np.maximum(*reached)
    assert [row["quality.bucket"] for row in found] == best.tolist()
    assert [row["quality.tier"] for row in found] == [twin_tier(bucket) for bucket in best]
    assert len(set(best)) > 10
    assert summary.kept == summary.documents
    tiers = report(store)["tiers"]
    assert tiers == {name: count for name, count in entry["tiers"].items() if count}
    assert sum(tiers.values()) == summary.documents
    assert build(wanted(tmp_path / "s", inputs, models)).reused


def test_settings_change_without_touching_documents_or_scores(
    tmp_path: Path, inputs: Path, models: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s"
    build(wanted(store, inputs, models))
    before = contents(store)
    monkeypatch.setattr(Annotate, "run", lambda *_: pytest.fail("documents were annotated again"))
    monkeypatch.setattr("corpus.build._run", lambda *_: pytest.fail("documents were made again"))
    half = {"classifiers": ["one", "two"], "sample": 0.5, "seed": 1, "where": "exact.keep"}
    changed = build(wanted(store, inputs, models, ensemble=half))
    assert not changed.reused
    kept = {
        name: digest for name, digest in contents(store).items() if not name.startswith(("ann", "dec", "sto"))
    }
    assert kept == {name: before[name] for name in kept}
    other = {"classifiers": ["two", "gopher.words"], "tiers": {"top": 15}}
    build(wanted(store, inputs, models, ensemble=other))
    assert set(Store.open(store).schema) >= {"quality.bucket_two", "quality.bucket_gopher_words"}
    none = wanted(store, inputs, models, ensemble=None, policy=None)
    build(none)
    assert "ensemble@1" not in Store.open(store).annotations
    assert not (store / "annotations" / "ensemble@1").exists()
    build(wanted(store, inputs, models))
    assert contents(store) == before


def test_a_new_crawl_uses_the_old_ones_thresholds(
    tmp_path: Path, inputs: Path, models: list[dict[str, Any]]
) -> None:
    build(wanted(tmp_path / "old", inputs, models))
    new = crawl(tmp_path / "new-crawl", 2, 15)
    entry = Store.open(tmp_path / "old").content["annotations"]["ensemble@1"]
    (tmp_path / "t.json").write_text(json.dumps(entry["thresholds"]))
    stores = []
    for name, place in (("a", tmp_path / "old"), ("b", tmp_path / "t.json")):
        ensemble = {"classifiers": ["one", "two"], "thresholds": str(place)}
        build(wanted(tmp_path / name, new, models, ensemble=ensemble))
        stores.append(contents(tmp_path / name))
        assert (
            Store.open(tmp_path / name).content["annotations"]["ensemble@1"]["thresholds"]
            == entry["thresholds"]
        )
    assert stores[0] == stores[1]


def test_workers_and_later_classifiers_give_the_same_bytes(
    tmp_path: Path, inputs: Path, models: list[dict[str, Any]]
) -> None:
    build(wanted(tmp_path / "scratch", inputs, models))
    build(manifest(tmp_path / "s", [inputs], policy=None))
    documents = {path: path.stat().st_mtime_ns for path in (tmp_path / "s" / "documents").iterdir()}
    build(wanted(tmp_path / "s", inputs, models, executor={"type": "local", "workers": 2}))
    assert contents(tmp_path / "s") == contents(tmp_path / "scratch")
    assert documents == {path: path.stat().st_mtime_ns for path in documents}


def test_stopped_while_the_ensemble_is_made(
    tmp_path: Path, inputs: Path, models: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s"
    build(wanted(store, inputs, models))
    before = contents(store)
    other = wanted(store, inputs, models, ensemble={"classifiers": ["one"]})

    def fails(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(derived.ensemble, "annotate_ensemble", fails)
    with pytest.raises(KeyboardInterrupt):
        build(other)
    opened = Store.open(store)
    assert (opened.policies, "ensemble@1" in opened.annotations) == ([], False)
    assert opened.verify() == []
    monkeypatch.undo()
    build(wanted(store, inputs, models))
    assert contents(store) == before
    assert decide(wanted(store, inputs, models)).reused


@pytest.mark.parametrize(
    ("ensemble", "told"),
    [
        (
            {"classifiers": ["one", "tow"]},
            r"ensemble.classifiers\[1\]: unknown column 'quality.tow'; did you",
        ),
        ({"classifiers": ["url", "language.top"]}, r"unknown column 'quality.url'"),
        ({"classifiers": ["one"], "where": "quality.one +"}, "ensemble.where: cannot read the condition"),
        ({"classifiers": ["one"], "where": "quality.one"}, "ensemble.where: .*not true or false"),
        ({"classifiers": ["one"], "thresholds": "nowhere.json"}, "nowhere.json: cannot read thresholds"),
    ],
)
def test_mistakes_are_found_before_any_work(
    tmp_path: Path, inputs: Path, models: list[dict[str, Any]], ensemble: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        build(wanted(tmp_path / "s", inputs, models, ensemble=ensemble))
    assert not (tmp_path / "s" / "documents").exists()


def test_tiers_need_buckets_of_their_own(tmp_path: Path, inputs: Path, models: list[dict[str, Any]]) -> None:
    for tiers in ({"a": 3, "b": 3}, {"a": 20}):
        with pytest.raises(ValueError, match="from 0 to 19"):
            wanted(tmp_path, inputs, models, ensemble={"classifiers": ["one"], "tiers": tiers})

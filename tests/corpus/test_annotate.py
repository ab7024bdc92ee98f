"""Another annotator for a built store: documents stay, and the bytes are those of a build from scratch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from corpus import annotate
from corpus.build import build
from corpus.manifest import CorpusManifest
from corpus.parts import STAGED, WORK
from corpus.store import Store
from gristmill.base.errors import UserError
from tests.corpus.stores import contents, crawl, manifest

COMMAND = [sys.executable, "-m", "gristmill.cli.main", "corpus", "build"]
MORE = ["gopher", "stats", "gopher_repetition"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crawl(tmp_path_factory.mktemp("inputs") / "crawl", 5, 40)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, inputs: Path) -> dict[str, str]:
    """The bytes of a store that was built with all annotators at once."""
    output = tmp_path_factory.mktemp("scratch") / "store"
    build(manifest(output, [inputs], annotators=MORE))
    return contents(output)


def untouched(store: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of every documents and ledger file."""
    files = [*store.glob("documents/*.parquet"), *store.glob("ledger/*.parquet")]
    return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def names(store: Path) -> list[str]:
    """Names of a store's annotations, without their versions."""
    return sorted(name.partition("@")[0] for name in Store.open(store).annotations)


@pytest.mark.parametrize("workers", [1, 2])
def test_added_annotators_give_the_bytes_of_a_build_from_scratch(
    tmp_path: Path, inputs: Path, scratch: dict[str, str], workers: int
) -> None:
    store = tmp_path / "s"
    first = build(manifest(store, [inputs]))
    documents = untouched(store)
    executor = {"type": "local", "workers": workers}
    second = build(manifest(store, [inputs], annotators=MORE, executor=executor))
    assert untouched(store) == documents
    assert contents(store) == scratch
    assert (second.reused, second.reused_parts, second.kept) == (False, 5, first.kept)
    assert second.digest != first.digest
    assert not (store / WORK).exists()
    assert build(manifest(store, [inputs], annotators=MORE)).reused


def test_removed_annotators_are_dropped_and_nothing_is_computed(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s"
    build(manifest(tmp_path / "plain", [inputs]))
    build(manifest(store, [inputs], annotators=MORE))
    documents = untouched(store)
    monkeypatch.setattr(annotate.Annotate, "run", lambda *_: pytest.fail("something was computed"))
    build(manifest(store, [inputs]))
    assert untouched(store) == documents
    assert contents(store) == contents(tmp_path / "plain")
    assert names(store) == ["exact", "exact_hash", "gopher"]


def test_changed_options_replace_a_column(tmp_path: Path, inputs: Path) -> None:
    other = [{"name": "gopher", "options": {"stop_words": ["mill"]}}]
    build(manifest(tmp_path / "scratch", [inputs], annotators=other))
    build(manifest(tmp_path / "s", [inputs]))
    documents = untouched(tmp_path / "s")
    before = contents(tmp_path / "s")
    build(manifest(tmp_path / "s", [inputs], annotators=other))
    assert untouched(tmp_path / "s") == documents
    assert contents(tmp_path / "s") == contents(tmp_path / "scratch") != before


def test_an_early_drop_that_reads_the_annotator_forces_a_rebuild(tmp_path: Path, inputs: Path) -> None:
    early = [{"drop": "gopher.words < 100", "reason": "short"}]
    build(manifest(tmp_path / "s", [inputs], early_drop=early))
    other = [{"name": "gopher", "options": {"stop_words": ["mill"]}}]
    with pytest.raises(UserError, match=r"changed: early_drop\)"):
        build(manifest(tmp_path / "s", [inputs], early_drop=early, annotators=other))
    documents = untouched(tmp_path / "s")
    build(manifest(tmp_path / "s", [inputs], early_drop=early, annotators=["gopher", "stats"]))
    assert untouched(tmp_path / "s") == documents
    build(manifest(tmp_path / "t", [inputs], early_drop=early, annotators=["gopher", "stats"]))
    assert contents(tmp_path / "s") == contents(tmp_path / "t")


def start(file: Path) -> subprocess.Popen[bytes]:
    log = file.with_suffix(".log").open("ab")
    return subprocess.Popen([*COMMAND, str(file)], start_new_session=True, stdout=log, stderr=log)


@pytest.mark.parametrize("workers", [1, 2])
def test_kill_in_the_middle(tmp_path: Path, inputs: Path, scratch: dict[str, str], workers: int) -> None:
    """Killed when some parts have the new annotations: the store is the old one, until it is the new one."""
    store, file = tmp_path / "s", tmp_path / "m.yaml"
    build(manifest(store, [inputs]))
    documents, before = untouched(store), contents(store)
    wanted = manifest(store, [inputs], annotators=MORE, executor={"type": "local", "workers": workers})
    file.write_text(yaml.safe_dump(wanted.model_dump(mode="json", exclude_none=True)))
    kills = 0
    for staged in (1, 4):
        process = start(file)
        while process.poll() is None and len(list((store / STAGED).glob("*/*/part-*.parquet"))) < staged:
            time.sleep(0.002)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        if (store / "store.json").exists():
            opened = Store.open(store)
            assert opened.verify() == []
            assert names(store) == ["exact", "exact_hash", "gopher"]
            unchanged = {name: digest for name, digest in contents(store).items() if name in before}
            assert unchanged == before
    assert kills
    process = start(file)
    assert process.wait() == 0, file.with_suffix(".log").read_text()
    assert untouched(store) == documents
    assert contents(store) == scratch


def test_stopped_while_the_files_are_moved(
    tmp_path: Path, inputs: Path, scratch: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s"
    build(manifest(store, [inputs]))
    real, calls = annotate.move, iter(range(100))

    def fails(path: Path, target: Path) -> None:
        if next(calls) == 4:
            raise KeyboardInterrupt
        real(path, target)

    monkeypatch.setattr(annotate, "move", fails)
    with pytest.raises(KeyboardInterrupt):
        build(manifest(store, [inputs], annotators=MORE))
    with pytest.raises(UserError, match="unfinished document store"):
        Store.open(store)
    monkeypatch.undo()
    monkeypatch.setattr(annotate.Annotate, "run", lambda *_: pytest.fail("something was computed again"))
    build(manifest(store, [inputs], annotators=MORE))
    assert contents(store) == scratch


def test_a_build_that_was_stopped_goes_on_with_more_annotators(
    tmp_path: Path, inputs: Path, scratch: dict[str, str]
) -> None:
    """Parts that are there get what they lack; the others are made with everything."""
    store, file = tmp_path / "s", tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(manifest(store, [inputs]).model_dump(mode="json", exclude_none=True)))
    process = start(file)
    while process.poll() is None and len(list((store / WORK / "done").glob("*.json"))) < 2:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list((store / WORK / "done").glob("*.json")))
    summary = build(manifest(store, [inputs], annotators=MORE))
    assert summary.reused_parts == done
    assert contents(store) == scratch


def test_annotators_see_the_same_fields_later(tmp_path: Path) -> None:
    """What a source gives beside the text comes back as it was, whatever JSON makes of it."""
    rows = [
        {
            "text": "one",
            "url": "http://a.b/",
            "fetched_at": "2024-05-06T07:08:09Z",
            "depth": 3,
            "tags": ["a"],
        },
        {"text": "two", "score": 0.1, "nested": {"x": [1, None]}, "tier": "own", "language": "de"},
        {"text": "three", "wide": 2**70, "odd": "\ud800", "number": float("nan")},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seen: list[dict[str, Any]] = []

    class Spy:
        name, version, columns = "spy", "1", {}

        def annotate(self, views: Any, documents: Any) -> dict[str, Any]:
            seen.extend(dict(document) for document in documents)
            return {}

    from filters import registry

    registry.ANNOTATORS["spy"] = Spy
    try:
        fields = {"source": {"type": "jsonl", "paths": [str(file)]}, "dedup": None, "policy": None}
        build(manifest(tmp_path / "s", [], annotators=["spy"], **fields))
        first, seen[:] = list(seen), []
        build(manifest(tmp_path / "s", [], annotators=["stats"], **fields))
        build(manifest(tmp_path / "s", [], annotators=["spy"], **fields))
    finally:
        del registry.ANNOTATORS["spy"]
    assert len(first) == 3
    assert seen == first


def test_the_same_annotator_under_two_names(tmp_path: Path, inputs: Path) -> None:
    twice = ["gopher", {"name": "gopher", "as": "mill", "options": {"stop_words": ["mill"]}}]
    build(manifest(tmp_path / "s", [inputs], annotators=twice))
    store = Store.open(tmp_path / "s")
    assert names(tmp_path / "s") == ["exact", "exact_hash", "gopher", "gopher.mill"]
    assert {"gopher.stop_words", "mill.stop_words"} <= set(store.schema)
    (folder,) = (tmp_path / "s" / "annotations").glob("gopher.mill@*")
    schema = pq.read_schema(folder / "part-00000.parquet")
    assert schema.names[0] == "id"
    assert all(name.startswith("mill.") for name in schema.names[1:])
    for annotators, message in (
        (["gopher", "gopher"], "annotator 'gopher' is listed twice"),
        ([{"name": "gopher", "as": "a"}] * 2, "annotator 'gopher' as 'a' is listed twice"),
        ([{"name": "gopher", "as": "A-b"}], "should match pattern"),
    ):
        with pytest.raises(ValueError, match=message):
            manifest(tmp_path / "t", [inputs], annotators=annotators)
    clash = ["stats", {"name": "gopher", "as": "stats"}]
    with pytest.raises(UserError, match=r"annotators\[1\]: 'gopher.stats' writes the column 'stats.words'"):
        build(manifest(tmp_path / "t", [inputs], annotators=clash, dedup=None, policy=None))


def test_a_manifest_with_a_label_survives_its_own_dump(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, [tmp_path], annotators=[{"name": "gopher", "as": "mill"}])
    assert CorpusManifest.model_validate(wanted.model_dump(mode="json")) == wanted

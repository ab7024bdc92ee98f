"""Deduplication as a manifest asks for it: over a whole store, in any order, again and again, against older
stores."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.build import build
from corpus.copies import Copies
from corpus.derived import in_order
from corpus.inspect import inspect
from corpus.manifest import CorpusManifest
from corpus.store import LEDGERS, Store
from filters.dedup.near.method import Near
from gristmill.base.errors import UserError
from gristmill.cli.main import run_app
from gristmill.manifests import Tree, validate
from tests.corpus.stores import contents

WORDS = [
    first + second for first in ("mo", "ka", "ri", "tel", "an") for second in ("da", "sun", "pe", "lor", "")
]
DEDUP = ["exact", {"method": "near", "where": "exact.keep"}]
RULES = [{"drop": "NOT exact.keep", "reason": "exact"}, {"drop": "NOT near.keep", "reason": "near"}]


def texts(count: int = 120) -> list[dict[str, Any]]:
    """Texts, of which a third are copies of others, exact or with a few words changed."""
    choose = random.Random(5)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        words = choose.choices(WORDS, k=choose.randint(60, 120))
        if number % 3 == 2:
            words = choose.choice(rows)["text"].split()
            for _ in range(choose.choice([0, 1, 2])):
                words[choose.randrange(len(words))] = "changed"
        key = f"doc-{number:03}"
        rows.append({"id": key, "key": key, "text": " ".join(words), "score": choose.random()})
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def manifest(output: Path, paths: list[Path], **fields: Any) -> CorpusManifest:
    return CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "copies",
            "output": str(output),
            "source": {"type": "jsonl", "paths": list(map(str, paths)), "id": "id"},
            "dedup": DEDUP,
            "policy": {"name": "once", "rules": RULES},
            "executor": {"type": "local", "workers": 1},
            **fields,
        }
    )


def values(store: Path, *columns: str) -> dict[str, tuple[Any, ...]]:
    """The columns by the id that the source gave."""
    names = ["metadata", *columns]
    found = {}
    for batch in Store.open(store).documents(names):
        for row in batch.to_pylist():
            found[json.loads(row["metadata"])["key"]] = tuple(row[name] for name in columns)
    return found


COLUMNS = ("exact.keep", "exact.size", "near.keep", "near.size", "near.similarity")


def test_what_is_kept_depends_on_the_documents_alone(tmp_path: Path) -> None:
    rows = texts()
    order = "metadata->>'$.score' DESC"
    expected = None
    for number, (parts, workers, tasks) in enumerate([(1, 1, 1), (4, 1, 3), (3, 2, 2)]):
        random.Random(number).shuffle(rows)
        files = [write(tmp_path / f"{number}-{part}.jsonl", rows[part::parts]) for part in range(parts)]
        dedup = {"methods": DEDUP, "prefer": order, "tasks": tasks}
        executor = {"type": "local", "workers": workers}
        summary = build(manifest(tmp_path / f"s{number}", files, dedup=dedup, executor=executor))
        found = values(tmp_path / f"s{number}", *COLUMNS)
        expected = expected or found
        assert found == expected
    assert summary.dropped["once:exact"] > 5
    assert summary.dropped["once:near"] > 5
    # The best copy by the order asked for is the one that is kept.
    scores = {row["id"]: row["score"] for row in rows}
    same: dict[str, list[str]] = {}
    for row in rows:
        same.setdefault(row["text"], []).append(row["id"])
    for ids in same.values():
        best = max(ids, key=lambda key: scores[key])
        assert [key for key in ids if expected is not None and expected[key][0]] == [best]


def test_only_what_changed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write(tmp_path / "a.jsonl", texts())]
    target = tmp_path / "s"
    build(manifest(target, files))
    assert build(manifest(target, files)).reused
    made: list[str] = []
    write_copies = Copies.write

    def noted(self: Copies, *arguments: Any) -> Any:
        made.append(self.folder)
        return write_copies(self, *arguments)

    monkeypatch.setattr(Copies, "write", noted)
    # Rules, and an annotator that no method reads.
    rules = [{"drop": "NOT near.keep", "reason": "near"}]
    build(manifest(target, files, policy={"name": "once", "rules": rules}))
    build(manifest(target, files, annotators=["gopher"]))
    assert made == []
    stricter = ["exact", {"method": "near", "where": "exact.keep", "threshold": 0.9}]
    build(manifest(target, files, annotators=["gopher"], dedup=stricter))
    assert made == ["near@1"]
    # Another order of exact copies changes what is compared next.
    other = ["exact", {"method": "near", "where": "exact.keep", "threshold": 0.9}]
    build(manifest(target, files, dedup={"methods": other, "prefer": "id DESC"}))
    assert made[1:] == ["exact@1", "near@1"]
    build(manifest(target, files, dedup="exact", policy=None))
    assert not list((target / "annotations").glob("near@*"))
    assert not (target / LEDGERS / "near@1.parquet").exists()
    build(manifest(tmp_path / "again", files, dedup="exact", policy=None))
    assert contents(target) == contents(tmp_path / "again")
    assert not Store.open(target).verify()


def test_an_interrupted_comparison_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write(tmp_path / f"{part}.jsonl", texts()[part::2]) for part in range(2)]
    build(manifest(tmp_path / "whole", files))

    def fail(self: Near, *arguments: Any) -> Any:
        raise RuntimeError("the power fails")

    with monkeypatch.context() as patched:
        patched.setattr(Near, "conclude", fail)
        with pytest.raises(RuntimeError, match="the power fails"):
            build(manifest(tmp_path / "s", files))
    with pytest.raises(UserError, match="unfinished"):
        Store.open(tmp_path / "s")
    numbers = list((tmp_path / "s").rglob("near@1/numbers/documents.parquet"))
    assert len(numbers) == 1
    with monkeypatch.context() as patched:
        # What is done is not done again.
        patched.setattr("filters.dedup.numbering._number", fail)
        build(manifest(tmp_path / "s", files))
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")


def test_against_an_older_store_is_as_from_scratch(tmp_path: Path) -> None:
    rows = texts()
    old, new = write(tmp_path / "old.jsonl", rows[:70]), write(tmp_path / "new.jsonl", rows[70:])
    methods = ["exact", "near"]
    order = "metadata->>'$.score' DESC"
    both = manifest(tmp_path / "both", [old, new], dedup={"methods": methods, "prefer": order})
    build(both)
    build(manifest(tmp_path / "old", [old], dedup={"methods": methods, "prefer": order}))
    dedup = {"methods": methods, "prefer": order, "against": [str(tmp_path / "old")]}
    wanted = manifest(tmp_path / "new", [new], dedup=dedup)
    build(wanted)
    assert build(wanted).reused
    scratch, found = values(tmp_path / "both", *COLUMNS), values(tmp_path / "new", *COLUMNS)
    assert len(found) == 50
    assert found == {key: scratch[key] for key in found}
    assert any(not row[0] or not row[2] for row in found.values())
    # The same stores another time: an older store that changes is another comparison.
    build(manifest(tmp_path / "old", [old], dedup={"methods": methods, "prefer": "id"}))
    assert build(wanted).reused
    plain = manifest(tmp_path / "old", [old], dedup=None, policy=None)
    build(plain)
    with pytest.raises(UserError, match=r"no annotation 'exact_hash@1' of the same options; add the same"):
        build(wanted)


def test_a_document_is_shown_with_its_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.jsonl", texts())
    repeated = {"method": "repeated", "unit": "sentence", "window": 1, "as": "twice"}
    build(manifest(tmp_path / "s", [file], dedup=["exact", "near", repeated]))
    store = Store.open(tmp_path / "s")
    rows = [
        row
        for batch in store.documents(["id", "near.keep", "near.cluster", "twice.spans"])
        for row in batch.to_pylist()
    ]
    lost = next(row for row in rows if not row["near.keep"])
    copies = inspect(store, lost["id"])["copies"]
    assert copies["near"][0]["id"] == lost["near.cluster"]
    assert {row["id"]: row["keep"] for row in copies["near"]} == {
        row["id"]: row["near.keep"] for row in rows if row["near.cluster"] == lost["near.cluster"]
    }
    cut = next(row for row in rows if row["twice.spans"])
    spans = inspect(store, cut["id"])["copies"]["twice"]
    assert [(span["start"], span["end"]) for span in spans] == [
        (span["start"], span["end"]) for span in cut["twice.spans"]
    ]
    (tmp_path / "m.yaml").write_text(json.dumps(manifest(tmp_path / "s", [file]).model_dump(mode="json")))
    assert run_app(["corpus", "inspect", str(tmp_path / "m.yaml"), lost["id"]]) == 0
    assert f"kept {lost['near.cluster']}" in capsys.readouterr().out


def test_pieces_are_cut_in_a_store_made_of_this_one(tmp_path: Path) -> None:
    lines = ["Menu: home, mail, about us.", "All rights reserved."]
    pages = [f"{lines[0]}\nNothing is like number {word}.\n{lines[1]}" for word in ("one", "two", "three")]
    rows = [{"id": str(n), "key": str(n), "text": text} for n, text in enumerate([*pages, "\n".join(lines)])]
    file = write(tmp_path / "a.jsonl", rows)
    repeated = {"method": "repeated", "unit": "line", "keep": "none", "least_documents": 3}
    build(manifest(tmp_path / "s", [file], dedup=[repeated], policy=None))
    source = {"type": "store", "path": str(tmp_path / "s"), "cut": ["repeated.spans"]}
    summary = build(manifest(tmp_path / "t", [], source=source, dedup=None, policy=None))
    found = [
        text for batch in Store.open(tmp_path / "t").documents(["text"]) for text in batch["text"].to_pylist()
    ]
    assert [text.strip() for text in found] == [
        f"Nothing is like number {word}." for word in ("one", "two", "three")
    ]
    assert summary.dropped == {"cut:nothing_left": 1}
    assert summary.masked["cut"] >= 6
    with pytest.raises(UserError, match=r"source.cut: .*'repeated.share' holds no spans"):
        build(
            manifest(
                tmp_path / "u", [], source={**source, "cut": ["repeated.share"]}, dedup=None, policy=None
            )
        )


@pytest.mark.parametrize(
    ("dedup", "message"),
    [
        (["exact", "exact"], "two methods are called 'exact'; `as:` gives one another name"),
        (["exakt"], "'dedup.0'"),
        ([{"method": "neer"}], "'dedup.0.method': unknown 'neer'"),
        ([{"method": "near", "treshold": 0.8}], "did you mean 'threshold'"),
        ({"methods": ["near"], "prefered": "id"}, "did you mean 'prefer'"),
        ([{"method": "near", "threshold": 2}], "dedup.0.threshold"),
        ("near@1", "'exact', 'url', 'near'"),
    ],
)
def test_mistakes_in_a_manifest(dedup: Any, message: str, tmp_path: Path) -> None:
    tree = Tree(manifest(tmp_path / "s", [tmp_path]).model_dump(mode="json", exclude={"dedup"}))
    tree.values["dedup"] = dedup
    with pytest.raises(UserError) as error:
        build(validate(tree, CorpusManifest))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("dedup", "message"),
    [
        ([{"method": "exact", "where": "near.keeep"}], "dedup.methods[0].where: unknown column"),
        ([{"method": "exact", "where": "url"}], "not true or false"),
        ([{"method": "exact", "prefer": "url; DROP TABLE x"}], "dedup.methods[0].prefer: "),
        ({"methods": ["exact"], "prefer": "txt"}, "dedup.prefer: unknown column 'txt'; did you mean 'text'"),
        (["exact", {"method": "exact", "as": "other", "where": "third.keep"},
          {"method": "exact", "as": "third", "where": "other.keep"}], "'other', 'third' read each other's"),
        ({"methods": ["exact"], "against": ["nowhere"]}, "nowhere: no document store"),
    ],
)  # fmt: skip
def test_mistakes_in_columns(dedup: Any, message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", texts(3))
    with pytest.raises(UserError) as error:
        build(manifest(tmp_path / "s", [file], dedup=dedup, policy=None))
    assert message in str(error.value)


class Made:
    """A derived annotation that is never made."""

    def __init__(self, name: str, *reads: str) -> None:
        self.folder, self.columns, self.reads = f"{name}@1", {f"{name}.x": pa.int64()}, frozenset(reads)


def test_whatever_reads_comes_later() -> None:
    wanted: list[Any] = [Made("near", "quality.x", "exact.x"), Made("quality", "score"), Made("exact")]
    assert [one.folder for one in in_order(wanted)] == ["quality@1", "exact@1", "near@1"]
    assert [one.folder for one in in_order(wanted[:0])] == []

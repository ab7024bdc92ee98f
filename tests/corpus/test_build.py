"""From a manifest to a store: the same bytes every time, nothing done twice, nothing lost without a word."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus import build as building
from corpus.build import build
from corpus.decide import decide
from corpus.executors import LOGS
from corpus.inspect import inspect
from corpus.manifest import CorpusManifest
from corpus.parts import WORK
from corpus.report.counts import render, report
from corpus.schema import DOCUMENTS
from corpus.store import Store
from filters.rules import load_ruleset
from gristmill.base.errors import UserError
from gristmill.base.progress import Silent
from tests.corpus.archives import pack, pages, prose
from tests.corpus.stores import RULES, contents, crawl, manifest


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crawl(tmp_path_factory.mktemp("inputs") / "crawl")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, inputs: Path) -> Path:
    """A store nobody writes into."""
    output = tmp_path_factory.mktemp("built") / "store"
    build(manifest(output, [inputs]))
    return output


def test_summary_and_store(tmp_path: Path, inputs: Path) -> None:
    summary = build(manifest(tmp_path / "s", [inputs]))
    assert (summary.records, summary.documents, summary.kept) == (4 * 33, 4 * 32, 4 * 32 - 4 - 3)
    assert summary.dropped == {"read:http_status": 4, "strict:duplicate": 3, "strict:short": 4}
    assert (summary.parts, summary.exit_code, summary.reused) == (4, 0, False)
    store = Store.open(tmp_path / "s")
    assert store.digest == summary.digest
    assert store.annotations == ["exact@1", "exact_hash@1", "gopher@2"]
    assert [part.rows for part in store.parts] == [32] * 4
    assert store.verify() == []
    assert not (tmp_path / "s" / WORK).exists()
    assert pq.read_schema(tmp_path / "s/documents/part-00000.parquet").equals(DOCUMENTS)


def test_a_second_build_does_nothing(tmp_path: Path, inputs: Path) -> None:
    wanted = manifest(tmp_path / "s", [inputs])
    first = build(wanted)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*.parquet")}
    second = build(wanted)
    assert second.reused
    assert (second.digest, second.kept, second.dropped) == (first.digest, first.kept, first.dropped)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "s").rglob("*.parquet")}


@pytest.mark.parametrize("workers", [2, 3])
def test_bytes_do_not_depend_on_workers_or_places(
    tmp_path: Path, inputs: Path, built: Path, workers: int
) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in inputs.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    build(manifest(tmp_path / "s", [moved], executor={"type": "local", "workers": workers}))
    assert contents(tmp_path / "s") == contents(built)


def test_touched_inputs_are_compared_by_their_bytes(tmp_path: Path) -> None:
    inputs = crawl(tmp_path / "crawl", 2, 3)
    wanted = manifest(tmp_path / "s", [inputs])
    build(wanted)
    path = inputs / "crawl-1.warc.gz"
    os.utime(path, ns=(1, 1))
    assert build(wanted).reused
    data = bytearray(path.read_bytes())
    data[4] ^= 1  # the time in the gzip header: same size, same records, other bytes
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"changed: inputs"):
        build(wanted)
    (inputs / "crawl-2.warc.gz").write_bytes(pack(pages(2), "members"))
    with pytest.raises(UserError, match=r"changed: inputs"):
        build(wanted)
    summary = build(wanted, rebuild=True)
    assert (summary.parts, summary.reused) == (3, False)


def test_a_changed_manifest_is_refused_and_named(tmp_path: Path, inputs: Path) -> None:
    build(manifest(tmp_path / "s", [inputs]))
    before = contents(tmp_path / "s")
    extract = {"engine": "resiliparse", "main_content": False}
    source = {"type": "warc", "paths": [str(inputs)], "extract": extract}
    with pytest.raises(UserError, match=r"changed: source\)"):
        build(manifest(tmp_path / "s", [inputs], source=source))
    with pytest.raises(UserError, match=r"changed: early_drop\).*--rebuild"):
        build(manifest(tmp_path / "s", [inputs], early_drop=[{"drop": "url IS NULL", "reason": "no_url"}]))
    assert contents(tmp_path / "s") == before
    build(manifest(tmp_path / "s", [inputs], source=source, annotators=["stats"], policy=None), rebuild=True)
    assert Store.open(tmp_path / "s").annotations == ["exact@1", "exact_hash@1", "stats@2"]
    assert not (tmp_path / "s" / "decisions" / "strict").exists()


def test_changed_rules_only_decide_again(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(manifest(tmp_path / "s", [inputs]))
    monkeypatch.setattr(building, "_run", lambda *_: pytest.fail("documents were made again"))
    policy = {"name": "strict", "rules": [{"drop": "gopher.words < 400", "reason": "short"}]}
    second = build(manifest(tmp_path / "s", [inputs], policy=policy))
    assert second.kept != first.kept
    assert second.digest != first.digest
    assert not second.reused
    # Another policy beside it; and back again, with the first digest when the second policy is gone.
    other = build(manifest(tmp_path / "s", [inputs], policy={"name": "lax", "rules": []}))
    assert other.kept == other.documents
    assert Store.open(tmp_path / "s").policies == ["lax", "strict"]
    # Another choice among duplicates touches the annotation and the decisions.
    latest = {"methods": ["exact"], "prefer": "url DESC"}
    third = build(manifest(tmp_path / "s", [inputs], dedup=latest))
    assert not third.reused
    assert third.kept == first.kept
    assert third.digest != first.digest
    assert build(manifest(tmp_path / "s", [inputs], dedup=latest)).reused
    assert Store.open(tmp_path / "s").verify() == []


def test_decide_is_idempotent_and_mends(tmp_path: Path, inputs: Path) -> None:
    wanted = manifest(tmp_path / "s", [inputs])
    summary = build(wanted)
    before = contents(tmp_path / "s")
    again = decide(wanted)
    assert (again.reused, again.kept, again.digest) == (True, summary.kept, summary.digest)
    assert again.tiers == {"long": summary.kept}
    (tmp_path / "s" / "decisions" / "strict" / "part-00001.parquet").write_bytes(b"damaged")
    mended = decide(wanted)
    assert not mended.reused
    assert contents(tmp_path / "s") == before
    with pytest.raises(UserError, match=r"unknown column 'gopher.wrds'.*gopher.words"):
        decide(
            manifest(
                tmp_path / "s",
                [inputs],
                policy={"name": "x", "rules": [{"drop": "gopher.wrds < 3", "reason": "a"}]},
            )
        )
    with pytest.raises(UserError, match="no policy"):
        decide(manifest(tmp_path / "s", [inputs], policy=None))
    with pytest.raises(UserError, match="no document store"):
        decide(manifest(tmp_path / "none", [inputs]))
    assert contents(tmp_path / "s") == before


def test_early_drop_keeps_id_and_reason_and_no_text(tmp_path: Path, inputs: Path, built: Path) -> None:
    early = [{"drop": "gopher.words < 100", "reason": "short"}]
    summary = build(manifest(tmp_path / "s", [inputs], early_drop=early))
    assert summary.documents == 4 * 31
    assert summary.dropped["early_drop:short"] == 4
    store, full = Store.open(tmp_path / "s"), Store.open(built)
    lost = [row for row in store.ledger().to_pylist() if row["stage"] == "early_drop"]
    short = {
        row
        for batch in full.documents(("id",), where="gopher.words < 100")
        for row in batch["id"].to_pylist()
    }
    assert {row["id"] for row in lost} == short
    assert all(row["offset"] is not None and row["input"].startswith("crawl-") for row in lost)
    assert inspect(store, lost[0]["id"])["ledger"] == [lost[0]]


def test_incomplete_inputs_are_named_again_and_can_be_retried(tmp_path: Path) -> None:
    inputs = crawl(tmp_path / "crawl", 3, 10)
    path = inputs / "crawl-1.warc.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    wanted = manifest(tmp_path / "s", [inputs])
    first = build(wanted)
    assert first.exit_code == 1
    assert [lost[:2] for lost in first.incomplete] == [["crawl-1.warc.gz", "truncated"]]
    again = build(wanted)
    assert (again.reused, again.exit_code, again.incomplete) == (True, 1, first.incomplete)
    stamps = {
        part: (tmp_path / f"s/documents/part-0000{part}.parquet").stat().st_mtime_ns for part in (0, 1, 2)
    }
    retried = build(wanted, retry=True)
    assert (retried.reused, retried.exit_code, retried.digest) == (False, 1, first.digest)
    after = {
        part: (tmp_path / f"s/documents/part-0000{part}.parquet").stat().st_mtime_ns for part in (0, 1, 2)
    }
    assert [part for part in after if after[part] != stamps[part]] == [1]


def test_mistakes_are_found_before_any_work(tmp_path: Path, inputs: Path) -> None:
    output = tmp_path / "s"
    for fields, message in [
        ({"annotators": ["gopfer"]}, r"annotators\[0\]: unknown annotator 'gopfer'; did you mean 'gopher'"),
        ({"policy": {"name": "x", "rules": "no-such"}}, "unknown rule set 'no-such'"),
        ({"policy": {"name": "x", "rules": [{"drop": "words", "reason": "a"}]}}, "unknown column 'words'"),
        ({"early_drop": [{"drop": "exact.keep", "reason": "a"}]}, "unknown column 'exact.keep'"),
        ({"source": {"type": "warc", "paths": [str(tmp_path / "x.warc")]}}, "nothing to read there"),
    ]:
        with pytest.raises(UserError, match=message):
            build(manifest(output, [inputs], **fields))
    assert not (output / "documents").exists()


def test_two_writers_do_not_meet(tmp_path: Path, inputs: Path) -> None:
    from corpus.lock import lock

    with lock(tmp_path / "s"), pytest.raises(UserError, match="another command is writing"):
        build(manifest(tmp_path / "s", [inputs]))


def test_reading_a_store(built: Path) -> None:
    store = Store.open(built)
    batches = list(
        store.documents(("id", "gopher.words", "text"), where="gopher.words > 100 AND url LIKE '%/1%'")
    )
    table = pa.Table.from_batches(batches)
    assert table.column_names == ["id", "gopher.words", "text"]
    urls = [row for batch in store.documents(("url", "gopher.words")) for row in batch.to_pylist()]
    wanted = [
        row for row in urls if row["url"].startswith("http://example.org/1") and row["gopher.words"] > 100
    ]
    assert table.num_rows == len(wanted) == 42
    kept = [
        row for batch in store.documents(("id", "tier", "text"), policy="strict") for row in batch.to_pylist()
    ]
    assert len(kept) == 4 * 32 - 7
    assert {row["tier"] for row in kept} == {"long"}
    everything = [row for batch in store.documents() for row in batch.to_pylist()]
    order = {row["id"]: number for number, row in enumerate(everything)}
    assert [order[row["id"]] for row in kept] == sorted(order[row["id"]] for row in kept)
    assert sum(b.num_rows for b in store.documents(("gopher.words",), parts=["part-00002"])) == 32
    for call, message in [
        (
            lambda: store.documents(("gopher.wrds",)),
            "unknown column 'gopher.wrds'; did you mean 'gopher.words'",
        ),
        (
            lambda: store.documents(policy="strikt"),
            "no decisions of a policy 'strikt'; did you mean 'strict'",
        ),
        (lambda: store.documents(where="txt = ''"), "unknown column 'txt'"),
        (lambda: store.documents(where="gopher.words"), "not true or false"),
    ]:
        with pytest.raises(UserError, match=message):
            next(iter(call()))


def test_a_store_is_read_without_our_code(built: Path) -> None:
    count = (
        duckdb.connect()
        .execute(
            f"""SELECT count(*) FROM '{built}/documents/*.parquet'
            JOIN '{built}/annotations/gopher@2/*.parquet' USING (id)
            JOIN '{built}/decisions/strict/*.parquet' USING (id) WHERE keep AND "gopher.words" > 100"""
        )
        .fetchall()
    )
    assert count == [(4 * 32 - 7,)]
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(built / "documents")
    assert len(frame) == 4 * 32
    assert json.loads(frame.metadata[0])["title"] == "Page 0"
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(
        "parquet", data_files=f"{built}/documents/*.parquet", split="train", streaming=True
    )
    assert next(iter(rows))["text"].startswith("# Page 0")


def test_nothing_in_a_store_tells_of_the_machine(built: Path, inputs: Path) -> None:
    import socket

    for path in built.rglob("*"):
        if path.is_file() and LOGS not in path.parts:
            data = path.read_bytes()
            for secret in (str(inputs.parent), str(built.parent), str(Path.cwd()), socket.gethostname()):
                if len(secret) > 5:
                    assert secret.encode() not in data, path


def test_digest_follows_the_contents(tmp_path: Path, inputs: Path, built: Path) -> None:
    store = Store.open(built)
    other = build(manifest(tmp_path / "s", [inputs], policy={"name": "strict", "rules": RULES[:2]}))
    assert other.digest != store.digest
    # A description is no content.
    same = build(manifest(tmp_path / "t", [inputs], description="Something else."))
    assert same.digest == store.digest
    file = tmp_path / "t" / "annotations" / "gopher@2" / "part-00002.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    (wrong,) = Store.open(tmp_path / "t").verify()
    assert wrong.startswith("annotations/gopher@2/part-00002.parquet: expected")


def test_unfinished_and_foreign_folders_are_no_stores(tmp_path: Path, built: Path) -> None:
    (tmp_path / "documents").mkdir()
    with pytest.raises(UserError, match="unfinished document store"):
        Store.open(tmp_path)
    (tmp_path / "store.json").write_text('{"format": "gristmill token store"}')
    with pytest.raises(UserError, match="not a document store"):
        Store.open(tmp_path)
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(UserError, match="cannot read"):
        Store.open(tmp_path)
    content = json.loads((built / "store.json").read_bytes())
    (tmp_path / "store.json").write_text(json.dumps({**content, "version": 99}))
    with pytest.raises(UserError, match="of version 99"):
        Store.open(tmp_path)


def test_report_and_inspection(built: Path) -> None:
    store = Store.open(built)
    counts = report(store)
    assert (counts["records"], counts["documents"], counts["kept"], counts["dropped"]) == (132, 128, 121, 7)
    assert counts["records"] == counts["documents"] + counts["unusable"] + counts["early_dropped"]
    assert counts["decided"] == {"short": 4, "duplicate": 3}
    assert sum(language["documents"] for language in counts["languages"].values()) == 128
    assert counts["text_bytes"] == sum(language["bytes"] for language in counts["languages"].values())
    from rich.console import Console

    console = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(render(counts))
    assert "strict: duplicate" in console.export_text()
    (row,) = [
        r for b in store.documents(("id",), where="url = 'http://example.org/1901'") for r in b.to_pylist()
    ]
    rules = load_ruleset(RULES, "policy.rules")
    for key in (row["id"], row["id"][:12], "http://example.org/1901"):
        found = inspect(store, key, rules)
        assert found["id"] == row["id"]
    assert found["decisions"]["strict"] == {"keep": False, "reason": "duplicate", "tier": None}
    assert found["annotations"]["exact.size"] == 4
    assert [rule["label"] for rule in found["rules"] if rule["matches"]] == ["duplicate", "long"]
    assert prose(77 * 7) in found["document"]["text"]
    with pytest.raises(UserError, match="no document 'ffff0000'"):
        inspect(store, "ffff0000")
    with pytest.raises(UserError, match="too short"):
        inspect(store, "f")


def test_rows_with_ids_of_their_own_must_differ(tmp_path: Path) -> None:
    for name, keys in (("a", [1, 2]), ("b", [2, 3])):
        rows = "".join(json.dumps({"id": key, "text": f"{name} {key}"}) + "\n" for key in [*keys, keys[0]])
        (tmp_path / f"{name}.jsonl").write_text(rows)

    def wanted(**source: Any) -> CorpusManifest:
        options = {"type": "jsonl", "paths": [str(tmp_path / "*.jsonl")], **source}
        return manifest(tmp_path / "s", [], source=options, annotators=[], dedup=None, policy=None)

    with pytest.raises(UserError, match="1 ids occur in more than one part"):
        build(wanted(id="id"))
    summary = build(wanted())
    assert summary.documents == 6
    one = {"type": "jsonl", "paths": [str(tmp_path / "a.jsonl")], "id": "id"}
    summary = build(manifest(tmp_path / "t", [], source=one, annotators=[], dedup=None, policy=None))
    assert (summary.documents, summary.dropped) == (2, {"store:duplicate_id": 1})


def test_progress_tells_bytes_and_documents(tmp_path: Path, inputs: Path) -> None:
    class Seen(Silent):
        def __init__(self) -> None:
            self.tasks: dict[str, list[float]] = {}

        def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> Any:
            seen = self.tasks.setdefault(f"{name} {unit}", [total or 0, 0])

            class Task:
                def advance(self, count: float = 1, **fields: object) -> None:
                    seen[1] += count

                def close(self) -> None:
                    pass

            return Task()

    progress = Seen()
    build(manifest(tmp_path / "s", [inputs], executor={"type": "local", "workers": 2}), progress)
    size = sum(path.stat().st_size for path in inputs.iterdir())
    assert progress.tasks["documents B"] == [size, size]


def test_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(b"")
    summary = build(manifest(tmp_path / "s", [tmp_path / "a.warc.gz"]))
    assert (summary.documents, summary.kept, summary.exit_code) == (0, 0, 1)
    store = Store.open(tmp_path / "s")
    assert list(store.documents(("id", "exact.keep"), policy="strict")) == []
    assert report(store)["languages"] == {}

"""The report says what the decisions say, shows the documents that rules are about, and is one safe page."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path

import numpy as np
import pytest

from corpus.build import build
from corpus.decide import decide
from corpus.manifest import CorpusManifest
from corpus.report.compare import compare
from corpus.report.counts import report
from corpus.report.facts import effects, gather, histograms, read_documents, sample_ids
from corpus.report.page import page
from corpus.store import Store
from filters.rules import load_ruleset
from gristmill.base.errors import UserError
from tests.corpus.archives import http, pack, record
from tests.corpus.archives import page as html_page
from tests.corpus.stores import crawl, manifest

RULES = [
    {"drop": "gopher.words < 100", "reason": "short"},
    {"drop": "NOT exact.keep", "reason": "duplicate"},
    {"drop": "gopher.stop_words < 1 OR gopher.words < 110", "reason": "no_prose"},
    {"tier": "long", "when": "gopher.words > 150"},
    {"tier": "rest", "when": "true"},
]
LOOSE = [RULES[1], {"drop": "gopher.words < 60", "reason": "tiny"}, RULES[-1]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorpusManifest, Store]:
    folder = tmp_path_factory.mktemp("report")
    archives = crawl(folder / "crawl", archives=2, count=25)
    hostile = http(
        b"<html><body><p>" + b"&lt;script&gt;alert(1)&lt;/script&gt; the and of. " * 30 + b"</p></body>"
    )
    (archives / "hostile.warc.gz").write_bytes(pack([record(1, hostile)], "members"))
    extract = {"engine": "resiliparse"}
    source = {"type": "warc", "paths": [str(archives)], "extract": extract}
    made = manifest(folder / "store", [archives], source=source, policy={"name": "strict", "rules": RULES})
    build(made)
    decide(made.model_validate({**made.model_dump(), "policy": {"name": "loose", "rules": LOOSE}}))
    return made, Store.open(folder / "store")


def test_effects_are_the_decisions(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    facts = gather(store, "strict", load_ruleset(RULES))
    entry = store.decisions("strict")
    found = effects(facts)
    drops = {e.rule.label: e.first for e in found if e.rule.action == "drop" and e.first}
    tiers = {e.rule.label: e.first for e in found if e.rule.action == "tier" and e.first}
    assert (drops, tiers) == (entry["reasons"], entry["tiers"])
    rows = facts.table.to_pylist()
    hits = [
        (
            row["gopher.words"] < 100,
            not row["exact.keep"],
            row["gopher.stop_words"] < 1 or row["gopher.words"] < 110,
        )
        for row in rows
    ]
    for number in range(3):
        assert found[number].matching == sum(hit[number] for hit in hits)
        assert found[number].alone == sum(hit[number] and sum(hit) == 1 for hit in hits)
    assert any(effect.alone for effect in found)


def test_a_histogram_holds_every_document(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    facts = gather(store, "strict", load_ruleset(RULES))
    found = histograms(facts)
    assert [one.column for one in found] == ["gopher.words", "gopher.stop_words"]
    for one in found:
        assert sum(one.kept) + sum(one.dropped) + one.missing + one.below + one.above == store.rows
        assert all(one.edges[0] <= value <= one.edges[-1] for value, _ in one.marks)
    assert [value for value, _ in found[0].marks] == [100, 110, 150]


def test_a_sample_is_uniform_bounded_and_the_same_again(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    rules = load_ruleset(RULES)
    first, again = (gather(store, "strict", rules, limit=store.rows // 2) for _ in range(2))
    assert first.table.equals(again.table)
    assert 0.2 < first.share < 0.8
    whole = gather(store, "strict", rules)
    ids = whole.table.column("id").to_pylist()
    inside = set(first.table.column("id").to_pylist())
    assert inside == {identity for identity in ids if identity <= max(inside)}
    which = np.array([identity in inside for identity in ids])
    assert np.array_equal(whole.matches[:, which], first.matches)


def test_documents_beside_each_other_belong_there(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    facts = gather(store, "strict", load_ruleset(RULES))
    rows = {row["id"]: row for row in facts.table.to_pylist()}
    dropped, kept = sample_ids(facts, 0, 3)
    assert dropped
    assert all(rows[identity]["reason"] == "short" for identity in dropped)
    words = sorted(row["gopher.words"] for row in rows.values() if row["keep"])
    assert [rows[identity]["gopher.words"] for identity in kept] == words[:3]
    found = read_documents(store, dropped, ["gopher.words"], 20)
    assert all(len(found[identity]["text"]) <= 20 < found[identity]["characters"] for identity in dropped)


def test_two_policies_compared(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    found = compare(store, "strict", "loose")
    kept = {
        policy: {row["id"] for batch in store.documents(["id"], policy=policy) for row in batch.to_pylist()}
        for policy in ("strict", "loose")
    }
    assert found.both == len(kept["strict"] & kept["loose"])
    assert found.only_second == len(kept["loose"] - kept["strict"]) > 0
    assert found.only_first == len(kept["strict"] - kept["loose"])
    assert found.both + found.neither + found.only_first + found.only_second == store.rows
    for of_first, _, count, some in found.reasons:
        assert 0 < len(some) <= count
        assert set(some) <= (kept["strict"] - kept["loose"] if of_first else kept["loose"] - kept["strict"])
    assert ("long", "rest") in [(a, b) for a, b, _ in found.tiers]
    with pytest.raises(UserError, match="compared with itself"):
        compare(store, "loose", "loose")
    with pytest.raises(UserError, match="no decisions of a policy 'lose'"):
        compare(store, "strict", "lose")


class _Elements(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_needs_nothing_and_runs_nothing(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    whole = page(store, report(store, "strict"), load_ruleset(RULES), against="loose")
    assert whole == page(store, report(store, "strict"), load_ruleset(RULES), against="loose")
    parser = _Elements()
    parser.feed(whole)
    names = {name for name, _ in parser.seen}
    assert not names & {"script", "link", "img", "iframe", "object", "embed"}
    assert {"svg", "table", "article", "details"} <= names
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in parser.seen)
    assert "url(" not in whole
    assert "&lt;script&gt;alert(1)" in whole
    for heading in ("Funnel", "Rules", "Scores", "Documents", "Difference", "Languages", "Hosts"):
        assert f">{heading}</h2>" in whole


def test_without_a_policy_there_are_counts_only(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    whole = page(store, {**report(store, "strict"), "policy": None}, None)
    assert ">Funnel</h2>" in whole
    assert ">Rules</h2>" not in whole


def test_decisions_by_other_rules_are_not_explained(built: tuple[CorpusManifest, Store]) -> None:
    _, store = built
    with pytest.raises(UserError, match="has decided by other rules"):
        gather(store, "strict", load_ruleset(LOOSE))
    whole = page(store, report(store, "strict"), load_ruleset(LOOSE))
    assert "made by other rules" in whole
    assert ">Scores</h2>" not in whole


def test_an_empty_store_has_a_report(tmp_path: Path) -> None:
    archive = tmp_path / "nothing.warc.gz"
    archive.write_bytes(pack([record(1, http(html_page(1), status="404 Not Found"))], "members"))
    made = manifest(tmp_path / "store", [archive])
    build(made)
    assert made.policy is not None
    store = Store.open(made.output)
    assert ">Funnel</h2>" in page(store, report(store, "strict"), load_ruleset(made.policy.rules))


def test_the_command_writes_the_page(built: tuple[CorpusManifest, Store], tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gristmill.cli.corpus import app

    made, _ = built
    file = tmp_path / "corpus.yaml"
    file.write_text(json.dumps(made.model_dump(mode="json")))
    target = tmp_path / "page.html"
    done = CliRunner().invoke(
        app, ["report", str(file), "--html", str(target), "--against", "loose", "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[-1])
    assert told["html"] == str(target)
    assert target.read_text().startswith("<!doctype html>")

"""The pages about rules and annotators name what there is, and their examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from filters.decide import bind
from filters.registry import annotator_names, known_columns
from filters.rules import load_ruleset, shipped_rulesets

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = {"id": pa.string(), "text": pa.string(), "metadata": pa.string()}


def fenced(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_every_column_and_annotator_is_explained_and_no_other() -> None:
    page = (DOCS / "annotators.md").read_text(encoding="utf-8")
    tables = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    named = set(
        re.findall(r"`([a-z_0-9]+\.[a-z_0-9]+)`", "\n".join(row.split("|")[1] for row in tables.splitlines()))
    )
    assert named == set(known_columns())
    titles = "\n".join(line for line in page.splitlines() if line.startswith("## "))
    for name in annotator_names():
        assert f"`{name}`" in titles


def test_every_shipped_rule_set_is_listed() -> None:
    page = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(shipped_rulesets())


def test_rule_sets_in_the_page_are_taken() -> None:
    examples = [yaml.safe_load(text) for text in fenced("rules.md", "yaml")]
    rule_sets = [example for example in examples if "rules" in example]
    assert len(rule_sets) == 2
    for example in rule_sets:
        assert bind(load_ruleset(example), DOCUMENT | known_columns()).conditions


def test_the_message_in_the_page_is_the_real_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = re.findall(r"^    (rules/mine\.yaml:\d+ .*)$", (DOCS / "rules.md").read_text(), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    Path("rules").mkdir()
    Path("rules/mine.yaml").write_text("name: mine\n\n\n\nrules:\n- {drop: gopher.wrds < 5, reason: few}\n")
    with pytest.raises(Exception, match="gopher") as caught:
        bind(load_ruleset("rules/mine.yaml"), known_columns())
    assert str(caught.value) == shown


def test_the_pipeline_in_the_page_runs() -> None:
    (code,) = fenced("rules.md", "python")
    names: dict[str, object] = {}
    exec(code, names)
    from datatrove.data import Document

    first, second = names["steps"]  # type: ignore[misc]
    words = "The mill of the town and its miller have been there with us to see. "
    documents = [Document(text="short", id="a"), Document(text=words, id="b")]
    assert list(second.run(first.run(iter(documents)))) == []
    assert second.stats["dropped_gopher_short_doc"].total == 2

"""The page about a store's contamination."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.build import build
from corpus.manifest import CorpusManifest
from corpus.report.contamination import contamination_page
from corpus.store import Store
from filters.decontaminate.index import build_index
from filters.decontaminate.items import Item
from gristmill.base.errors import UserError

QUESTION = (
    "If x < 3 & y > 2, what is the <b>largest</b> sum of two numbers that 1,200 hens on a farm can have?"
)
ITEMS = [
    Item("farms", "hens/<1>", QUESTION),
    Item("farms", "cows", "How much milk do forty cows give in a week if each gives nine litres a day?"),
]


def made(folder: Path, texts: list[str]) -> Store:
    """A store of these texts with the annotator's columns."""
    build_index(ITEMS, folder / "index")
    lines = [
        json.dumps({"text": text, "url": f"https://farm.example/{n}"}) + "\n" for n, text in enumerate(texts)
    ]
    (folder / "in.jsonl").write_text("".join(lines))
    fields = {
        "kind": "corpus",
        "name": "farm",
        "output": str(folder / "store"),
        "source": {"type": "jsonl", "paths": [str(folder / "in.jsonl")]},
        "annotators": [{"name": "contamination", "options": {"index": str(folder / "index")}}],
        "policy": {
            "name": "clean",
            "rules": [{"drop": "contamination.share >= 0.5", "reason": "contaminated"}],
        },
        "executor": {"type": "local", "workers": 1},
    }
    build(CorpusManifest.model_validate(fields))
    return Store.open(folder / "store")


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_and_a_decision(tmp_path: Path) -> None:
    store = made(tmp_path, ["Nothing is here.", f"We ask: {QUESTION.upper()} <script>alert(1)</script>"])
    (decisions,) = (store.path / "decisions" / "clean").glob("*.parquet")
    assert pq.read_table(decisions).column("reason").to_pylist() == [None, "contaminated"]
    page = contamination_page(store, tmp_path / "index")
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    assert "<script" not in page
    assert "hens/&lt;1&gt;" in page
    (item, document) = re.findall(r"<mark>(.*?)</mark>", page)
    said = "if x &lt; 3 &amp; y &gt; 2, what is the &lt;b&gt;largest&lt;/b&gt; sum of two numbers"
    assert item.lower() == document.lower() == f"{said} that 1,200 hens on a farm can have"
    assert re.search(r"<td>farms</td><td class=\"number\">2</td><td class=\"number\">1</td>", page)
    assert page == contamination_page(store, tmp_path / "index")


def test_a_clean_store(tmp_path: Path) -> None:
    page = contamination_page(made(tmp_path, ["Nothing is here."]), tmp_path / "index")
    assert "<p>None.</p>" in page


def test_mistakes_are_told(tmp_path: Path) -> None:
    store = made(tmp_path, ["Nothing is here."])
    with pytest.raises(UserError, match=r"the store has no column 'other\.hits'"):
        contamination_page(store, tmp_path / "index", prefix="other")
    build_index(ITEMS[:1], tmp_path / "index")
    with pytest.raises(UserError, match="found with another index"):
        contamination_page(store, tmp_path / "index")

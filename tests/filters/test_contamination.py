"""The annotator: planted items are found in whatever clothes, and nothing else is."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import zstandard

from filters.annotators.contamination import HITS, Contamination
from filters.base import TextView, annotate_texts
from filters.decontaminate import cache
from filters.decontaminate.benchmarks import load_benchmarks
from filters.decontaminate.index import build_index, load_index
from filters.decontaminate.items import Item
from filters.registry import annotator_digest, build_annotator, known_columns
from gristmill.base.errors import UserError
from tests.filters.decontaminate.disguises import DISGUISES
from tests.filters.samples import HOSTILE, rows

FILES = {
    "gsm8k_test": "gsm8k_test",
    "math_test": "math_test",
    "aime_hmmt": "aime24_25_hmmt",
    "humaneval": "humaneval",
    "mbpp": "mbpp",
    "ifeval": "ifeval",
}
QUESTION = "A farmer keeps 1,200 hens in three barns and sells every egg that they lay for 25 cents"
ITEMS = [
    Item(
        "farms",
        "hens",
        QUESTION,
        (),
        "He has 1200 hens so that is 300 dollars a day if each of them lays once",
    ),
    Item("farms", "cows", "How much milk do forty cows give in a week if each gives nine litres a day?"),
]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    build_index(ITEMS, tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture(scope="session")
def real(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Item]]:
    """The index of all items of the test data (of GSM8K and MATH the test parts), and the items."""
    items = load_benchmarks(
        {name: str(testdata / "evaluation" / f"{file}.jsonl.zst") for name, file in FILES.items()}
    )
    folder = tmp_path_factory.mktemp("contamination") / "index"
    build_index(items, folder)
    return folder, items


def annotate(annotator: Contamination, texts: Sequence[str]) -> list[dict[str, Any]]:
    (table,) = annotate_texts([annotator], texts).values()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def test_columns(index: Path) -> None:
    text = f"Homework! {QUESTION.lower()}, doesn't he?"
    hit, miss, blank = annotate(Contamination(index=index), [text, "Nothing of the kind.", " \n"])
    assert hit == {
        "contamination.share": 1.0,
        "contamination.benchmarks": ["farms"],
        "contamination.hits": [
            {
                "benchmark": "farms",
                "item": "hens",
                "field": "question",
                "start": 10,
                "end": 10 + len(QUESTION),
                "share": 1.0,
                "matched": 6,
            }
        ],
        "contamination.similarity": None,
        "contamination.similar": None,
    }
    assert list(miss.values()) == [0.0, [], [], None, None]
    assert set(blank.values()) == {None}
    assert known_columns()["contamination.hits"] == HITS


def test_thresholds(index: Path) -> None:
    text = "He keeps 1200 hens in three barns and sells every egg that they lay."
    assert annotate(Contamination(index=index, least_share=0.1), [text])[0]["contamination.share"] < 0.2
    (row,) = annotate(Contamination(index=index), [text])
    assert (row["contamination.share"], row["contamination.hits"]) == (0.0, [])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts(index: Path, text: str) -> None:
    (alone,) = annotate(Contamination(index=index), [text])
    assert alone["contamination.share"] in (None, 0.0)
    (row,) = annotate(Contamination(index=index), [f"{text}\nNext: {QUESTION}\n{text}"])
    assert row["contamination.share"] == 1.0
    (found,) = row["contamination.hits"]
    assert (found["start"], found["end"]) == (len(text) + 7, len(text) + 7 + len(QUESTION))


def test_a_long_text(index: Path) -> None:
    text = "the mill of the village " * 400_000 + QUESTION
    (row,) = annotate(Contamination(index=index), [text])
    assert [hit["end"] for hit in row["contamination.hits"]] == [len(text)]


def test_company_and_workers_do_not_matter(index: Path) -> None:
    annotator = Contamination(index=index)
    texts = [QUESTION, "none", ITEMS[1].question, ITEMS[0].answer, ""]
    together = annotate(annotator, texts)
    copied = pickle.loads(pickle.dumps(annotator))
    assert together == [row for text in texts for row in annotate(copied, [text])]
    assert [row["contamination.share"] for row in together] == [1.0, 0.0, 1.0, 1.0, None]


def test_identity_is_what_the_index_says_and_not_where_it_lies(index: Path, tmp_path: Path) -> None:
    first = Contamination(index=index)
    build_index(ITEMS, tmp_path / "moved")
    build_index(ITEMS[:1], tmp_path / "other")
    moved, other = Contamination(index=tmp_path / "moved"), Contamination(index=tmp_path / "other")
    assert annotator_digest(first, {"index": str(index)}) == annotator_digest(moved, {"index": "moved"})
    assert first.version == moved.version != other.version
    wider = Contamination(index=index, gap=50)
    assert annotator_digest(first, {}) != annotator_digest(wider, {"gap": 50})
    assert annotator_digest(first, {}) == annotator_digest(Contamination(index=index, gap=26), {"gap": 26})


def test_an_index_is_built_once_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    built: list[Path] = []

    def build(items: Sequence[Item], folder: Path, **settings: Any) -> None:
        built.append(folder)
        build_index(items, folder, **settings)

    monkeypatch.setattr(cache, "build_index", build)
    line = f'{{"question": "{QUESTION}", "answer": "none"}}\n'
    (tmp_path / "a.jsonl").write_text(line)
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(line.encode()))
    options: dict[str, Any] = {"benchmarks": {"gsm8k": str(tmp_path / "a.jsonl")}}
    first = build_annotator("contamination", options)
    second = build_annotator(
        "contamination", {"benchmarks": {"gsm8k": {"files": [str(tmp_path / "b.jsonl.zst")]}}}
    )
    assert annotator_digest(first, options) == annotator_digest(second, {})
    assert len(built) == 1
    assert isinstance(first, Contamination)
    assert annotate(first, [QUESTION])[0]["contamination.benchmarks"] == ["gsm8k"]
    assert len(list((tmp_path / "cache" / "gristmill" / "contamination").iterdir())) == 1
    build_annotator("contamination", options | {"n": 10, "least": 10})
    assert len(set(built)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs one of the options 'index' and 'benchmarks'"),
        ({"index": "x", "benchmarks": {"gsm8k": "y"}}, "needs one of the options"),
        ({"index": "x", "n": 5}, "option 'n' of annotator 'contamination': the index says that"),
        ({"index": "missing"}, "missing: no contamination index there"),
        ({"benchmarks": {"gsm8k": "missing"}}, "missing: no benchmark files there"),
        ({"benchmarks": {"gsm8k": {"file": "x"}}}, "option 'benchmarks' of annotator 'contamination'"),
        ({"index": "x", "least_share": 1.5}, "option 'least_share' of annotator 'contamination'"),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        build_annotator("contamination", options)


def contexts(testdata: Path) -> list[str]:
    """Paragraphs of Wikipedia."""
    paragraphs = [
        paragraph
        for row in rows(testdata / "text" / "wiki_en_featured.jsonl.zst", 40)
        for paragraph in row["text"].split("\n")
        if len(paragraph) > 400
    ]
    return paragraphs[:500]


def test_every_planted_item_is_found_in_every_disguise(testdata: Path, real: tuple[Path, list[Item]]) -> None:
    """All items with evidence, verbatim; every tenth in each of the disguises."""
    folder, items = real
    index = load_index(folder)
    evident = {
        int(item)
        for item, field, total in zip(
            index.arrays["entry_items"], index.arrays["entry_fields"], index.arrays["totals"], strict=True
        )
        if total > 0 and field == 0
    }
    assert len(evident) >= 0.96 * len(items)
    around = contexts(testdata)
    annotator = Contamination(index=folder)
    for turn, (name, disguise) in enumerate(DISGUISES.items()):
        chosen = sorted(evident)[:: 1 if name == "same" else 10]
        for number in chosen[turn % 7 :]:
            before, after = around[number % len(around)], around[(number * 7 + 1) % len(around)]
            text = f"{before}\n\n{disguise(items[number].question)}\n\n{after}"
            share, _, hits, _, _ = annotator.measure(TextView(text))
            mine = [hit for hit in hits if hit["item"] == items[number].id]
            assert mine, (name, items[number])
            best = max(mine, key=lambda hit: hit["share"])
            assert share >= best["share"] >= 0.5, (name, items[number])
            assert best["start"] >= len(before) - 20
            assert best["end"] <= len(text) - len(after) + 20


def test_clean_texts_have_no_hits(testdata: Path, real: tuple[Path, list[Item]]) -> None:
    annotator = Contamination(index=real[0])
    found = 0
    for name, field in (
        ("text/wiki_en_featured", "text"),
        ("dedup/novels_pairs", "text"),
        ("multilingual/wiki_zh", "text"),
        ("quality/dclm_human_labels", "text"),
    ):
        for row in islice(rows(testdata / f"{name}.jsonl.zst"), 200):
            share, *_ = annotator.measure(TextView(row[field]))
            found += bool(share)
    assert found == 0

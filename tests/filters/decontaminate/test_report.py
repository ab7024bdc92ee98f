"""Items and documents side by side."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings

from filters.annotators.contamination import Contamination
from filters.base import annotate_texts
from filters.decontaminate.index import build_index
from filters.decontaminate.items import Item
from filters.decontaminate.report import CONTEXT, Count, comparisons, counts, marked
from tests.filters.decontaminate.test_words import TEXTS

QUESTION = "A farmer keeps 1,200 hens in three barns and sells every egg that they lay for 25 cents"
ITEMS = [
    Item("farms", "hens", QUESTION, ("300 dollars each day", "none at all")),
    Item("farms", "cows", "How much milk do forty cows give in a week if each gives nine litres a day?"),
    Item(
        "code",
        "f",
        "Write a function that adds the numbers of a list and returns twice their sum to the caller",
    ),
]


def store(folder: Path, parts: list[list[str]]) -> list[list[Path]]:
    """Documents and annotations as a store has them."""
    build_index(ITEMS, folder / "index")
    files = []
    for number, texts in enumerate(parts):
        ids = pa.array([f"{number}-{row}" for row in range(len(texts))])
        (columns,) = annotate_texts([Contamination(index=folder / "index")], texts).values()
        names = [folder / f"{kind}-{number}.parquet" for kind in ("documents", "hits")]
        pq.write_table(pa.table({"id": ids, "text": texts}), names[0])
        pq.write_table(columns.add_column(0, "id", ids), names[1])
        files.append(names)
    return files


def test_hits_are_shown_with_what_both_say(tmp_path: Path) -> None:
    long = "Before it stands a lot. " * 30
    question = QUESTION.upper().replace("1,200", "1200").replace("EVERY EGG", "**every** <egg>")
    parts = store(
        tmp_path, [["clean", f"{long}{question}\n{long}"], [], [ITEMS[2].question, "x", ITEMS[1].question]]
    )
    assert counts([files[1] for files in parts]) == [Count("code", 1, 1, 1), Count("farms", 2, 2, 2)]
    items = {(item.benchmark, item.id): item for item in ITEMS}
    found = list(comparisons(parts, items))
    assert [(one.benchmark, one.item, one.document, one.share) for one in found] == [
        ("farms", "hens", "0-1", 1.0),
        ("code", "f", "2-0", 1.0),
        ("farms", "cows", "2-2", 1.0),
    ]
    first = found[0]
    assert first.item_text == [(QUESTION, True)]
    assert first.excerpt[0] == ("…", False)
    assert first.excerpt[-1] == ("…", False)
    assert [piece for piece, same in first.excerpt if same] == [question]
    assert len("".join(piece for piece, _ in first.excerpt)) == len(question) + 2 * CONTEXT + 2
    assert [one.item for one in comparisons(parts, items, most=1)] == ["hens"]
    del items["farms", "hens"]
    assert [one.item for one in comparisons(parts, items)] == ["f", "cows"]
    assert counts([]) == []


def test_of_one_item_a_few_documents_are_shown(tmp_path: Path) -> None:
    parts = store(tmp_path, [[QUESTION] * 5 + [ITEMS[1].question]])
    items = {(item.benchmark, item.id): item for item in ITEMS}
    assert [one.document for one in comparisons(parts, items)] == ["0-0", "0-1", "0-2", "0-5"]


def test_the_way_of_writing_that_fits_is_shown(tmp_path: Path) -> None:
    text = f"{QUESTION}\n(A) 300 dollars each day\n(B) none at all\n"
    parts = store(tmp_path, [[text, text.replace("(A) ", "").replace("(B) ", "")]])
    lettered, plain = comparisons(parts, {("farms", "hens"): ITEMS[0]})
    assert lettered.item_text == [(f"{QUESTION}\nA. 300 dollars each day\nB. none at all", True)]
    assert plain.item_text == [(f"{QUESTION}\n300 dollars each day\nnone at all", True)]


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_segments_are_the_text(one: str, other: str) -> None:
    first, second = marked(one, other)
    assert "".join(piece for piece, _ in first) == one
    assert "".join(piece for piece, _ in second) == other
    assert all(piece for piece, _ in (*first, *second))

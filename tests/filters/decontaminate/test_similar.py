"""Questions said in other words, against a brute-force search over all windows."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from filters.annotators.contamination import SIMILAR, Contamination
from filters.base import TextView, annotate_texts
from filters.decontaminate.index import build_index, read_items
from filters.decontaminate.items import Item
from filters.decontaminate.similar import (
    ANCHORS,
    CANDIDATE,
    LEAST_NAMES,
    NUMBER_WEIGHT,
    NUMBERS_FOUND,
    ROOT,
    SLACK,
    WINDOW,
    find_similar,
    similar_arrays,
)
from tests.filters.decontaminate.words_twin import twin
from tests.filters.samples import HOSTILE, rows

DUCKS = (
    "Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her "
    "friends every day with four. She sells the remainder at the farmers' market daily for $2 per fresh egg."
)
REPHRASED = (
    "Janet's ducks produce 16 eggs each day. She consumes three of them for her morning meal and uses four "
    "to bake muffins for friends daily. The remaining eggs are sold at the farmers' market for $2 per egg."
)


def root(word: str) -> str:
    return word if word[0].isdigit() or len(word) < ROOT or not word.isalpha() else word[:ROOT]


def oracle(items: list[Item], text: str) -> dict[int, float]:
    """Similarity of every item that is a candidate; for texts of plain words and numbers."""
    bags = [[root(word) for word, _, _ in twin(item.question)] for item in items]
    frequency = Counter(word for bag in bags for word in set(bag))
    weight = {
        word: min(math.log(len(items) / count), NUMBER_WEIGHT if word[0].isdigit() else math.inf)
        for word, count in frequency.items()
    }
    said = [root(word) for word, _, _ in twin(text)]
    found = {}
    for number, bag in enumerate(bags):
        own = set(bag)
        figures = {word for word in own if word[0].isdigit()}
        rarest = sorted((weight[word] for word in own), reverse=True)[:ANCHORS]
        anchors = [word for word in own if weight[word] > rarest[-1]]
        if len(own - figures) < LEAST_NAMES or len(set(anchors) & set(said)) < CANDIDATE:
            continue
        length = int(len(bag) * WINDOW) + SLACK
        windows = [set(said[at : at + length]) & own for at in range(len(said))]
        good = [window for window in windows if len(window & figures) >= NUMBERS_FOUND * len(figures)]
        total = sum(weight[word] for word in own)
        found[number] = max((sum(weight[word] for word in window) / total for window in good), default=0.0)
    return found


def test_similarities_are_those_of_the_oracle(testdata: Path) -> None:
    items = [
        Item("gsm8k", str(number), row["question"])
        for number, row in enumerate(rows(testdata / "evaluation" / "gsm8k_test.jsonl.zst", 60))
    ]
    arrays = similar_arrays(items)
    texts = [
        row["row"]["text"]
        for row in rows(testdata / "evaluation" / "llm_decontaminator.jsonl.zst")
        if row["set"] == "rephrase_gsm8k"
    ]
    seen = 0
    for text in texts[:50]:
        found = {item: value for item, _, _, value in find_similar(TextView(text).code_points, arrays, 0.3)}
        # Of anchors that are equally rare the oracle takes none: it knows fewer candidates, not others.
        for item, value in oracle(items, text).items():
            if value >= 0.3001:
                assert found[item] == pytest.approx(value, abs=1e-4)
                seen += 1
    assert seen >= 30


def test_rephrased_items_are_found_by_the_annotator(tmp_path: Path) -> None:
    others = [
        Item(
            "one",
            str(number),
            f"Another question number {number} asks about {word} and their {word} in the {word} house",
        )
        for number, word in enumerate(("cats", "trains", "books", "rivers", "songs"))
    ]
    build_index([Item("gsm8k", "0", DUCKS), *others], tmp_path / "i")
    text = f"Nothing to see. {REPHRASED} And so on."
    exact, similar = Contamination(index=tmp_path / "i"), Contamination(index=tmp_path / "i", similar=0.4)
    (table,) = annotate_texts([similar], [text, "Nothing to see.", ""]).values()
    hit, miss, blank = table.to_pylist()
    assert hit["contamination.share"] == 0.0
    (found,) = hit["contamination.similar"]
    assert (found["benchmark"], found["item"]) == ("gsm8k", "0")
    assert text[found["start"] : found["end"]].startswith("Janet's ducks")
    assert 0.4 <= found["similarity"] == hit["contamination.similarity"] < 1
    assert (miss["contamination.similarity"], miss["contamination.similar"]) == (0.0, [])
    assert blank["contamination.share"] is None
    assert table.schema.field("contamination.similar").type == SIMILAR
    (table,) = annotate_texts([exact], [text]).values()
    assert table.column("contamination.similar").to_pylist() == [None]
    assert exact.identity != similar.identity


def test_the_item_itself_is_as_similar_as_can_be(tmp_path: Path) -> None:
    items = [Item("one", str(number), f"{DUCKS} Case {word}.") for number, word in enumerate(("red", "blue"))]
    items += [Item("two", "a", "How many litres of milk do forty brown cows give in a single week of May?")]
    build_index(items, tmp_path / "i")
    arrays = similar_arrays(read_items(tmp_path / "i"))
    found = find_similar(TextView(items[2].question).code_points, arrays, 0.5)
    assert [(item, start, end) for item, start, end, _ in found] == [(2, 0, len(items[2].question) - 1)]
    assert found[0][3] == pytest.approx(1)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts(text: str) -> None:
    arrays = similar_arrays([Item("one", "a", DUCKS), Item("one", "b", ""), Item("one", "c", text)])
    for row in find_similar(TextView(text).code_points, arrays, 0.01):
        assert 0 <= row[1] <= row[2] <= len(text)
    assert np.all(np.diff(arrays["similar_offsets"]) >= 0)

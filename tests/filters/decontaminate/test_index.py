"""The index against a brute-force reading of what it promises."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.decontaminate.index import Hit, build_index, describe_index, load_index, read_items
from filters.decontaminate.items import FIELDS, Item
from gristmill.base.errors import UserError
from tests.filters.decontaminate.words_twin import twin

N, LEAST, COMMON, GAP = 4, 3, 2, 5
VOCABULARY = ["ant", "bee", "cow", "dog", "elk", "fox", "7", "8"]
Gram = tuple[str, ...]


def find(folder: Path, text: str, least_share: float = 0.0, gap: int = GAP) -> list[Hit] | None:
    return load_index(folder).find(TextView(text).code_points, least_share, gap)


def grams(words: list[str], length: int) -> list[Gram]:
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


class Oracle:
    """All that the index says of itself, with dictionaries."""

    def __init__(self, items: list[Item], n: int = N, least: int = LEAST, common: int = COMMON) -> None:
        self.items, self.n = items, n
        self.entries: list[tuple[int, str, list[Gram]]] = []
        holders: dict[Gram, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for number, item in enumerate(items):
            for field, text in item.texts():
                words = [word for word, _, _ in twin(text)]
                length = min(n, len(words))
                if length >= (n if field == "answer" else least):
                    self.entries.append((number, field, grams(words, length)))
                    for gram in grams(words, length):
                        holders[gram][item.benchmark].add(number)
        most = {gram: max(map(len, where.values())) for gram, where in holders.items()}
        self.weight = {
            gram: 1 / count
            for gram, count in most.items()
            if count <= common and len({word for word in gram if not word[0].isdigit()}) >= 2
        }

    def hits(self, text: str, gap: int = GAP) -> dict[tuple[int, str], float]:
        """The best share of every item and field."""
        words = [word for word, _, _ in twin(text)]
        best: dict[tuple[int, str], float] = {}
        for number, field, sequences in self.entries:
            total = sum(self.weight.get(gram, 0) for gram in sequences)
            length = len(sequences[0])
            found = [
                (place, position)
                for place, gram in enumerate(grams(words, length))
                for position, wanted in enumerate(sequences)
                if gram == wanted and gram in self.weight
            ]
            cluster: set[int] = set()
            last = -1, -1
            reached = -1
            for place, position in found:
                shift = (place - last[0]) - (position - last[1])
                if cluster and place > reached + gap and abs(shift) > gap:
                    cluster = set()
                cluster.add(position)
                reached, last = place + length, (place, position)
                share = sum(self.weight[sequences[at]] for at in cluster) / total
                best[number, field] = max(best.get((number, field), 0), share)
        return best


TEXT = st.lists(st.sampled_from(VOCABULARY), max_size=14).map(" ".join)
ITEM = st.builds(
    lambda benchmark, question, choices, answer: (benchmark, question, tuple(choices), answer),
    st.sampled_from(["one", "two"]),
    TEXT,
    st.lists(TEXT, max_size=2),
    TEXT,
)


@given(st.lists(ITEM, min_size=1, max_size=6), TEXT.map(lambda text: f"{text} {text[::2]}"), st.data())
@settings(max_examples=60, deadline=None)
def test_shares_are_those_of_the_oracle(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, tuple[str, ...], str]],
    text: str,
    data: st.DataObject,
) -> None:
    items = [Item(row[0], str(number), *row[1:]) for number, row in enumerate(rows)]
    planted = data.draw(st.sampled_from(items))
    text = " ".join((text, planted.question, data.draw(TEXT), planted.answer))
    oracle = Oracle(items)
    folder = tmp_path_factory.mktemp("index") / "i"
    if not oracle.weight:
        with pytest.raises(UserError, match="no text that could be looked for"):
            build_index(items, folder, n=N, least=LEAST, common=COMMON)
        return
    build_index(items, folder, n=N, least=LEAST, common=COMMON)
    expected = oracle.hits(text)
    found = find(folder, text) or []
    best: dict[int, float] = {}
    for hit in found:
        assert hit.share <= expected[hit.item, hit.field] + 1e-6
        best[hit.item] = max(best.get(hit.item, 0), hit.share)
    wanted: dict[int, float] = {}
    for (number, _), share in expected.items():
        wanted[number] = max(wanted.get(number, 0), share)
    assert best == pytest.approx(wanted)


def planted(question: str) -> list[Item]:
    return [Item("one", "a", question), Item("one", "b", "nothing of that stands in here at all today")]


QUESTION = "A farmer keeps 1,200 hens in three barns and sells every egg that they lay for 25 cents"


def test_a_hit_says_what_where_and_how_much(tmp_path: Path) -> None:
    build_index(planted(QUESTION), tmp_path / "i")
    said = QUESTION.upper().replace("1,200", "1200.0")
    text = f"Some page, in the middle of it: “{said}”. And more of the page."
    (hit,) = find(tmp_path / "i", text) or []
    assert text[hit.start : hit.end] == said
    assert (hit.item, hit.field, hit.share, hit.matched) == (0, "question", 1.0, 6)
    half = "He reads: keeps 1200 hens in three barns and sells every egg that they lay."
    (hit,) = find(tmp_path / "i", half) or []
    assert half[hit.start : hit.end] == half[10:-1]
    assert hit.share == pytest.approx(1 / 6)
    assert hit.matched == 1
    assert find(tmp_path / "i", half, least_share=0.17) == []
    assert find(tmp_path / "i", "") is find(tmp_path / "i", " …\n") is None
    assert find(tmp_path / "i", "words of no account") == []


def test_every_place_is_told_once(tmp_path: Path) -> None:
    item = Item("one", "a", QUESTION, ("ten dollars a day", "none"), "Three hundred dollars")
    build_index([item], tmp_path / "i")
    text = (
        f"{QUESTION}\n" + "other words follow here. " * 20 + f"\n{QUESTION}\nA) ten dollars a day\nB) none\n"
    )
    hits = find(tmp_path / "i", text) or []
    assert [(hit.field, hit.share) for hit in hits] == [("question", 1.0), ("choices", 1.0)]
    assert hits[0].start == 0
    assert text[hits[1].start : hits[1].end] == f"{QUESTION}\nA) ten dollars a day\nB) none"


def test_short_questions_count_as_a_whole(tmp_path: Path) -> None:
    short, shorter = "What is the largest prime that divides 999?", "What is the largest prime now?"
    items = [Item("one", "a", short), Item("one", "b", shorter)]
    facts = build_index(items, tmp_path / "i")
    assert facts["benchmarks"] == {"one": {"items": 2, "without_evidence": 1}}
    assert [hit.share for hit in find(tmp_path / "i", f"So: {short} And {shorter}") or []] == [1.0]
    assert find(tmp_path / "i", "What is the largest prime that divides 998?") == []


def test_a_letter_at_the_edge_does_not_hide_a_short_question(tmp_path: Path) -> None:
    build_index([Item("one", "a", "A rope is cut in two equal parts of length x")], tmp_path / "i")
    for text in (
        "Plan B\nA rope is cut in two equal parts of length x\nA. 5\nB. 6",
        "The rope. A rope is cut in two equal parts of length $x$. End",
        "Plan B. A rope is cut in two equal parts of length x.",
    ):
        assert [hit.share for hit in find(tmp_path / "i", text) or []] == [1.0]


def test_what_many_items_share_is_no_evidence(tmp_path: Path) -> None:
    rule = "Answer with one of the letters and give no reason whatever for what you say, please."
    items = [
        Item("one", str(number), f"{rule} What did case {number} show about item {number}?")
        for number in range(11)
    ]
    facts = build_index(items, tmp_path / "i", common=10)
    assert find(tmp_path / "i", f"We wrote: {rule}") == []
    assert facts["counts"]["left_out"] == len(f"{rule} What did case".split()) - 12
    assert max(hit.share for hit in find(tmp_path / "i", items[3].question) or []) == 1.0
    # In two benchmarks once each, it is no less evidence.
    twice = [Item("one", "a", QUESTION), Item("two", "a", QUESTION)]
    build_index(twice, tmp_path / "j")
    assert [(hit.item, hit.share) for hit in find(tmp_path / "j", QUESTION) or []] == [(0, 1.0), (1, 1.0)]


def test_what_clean_texts_say_is_no_evidence(tmp_path: Path) -> None:
    quote = "four score and seven years ago our fathers brought forth on this continent a new nation"
    items = [Item("one", "a", f"Who said: {quote}, and where was it said for the first time?")]
    build_index(items, tmp_path / "i")
    assert find(tmp_path / "i", quote) != []
    facts = build_index(items, tmp_path / "j", clean=lambda: iter(["Nothing.", f"He said {quote}."]))
    assert find(tmp_path / "j", quote) == []
    assert facts["counts"] | {"clean_texts": 2, "left_out": 5} == facts["counts"]
    assert [hit.share for hit in find(tmp_path / "j", items[0].question) or []] == [1.0]
    build_index(items, tmp_path / "k", clean=lambda: iter([quote]), clean_documents=2)
    assert find(tmp_path / "k", quote) != []


def test_numbers_alone_are_no_evidence(tmp_path: Path) -> None:
    table = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"
    build_index(
        [Item("one", "a", f"Given the table {table} what is the sum of its numbers?")], tmp_path / "i"
    )
    assert find(tmp_path / "i", table) == []
    assert [
        hit.share
        for hit in find(tmp_path / "i", f"Given the table {table}, what is the sum of its numbers?") or []
    ] == [1.0]


def test_a_hit_goes_over_a_gap(tmp_path: Path) -> None:
    words = [f"word{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(60)]
    build_index([Item("one", "a", " ".join(words))], tmp_path / "i")
    changed = [*words[:30], "changed", *words[31:]]
    (hit,) = find(tmp_path / "i", " ".join(changed), gap=0) or []
    assert (hit.start, hit.end, hit.matched) == (0, len(" ".join(changed)), 48 - 13)
    apart = words[:30] + ["other"] * 40 + words[31:]
    assert len(find(tmp_path / "i", " ".join(apart), gap=40) or []) == 1
    assert len(find(tmp_path / "i", " ".join(apart), gap=20) or []) == 2


def test_bytes_depend_on_items_and_settings_alone(tmp_path: Path) -> None:
    source = random.Random(4)
    items = [
        Item(
            "one",
            str(number),
            " ".join(source.choices([*VOCABULARY, "gnu", "hen"], k=30)),
            (),
            "x y " * number,
        )
        for number in range(50)
    ]
    first = build_index(items, tmp_path / "i")
    second = build_index(items, tmp_path / "j")
    assert first == second
    assert {path.name: path.read_bytes() for path in (tmp_path / "i").iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "j").iterdir()
    }
    assert read_items(tmp_path / "i") == items
    assert build_index(items, tmp_path / "k", n=12)["digest"] != first["digest"]
    assert build_index(items[1:], tmp_path / "k")["digest"] != first["digest"]
    assert describe_index(tmp_path / "i") == json.loads((tmp_path / "i" / "index.json").read_text())


def test_entries_lie_within_their_arrays(tmp_path: Path) -> None:
    build_index([Item("one", "a", QUESTION, ("this", "that"), "word " * 20)], tmp_path / "i")
    arrays = load_index(tmp_path / "i").arrays
    assert (
        arrays["entries"].max()
        < len(arrays["entry_items"])
        == len(arrays["entry_fields"])
        == len(arrays["totals"])
    )
    assert set(np.unique(arrays["entry_fields"]).tolist()) <= set(range(len(FIELDS)))
    assert arrays["offsets"][-1] == len(arrays["entries"]) == len(arrays["positions"])
    assert all(not array.flags.writeable for array in arrays.values())


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'least' must be between 1 and n = 5, not 6"):
        build_index(planted(QUESTION), tmp_path / "i", n=5, least=6)
    with pytest.raises(UserError, match="two items of one are called 'a'"):
        build_index([Item("one", "a", "x"), Item("one", "a", "y")], tmp_path / "i")
    with pytest.raises(UserError, match="no text that could be looked for"):
        build_index([Item("one", "a", "too short")], tmp_path / "i")
    with pytest.raises(UserError, match="no contamination index there"):
        load_index(tmp_path)
    build_index(planted(QUESTION), tmp_path / "i")
    (tmp_path / "i" / "keys.npy").write_bytes(b"other")
    with pytest.raises(UserError, match=r"keys\.npy: the contamination index is damaged"):
        load_index(tmp_path / "i")
    description = tmp_path / "i" / "index.json"
    description.write_text(description.read_text().replace('"normalisation":1', '"normalisation":0'))
    with pytest.raises(UserError, match="of another version; build it again"):
        load_index(tmp_path / "i")

"""Repeated pieces of texts: what a slow reading of the definition finds, and nothing else."""

from __future__ import annotations

import os
import random
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import regex
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.dedup.substring.edges import extending
from filters.dedup.substring.method import Substring
from filters.masking import CUT, Masking
from tests.filters.dedup.jobs import Job, Outcome, compare, parts, shuffled
from tests.filters.samples import rows as rows_of

Piece = tuple[int, int]


@pytest.fixture(autouse=True)
def _no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of little jobs need not survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def documents(texts: Sequence[str]) -> list[dict[str, Any]]:
    """The texts as documents whose ids are in their order."""
    return [{"id": f"{number:06}", "text": text} for number, text in enumerate(texts)]


def cut(
    folder: Path, rows: Sequence[dict[str, Any]], method: Substring, count: int = 1, seed: int = 1, **job: Any
) -> Outcome:
    """What the method makes of the rows, spread over so many parts."""
    batches = shuffled(rows, seed, count)
    given = Job(parts(folder, batches), str(folder / "work"), **{"prefer": "id", **job})
    return compare(method, given, folder)


def spans(outcome: Outcome) -> dict[str, list[Piece]]:
    return {
        row["id"]: [(span["start"], span["end"]) for span in row["substring.spans"]] for row in outcome.rows
    }


# The definition, read slowly.


def unit_places(text: str, unit: str) -> tuple[list[Any], list[Piece]]:
    """The units of a text, and where each stands in code points; of a byte, the whole character's place."""
    if unit == "bytes":
        values: list[Any] = []
        places = []
        for at, character in enumerate(text):
            encoded = character.encode("utf-8", "surrogatepass")
            values += encoded
            places += [(at, at + 1)] * len(encoded)
        return values, places
    if unit == "characters":
        return list(text), [(at, at + 1) for at in range(len(text))]
    view = TextView(text).words
    return list(view.of(text)), list(zip(view.starts.tolist(), view.ends.tolist(), strict=True))


def slow_units(texts: Sequence[str], length: int, unit: str, within: bool) -> list[list[bool]]:
    """Which units of every text are covered by a repeat."""
    first: dict[tuple[Any, ...], tuple[int, int]] = {}
    found = []
    for number, text in enumerate(texts):
        values, _ = unit_places(text, unit)
        covered = [False] * len(values)
        for at in range(len(values) - length + 1):
            window = tuple(values[at : at + length])
            kept, place = first.setdefault(window, (number, at))
            if kept < number or (within and place + length <= at):
                covered[at : at + length] = [True] * length
        found.append(covered)
    return found


def belongs(text: str, at: int) -> bool:
    """Whether a character belongs to the one before: marks and joiners, as far as these tests have them."""
    if at == 0 or at == len(text):
        return False
    return (
        unicodedata.category(text[at])[0] == "M"
        or text[at] in "\u200c\u200d\u0e33🏽"
        or text[at - 1] == "\u200d"
        or text[at - 1 : at + 1] == "\r\n"
    )


def slow_spans(  # noqa: PLR0912
    text: str, covered: list[bool], unit: str, fragment: int
) -> list[Piece]:
    """Covered units as code points, drawn back from the edges of characters, fragments added."""
    _, places = unit_places(text, unit)
    found: list[Piece] = []
    at = 0
    while at < len(covered):
        if not covered[at]:
            at += 1
            continue
        begin = at
        while at < len(covered) and covered[at]:
            at += 1
        start, end = places[begin][0], places[at - 1][1]
        if begin and places[begin - 1] == places[begin]:
            start += 1
        if at < len(places) and places[at] == places[at - 1]:
            end -= 1
        while start < end and belongs(text, start):
            start += 1
        while start < end and belongs(text, end):
            end -= 1
        if start < end:
            found.append((start, end))
    if not found or not fragment:
        return found
    joined: list[Piece] = []
    done = 0
    for start, end in [*found, (len(text), len(text))]:
        small = size(places, done, start, unit) < fragment
        if start == end and not (small and done < len(text)):
            break
        if joined and small:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((done if small else start, end))
        done = end
    return joined


def size(places: list[Piece], start: int, end: int, unit: str) -> int:
    return sum(start <= first and last <= end for first, last in places)


def slow(texts: Sequence[str], method: Substring) -> list[list[Piece]]:
    wanted = method.settings
    covered = slow_units(texts, wanted.length, wanted.unit, wanted.within)
    return [
        slow_spans(text, units, wanted.unit, wanted.fragment)
        for text, units in zip(texts, covered, strict=True)
    ]


def check_pieces(texts: Sequence[str], outcome: Outcome, method: Substring) -> None:
    """What the ledger says is so: pieces make up the spans, and each stands where it says it does."""
    wanted = method.settings
    for number, text in enumerate(texts):
        rows = [row for row in outcome.ledger if row["id"] == f"{number:06}"]
        cuts = spans(outcome)[f"{number:06}"]
        assert [at for row in rows for at in range(row["start"], row["end"])] == [
            at for start, end in cuts for at in range(start, end)
        ]
        for row in rows:
            assert row["start"] < row["end"]
            if row["kept_id"] is None:
                continue
            kept = texts[int(row["kept_id"])][row["kept_start"] : row["kept_end"]]
            mine = text[row["start"] : row["end"]]
            if wanted.unit == "words":
                assert kept.split() == mine.split() or list(TextView(kept).words.of(kept)) == list(
                    TextView(mine).words.of(mine)
                )
            else:
                assert kept == mine
            assert (row["kept_id"], row["kept_start"]) < (row["id"], row["start"])


ALPHABETS = ["ab", "aé", "a\u0301e\u200d", "漢字かな", "กำี", "👩\u200d👧🏽", "a b\r\n", "xy\ud7ff\U0001f600"]
TEXTS = st.sampled_from(ALPHABETS).flatmap(
    lambda letters: st.lists(
        st.one_of(
            st.text(letters, max_size=60),
            # Periodic, and pieces that come again.
            st.tuples(st.text(letters, min_size=1, max_size=5), st.integers(1, 30)).map(
                lambda p: p[0] * p[1]
            ),
        ),
        max_size=7,
    )
)


@given(
    TEXTS,
    st.sampled_from([("bytes", 8), ("bytes", 11), ("characters", 2), ("characters", 5), ("words", 3)]),
    st.booleans(),
    st.sampled_from([0, 0, 1, 3, 10]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_finds_what_the_definition_says(  # noqa: PLR0917 (drawn)
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    measure: tuple[Any, int],
    within: bool,
    fragment: int,
    count: int,
    tasks: int,
    seed: int,
) -> None:
    unit, length = measure
    method = Substring(length, unit, within, fragment)
    folder = tmp_path_factory.mktemp("substring")
    outcome = cut(folder, documents(texts), method, count, seed, tasks=tasks)
    expected = slow(texts, method)
    found = spans(outcome)
    assert [found[f"{number:06}"] for number in range(len(texts))] == expected
    check_pieces(texts, outcome, method)
    for row in outcome.rows:
        text = texts[int(row["id"])]
        covered = sum(end - start for start, end in found[row["id"]])
        assert row["substring.characters"] == covered
        assert row["substring.share"] == (covered / len(text) if text else None)


# Real texts.


@pytest.fixture(scope="module")
def real(testdata: Path) -> list[str]:
    """Texts in sixteen languages with repeats as they come, and pieces of some planted in others."""
    rng = random.Random(5)
    texts = [
        row["text"][:3000]
        for name in ("wiki_de", "wiki_ko", "wiki_zh")
        for row in rows_of(testdata / f"multilingual/{name}.jsonl.zst", 12)
    ]
    contexts = {
        row["lang"]: row["context"] for row in rows_of(testdata / "multilingual/multilingual_rc.jsonl.zst")
    }
    texts += [contexts[language] for language in sorted(contexts)]
    texts += ["👩\u200d👩\u200d👧\u200d👦 family 🇩🇪🇫🇷🇩🇪🇫🇷 flags e\u0301e\u0301e\u0301 marks\r\nกำลัง " * 9]
    for number in range(0, len(texts), 2):
        source = rng.choice(texts)
        start = rng.randrange(max(1, len(source) - 200))
        at = rng.randrange(len(texts[number]) + 1)
        piece = source[start : start + rng.randrange(20, 200)]
        texts[number] = texts[number][:at] + piece + texts[number][at:]
    return texts


@pytest.mark.parametrize(
    ("unit", "length", "fragment"), [("bytes", 40, 0), ("characters", 25, 30), ("words", 6, 3)]
)
def test_real_texts_in_many_languages(
    tmp_path: Path, real: list[str], unit: Any, length: int, fragment: int
) -> None:
    method = Substring(length, unit, fragment=fragment)
    outcome = cut(tmp_path, documents(real), method, 3, tasks=2)
    found = spans(outcome)
    assert [found[f"{number:06}"] for number in range(len(real))] == slow(real, method)
    check_pieces(real, outcome, method)
    assert sum(map(bool, found.values())) > 20


def test_cuts_part_no_grapheme_clusters(tmp_path: Path, real: list[str]) -> None:
    """Every span begins and ends where Unicode's grapheme clusters (by `regex`) begin and end."""
    outcome = cut(tmp_path, documents(real), Substring(20))
    cuts = 0
    for number, places in spans(outcome).items():
        text = real[int(number)]
        edges = {found.start() for found in regex.finditer(r"\X", text)} | {len(text)}
        for start, end in places:
            assert start in edges
            assert end in edges
            cuts += 1
    assert cuts > 200


def test_what_counts_as_belonging_to_the_character_before() -> None:
    """All that `regex` takes for a part of the grapheme cluster, behind a letter, and marks besides."""
    table = extending()
    assigned = [
        point
        for point in range(sys.maxunicode + 1)
        # Unassigned ones differ by versions of Unicode; Korean vowels belong to Korean consonants alone.
        if unicodedata.category(chr(point)) not in ("Cn", "Cs", "Co")
        and not 0x1160 <= point < 0x1200
        and not 0xD7B0 <= point < 0xD7FC
    ]
    joined = {point for point in assigned if len(regex.findall(r"\X", "a" + chr(point))) == 1}
    mine = {point for point in assigned if table[point] == 1}
    assert joined - mine == set()
    assert all(unicodedata.category(chr(point)) == "Mc" for point in mine - joined)
    assert len(mine - joined) < 50


@pytest.mark.parametrize("name", ["characters", "words"])
def test_marks_that_belong_together_are_not_parted(tmp_path: Path, name: Any) -> None:
    texts = ["abcdefgh" + "e\u0301" * 40, "e\u0301" * 40 + "\u0301\u0301x"]
    outcome = cut(tmp_path, documents(texts), Substring(9, name))
    for row in outcome.ledger:
        assert unicodedata.category(texts[int(row["id"])][row["start"]]) != "Mn"


def tokenizer(folder: Path, texts: Sequence[str]) -> str:
    """A byte-level tokenizer that knows some pieces of the texts and takes others byte by byte."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>"],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.save(str(folder / "tokenizer.json"))
    return str(folder / "tokenizer.json")


def test_tokens(tmp_path: Path, real: list[str]) -> None:
    texts = [text[:600] for text in real]
    path = tokenizer(tmp_path, real[:5])
    known = tokenizers.Tokenizer.from_file(path)
    outcome = cut(tmp_path, documents(texts), Substring(12, "tokens", tokenizer=path), 3, tasks=3)
    found = spans(outcome)
    first: dict[tuple[int, ...], tuple[int, int]] = {}
    for number, text in enumerate(texts):
        encoded = known.encode(text, add_special_tokens=False)
        covered = [False] * len(encoded.ids)
        for at in range(len(encoded.ids) - 11):
            kept, place = first.setdefault(tuple(encoded.ids[at : at + 12]), (number, at))
            if kept < number or place + 12 <= at:
                covered[at : at + 12] = [True] * 12
        whole = {
            point for at, span in zip(covered, encoded.offsets, strict=True) if at for point in range(*span)
        }
        parted = {
            point
            for at, span in zip(covered, encoded.offsets, strict=True)
            if not at
            for point in range(*span)
        }
        mine = {point for start, end in found[f"{number:06}"] for point in range(start, end)}
        assert mine <= whole - parted
        # What is not cut of it belongs to what stays.
        for point in (whole - parted) - mine:
            assert belongs(text, point) or belongs(text, point + 1) or text[point] in "🇩🇪🇫🇷"
    check_pieces(texts, outcome, Substring(12))
    assert sum(map(bool, found.values())) > 15


LETTERS = {
    "en": "abcdefghijklmnopqrstuvwxyz ",
    "zh": "的一是不了人我在有他这中大来上国个到说们",
    "th": "กขคงจชซดตถทนบปพมยรลวสหอะาเแโไ",
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي ",
    "emoji": "😀😃😄😁😆😅🤣😂🙂🙃",
}


@given(
    st.sampled_from(sorted(LETTERS)),
    st.integers(30, 120),
    st.integers(0, 2**32),
    st.integers(1, 4),
    st.sampled_from(["begin", "middle", "end"]),
    st.sampled_from(["begin", "middle", "end"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_planted_repeat_is_found_and_a_shorter_one_is_not(  # noqa: PLR0917 (drawn)
    tmp_path_factory: pytest.TempPathFactory,
    language: str,
    length: int,
    seed: int,
    count: int,
    here: str,
    there: str,
) -> None:
    """Random texts have no repeats of their own; what is planted lies in any part, at any end."""
    rng = random.Random(seed)

    def text(size: int) -> str:
        return "".join(rng.choice(LETTERS[language]) for _ in range(size))

    marks = iter(map(chr, range(0x2460, 0x2500)))

    def plant(piece: str, where: str) -> str:
        before = "" if where == "begin" else text(rng.randrange(1, 200)) + next(marks)
        behind = "" if where == "end" else next(marks) + text(rng.randrange(1, 200))
        return before + piece + behind

    pieces = [text(length) for _ in range(6)]
    almost = [text(length - 1) for _ in range(6)]
    texts = [plant(piece, here) for piece in (*pieces, *almost)]
    texts += [plant(piece, there) for piece in (*pieces, *almost)]
    outcome = cut(
        tmp_path_factory.mktemp("planted"),
        documents(texts),
        Substring(length, "characters"),
        count,
        seed,
        tasks=count,
    )
    found = spans(outcome)
    for number, text_ in enumerate(texts):
        planted = number - 12
        if 0 <= planted < 6:
            start = text_.index(pieces[planted])
            assert found[f"{number:06}"] == [(start, start + length)]
        else:
            assert found[f"{number:06}"] == []
    assert [(row["id"], row["kept_id"]) for row in outcome.ledger] == [
        (f"{number + 12:06}", f"{number:06}") for number in range(6)
    ]


def test_nothing_is_left_to_cut(tmp_path: Path, real: list[str]) -> None:
    """Cut, with a mark of its own at every cut, texts have no repeats any more."""
    method = Substring(30)
    texts = documents(real)
    first = spans(cut(tmp_path / "first", texts, method, 2))
    assert sum(map(bool, first.values())) > 20
    left = []
    for row in texts:
        pieces, done = [], 0
        for number, (start, end) in enumerate(first[row["id"]]):
            pieces += [row["text"][done:start], f"<{row['id']}/{number}>"]
            done = end
        left.append({**row, "text": "".join([*pieces, row["text"][done:]])})
    again = cut(tmp_path / "again", left, method, 3)
    assert not any(spans(again).values())
    # The policy's own cut leaves the same pieces.
    for row, other in zip(texts, left, strict=True):
        findings = [(start, end, CUT) for start, end in first[row["id"]]]
        masked, _ = Masking().mask(row["text"], findings)
        assert masked == regex.sub(r"<\d+/\d+>", "", other["text"])

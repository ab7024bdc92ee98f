"""Repeated pieces of texts: what a slow reading of the definition finds, and nothing else."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.dedup.substring.method import Substring
from tests.filters.dedup.jobs import Job, Outcome, compare, parts, shuffled

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
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
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

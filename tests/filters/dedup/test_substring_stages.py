"""Repeated pieces at work: the same bytes however it is cut, interrupted or spread, in linear time."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from filters.dedup.base import run_stages
from filters.dedup.numbering import number_stage
from filters.dedup.substring import anchors, blocks, contexts, first
from filters.dedup.substring.method import Substring
from gristmill.base.errors import UserError
from gristmill.base.progress import Silent
from tests.filters.dedup.jobs import Job, Outcome, by_id, compare, parts, shuffled
from tests.filters.samples import HOSTILE

WORDS = ["mill", "grain", "flour", "water", "wheel", "Mühle", "корн", "製粉", "👩\u200d🌾", "e\u0301"]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Texts of few words, so that much of them is repeated; ids in no order, two languages."""
    rng = random.Random(11)
    found = []
    for number in range(90):
        text = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(0, 60)))
        if number % 3 == 0:
            text += " All rights reserved. The miller grinds the grain that the farmer brings. " * (
                number % 4
            )
        key = f"{rng.randrange(16**8):08x}"
        found.append({"id": key, "text": text, "language": rng.choice(["de", "en"]), "score": number % 5})
    return found


METHOD = Substring(30, fragment=4)


def outcome(folder: Path, batches: Sequence[Any], workers: int = 1, known: int = 0, **given: Any) -> Outcome:
    job = Job(parts(folder, batches, known=known), str(folder / "work"), **{"prefer": "score DESC", **given})
    return compare(METHOD, job, folder, workers)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> Outcome:
    found = outcome(tmp_path_factory.mktemp("whole"), [rows])
    assert found.facts["spans"] > 100
    assert found.facts["characters"] == sum(row["substring.characters"] for row in found.rows)
    assert found.facts["documents"] == sum(row["substring.characters"] > 0 for row in found.rows)
    return found


@pytest.mark.parametrize(("count", "tasks", "workers", "seed"), [(1, 1, 1, 2), (5, 3, 1, 3), (4, 5, 2, 4)])
def test_parts_tasks_workers_and_order_change_nothing(  # noqa: PLR0917
    tmp_path: Path,
    rows: list[dict[str, Any]],
    whole: Outcome,
    count: int,
    tasks: int,
    workers: int,
    seed: int,
) -> None:
    found = outcome(tmp_path, shuffled(rows, seed, count), workers, tasks=tasks)
    assert by_id(found) == by_id(whole)
    assert found.files["ledger.parquet"] == whole.files["ledger.parquet"]
    assert found.facts == whole.facts


def test_blocks_ranges_and_passes_change_no_byte(
    tmp_path: Path, rows: list[dict[str, Any]], whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block a row group, many ranges, each in several passes."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    monkeypatch.setattr(blocks, "RANGE_BYTES", 1000)
    monkeypatch.setattr(anchors, "passes", lambda *size: 3)
    monkeypatch.setattr(first, "passes", lambda *size: 4)
    found = outcome(tmp_path, [rows])
    assert found.files == whole.files
    layout = blocks.read_layout(Job((), str(tmp_path / "work"), prefer="id"))
    assert len(layout.blocks) == 13
    assert layout.ranges >= 8


class Killed(BaseException):
    """What no handler of errors takes for one."""


def test_interrupted_anywhere_it_goes_on_to_the_same_bytes(
    tmp_path: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = shuffled(rows, 8, 3)
    expected = outcome(tmp_path / "undisturbed", batches, tasks=2).files
    job = Job(parts(tmp_path / "store", batches), str(tmp_path / "work"), prefer="score DESC", tasks=2)
    rng = random.Random(1)
    kills = 0
    flush = os.fsync
    while True:
        left = rng.randrange(1, 9)

        def fsync(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        try:
            run_stages([number_stage(job), *METHOD.stages(job)])
            break
        except Killed:
            kills += 1
    monkeypatch.setattr(os, "fsync", flush)
    assert kills > 4
    (tmp_path / "out").mkdir()
    METHOD.conclude(job, tmp_path / "out", tmp_path / "ledger.parquet", Silent())
    files = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert {**files, "ledger.parquet": (tmp_path / "ledger.parquet").read_bytes()} == expected


def test_known_parts_are_compared_but_not_annotated(
    tmp_path: Path, rows: list[dict[str, Any]], whole: Outcome
) -> None:
    batches = shuffled(rows, 5, 4)
    found = outcome(tmp_path, batches, known=2)
    assert [row["id"] for row in found.rows] == [row["id"] for batch in batches[2:] for row in batch]
    every = by_id(whole)
    assert all(row == every[row["id"]] for row in found.rows)
    # The ledger tells of the known ones too, where a better copy came.
    assert found.ledger == whole.ledger
    older = {row["id"] for batch in batches[:2] for row in batch}
    assert any(row["id"] in older and row["kept_id"] not in older for row in found.ledger)


def test_only_selected_documents_of_a_group_are_compared(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    found = outcome(tmp_path, shuffled(rows, 6, 2), where="score > 0", by="language")
    language = {row["id"]: row["language"] for row in rows}
    assert {language[row["id"]] == language[row["kept_id"]] for row in found.ledger if row["kept_id"]} == {
        True
    }
    apart = {
        name: by_id(
            outcome(tmp_path / name, [[row for row in rows if row["language"] == name and row["score"]]])
        )
        for name in ("de", "en")
    }
    for row in found.rows:
        original = next(other for other in rows if other["id"] == row["id"])
        if original["score"]:
            assert row == apart[original["language"]][row["id"]]
        else:
            assert [row[column] for column in METHOD.columns] == [None, None, None]


@pytest.mark.parametrize("unit", ["bytes", "characters", "words"])
def test_hostile_texts(tmp_path: Path, unit: Any) -> None:
    texts: list[str | None] = [text for name, text in HOSTILE.items() if name != "lone surrogates"]
    texts += ["z" * 300_000, "ab" * 100_000, "漢字" * 50_000, None, "\n" * 9999 + "x"]
    rows = [{"id": f"{number:03}", "text": text} for number, text in enumerate(texts * 2)]
    job = Job(parts(tmp_path, [rows]), str(tmp_path / "work"), prefer="id")
    found = compare(Substring(10, unit), job, tmp_path)
    for row, given in zip(found.rows, rows, strict=True):
        text = given["text"] or ""
        assert (row["substring.share"] is None) == (not text)
        for span in row["substring.spans"]:
            assert 0 <= span["start"] < span["end"] <= len(text)
    long = next(row for row, given in zip(found.rows, rows, strict=True) if given["text"] == "z" * 300_000)
    # A text that repeats itself keeps its first units.
    assert long["substring.characters"] == (0 if unit == "words" else 299_990)


def boilerplate(count: int) -> list[dict[str, Any]]:
    """Documents that have 500 characters in common, and some random ones before and behind them."""
    rng = random.Random(2)
    letters = "abcdefghijklmnopqrstuvwxyz     "
    common = "".join(rng.choices(letters, k=500))
    return [
        {
            "id": f"{n:06}",
            "text": "".join(rng.choices(letters, k=60)) + common + "".join(rng.choices(letters, k=60)),
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [2_500, 20_000])
def test_boilerplate_is_linear_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Contexts and windows compared: a few for each document, not for each pair of them."""
    compared = 0

    def counting(function: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            nonlocal compared
            found = function(*arguments)
            compared += found[-1]
            return found

        return counted

    monkeypatch.setattr(contexts, "classify", counting(contexts.classify))
    monkeypatch.setattr(first, "classify", counting(first.classify))
    monkeypatch.setattr(first, "first_windows", counting(first.first_windows))
    rows = boilerplate(count)
    job = Job(parts(tmp_path, shuffled(rows, 1, 3)), str(tmp_path / "work"), prefer="id")
    found = compare(Substring(), job, tmp_path)
    assert by_id(found)["000000"]["substring.characters"] == 0
    assert all(500 <= row["substring.characters"] <= 510 for row in found.rows if row["id"] != "000000")
    # 500 characters have about 20 anchors; at both edges lie contexts that no other document has.
    assert 10 * count < compared < 60 * count


def test_one_anchor_in_too_many_places_is_an_error_that_names_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "available", lambda *limits: 10_000)
    with pytest.raises(UserError, match="stands in too many different places for 2000 MB; raise"):
        outcome(tmp_path, [boilerplate(300)])


def test_nothing_to_compare(tmp_path: Path) -> None:
    job = Job((), str(tmp_path / "work"), prefer="id")
    assert compare(METHOD, job, tmp_path).ledger == []
    (tmp_path / "b").mkdir()
    found = outcome(tmp_path / "b", [[], [{"id": "a", "text": "short"}]])
    assert found.rows == [
        {"id": "a", "substring.spans": [], "substring.characters": 0, "substring.share": 0.0}
    ]
    assert found.facts == {"documents": 0, "spans": 0, "characters": 0}


def test_a_name_of_its_own(tmp_path: Path) -> None:
    method = Substring(30, name="long")
    job = Job(parts(tmp_path, [[{"id": "a", "text": "x" * 61}]]), str(tmp_path / "work"), prefer="id")
    assert compare(method, job, tmp_path).rows == [
        {"id": "a", "long.spans": [{"start": 30, "end": 61}], "long.characters": 31, "long.share": 31 / 61}
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": "byte"}, "unit: unknown unit 'byte'; did you mean 'bytes'"),
        ({"length": 7}, "length: a repeat of 7 bytes is too short; at least 8"),
        ({"fragment": -1}, "fragment: a fragment cannot have fewer than 0 units"),
        ({"unit": "tokens"}, "tokenizer: tokens need a tokenizer; name a tokenizer.json"),
        ({"tokenizer": "t.json"}, "tokenizer: bytes need no tokenizer; leave it out"),
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Substring(**given)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such tokenizer file"), ("{}", "not a tokenizer")]
)
def test_a_tokenizer_that_is_none(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "t.json"
    if content is not None:
        path.write_text(content)
    method = Substring(30, "tokens", tokenizer=str(path))
    job = Job(parts(tmp_path, [[{"id": "a", "text": "x"}]]), str(tmp_path / "work"), prefer="id")
    with pytest.raises(UserError, match=message):
        compare(method, job, tmp_path)


def test_what_the_values_depend_on(tmp_path: Path) -> None:
    assert METHOD.meaning() == {
        "length": 30,
        "unit": "bytes",
        "within": True,
        "fragment": 4,
        "tokenizer": None,
    }
    (tmp_path / "t.json").write_text("{}")
    method = Substring(unit="tokens", tokenizer=str(tmp_path / "t.json"))
    assert method.meaning()["tokenizer"].startswith("44136fa355b3678a")

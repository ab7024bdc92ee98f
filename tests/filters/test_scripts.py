"""Scripts of letters against Unicode's own table, and of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from filters.base import TextView
from filters.scripts import SCRIPTS, dominant_script, script_table
from tests.filters.samples import HOSTILE, rows

CODES = ("", *SCRIPTS.values())


def test_letters_have_the_script_that_unicode_says() -> None:
    regex = pytest.importorskip("regex", reason="the package `regex` knows Unicode's scripts")
    table = script_table().tolist()
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and chr(c).isalpha()]
    text = "".join(characters)
    wrong: dict[str, list[str]] = {}
    for number, code in enumerate(CODES[1:], 1):
        of_script = set(regex.findall(rf"\p{{Script={code}}}", text))
        ours = {c for c in characters if table[ord(c)] == number}
        # Unicode's "common" letters (half-width sound marks and the like) may be of several scripts.
        assert len(ours - of_script) <= 5, (code, sorted(ours - of_script))
        wrong[code] = sorted(of_script - ours)
    # Latin modifier letters are named otherwise; no other script misses more than a handful.
    assert len(wrong.pop("Latn")) < 220
    assert all(len(missed) <= 25 for missed in wrong.values()), {k: len(v) for k, v in wrong.items()}


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", None),
        ("12 %", None),
        ("The mill", "Latn"),
        ("Мельница, a mill", "Cyrl"),
        ("風車", "Hani"),
        ("風車は回る", "Jpan"),
        ("コーヒーを飲む", "Jpan"),
        ("这是一个很长的句子，它引用了「の」这个字，但仍然是中文", "Hani"),
        ("풍차가 돈다", "Hang"),
        ("กังหันลม", "Thai"),
        ("مطحنة", "Arab"),
        ("abc где", "Latn"),
    ],
)
def test_the_script_of_a_text(text: str, script: str | None) -> None:
    assert dominant_script(TextView(text).code_points) == script


def test_declarations_of_human_rights_are_in_their_scripts(testdata: Path) -> None:
    other = {"ar": "Arab", "ja": "Jpan", "ko": "Hang", "ru": "Cyrl", "th": "Thai", "zh": "Hani"}
    for row in rows(testdata / "multilingual/udhr_16lang.jsonl.zst"):
        assert dominant_script(TextView(row["text"]).code_points) == other.get(row["lang"], "Latn")


def test_hostile_texts_have_a_script_or_none() -> None:
    for text in HOSTILE.values():
        assert dominant_script(TextView(text).code_points) in (None, "Latn", "Arab")

"""Nemotron-CC's measures against a slow twin, and their decisions on real texts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.annotators.nemotron_cc import NemotronCC
from filters.base import TextView, annotate_texts
from filters.decide import bind
from filters.rules import load_ruleset
from tests.filters.nemotron_twin import measures
from tests.filters.samples import HOSTILE, real_texts, rows

ANNOTATOR = NemotronCC()
PIECES = st.sampled_from(
    [
        *(
            "the",
            "be",
            "of",
            "to",
            "a",
            "mill",
            "Read More",
            "read more..",
            "#",
            "##",
            "#a#",
            "...",
            "[...]",
            "…",
            "[…]",
        ),
        *(
            "(...)",
            "-»",
            "12",
            "３",
            "²",
            "Ⓐ",
            "Ⅷ",
            "•",
            "◦",
            "-",
            ".",
            "?",
            '"',
            "(",
            "⟨",
            "]",
            "é",
            "İ",
            "日",
        ),
        *(
            "https://a.b/c?d=%2F#e",
            "http://",
            "Lorem Ipsum",
            "Privacy Policy",
            "use cookies",
            "the mill of the",
        ),
        *(
            " ",
            " ",
            " ",
            "  ",
            "\n",
            "\n",
            "\n\n",
            "\n\n\n",
            "\t",
            "\b",
            "\r\n",
            "\x85",
            "\u3000",
            "\u200b",
            "\ud800",
            "\0",
        ),
    ]
)


def measured(text: str) -> dict[str, object]:
    (table,) = annotate_texts([ANNOTATOR], [text]).values()
    return {name.partition(".")[2]: value for name, value in table.to_pylist()[0].items()}


def compare(text: str) -> None:
    expected = measures(text)
    found = measured(text)
    assert {name: found[name] for name in expected} == expected, repr(text)


@given(st.lists(PIECES, max_size=60).map("".join))
@example("a b c d e a b c d e a b c d e")
@example("a b c d e f a b c d e a b c d e f")
@example("x\n\n\n\nx\n\n\ny")
@example("read more")
@example("aread more.\nREAD MORE..\nx....\n....]\n(....)\n[x…]\n-»\n»")
@settings(max_examples=250, deadline=None)
def test_the_measures_are_the_twins(text: str) -> None:
    found = measured(text)
    if found["spaced"]:
        compare(text)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_measured_alike(name: str) -> None:
    compare(HOSTILE[name])


def test_the_measures_of_real_texts_are_the_twins(testdata: Path) -> None:
    texts = [text for text in real_texts(testdata) if measured(text)["spaced"]]
    assert len(texts) >= 1000
    for text in texts:
        compare(text)


@pytest.mark.parametrize("name", ["nemotron-cc-english", "nemotron-cc-non-english"])
def test_the_rules_decide_as_the_filters_in_a_row(testdata: Path, name: str) -> None:
    """Curator's chain, written as such: a text is dropped by the first filter that does not want it. The
    rule set for other languages says where it departs from Curator."""
    texts = [text for text in real_texts(testdata) if measured(text)["spaced"]]
    (table,) = annotate_texts([ANNOTATOR], texts).values()
    table = table.append_column("id", pa.array([str(number) for number in range(len(texts))]))
    rules = bind(load_ruleset(name), {field.name: field.type for field in table.schema})
    assert len(rules.ruleset.rules) == (29 if name.endswith("cc-english") else 26)
    decided = rules.decide(table).to_pylist()
    reasons = set()
    for text, decision in zip(texts, decided, strict=True):
        reason = first_objection(text, english=name.endswith("cc-english"))
        if reason == "punctuation" and not name.endswith("cc-english"):
            continue  # a rule of our own
        if decision["reason"] != "punctuation":
            assert decision["reason"] == reason
        reasons.add(reason)
    assert len(reasons) >= 8


def first_objection(text: str, english: bool) -> str | None:
    row = {name: value if value is not None else float("nan") for name, value in measures(text).items()}
    if not row["words"]:
        return "empty"
    filters = [
        ("alpha_numeric", english and row["non_english_ratio"] > 0.25),
        ("symbol_to_word", row["symbol_word_ratio"] > 0.1),
        ("numbers_ratio", row["digit_ratio"] > 0.15),
        ("urls_ratio", row["url_ratio"] > 0.2),
        (
            "white_space",
            row["white_space_ratio"] > max(0.25, 0 if english else 1.5 / (row["mean_word_length"] + 1)),
        ),
        ("parentheses_ratio", row["parenthesis_ratio"] > 0.1),
        ("boilerplate_string_ratio", row["boilerplate_paragraph_ratio"] > 0.4),
        ("repeated_lines", row["distinct_line_ratio"] < 0.7),
        ("repeated_paragraphs", row["distinct_paragraph_ratio"] < 0.7),
        ("repeated_lines_char", row["distinct_line_characters"] < 0.8),
        ("repeated_paragraphs_char", row["distinct_paragraph_characters"] < 0.8),
        ("word_count", not 50 <= row["words"] <= 100_000),
        ("punctuation", english and row["unmarked_line_ratio"] > 0.85),
        ("words_without_alphabets", english and row["alpha_word_ratio"] < 0.8),
        ("common_english_words", english and row["common_words"] < 2),
        ("mean_word_length", not (3 if english else 2.5) <= row["mean_word_length"] <= 10),
        ("max_word_length", row["longest_word"] > 1000),
        ("ellipsis", row["ellipsis_line_ratio"] > 0.3),
        *(
            (f"repeating_top_{n}grams", row[f"top_{n}_gram"] > most)
            for n, most in ((2, 0.2), (3, 0.18), (4, 0.16))
        ),
        *(
            (f"repeating_dup_{n}gram", row[f"repeated_{n}_gram"] > most)
            for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
        ),
        ("bullet_ratio", row["bullet_line_ratio"] > 0.9),
    ]
    return next((name for name, objects in filters if objects), None)


def test_texts_without_spaces_are_measured_in_words(testdata: Path) -> None:
    texts = [row["text"] for row in rows(testdata / "multilingual/wiki_zh.jsonl.zst", 30)]
    for text in texts:
        row = measured(text)
        view = TextView(text)
        assert row["spaced"] is False
        assert row["words"] == len(view.words) > len(text.split())
        assert row["unended_line_ratio"] is not None
    assert measured("นี่คือข้อความภาษาไทยที่ไม่มีเครื่องหมายจบประโยค " * 20)["unended_line_ratio"] is None
    # A phrase repeated without spaces is found, and no space is counted.
    assert measured("水車小屋の主人。" * 50)["repeated_5_gram"] == pytest.approx(1, abs=0.05)


def test_clean_text_of_fifteen_languages_passes(testdata: Path) -> None:
    """Sentences of treebanks, sixteen a document, and the Declaration of Human Rights."""
    by_set: dict[tuple[str, str], list[str]] = {}
    for row in rows(testdata / "multilingual/ud_sentences_15lang.jsonl.zst"):
        by_set.setdefault((row["lang"], row["set"]), []).append(row["text"])
    texts: dict[str, list[str]] = {}
    for (language, _), sentences in by_set.items():
        glue = "" if language in ("zh", "ja", "th") else " "
        lines = [glue.join(sentences[at : at + 4]) for at in range(0, len(sentences) - 3, 4)]
        found = ["\n\n".join(lines[at : at + 4]) for at in range(0, len(lines) - 3, 4)]
        texts.setdefault(language, []).extend(found)
    for row in rows(testdata / "multilingual/udhr_16lang.jsonl.zst"):
        texts.setdefault(row["lang"], []).append(row["text"])
    assert len(texts) >= 15
    for language, documents in texts.items():
        (table,) = annotate_texts([ANNOTATOR], documents).values()
        table = table.append_column("id", pa.array([str(number) for number in range(len(documents))]))
        name = "nemotron-cc-english" if language == "en" else "nemotron-cc-non-english"
        rules = bind(load_ruleset(name), {field.name: field.type for field in table.schema})
        dropped = [row["reason"] for row in rules.decide(table).to_pylist() if not row["keep"]]
        assert len(dropped) <= 0.05 * len(documents), (language, dropped)

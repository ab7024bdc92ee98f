"""Segmentation: offsets give the text back, and the pieces are those of slow, readable twins."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import characters
from filters.base import Spans, TextView

# Any code point at all, and pieces that are likely to meet: line ends, spaces, marks, marks of odd scripts.
ANY = st.characters(codec=None, exclude_categories=())
LINE_ENDS = ["\n", "\n\n", "\r\n", "\r", "\x85", "\u2028"]
MARKS = [".", "...", "…", "?!", '"', ")", "。", "-", "•", "\x00", "\ud800", "😀", "\u200d"]
LETTERS = ["a", "B", "é", "a\u0301", "İ", "don't", "3.14", "J.", "中", "ไทย", "한국"]
PIECES = st.sampled_from([*LINE_ENDS, " ", "\u00a0", *MARKS, *LETTERS])
TEXTS = st.one_of(st.text(ANY), st.lists(PIECES, max_size=40).map("".join))


def is_word_character(character: str) -> bool:
    return bool(characters.class_table()[ord(character)] & characters.WORD)


def is_han(character: str) -> bool:
    return bool(characters.class_table()[ord(character)] & characters.IDEOGRAPH)


def slow_words(text: str) -> list[str]:
    """The definition of a word, one character after the other."""

    def inside(index: int) -> bool:
        if is_word_character(text[index]):
            return True
        before, after = text[index - 1 : index], text[index + 1 : index + 2]
        if text[index] in "'’":
            return before.isalpha() and after.isalpha()
        return text[index] in ".," and before.isdigit() and after.isdigit()

    pieces: list[str] = []
    joined = False
    for index, character in enumerate(text):
        if character.isspace():
            joined = False
            continue
        word = inside(index)
        if (
            joined
            and index
            and (
                (word and inside(index - 1) and not is_han(character) and not is_han(text[index - 1]))
                or (not word and character == text[index - 1])
            )
        ):
            pieces[-1] += character
        else:
            pieces.append(character)
        joined = True
    return pieces


def check_spans(text: str, spans: Spans) -> None:
    assert spans.starts.dtype == spans.ends.dtype == np.int64
    assert (spans.starts <= spans.ends).all()
    assert (spans.ends[:-1] <= spans.starts[1:]).all()
    if len(spans):
        assert spans.starts[0] >= 0
        assert spans.ends[-1] <= len(text)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_lines_are_those_of_splitlines(text: str) -> None:
    assert list(TextView(text).lines.of(text)) == text.splitlines()


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_paragraphs_are_cut_at_blank_lines_of_the_stripped_text(text: str) -> None:
    assert list(TextView(text).paragraphs.of(text)) == re.split(r"\n{2,}", text.strip())


@given(TEXTS)
@settings(max_examples=500, deadline=None)
def test_words_are_those_of_the_definition_and_cover_all_that_is_visible(text: str) -> None:
    view = TextView(text)
    words = list(view.words.of(text))
    check_spans(text, view.words)
    assert words == slow_words(text)
    assert "".join(words) == "".join(text.split())


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_sentences_cover_all_that_is_visible_and_stay_within_lines(text: str) -> None:
    view = TextView(text)
    sentences = list(view.sentences.of(text))
    check_spans(text, view.sentences)
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)
    assert all(len(sentence.splitlines()) == 1 for sentence in sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_trimmed_is_strip(text: str) -> None:
    view = TextView(text)
    assert list(view.trimmed(view.lines).of(text)) == [line.strip() for line in text.splitlines()]


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_pieces_have_equal_hashes_just_when_they_are_equal(text: str) -> None:
    view = TextView(text)
    for spans in (view.lines, view.words):
        hashes = view.hashes(spans).tolist()
        pieces = list(spans.of(text))
        assert len(set(zip(hashes, pieces, strict=True))) == len(set(hashes)) == len(set(pieces))


def test_a_piece_has_the_same_hash_wherever_it_stands() -> None:
    here = TextView("grist for the mill")
    there = TextView("x" * 100_000 + " grist for the mill")
    assert here.word_hashes.tolist() == there.word_hashes[1:].tolist()
    assert len(np.unique(TextView(" ".join(map(str, range(200_000)))).word_hashes)) == 200_000


def test_the_table_of_characters_says_what_str_says() -> None:
    table = characters.class_table()
    everything = [chr(code_point) for code_point in range(characters.CODE_POINTS)]
    for flag, method in (
        (characters.ALPHA, str.isalpha),
        (characters.DIGIT, str.isdigit),
        (characters.SPACE, str.isspace),
        (characters.LOWER, str.islower),
        (characters.UPPER, str.isupper),
    ):
        assert ((table & flag) > 0).tolist() == [method(character) for character in everything]
    breaks = {character for character in everything if len(f"a{character}b".splitlines()) == 2}
    assert breaks == set(characters.LINE_BREAKS)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said: "No." Then he left.', ['He said: "No."', "Then he left."]),
        ("It is 3.14 or so. e.g. this", ["It is 3.14 or so. e.g. this"]),
        ("J. Smith met U.S. officials. They talked.", ["J. Smith met U.S. officials.", "They talked."]),
        ("Wait... what? Yes.", ["Wait...", "what?", "Yes."]),
        ("世界人权宣言。第一条！人人生而自由。", ["世界人权宣言。", "第一条！", "人人生而自由。"]),
        ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
        ("A title\nA line. Another", ["A title", "A line.", "Another"]),
        ("", []),
        (" \n ", []),
        ("...", ["..."]),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert list(TextView(text).sentences.of(text)) == sentences


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't panic!", ["Don't", "panic", "!"]),
        ("well-known 1,000.5 U.S.", ["well", "-", "known", "1,000.5", "U", ".", "S", "."]),
        ("wait... --- ok", ["wait", "...", "---", "ok"]),
        ("世界 abc中d", ["世", "界", "abc", "中", "d"]),
        ("e\u0301te\u0301 co\u00adop", ["e\u0301te\u0301", "co\u00adop"]),
        ("\x00\ud800", ["\x00", "\ud800"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(TextView(text).words.of(text)) == words


def test_sentences_of_treebanks_stay_whole(testdata: Path) -> None:
    """Universal Dependencies: one sentence a row, so a cut inside one is wrong; joined ones should come
    apart."""
    rows: dict[str, list[str]] = {}
    with zstandard.open(
        testdata / "multilingual/ud_sentences_15lang.jsonl.zst", "rt", encoding="utf-8"
    ) as file:
        for line in file:
            row = json.loads(line)
            rows.setdefault(row["lang"], []).append(row["text"])
    whole = {
        language: sum(len(TextView(text).sentences) == 1 for text in texts) / len(texts)
        for language, texts in rows.items()
    }
    assert min(whole.values()) > 0.85, whole
    assert sum(whole.values()) / len(whole) > 0.93, whole
    found = {}
    for language in ("en", "de", "fr", "es"):
        ended = [text for text in rows[language] if text.rstrip().endswith((".", "!", "?"))][:500]
        found[language] = len(TextView(" ".join(ended)).sentences) / len(ended)
    assert all(0.9 < rate < 1.15 for rate in found.values()), found


def test_a_line_of_ten_megabytes() -> None:
    text = "word " * 2_000_000
    view = TextView(text)
    assert len(view.words) == 2_000_000
    assert len(view.lines) == len(view.sentences) == len(view.paragraphs) == 1

"""The words that are compared: what is the same, what is not, and where they stand."""

from __future__ import annotations

import unicodedata
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.decontaminate.fingerprint import word_hash
from filters.decontaminate.words import words
from tests.filters.decontaminate.words_twin import twin
from tests.filters.samples import HOSTILE, rows

SAME = [
    # numbers by value
    ("1,000", "1000"),
    ("1000.0", "1000"),
    ("1{,}000", "1000"),
    ("10,\\!000", "10000"),
    ("1\\,000", "1000"),
    ("1\u202f000\u00a0000", "1000000"),
    ("1,234,567.50", "1234567.5"),
    (".5", "0.50"),
    ("costs $18.", "costs 18"),
    ("٣٫ ۴ ３", "3 4 3"),
    # letters
    ("Café ﬁne ＡＢＣ", "CAFE\u0301 FINE abc"),
    ("Straße", "STRASSE"),
    ("각하", unicodedata.normalize("NFD", "각하")),
    ("がっこう", unicodedata.normalize("NFD", "がっこう")),
    ("co\u00adoperate", "cooperate"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    # marks and markup
    ("Don’t — “stop”…", 'don\'t - "stop"...'),
    ("**bold** _it_ `code` > | # x", "bold it code x"),
    ("x &lt; 5&nbsp;cm &amp; &#39;y&#x27;", "x < 5 cm & 'y'"),
    ("well-\nknown", "well known"),
    ("has_close_elements", "has close elements"),
    # formulas
    ("\\frac{a}{b}", "a/b"),
    ("\\dfrac12 \\tfrac 34", "1/2 3/4"),
    ("\\frac1{23}", "\\frac{1}{23}"),
    ("\\binom{n}{2}", "\\dbinom n2"),
    ("½", "\\frac{1}{2}"),
    ("x^{2}+y_1", "x²+y₁"),
    ("x2", "x^2"),
    ("a b c", "abc"),
    ("a\\,b\\;c", "a+b=c"),
    ("$\\alpha x$", "αx"),
    ("2\\pi r", "2πr"),
    ("\\varepsilon", "ε"),
    ("\\sqrt2", "√2"),
    ("\\sqrt{2}", "sqrt(2)"),
    ("\\sqrt[3]{2}", "\\sqrt[ 3 ]2"),
    ("\\left( \\frac{1}{2} \\right)", "(1/2)"),
    ("\\text{ if }x\\geq 2", "if x ≥ 2"),
    ("x \\leq 2, x \\leqslant 2", "x <= 2, x ≤ 2"),
    ("\\(x\\) \\[y\\] $z$ $$t$$", "x y z t"),
    ("\\pmod{7} \\bmod 7", "(mod 7) mod 7"),
    (
        "\\left(\\begin{array}{cc} 1 & 2 \\\\ 3 & 4\\end{array}\\right)",
        "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
    ),
    ("\\begin{tabular}{|l@{}r|} u v \\end{tabular}", "u v"),
    ("\\mathbb{R} \\mathrm{cm} \\operatorname{gcd}", "ℝ cm gcd"),
    ("\\overline{AB} \\vec{v} \\boxed{7}", "AB v 7"),
    ("90^\\circ \\triangle \\angle", "90° △ ∠"),
    ("\\\\frac{1}{2}", "\\frac{1}{2}"),
    ("\\hspace{2cm} u \\label{eq:one}", "u"),
]
DIFFERENT = [
    ("1,00", "100"),
    ("1,0000", "10000"),
    ("1 000", "1000"),
    ("3.14", "3.15"),
    ("007", "7"),
    ("x^2", "x^3"),
    ("a: b", "a b"),
    ("word", "words"),
    ("3,5", "3.5"),
]
PIECES = st.sampled_from(
    [
        *" \n.,:;&{}()[]$_^-+*/<>'\"%",
        *"0123456789",
        *"abxyABX",
        *"éßﬁÅαΩσ½²₃①Ⅷ√∠△ªµ℃",
        *"漢かがカทำ각ᄀ가",
        *"\u00a0\u202f\u00ad\u0301\u200d\x00\ud800",
        *("\\", "\\,", "\\!", "\\(", "\\]", "{,}", ",\\!", "1,000", "2.50", ".5", "&lt;", "&nbsp;", "&x;"),
        *(
            "\\frac",
            "\\sqrt",
            "\\left",
            "\\alpha",
            "\\begin{array}{cc}",
            "\\end{array}",
            "\\begin",
            "\\hspace",
        ),
        *("\\pmod", "\\text", "\\x", "\\Begin{Tabular}", "{a{b}c}", "the", "words"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text())


def hashes(text: str) -> list[int]:
    found: list[int] = words(TextView(text).code_points).hashes.tolist()
    return found


@pytest.mark.parametrize(("one", "other"), SAME)
def test_ways_of_writing_one_thing_are_the_same_words(one: str, other: str) -> None:
    assert hashes(one) == hashes(other) != []


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert hashes(one) != hashes(other)


def check(text: str) -> None:
    found = words(TextView(text).code_points)
    expected = twin(text)
    assert list(zip(found.hashes.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)) == [
        (word_hash(word), start, end) for word, start, end in expected
    ]


@given(TEXTS)
@settings(max_examples=1500, deadline=None)
def test_words_and_places_are_those_of_the_twin(text: str) -> None:
    check(text)


def test_words_of_real_texts_are_those_of_the_twin(testdata: Path) -> None:
    for name, field in (("math_test", "solution"), ("ifeval", "prompt"), ("humaneval", "prompt")):
        for row in islice(rows(testdata / "evaluation" / f"{name}.jsonl.zst"), 150):
            check(row[field])
    for row in rows(testdata / "multilingual" / "udhr_16lang.jsonl.zst", 16):
        check(str(row))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts(text: str) -> None:
    check(text)


def test_words_lie_in_order_and_never_part_a_letter_from_its_marks() -> None:
    text = "e\u0301\u0302 x\u0308y ทำ\u0e49 a\u0301b" * 3
    found = words(TextView(text).code_points)
    assert np.all(found.starts[1:] >= found.ends[:-1])
    for end in found.ends.tolist():
        assert end == len(text) or not unicodedata.combining(text[end])


def test_a_sign_may_be_more_words_than_it_has_characters() -> None:
    assert hashes("½" * 100) == [word_hash("1"), word_hash("2")] * 100

"""Character references: the whole table, and what browsers make of broken ones."""

from __future__ import annotations

import html
from html.entities import html5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.blocks import entities
from corpus.extraction.blocks.library import Page, available, reason

pytestmark = pytest.mark.skipif(not available(), reason=str(reason()))


def text(source: str) -> str:
    """What a page with only this in `<pre>`, where white space stays, says between its two marks."""
    with Page(f"<pre>a[{source}]a</pre>") as page:
        (whole,) = page.blocks.texts
    assert whole.startswith("a[")
    assert whole.endswith("]a")
    return whole[2:-2]


def test_the_table_is_the_one_that_python_has() -> None:
    assert entities.TABLE.read_text() == entities.table()
    assert entities.table().count("\n{") == len(html5) == 2231


# Invisible characters are left out of texts, and private ones are never text.
DROPPED = {"\xad", "\u200b", "\u200e", "\u200f", "\u2060", "\u2061", "\u2062", "\u2063"}


def test_every_name() -> None:
    wrong = {}
    for name, meaning in html5.items():
        expected = "".join(c for c in meaning if c not in DROPPED)
        if (found := text(f"&{name}")) != expected:
            wrong[name] = (found, expected)
    assert not wrong


def test_names_without_semicolon_before_anything() -> None:
    short = [name for name in html5 if not name.endswith(";")]
    assert len(short) == 106
    for name in short:
        source = f"&{name}x"
        expected = "".join(c for c in html.unescape(source) if c not in DROPPED)
        assert text(source) == expected, name


@pytest.mark.parametrize(
    ("source", "meaning"),
    [
        ("&#65;&#x42;&#X43;&#68", "ABCD"),
        ("&#150;&#x80;&#146;&#x9f;", "–€’Ÿ"),  # Windows-1252
        ("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\N{REPLACEMENT CHARACTER}" * 4),
        ("&#x1F600;", "\N{GRINNING FACE}"),
        ("&", "&"),
        ("& &; &# &#; &#x; &#xg;", "& &; &# &#; &#x; &#xg;"),
        ("&nosuchname; &notin; &notit; &NotEqualTilde;", "&nosuchname; ∉ ¬it; ≂̸"),
        ("&ampamp; &amp;amp;", "&amp; &amp;"),
        ("&AMP;&Amp;", "&&Amp;"),
        (
            "&CounterClockwiseContourIntegral;&CounterClockwiseContourIntegralX;",
            "∳&CounterClockwiseContourIntegralX;",
        ),
    ],
)
def test_numbers_and_broken_ones(source: str, meaning: str) -> None:
    assert text(source) == meaning


def numeric(character: str) -> st.SearchStrategy[str]:
    """The ways to write a character as a number."""
    code = ord(character)
    return st.sampled_from([f"#{code}", f"#{code};", f"#x{code:x}", f"#X{code:X};", f"#{code:09};"])


# Python leaves out what is no character and browsers keep it; neither is text.
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn", "Cf"])
REFERENCES = (
    st.sampled_from(sorted(html5))
    | CHARACTERS.flatmap(numeric)
    | st.from_regex(r"[a-zA-Z]{1,9};?", fullmatch=True)
)


@given(st.lists(REFERENCES, max_size=6), st.sampled_from(["", " ", "=", "é", "&", "x"]))
def test_any_references_as_python_reads_them(references: list[str], between: str) -> None:
    source = between.join(f"&{reference}" for reference in references)
    expected = "".join(c for c in html.unescape(source) if c not in DROPPED)
    assert text(source) == expected


def test_attributes_keep_ampersands_of_addresses() -> None:
    with Page(
        '<title>A &amp B&copy=1</title><meta name=description content="?a=1&copy=2&amp;x"><p>t'
    ) as page:
        assert page.title == "A & B©=1"

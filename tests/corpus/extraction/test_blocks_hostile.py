"""Pages made to hurt: any bytes, mark-up in any order, and sizes at which only linear time ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.extraction.blocks.library import Page, available, feature_names, reason, second_feature_names

pytestmark = pytest.mark.skipif(not available(), reason=str(reason()))

DEPTH = 512
"""Open elements that the reader keeps (native/page.hpp, MAX_DEPTH)."""


def everything(html: bytes) -> None:
    """All functions of the library on a page, and what must hold of what they return."""
    with Page(html, "https://example.org/a?b=1") as page:
        blocks = page.blocks
        n = len(page)
        assert all(blocks.texts)
        assert (blocks.words > 0).all()
        table = np.resize(np.arange(7, dtype=np.float32) - 3, 1 << 16)
        features = page.features(table)
        assert features.shape == (n, len(feature_names()))
        assert np.isfinite(features).all()
        assert (features == page.features(table)).all()
        p = np.resize(np.linspace(0, 1, 11, dtype=np.float32), n)
        second = page.second_features(p)
        assert second.shape == (n, len(second_feature_names()))
        assert np.isfinite(second).all()
        slots, words, kept = page.class_statistics(p)
        assert len(set(slots.tolist())) == len(slots)
        assert (kept <= words * 1.001).all()
        for keep in (np.ones(n, bool), p > 0.5):
            plain = page.assemble(keep, "plain")
            assert len(plain.encode()) >= sum(
                len(text.encode())
                for text, kept in zip(blocks.texts, keep, strict=True)
                if kept and "�" not in text
            )
            page.assemble(keep, "markdown")
        assert page.title is None or page.title
        assert page.work <= (2 * DEPTH + 8) * (len(html) + 64)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(html: bytes) -> None:
    everything(html)


WORDS = [
    b"<", b">", b"</", b"/>", b"<!--", b"-->", b"--!>", b"<!", b"<?", b"<![CDATA[", b"]]>", b"&",
    b"&#x", b"&amp", b";", b"<p>", b"</p>", b"<div>", b"</div>", b"<a href='", b"</a>", b"<b>",
    b"</b>", b"<ul>", b"<li>", b"</ul>", b"<ol start=-3>", b"<table>", b"<tr>",
    b"<td colspan=9 rowspan=9>", b"</td>", b"</table>", b"<caption>", b"<pre>", b"</pre>", b"<h1>",
    b"<script>", b"</script>", b"<script type='math/tex'>", b"<svg>", b"</svg>", b"<math>", b"</math>",
    b"<foreignObject>", b"<title>", b"</title>", b"<textarea>", b"<select>", b"</select>", b"<button>",
    b"<template>", b"<noscript>", b"<xmp>", b"<blockquote>", b"</blockquote>", b"<dl>", b"<dt>",
    b"<dd>", b"<br>", b"<img>", b"<x-y>", b"</x-y>", b"<form>", b"</form>", b" class='a-b cD'",
    b" hidden", b" style=display:none", b"'", b'"', b"=", b" ", b"\n", b"a", b"word ", b"1. ",
    b"\xe6\xb0\xb4", b"\x00", b"\xff", b"\xe2\x80", b"$$", b"\\(", b"<plaintext>", b"<body>",
    b"<html>", b"<frameset>", b"<option>",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map(b"".join))
def test_any_markup(html: bytes) -> None:
    everything(html)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(b"".join), st.integers(0, 3))
def test_any_pattern_repeated_is_read_in_linear_time(unit: bytes, start: int) -> None:
    """Steps, not seconds: four times the page, four times the steps."""
    head = (b"", b"<p>", b"<table><tr><td>", b"<i>" + b"<div>" * 600)[start]
    steps = []
    for times in (500, 2000):
        with Page(head + unit * times) as page:
            steps.append(page.work)
    # Until the stack is full, every element adds one to look at.
    assert steps[1] <= 4 * steps[0] + (2 * DEPTH) * (2 * DEPTH) + 2000 * len(unit)


@pytest.mark.parametrize(
    "unit",
    [
        b"<", b"&", b"<!--", b"<div>", b"<b>", b"<a b='", b"<svg>", b"<math>", b"<table>", b"<script><!--",
        b"</p>", b"<a b=c ", b"<li>x", b"<blockquote>x", b"<title>", b"&#", b"<i></b>", b"<td>x",
        b"<pre>\n",
    ],
)  # fmt: skip
def test_ten_megabytes(unit: bytes) -> None:
    html = unit * (10_000_000 // len(unit))
    with Page(html) as page:
        assert page.work <= 3 * len(html)
        assert len(page.features()) == len(page)
        assert len(page.assemble(np.ones(len(page), bool))) <= 10 * len(html)


def test_a_million_elements_deep() -> None:
    with Page(b"<div>" * 1_000_000 + b"deep" + b"</div>" * 1_000_000 + b"<p>after") as page:
        assert page.blocks.texts[0] == "deep"
        assert page.work <= 3 * 11_000_000
        depth = page.features()[:, feature_names().index("depth")]
        assert depth.max() <= DEPTH


def test_end_tags_of_the_far_end_of_the_stack() -> None:
    """Each looks through all open elements, which are at most DEPTH."""
    html = b"<i><section><table><tr><td>" + b"<div>" * 480 + b"</section>" * 100_000
    with Page(html) as page:
        assert page.work <= DEPTH * 100_000 + 2 * len(html)


def test_lines_deep_in_quotes_do_not_multiply() -> None:
    html = b"<blockquote>" * 500 + b"x<br>" * 100_000
    with Page(html) as page:
        assert len(page.assemble(np.ones(len(page), bool))) <= 10 * len(html)


def test_more_blocks_than_anybody_reads() -> None:
    with Page(b"<p>x" * 250_000) as page:
        assert len(page) == 200_000
        assert page.truncated
    with Page(b"<p>x" * 1000) as page:
        assert not page.truncated

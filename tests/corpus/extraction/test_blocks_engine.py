"""The engine "gristmill" as the extraction step uses it."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from corpus.extraction.blocks import build, model
from corpus.extraction.blocks.engine import FEW_CHARACTERS, MOST_DEPTH, BlockEngine, article_bodies
from corpus.extraction.blocks.library import LibraryError
from corpus.extraction.engines import native_missing
from corpus.extraction.structure import Format
from gristmill.base.errors import UserError

needs_engine = pytest.mark.skipif(native_missing() is not None, reason=str(native_missing()))

PROSE = (
    "The miller opens the sluice in the morning, and the wheel begins to turn, slowly at first.",
    "By noon the stones are warm, and a fine white dust lies on every beam of the house.",
    "Farmers come with their carts from both sides of the river and wait for their turn.",
    "Nobody remembers who built the weir, but the oldest deed that names it is of 1412.",
    "When the water is low in August, the mill stands still for days.",
    "A new wheel was put in after the flood of 1954; it is of oak, like the one before.",
)
ARTICLE = f"""<html><head><title>The mill &amp; the river</title></head><body>
<nav><ul><li><a href=/>Home</a><li><a href=/news>News</a><li><a href=/about>About us</a></ul></nav>
<main><article><h1>The mill and the river</h1><p>{" ".join(PROSE[:3])}<p>{" ".join(PROSE[3:])}
<h2>How the grain is ground</h2><p>{PROSE[4]} A small program controls it:</p><pre>while not done(wheat):
    grind(wheat)</pre><p>{" ".join(PROSE[1:4])}<ul><li>{PROSE[0]}<li>{PROSE[5]}</ul></article></main>
<footer><a href=/terms>Terms of use</a> <a href=/privacy>Privacy</a> Copyright 2024</footer></body></html>"""


@needs_engine
@pytest.mark.parametrize("form", ["markdown", "plain"])
def test_main_text_without_what_is_around_it(form: Format) -> None:
    found = BlockEngine(format=form).extract(ARTICLE, "https://example.org/news/mill")
    assert found.title == "The mill & the river"
    assert all(sentence in found.text for sentence in PROSE)
    assert ("## How the grain is ground" in found.text) == (form == "markdown")
    assert "while not done(wheat):\n    grind(wheat)" in found.text
    assert ("```" in found.text) == (form == "markdown")
    for other in ("Home", "About us", "Terms of use", "Copyright"):
        assert other not in found.text
    assert found.signals == {}


@needs_engine
def test_the_version_names_sources_and_model() -> None:
    version = BlockEngine().version
    assert version == BlockEngine(format="plain").version
    assert build.source_digest()[:12] in version
    assert model.version() in version


@needs_engine
@pytest.mark.parametrize("html", ["", "\0", "<", "<p>\ud800</p>", "no tags", "<p>" * 5000, "&" * 10_000])
def test_any_text_is_a_page(html: str) -> None:
    assert "�" not in BlockEngine().extract(html, None).text


@needs_engine
def test_the_same_text_again(testdata: Path) -> None:
    """Whatever was read before; on real pages."""
    with (testdata / "web" / "wcxb_dev.warc.gz").open("rb") as file:
        records = islice(ArchiveIterator(file, record_types=WarcRecordType.response), 30)
        pages = [record.reader.read().decode("utf-8", "replace") for record in records]
    texts = [BlockEngine().extract(page, "https://example.org/").text for page in pages]
    engine = BlockEngine()
    assert [engine.extract(page, "https://example.org/").text for page in reversed(pages)] == texts[::-1]
    assert sum(map(bool, texts)) > 25


def script(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


@needs_engine
def test_an_article_that_scripts_would_show() -> None:
    body = f"<p>{PROSE[0] * 4}</p>\n<p>R&amp;D &lt; all</p>"
    page = (
        f"<title>t</title>{script({'@graph': [{'@type': 'Article', 'articleBody': body}]})}<div id=app></div>"
    )
    found = BlockEngine().extract(page, None)
    assert found.text == f"{(PROSE[0] * 4)}\nR&D < all"
    assert found.signals == {"from": "json-ld"}
    # A page that has its text keeps it; so does one whose script has too little.
    assert BlockEngine().extract(ARTICLE + script({"articleBody": PROSE[0] * 9}), None).signals == {}
    little = BlockEngine().extract(script({"articleBody": "x" * (FEW_CHARACTERS - 1)}), None)
    assert (little.text, little.signals) == ("", {})


def test_article_bodies_of_any_script() -> None:
    assert list(article_bodies('[{"a": [{"articleBody": "two"}], "articleBody": "one"}]')) == ["one", "two"]
    assert list(article_bodies('{"articleBody": "line\nend"}')) == ["line\nend"]  # as pages write it
    assert list(article_bodies('{"articleBody": ["no", 1]}')) == []
    assert list(article_bodies("{articleBody: broken")) == []
    assert list(article_bodies("[" * 100_000)) == []
    deep = '{"a":' * MOST_DEPTH + '{"articleBody": "deep"}' + "}" * MOST_DEPTH
    assert list(article_bodies(deep)) == []


def test_where_it_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> model.Model:
        raise LibraryError("the native library is not built: no C++ compiler")

    monkeypatch.setattr(model, "shipped", missing)
    with pytest.raises(UserError, match=r"no C\+\+ compiler.*choose another engine"):
        BlockEngine()

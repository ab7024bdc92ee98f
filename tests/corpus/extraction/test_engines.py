"""Which engine serves, what each keeps of a page's structure, and that each is its original."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpus.build import build
from corpus.extraction import engines
from corpus.extraction.base import Engine
from corpus.extraction.engines import EngineSpec, load, native_missing, resolve, specify
from corpus.extraction.structure import Markdown, Plain, page_title
from corpus.manifest import CorpusManifest, WarcSource
from corpus.plan import make_plan
from corpus.store import Store
from gristmill.base.errors import UserError
from tests.corpus.archives import http, pack, pages, record
from tests.corpus.extraction.hostile import TARGET
from tests.corpus.stores import manifest

MATHS = r"$\frac{a_i}{b} < c_{i} > d$ and \( x^2 * y_1 \)"
FILLER = "It goes on for a while, as the texts of people do, so that there is enough of it to be kept. " * 3
STRUCTURED = f"""<html lang="en"><head><title>The  page's
 title &amp; more</title></head><body><main><article><h1>The first heading</h1><p>{FILLER}</p>
<h2>Another heading</h2><p>{FILLER} The formula {MATHS.replace("<", "&lt;").replace(">", "&gt;")} is one.</p>
<ul><li>{FILLER} an item</li><li>{FILLER} the next item</li></ul>
<ol><li>{FILLER} step one</li><li>{FILLER} step two</li></ol>
<table><tr><th>{FILLER} Cell A</th><th>{FILLER} Cell B</th></tr>
<tr><td>{FILLER} cell 1</td><td>{FILLER} cell 2</td></tr></table>
<pre>def f(x):
    return x  # {FILLER}
</pre><blockquote><p>{FILLER} said somebody.</p></blockquote><p>{FILLER}</p></article></main></body></html>"""
KEPT = {
    # A table of such long cells is a page's layout to it.
    "gristmill": {"headings", "items", "code", "quote"},
    "resiliparse": {"headings", "items", "table", "code"},
    "trafilatura": {"headings", "items", "table", "code", "quote"},
    "justext": {"headings", "items", "table", "code", "quote"},
}
MARKS = {
    "headings": r"^## Another heading\n",
    "items": r"^- It goes [^\n]* an item\n- It goes",
    "table": r"^\| It goes [^\n]* Cell A \| [^\n]* Cell B \|\n\|(-+\|| -+ \|?)+\n\| It goes",
    "code": r"^```\ndef f\(x\):\n",
    "quote": r"^> It goes [^\n]* said somebody.$",
}


def engine(name: str, **options: Any) -> Engine:
    if name == "gristmill" and (why := native_missing()) is not None:
        pytest.skip(why)
    if name in ("trafilatura", "justext"):
        pytest.importorskip(name)
    return load(engines.TARGETS[name], options)


def extraction(**fields: Any) -> Any:
    return WarcSource.model_validate({"type": "warc", "paths": ["x"], "extract": fields}).extract


def bag(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("name", KEPT)
def test_structure_is_kept(name: str) -> None:
    # resiliparse takes the first list of this page for a menu.
    options = {"main_content": False} if name == "resiliparse" else {}
    found = engine(name, **options).extract(STRUCTURED, "http://example.org/")
    assert found.title == "The page's title & more"
    assert {mark for mark, pattern in MARKS.items() if re.search(pattern, found.text, re.MULTILINE)} == KEPT[
        name
    ]
    assert MATHS in found.text
    plain = engine(name, format="plain", **options).extract(STRUCTURED, "http://example.org/").text
    assert not any(re.search(pattern, plain, re.MULTILINE) for pattern in MARKS.values())
    assert MATHS in plain
    # The numbers of ordered lists are marks as well.
    assert bag(re.sub(r"(?m)^ *\d\. ", "", found.text)) == bag(re.sub(r"(?m)^ *\d\. ", "", plain))


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize(
    "html", ["", "<", "<p>a<p>b</i></table><script>", "<!--", "\0<p>x", "</div>" * 1000, "plain"]
)
def test_broken_html_is_no_accident(name: str, html: str) -> None:
    assert isinstance(engine(name).extract(html, None).text, str)


@pytest.fixture(scope="module")
def real(testdata: Path) -> list[str]:
    """Some real pages, of all kinds."""
    from corpus.extraction.blocks.gold import read_gold

    return [page.html for page in read_gold(testdata / "web", "aeb")[::9]]


@pytest.mark.parametrize(
    "options", [{}, {"fast": True, "comments": False, "tables": False, "focus": "precision"}]
)
def test_trafilatura_s_words_are_its_own(real: list[str], options: dict[str, Any]) -> None:
    trafilatura = pytest.importorskip("trafilatura")
    ours = engine("trafilatura", format="plain", **options)
    theirs = {
        "fast": options.get("fast", False),
        "include_comments": options.get("comments", True),
        "include_tables": options.get("tables", True),
        "favor_precision": options.get("focus") == "precision",
    }
    assert len(real) > 15
    for html in real[:: 2 if options else 3]:
        # Its text format leaves soft hyphens out.
        text = ours.extract(html, None).text.replace("\u00ad", "")
        assert bag(text) == bag(trafilatura.extract(html, **theirs) or "")


def test_justext_s_paragraphs_are_its_own(real: list[str]) -> None:
    justext = pytest.importorskip("justext")
    ours = engine("justext", format="plain", language="en", length_low=50, headings=False)
    for html in real[::2]:
        good = justext.justext(html, justext.get_stoplist("English"), length_low=50, no_headings=True)
        expected = " ".join(paragraph.text for paragraph in good if not paragraph.is_boilerplate)
        assert bag(ours.extract(html, None).text) == bag(expected)


@pytest.mark.parametrize(
    ("text", "declared", "language"),
    [
        ("Die Mühle mahlt das Korn, und der Müller ist mit dem Mehl nicht zufrieden.", None, "de"),
        ("The mill grinds the corn, and the miller is not content with the flour.", None, "en"),
        # Pages that declare their template's language.
        ("Die Mühle mahlt das Korn, und der Müller ist mit dem Mehl nicht zufrieden.", "en-US", "de"),
        ("The mill grinds the corn, and the miller is not content with the flour.", "en", "en"),
        ("水车在河边转动，磨坊主检查每一袋面粉。", "zh-CN", None),
        ("水車は川のそばにあります。日本語の文章をいくつか書きます。", None, None),
        ("", "fr", "fr"),
    ],
)
def test_justext_s_stop_words_are_the_page_s(text: str, declared: str | None, language: str | None) -> None:
    lang = f' lang="{declared}"' if declared else ""
    html = f"<html{lang}><body><p>{text * 15}</p></body></html>"
    found = engine("justext").extract(html, None)
    assert found.signals == {"stop_words": language}
    assert bool(found.text) == bool(text)


def test_resiliparse_s_markdown_has_its_words(real: list[str]) -> None:
    extract = pytest.importorskip("resiliparse.extract.html2text").extract_plain_text
    ours = engine("resiliparse")
    for html in real:
        # List numbers apart, which are marks.
        theirs = extract(html, main_content=True, alt_texts=False, comments=False, list_bullets=False)
        text = re.sub(r"(?m)^( *)\d+\. ", r"\1", ours.extract(html, None).text)
        found, expected = bag(text), bag(theirs)
        assert (found & expected).total() >= 0.99 * max(found.total(), expected.total())


def test_rs_trafilatura_by_its_documented_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in with the signature and the fields of the package's API reference."""
    calls = []

    def extract(
        html: str, *, url: str | None = None, page_type: str | None = None, favor_precision: bool = False,
        favor_recall: bool = False, include_tables: bool = True, include_images: bool = False,
        include_links: bool = False, include_comments: bool = False, output_markdown: bool = False,
    ) -> types.SimpleNamespace:  # fmt: skip
        calls.append((url, page_type, favor_precision, favor_recall, include_comments))
        if html == "bad":
            raise ValueError("Extraction failed")
        return types.SimpleNamespace(
            title=None, main_content="text", content_markdown="# text" if output_markdown else None,
            page_type="forum", extraction_quality=0.75,
        )  # fmt: skip

    monkeypatch.setitem(sys.modules, "rs_trafilatura", types.SimpleNamespace(extract=extract))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: {"rs-trafilatura": "0.2"}[name])
    spec = specify(extraction(engine="rs-trafilatura", focus="recall", page_type="forum"))
    assert (spec.name, spec.version) == ("rs-trafilatura", "1-0.2")
    found = load(spec.target, spec.options).extract("<title>T</title>", "http://example.org/")
    assert (found.text, found.title) == ("# text", "T")
    assert found.signals == {"page_type": "forum", "quality": 0.75}
    assert calls == [("http://example.org/", "forum", False, True, False)]
    assert engine("rs-trafilatura", format="plain").extract("x", None).text == "text"


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("trafilatura", "trafilatura", r"trafilatura.*not installed; pip install 'gristmill\[extractors\]'"),
        ("justext", "justext", r"justext.*not installed; pip install 'gristmill\[extractors\]'"),
        ("rs-trafilatura", "rs_trafilatura", r"rs-trafilatura.*not installed; pip install rs-trafilatura"),
    ],
)
def test_an_engine_that_is_not_installed(
    name: str, module: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=message):
        specify(extraction(engine=name))


def test_a_language_without_stop_words() -> None:
    pytest.importorskip("justext")
    with pytest.raises(UserError, match="no stop words of the language 'zh'"):
        specify(extraction(engine="justext", language="zh"))


def test_auto_is_ours_where_it_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = extraction(format="plain", timeout_seconds=3)
    assert auto.engine == "auto"
    monkeypatch.setattr(engines, "native_missing", lambda: None)
    ours = resolve(auto)
    assert (ours.engine, ours.format, ours.timeout_seconds) == ("gristmill", "plain", 3)
    monkeypatch.setattr(engines, "native_missing", lambda: "no compiler")
    theirs = resolve(auto)
    assert (theirs.engine, theirs.format, theirs.timeout_seconds) == ("resiliparse", "plain", 3)
    assert resolve(ours) is ours


def test_a_store_tells_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "a.warc"
    archive.write_bytes(pack(pages(2), "plain"))

    def wanted(**extract: Any) -> CorpusManifest:
        source = {"type": "warc", "paths": [str(archive)], "extract": extract}
        return manifest(tmp_path / "s", [archive], source=source)

    monkeypatch.setattr(engines, "native_missing", lambda: "no compiler")
    plan = make_plan(wanted())
    version = f"2-{importlib.metadata.version('resiliparse')}"
    assert plan.stage["extraction"] == f"resiliparse {version}"
    # `auto` is what it means here, for jobs elsewhere too.
    assert plan.stage == make_plan(wanted(engine="resiliparse")).stage
    assert plan.manifest == wanted(engine="resiliparse")
    assert plan.source.engine == EngineSpec(  # type: ignore[attr-defined]
        "resiliparse",
        version,
        engines.TARGETS["resiliparse"],
        {"format": "markdown", "main_content": True, "alt_texts": False, "links": False, "comments": False},
    )
    build(wanted())
    assert build(wanted(engine="resiliparse")).reused
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0")
    with pytest.raises(UserError, match=r"changed: extraction\)"):
        build(wanted())


def test_hostile_pages_cost_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a whole build, in this process and in worker processes, with the same bytes."""
    monkeypatch.setitem(engines.TARGETS, "resiliparse", TARGET)
    orders = [
        "one",
        "segfault a",
        "two",
        "spin a",
        "eat a",
        "three",
        "fork a",
        "raise a",
        "refuse a",
        "exit a",
    ]
    for name in ("a", "b"):
        records = [record(number, http(order.encode())) for number, order in enumerate(orders)]
        (tmp_path / f"{name}.warc.gz").write_bytes(pack(records, "members"))
    # Enough for touching 128 MB where page faults are dear; only the pages that spin use it up.
    extract = {"engine": "resiliparse", "timeout_seconds": 3, "memory_mb": 64}
    digests = []
    for workers in (1, 2):
        wanted = manifest(
            tmp_path / f"store-{workers}",
            [tmp_path],
            source={"type": "warc", "paths": [str(tmp_path / "*.warc.gz")], "extract": extract},
            policy=None,
            dedup=None,
            executor={"type": "local", "workers": workers},
        )
        summary = build(wanted)
        digests.append(summary.digest)
        assert summary.documents == 8
        assert summary.dropped == {"extract:broken_html": 2, "extract:crash": 8, "extract:timeout": 2}
        texts = [
            text
            for batch in Store.open(tmp_path / f"store-{workers}").documents(["text"])
            for text in batch["text"].to_pylist()
        ]
        assert texts == ["text of one", "text of two", "text of three", "text of fork a"] * 2
    assert digests[0] == digests[1]


def test_titles() -> None:
    assert page_title("<TITLE lang=en>\n a &lt;b&gt;\t c</TITLE>") == "a <b> c"
    assert page_title("<title></title>") is None
    assert page_title("<titles>x</titles>") is None
    assert page_title("<title>" + "x" * 10_000) is None


def test_marks() -> None:
    markdown, plain = Markdown(), Plain()
    assert markdown.heading(9, " a\nb ") == "###### a b"
    assert markdown.code("a\n```\nb\n````\n") == "`````\na\n```\nb\n````\n`````"
    assert markdown.code("\n  indented\n\n") == "```\n  indented\n```"
    assert markdown.quote("a\n\nb") == "> a\n>\n> b"
    assert markdown.item("a\nb", "10.") == "10. a\n    b"
    assert markdown.table([["a|b", "c\nd"], ["1"]]) == "| a\\|b | c d |\n|---|---|\n| 1 |"
    assert markdown.table([["a", "b"]]) == "| a | b |"
    assert plain.table([["a", "b\nc"], ["1", "2"]]) == "a\tb c\n1\t2"
    assert (plain.heading(1, "a\nb"), plain.quote("a"), plain.item("a"), plain.code("\na\n")) == (
        "a b",
        "a",
        "a",
        "a",
    )

"""Mark-up to blocks as browsers read it: small cases by hand, real pages against Lexbor's tree."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.parse.html import HTMLTree

from corpus.extraction.blocks.library import Page, available, flag_names, reason

pytestmark = pytest.mark.skipif(not available(), reason=str(reason()))


def blocks(html: str | bytes) -> list[str]:
    with Page(html) as page:
        return page.blocks.texts


def described(html: str) -> list[tuple[str, str, set[str]]]:
    """Text, element and flags of every block."""
    with Page(html) as page:
        found = page.blocks
        names = flag_names()
        flags = [
            {name for bit, name in enumerate(names) if value >> bit & 1} for value in found.flags.tolist()
        ]
        return list(zip(found.texts, found.tags, flags, strict=True))


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        # Runs of inline content
        ("a <b>b</b>c<i> d</i>\n\t e", ["a bc d e"]),
        ("<p>one<p>two</p>three", ["one", "two", "three"]),
        ("<div>a<p>b</div>c", ["a", "b", "c"]),
        ("a<br>b<br><br><br>c<br>", ["a\nb\n\nc"]),
        ("one&nbsp;two\u00a0\u2003three", ["one two three"]),
        ("so\u00adft zero\u200bwidth \ufeffmark", ["soft zerowidth mark"]),
        ("<a href=x>one</a><a href=y>two</a> x<img src=i>y z<svg></svg>w", ["one two x y z w"]),
        ("<span>one</span><span>two</span>", ["onetwo"]),
        # No words, no block
        ("<p>a<p> - <p>| * |<p>\u2014<p>b", ["a", "b"]),
        # Tags that are none
        ("a < b <3 <> </> </3>c<", ["a < b <3 <> c<"]),
        ("a<!-- b -->c<!-->d<!--->e<!-- f --!>g<!b>h<?php i ?>j</ k>l", ["acdeghjl"]),
        ("a<!-- b -- > c", ["a"]),
        ("a<![CDATA[b]]>c", ["ac"]),
        ("a<p title='>'>b<p title=\">\">c<p title=x>y>d<p/title/>e<p =>f", ["a", "b", "c", "y>d", "e", "f"]),
        ("a<p title=\"b", ["a"]),
        ("<P CLASS=x>a</P ><DIV\n>b</DIV\tx=y>c", ["a", "b", "c"]),
        ("nul\0 bell\a del\x7f", ["nul bell del"]),
        # What is not shown
        ("a<script>var x = '<p>b';</script>c<style>d{}</style>e<iframe>f</iframe>g", ["aceg"]),
        ("a<script><!-- <script> </script> b --> c</script>d", ["ad"]),
        ("a<script><!-- b</script>c", ["ac"]),
        ("a<script>b</scriptx></script >c", ["ac"]),
        ("<title>x</title>a<textarea><p>b</textarea>c<noembed>d</noembed><noframes>e</noframes>", ["a", "c"]),
        ("a<select><option>b<option>c</select>d", ["a", "d"]),
        ("<form>a<select><option>b</form>c", ["a", "c"]),
        ("a<svg><title>b</title><text>c</text><svg/><svg></svg></svg>d", ["a d"]),
        ("a<svg><path><p>b</p>", ["a", "b"]),
        ("<div>a<svg><path></div>b", ["a", "b"]),
        ("a<svg><foreignObject><p>b</p></foreignObject><desc><p>c</desc></svg>d", ["a d"]),
        ("a<svg><![CDATA[</svg>]]></svg>b", ["a b"]),
        ("a<script>b", ["a"]),
        ("<title>a", []),
        ("<xmp>a <b> &amp;</xmp>c", ["a <b> &amp;", "c"]),
        ("a<plaintext>b<p>&lt;</plaintext>", ["a", "b<p>&lt;</plaintext>"]),
        # Implied end tags
        ("<ul><li>a<li>b<ul><li>c</ul>d</ul>e", ["a", "b", "c", "d", "e"]),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", ["a", "b", "c", "d"]),
        ("<table><tr><td>a<td>b<tr><th>c</table>d", ["a", "b", "c", "d"]),
        ("<table><td>a<table><td>b</table>c</table>d", ["a", "b", "c", "d"]),
        ("<h1>a<h2>b</h3>c", ["a", "b", "c"]),
        ("<p>a<table><td>b</p>c</table>d", ["a", "b", "c", "d"]),
        ("<button>a<button>b</button>c", ["a", "b", "c"]),
        # End tags that fit nothing
        ("a</div>b</span>c</p>d</br>e", ["abc", "d\ne"]),
        ("<td>a</table>b", ["ab"]),
        ("<div><span>a</div>b</span>c", ["a", "bc"]),
        ("<table><tr><td><div>a</table></div>b", ["a", "b"]),
        # Own elements
        ("<my-card>a</my-card>b<my-icon/>c<o:p>d</o:p>", ["a", "b", "cd"]),
        # Preformatted
        ("<pre>\n a\n  b  \n\n</pre>c", [" a\n  b", "c"]),
        ("<pre>a<div>b</div><div>c</div>d<br>e</pre>", ["a\nb\nc\nd\ne"]),
        ("<pre>\r\na\r\nb</pre>", ["a\nb"]),
        ("<pre>a<span>b</span>\tc</pre>", ["ab\tc"]),
    ],
)  # fmt: skip
def test_small_cases(html: str, texts: list[str]) -> None:
    assert blocks(html) == texts


def test_what_a_block_is_in() -> None:
    html = """<body hidden><nav><ul><li>a</ul></nav><main><article><h2>b</h2><blockquote><p>c</blockquote>
    <table><tr><td>d</table><figure><figcaption>e</figcaption></figure></article></main>
    <aside style="DISPLAY: none">f</aside><div role=navigation>g</div><div aria-hidden=true>h</div>
    <noscript><p>i</noscript><template><p>j</template><footer><form><button>k</button></form></footer>
    <a href=x><div>l</div></a><div role=heading aria-level=3>m</div><pre>n</pre><div itemprop=articleBody>o"""
    found = {text: (tag, flags) for text, tag, flags in described(html)}
    assert found["a"] == ("li", {"nav", "list"})
    assert found["b"] == ("h2", {"main", "article", "heading"})
    assert found["c"] == ("p", {"main", "article", "quote"})
    assert found["d"] == ("td", {"main", "article", "table"})
    assert found["e"] == ("figcaption", {"main", "article", "figure"})
    assert found["f"] == ("aside", {"aside", "hidden"})
    assert found["g"] == ("div", {"nav"})
    assert found["h"] == ("div", {"hidden"})
    assert found["i"] == ("p", {"noscript"})
    assert found["j"] == ("p", {"template"})
    assert found["k"] == ("button", {"footer", "form", "button"})
    assert found["l"] == ("div", {"link"})
    assert found["m"] == ("div", {"heading"})
    assert found["n"] == ("pre", {"pre"})
    assert found["o"] == ("div", {"itemprop"})


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a <math><mi>x</mi>\n <mo>&lt;</mo></math> b", "a <math><mi>x</mi>\n <mo>&lt;</mo></math> b"),
        ("a \\(x &lt; y\\) b", "a \\(x < y\\) b"),
        ("a $$x  _1$$ b", "a $$x _1$$ b"),
        ("a \\begin{align}x\\end{align}", "a \\begin{align}x\\end{align}"),
        ('a <script type="math/tex">x < y &amp; z</script> b', "a \\(x < y &amp; z\\) b"),
        ('a<script type="math/tex; mode=display">\\frac12</script>', "a\\[\\frac12\\]"),
        ('a <script type="math/mml"><math><mi>x</mi></math></script>', "a <math><mi>x</mi></math>"),
        # KaTeX and MathJax draw formulas a second time.
        (
            "a <span class=katex><span class=katex-mathml><math><mi>x</mi></math></span>"
            "<span class=katex-html aria-hidden=true>x</span></span> b",
            "a <math><mi>x</mi></math> b",
        ),
        (
            "a <span class=MathJax_Preview>[x]</span><span class='MathJax x'>x</span>"
            '<script type="math/tex">x</script> b',
            "a \\(x\\) b",
        ),
        ("a <math><mi>x<p>", "a <math><mi>x<p>"),  # HTML may stand in <mi>
    ],
)
def test_formulas_as_they_stand(html: str, text: str) -> None:
    ((found, _, flags),) = described(html)
    assert found == text
    assert "math" in flags


def test_formulas_that_nobody_ends() -> None:
    assert blocks("<p>a <math><mrow><p>b") == ["a <math><mrow>", "b"]
    assert blocks("<div>a <math><mrow></div>b") == ["a <math><mrow>", "b"]


def test_words_of_scripts_without_spaces() -> None:
    with Page(
        "<p>one two-three<p>水车在河边转动<p>日本語の文章です。<p>การประมวลผลภาษา<p>한국어 문장입니다"
    ) as page:
        assert page.blocks.words.tolist() == [3, 4, 4, 4, 2]


def test_title() -> None:
    with Page("<title> A\n&lt;b&gt; <i>c</i></title><title>no</title><h1>h</h1>") as page:
        assert page.title == "A <b> <i>c</i>"
    with Page("<svg><title>no</title></svg><h1>The <b>head</b></h1>") as page:
        assert page.title == "The head"
    with Page("<p>a") as page:
        assert page.title is None


def test_linked_data() -> None:
    one = '{"@type": "Article", "articleBody": "text"}'
    with Page(
        f'<script type="application/ld+json">{one}</script><script type="application/ld+json">{{}}</script>'
    ) as page:
        assert page.linked_data == [one]


@pytest.mark.parametrize(
    "html", [b"\xff\xfe<p>\xc3", b"<p>a\xe2\x80 b\xf0\x9f", b"\xed\xa0\x80", b"", b"<", b"&", b"<!", b"</"]
)
def test_any_bytes(html: bytes) -> None:
    for text in blocks(html):
        assert text


SHOWN_NEVER = {
    "script",
    "style",
    "svg",
    "math",
    "select",
    "textarea",
    "iframe",
    "noembed",
    "noframes",
    "title",
}
FLAGGED = {"noscript", "template"}
INLINE = {
    "span", "b", "strong", "i", "em", "u", "font", "small", "big", "s", "strike", "nobr", "code",
    "tt", "sup", "sub", "time", "abbr", "acronym", "ins", "del", "mark", "q", "cite", "var",
    "kbd", "samp", "dfn", "bdi", "bdo", "data", "picture", "ruby", "rb", "rt", "rp", "wbr",
    "output", "g-emoji", "relative-time", "source", "script", "style", "link", "meta",
}  # fmt: skip
WORD = re.compile(r"[^\W_]+")


def visible_words(html: str) -> Counter[str]:
    """Words of the text that Lexbor's tree shows."""
    parts: list[str] = []
    todo: list[Any] = [HTMLTree.parse(html).document]
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            parts.append(node)
            continue
        if node.tag == "#text":
            parts.append(node.value)
            continue
        boundary = "" if node.tag in INLINE or node.tag == "#comment" else " "
        parts.append(boundary)
        if node.tag in SHOWN_NEVER | FLAGGED or node.tag == "#comment":
            continue
        todo.append(boundary)
        children = []
        child = node.first_child
        while child is not None:
            children.append(child)
            child = child.next
        todo += reversed(children)
    text = re.sub(
        "[\u00ad\u200b\u200e\u200f\u2060\ufeff\ue000-\uf8ff\x00-\x08\x0e-\x1f\x7f]", "", "".join(parts)
    )
    return Counter(WORD.findall(text.lower()))


def test_real_pages_as_lexbor_reads_them(testdata: Path) -> None:
    """On every tenth page of the set: nearly all pages have nearly all words of the tree, and no others."""
    scores = []
    with (testdata / "web" / "wcxb_dev.warc.gz").open("rb") as file:
        for number, record in enumerate(ArchiveIterator(file, record_types=WarcRecordType.response)):
            if number % 10:
                continue
            html = record.reader.read().decode("utf-8", "replace")
            expected = visible_words(html)
            unshown = {"noscript", "template"}
            found = Counter(
                word
                for text, _, flags in described(html)
                if not flags & unshown
                for word in WORD.findall(text.lower())
            )
            both = (expected & found).total()
            scores.append(2 * both / max(expected.total() + found.total(), 1) if expected or found else 1.0)
    scores.sort()
    assert len(scores) > 140
    assert sum(scores) / len(scores) > 0.99
    assert scores[len(scores) // 20] > 0.97

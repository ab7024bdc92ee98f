"""Chosen blocks to text: headings, lists, quotes, tables and code keep their form."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extraction.blocks.library import Page, available, reason
from corpus.extraction.structure import Format

pytestmark = pytest.mark.skipif(not available(), reason=str(reason()))


def written(html: str, form: Format = "markdown", without: Collection[str] = ()) -> str:
    """The page's text without the blocks whose text is in `without`."""
    with Page(html) as page:
        keep = np.array([text not in without for text in page.blocks.texts], bool)
        return page.assemble(keep, form)


@pytest.mark.parametrize(
    ("html", "markdown", "plain"),
    [
        ("<p>a<p>b", "a\n\nb", "a\n\nb"),
        ("<p>a<br>b", "a\nb", "a\nb"),
        ("<h1>a<br>b</h1><h3>c</h3><p>d", "# a b\n\n### c\n\nd", "a b\n\nc\n\nd"),
        ("<div role=heading>a</div>", "## a", "a"),
        ("<ul><li>a<li>b</ul><p>c", "- a\n- b\n\nc", "a\nb\n\nc"),
        ("<ul><li>a<p>a2</p><li>b</ul>", "- a\n\n  a2\n- b", "a\n\na2\nb"),
        ("<ul><li>a<ul><li>b<ul><li>c</ul></ul><li>d</ul>", "- a\n  - b\n    - c\n- d", "a\nb\nc\nd"),
        ("<ol><li>a<li>b<ul><li>c</ul></ol>", "1. a\n2. b\n   - c", "a\nb\nc"),
        ("<ol start=9><li>a<li>b<li value=3>c<li>d</ol>", "9. a\n10. b\n3. c\n4. d", "a\nb\nc\nd"),
        ("<ul><li>a</ul><ul><li>b</ul>", "- a\n\n- b", "a\n\nb"),
        ("<ul><li><p>a<br>b</ul>", "- a\n  b", "a\nb"),
        ("<ul><li><h3>a</h3><p>b</ul>", "### a\n\nb", "a\n\nb"),  # a card, not an item
        ("<li>a<li>b", "a\n\nb", "a\n\nb"),  # no list
        ("<blockquote>a<p>b<br>c</blockquote>d", "> a\n>\n> b\n> c\n\nd", "a\n\nb\nc\n\nd"),
        ("<blockquote>a<blockquote>b</blockquote>c</blockquote>", "> a\n>\n> > b\n>\n> c", "a\n\nb\n\nc"),
        ("<blockquote><ul><li>a<li>b</ul><pre>c\n\nd</pre></blockquote>",
         "> - a\n> - b\n>\n> ```\n> c\n>\n> d\n> ```", "a\nb\n\nc\n\nd"),
        ("<ul><li>a<blockquote>b</blockquote></ul>", "- a\n\n  > b", "a\n\nb"),
        ("<ul><li>a<pre>b\n  c</pre></ul>", "- a\n\n  ```\n  b\n    c\n  ```", "a\n\nb\n  c"),
        ("<pre>a  \n\n\tb</pre>", "```\na  \n\n\tb\n```", "a  \n\n\tb"),
        ('<pre class="x language-C++">a</pre>', "```c++\na\n```", "a"),
        ('<pre><code class="lang-py">a</code></pre>', "```py\na\n```", "a"),
        ("<pre>a ``` b ````\n</pre>", "`````\na ``` b ````\n`````", "a ``` b ````"),
        ("<table><tr><th>a<th>b<tr><td>c<td>d</table>", "| a | b |\n|---|---|\n| c | d |", "a\tb\nc\td"),
        ("<table><tr><td>a|b<td>c<br>d<tr><td><td>e</table>",
         "| a\\|b | c d |\n|---|---|\n|  | e |", "a|b\tc d\n\te"),
        ("<table><caption>x</caption><tr><td>a<td>b<tr><td>c<td>d</table>",
         "x\n\n| a | b |\n|---|---|\n| c | d |", "x\n\na\tb\nc\td"),
        ("<table><tr><td colspan=2>a<td>b<tr><td>c<td>d<td>e</table>",
         "| a |  | b |\n|---|---|---|\n| c | d | e |", "a\t\tb\nc\td\te"),
        ("<table><tr><td rowspan=2>a<td>b<tr><td>c</table>", "| a | b |\n|---|---|\n|  | c |", "a\tb\n\tc"),
        # Signs without words belong to the table, too; columns without anything do not.
        ("<table><tr><td>a<td>-<td>b<tr><td>c<td><p>✓</p><td>d</table>",
         "| a | - | b |\n|---|---|---|\n| c | ✓ | d |", "a\t-\tb\nc\t✓\td"),
        ("<table><tr><td>a<td> <td>b<tr><td>c<td><td>d</table>",
         "| a | b |\n|---|---|\n| c | d |", "a\tb\nc\td"),
        # Tables that lay out a page
        ("<table><tr><td>a<td>b</table>", "a\n\nb", "a\n\nb"),
        ("<table><tr><td>a<tr><td>b</table>", "a\n\nb", "a\n\nb"),
        ("<table><tr><td>a<td><h2>b</h2><tr><td>c<td>d</table>", "a\n\n## b\n\nc\n\nd", "a\n\nb\n\nc\n\nd"),
        ("<table><tr><td>x<td>y<tr><td>z<td><table><tr><td>a<td>b<tr><td>c<td>d</table></table>",
         "x\n\ny\n\nz\n\n| a | b |\n|---|---|\n| c | d |", "x\n\ny\n\nz\n\na\tb\nc\td"),
        ("<dl><dt>a<dd>b<dd>c<dt>d<dd>e<br>f</dl>", "a\n: b\n: c\n\nd\n: e\n  f", "a\nb\nc\n\nd\ne\nf"),
        ("<p>a * b_c # <b>d</b> &lt;e&gt; \\(x_1\\)",
         "a * b_c # d <e> \\(x_1\\)", "a * b_c # d <e> \\(x_1\\)"),
    ],
)  # fmt: skip
def test_structure(html: str, markdown: str, plain: str) -> None:
    assert written(html) == markdown
    assert written(html, "plain") == plain


def test_what_is_left_out_leaves_no_trace() -> None:
    assert written("<ul><li>a<ul><li>b</ul><li>c</ul>", without={"a", "c"}) == "- b"
    assert written("<ol><li>a<li>b<li>c</ol>", without={"a"}) == "2. b\n3. c"
    assert written("<table><tr><td>a<td>b<tr><td>c<td>d<tr><td>-<td>e</table>", without={"b", "c", "e"}) == (
        "| a |  |\n|---|---|\n|  | d |"
    )
    assert written("<blockquote><p>a<p>b</blockquote>", without={"a"}) == "> b"
    assert written("<p>a", without={"a"}) == ""


def test_choices_must_fit() -> None:
    with Page("<p>a<p>b") as page, pytest.raises(ValueError, match="2 choices"):
        page.assemble(np.ones(3, bool))


TAGS = st.sampled_from(
    ["ul", "ol", "li", "blockquote", "table", "tr", "td", "p", "h2", "pre", "dl", "dd", "div"]
)
PIECES = st.one_of(
    TAGS.map("<{}>".format), TAGS.map("</{}>".format), st.sampled_from(["a1", "b2 c3", "-", "\n"])
)


@given(st.lists(PIECES, max_size=40), st.integers(0))
def test_every_word_that_is_kept_is_written_in_its_order(pieces: list[str], choice: int) -> None:
    with Page("".join(pieces)) as page:
        texts = page.blocks.texts
        keep = np.array([choice >> i & 1 for i in range(len(texts))], bool)
        words = [word for text, kept in zip(texts, keep, strict=True) if kept for word in text.split()]
        for form in ("markdown", "plain"):
            out = page.assemble(keep, form)
            assert out == out.strip("\n")
            assert [word for word in out.split() if word[0] in "abc"] == [w for w in words if w[0] in "abc"]

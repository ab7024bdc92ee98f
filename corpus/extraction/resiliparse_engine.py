"""resiliparse as an engine: rules over Lexbor's tree, in native code."""

from __future__ import annotations

import html as entities
import importlib.metadata
import re
from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpus.extraction.base import Extracted
from corpus.extraction.structure import Format, Markdown

MAX_DEPTH = 1000
"""Deeper nesting makes the search for main content quadratic (20,000 levels: 4 s); browsers stop at 512
levels."""
MANY_TAGS = 10_000
"""Pages with more elements than this (one in a hundred) are measured, not estimated."""
_PRE = re.compile(r"<pre>(.*?)</pre>", re.DOTALL)
_TAG = re.compile(r"<(/?(?:h[1-6]|p|ul|ol|li|br|a))(?: href=\"([^\"]*)\")?>")
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
_MARKDOWN = Markdown()
_CELLS = "\t\t"
"""What resiliparse writes between the cells of a table; elsewhere it collapses white space."""


class ResiliparseEngine:
    """Text and title of a page by `resiliparse.extract`."""

    name = "resiliparse"

    def __init__(
        self,
        *,
        format: Format = "markdown",
        main_content: bool = True,
        alt_texts: bool = False,
        links: bool = False,
        comments: bool = False,
    ) -> None:
        self.version = f"2-{importlib.metadata.version('resiliparse')}"
        self.format, self.main_content = format, main_content
        self.options: dict[str, Any] = {"alt_texts": alt_texts, "links": links, "comments": comments}

    def extract(self, html: str, url: str | None = None) -> Extracted:
        """See `corpus.extraction.base.Engine`."""
        tree = HTMLTree.parse(html)
        text = extract_plain_text(
            tree,
            preserve_formatting="minimal_html" if self.format == "markdown" else True,
            main_content=self.main_content and not _too_deep(html, tree),
            **self.options,
        )
        if self.format == "markdown":
            text = _markdown(text)
        return Extracted(text, " ".join((tree.title or "").split()) or None)


def _markdown(minimal: str) -> str:
    """resiliparse's reduced HTML as Markdown."""
    lists = _Lists()
    blocks = []
    for number, part in enumerate(_PRE.split(minimal)):
        if number % 2:
            blocks.append(_MARKDOWN.code(entities.unescape(part)))
        elif prose := _tables(_prose(part, lists)):
            blocks.append(prose)
    return "\n\n".join(blocks)


class _Lists:
    """The lists that are open, each with the number of its next item; 0 for bullets."""

    def __init__(self) -> None:
        self.open: list[int] = []

    def item(self) -> str:
        """The mark of the next item."""
        number = self.open[-1] if self.open else 0
        if number:
            self.open[-1] += 1
        return f"\n{'  ' * max(len(self.open) - 1, 0)}{f'{number}.' if number else '-'} "


def _prose(part: str, lists: _Lists) -> str:
    """Reduced HTML without preformatted text as Markdown, blank lines between blocks."""
    out: list[str] = []
    links: list[str] = []
    part = _HEADING.sub(lambda found: f"\n\n{_MARKDOWN.heading(int(found[1]), found[2])}\n\n", part)
    pieces = _TAG.split(part)
    for text, tag, target in zip(pieces[::3], [*pieces[1::3], ""], [*pieces[2::3], None], strict=True):
        out.append(text if not lists.open else text.replace("\n", "\n" + "  " * len(lists.open)))
        match tag:
            case "ul" | "ol":
                lists.open.append(int(tag == "ol"))
            case "/ul" | "/ol":
                if lists.open:
                    lists.open.pop()
                out.append("\n" if lists.open else "\n\n")
            case "li":
                # The indentation that it was written with goes.
                if out and not out[-1].strip():
                    out.pop()
                out.append(lists.item())
            case "p" | "/p":
                out.append("\n\n" if not lists.open else "")
            case "a":
                links.append(target or "")
                out.append("[")
            case "/a":
                out.append(f"]({links.pop()})" if links else "")
    return _tidy(entities.unescape("".join(out)))


def _tidy(text: str) -> str:
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _tables(text: str) -> str:
    """Lines with cells as tables."""
    if _CELLS not in text:
        return text
    out: list[str] = []
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if _CELLS in line:
            rows.append(line.split(_CELLS))
            continue
        if rows:
            out.append(_MARKDOWN.table(rows))
            rows = []
        out.append(line)
    return "\n".join(out[:-1])


def _too_deep(html: str, tree: Any) -> bool:
    """Whether elements are nested deeper than MAX_DEPTH."""
    if html.count("<") - html.count("</") <= MAX_DEPTH:
        return False
    # NumPy is slow to load, and half of all pages never get here.
    import numpy as np

    # Most pages are cleared by counting tags: elements that nobody closes only make the count too high ...
    data = np.frombuffer(html.encode("utf-8", "replace"), np.uint8)
    starts = np.flatnonzero(data[:-1] == ord("<"))
    after = data[starts + 1]
    opens = ((after | 0x20) >= ord("a")) & ((after | 0x20) <= ord("z"))
    steps = opens.astype(np.int32) - (after == ord("/"))
    level = np.cumsum(steps)
    # ... and end tags of elements that nobody opened, which make it too low, do no harm in a small page.
    if int(level.max(initial=0) - level.min(initial=0)) <= MAX_DEPTH and int(opens.sum()) <= MANY_TAGS:
        return False
    # The few others are walked down.
    stack = [(tree.document, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return True
        child = node.first_child
        while child is not None:
            if child.first_child is not None:
                stack.append((child, depth + 1))
            child = child.next
    return False

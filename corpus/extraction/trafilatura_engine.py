"""trafilatura as an engine: its rules and fallbacks choose, its tree is written with its structure.

Its own Markdown escapes signs (`a\\_i \\< b`), which breaks formulas; so its tree of results is written here.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any, Literal

from corpus.extraction.base import Extracted
from corpus.extraction.structure import Format, page_title, style
from gristmill.base.errors import missing_extra

_BLOCKS = frozenset({"head", "p", "ab", "div", "list", "item", "table", "quote", "figure", "fw"})
"""Elements of trafilatura's trees (`trafilatura.xml`, after TEI) that are no part of a line."""
_BREAK = "\v"
"""Stands for a line break until white space is collapsed."""


class TrafilaturaEngine:
    """Text of a page by `trafilatura.bare_extraction`."""

    name = "trafilatura"

    def __init__(
        self,
        *,
        format: Format = "markdown",
        fast: bool = False,
        focus: Literal["balanced", "precision", "recall"] = "balanced",
        comments: bool = True,
        tables: bool = True,
        links: bool = False,
    ) -> None:
        try:
            import trafilatura
        except ImportError:
            raise missing_extra("trafilatura", "extractors", "the engine `trafilatura`") from None
        self.version = f"1-{importlib.metadata.version('trafilatura')}"
        self.style, self.links = style(format), links
        self._extraction = trafilatura.bare_extraction
        self.options: dict[str, Any] = {
            "fast": fast,
            "favor_precision": focus == "precision",
            "favor_recall": focus == "recall",
            "include_comments": comments,
            "include_tables": tables,
            "include_links": links,
        }

    def extract(self, html: str, url: str | None = None) -> Extracted:
        """See `corpus.extraction.base.Engine`."""
        found: Any = self._extraction(html, url=url, **self.options)
        if found is None:
            return Extracted("")
        blocks = [*self._blocks(found.body), *self._blocks(found.commentsbody)]
        return Extracted("\n\n".join(blocks), page_title(html))

    def _blocks(self, element: Any) -> list[str]:
        """What an element holds, block by block."""
        if element is None:
            return []
        blocks: list[str] = []
        run = [element.text or ""]
        for child in element:
            if child.tag in _BLOCKS or _is_listing(child):
                blocks += _collapsed(run)
                run.clear()
                blocks += self._block(child)
            else:
                run.append(self._inline(child))
            run.append(child.tail or "")
        return blocks + _collapsed(run)

    def _block(self, element: Any) -> list[str]:
        written = ""
        match element.tag:
            case "head":
                level = element.get("rend", "")[1:]
                written = self.style.heading(int(level) if level.isdigit() else 2, _text(element))
            case "list":
                written = self._list(element)
            case "table":
                rows = [
                    ["\n".join(self._blocks(cell)) for cell in row.iter("cell")]
                    for row in element.iter("row")
                ]
                written = self.style.table([row for row in rows if any(row)])
            case "code":
                written = self.style.code(_text(element))
            case "quote":
                if inner := self._blocks(element):
                    written = self.style.quote("\n\n".join(inner))
            case _:
                return self._blocks(element)
        return [written] if written.strip("# \n") else []

    def _list(self, element: Any) -> str:
        numbered = element.get("rend") == "ol"
        items: list[str] = []
        for child in element:
            if text := "\n".join(self._blocks(child)):
                items.append(self.style.item(text, f"{len(items) + 1}." if numbered else "-"))
        return "\n".join(items)

    def _inline(self, element: Any) -> str:
        match element.tag:
            case "lb":
                return _BREAK
            case "ref" if self.links and element.get("target"):
                return f"[{_text(element)}]({element.get('target')})"
            case str():
                inner = [self._inline(child) + (child.tail or "") for child in element]
                return (element.text or "") + "".join(inner)
        return ""


def _is_listing(element: Any) -> bool:
    """Whether an element is code of several lines; a single line stands within its sentence."""
    return element.tag == "code" and "\n" in _text(element).strip()


def _text(element: Any) -> str:
    return "".join(element.itertext())


def _collapsed(run: list[str]) -> list[str]:
    """A run of text as one block, white space collapsed; none if there is nothing in it."""
    lines = (" ".join(line.split()) for line in "".join(run).split(_BREAK))
    text = "\n".join(lines).strip()
    return [text] if text else []

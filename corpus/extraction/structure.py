"""Structure as Markdown writes it, or left out. Text stays as it is: no escapes, so that formulas survive."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Sequence
from typing import Literal, Protocol

Format = Literal["markdown", "plain"]

_FENCES = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_TITLE = re.compile(r"<title(?:\s[^>]{0,500})?>(.{0,5000}?)</title", re.IGNORECASE | re.DOTALL)


class Style(Protocol):
    """How blocks are written."""

    def heading(self, level: int, text: str) -> str:
        """A heading on one line; `level` from 1."""
        ...

    def code(self, text: str) -> str:
        """Preformatted text, verbatim."""
        ...

    def quote(self, text: str) -> str:
        """A block quote."""
        ...

    def item(self, text: str, mark: str = "-") -> str:
        """A list item; `mark` is a dash or a number with its point."""
        ...

    def table(self, rows: Sequence[Sequence[str]]) -> str:
        """Rows of cells, the first row its head."""
        ...


class Markdown:
    """`#`, ```` ``` ````, `>`, `-`, `|`."""

    def heading(self, level: int, text: str) -> str:
        """See Style."""
        return f"{'#' * min(max(level, 1), 6)} {' '.join(text.split())}".rstrip()

    def code(self, text: str) -> str:
        """See Style. The fence is longer than any in the text."""
        fence = "`" * max([3, *(len(found) + 1 for found in _FENCES.findall(text))])
        return f"{fence}\n{_lines(text)}\n{fence}"

    def quote(self, text: str) -> str:
        """See Style."""
        return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))

    def item(self, text: str, mark: str = "-") -> str:
        """See Style. Further lines are indented to the first."""
        return f"{mark} " + text.replace("\n", "\n" + " " * (len(mark) + 1))

    def table(self, rows: Sequence[Sequence[str]]) -> str:
        """See Style. A single row has no rule under it."""
        lines = [f"| {' | '.join(_cell(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
        if len(lines) > 1:
            lines.insert(1, "|" + "---|" * max(len(row) for row in rows))
        return "\n".join(lines)


class Plain:
    """Text alone."""

    def heading(self, level: int, text: str) -> str:
        """See Style."""
        return " ".join(text.split())

    def code(self, text: str) -> str:
        """See Style."""
        return _lines(text)

    def quote(self, text: str) -> str:
        """See Style."""
        return text

    def item(self, text: str, mark: str = "-") -> str:
        """See Style."""
        return text

    def table(self, rows: Sequence[Sequence[str]]) -> str:
        """See Style. Cells are parted by tabs."""
        return "\n".join("\t".join(_cell(cell) for cell in row) for row in rows)


def style(format: Format) -> Style:
    """The style of a format."""
    return Markdown() if format == "markdown" else Plain()


def page_title(html: str) -> str | None:
    """The page's title element, white space collapsed."""
    found = _TITLE.search(html)
    return " ".join(entities.unescape(found[1]).split()) or None if found else None


def _lines(text: str) -> str:
    """Text without the line breaks around it; its first line keeps its indentation."""
    return re.sub(r"\A[ \t]*\n|\s+\Z", "", text.replace("\r\n", "\n"))


def _cell(text: str) -> str:
    return " ".join(text.split())

"""Structure as Markdown writes it: headings, lists, tables, code, quotes. Text stays as it is: no escapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FENCES = re.compile(r"^`{3,}", re.MULTILINE)


def heading(level: int, text: str) -> str:
    """A heading on one line."""
    return f"{'#' * min(max(level, 1), 6)} {' '.join(text.split())}"


def code(text: str) -> str:
    """A fenced block; the fence is longer than any in the text."""
    fence = "`" * max([3, *(len(found) + 1 for found in _FENCES.findall(text))])
    return f"{fence}\n{text.strip(chr(10)).rstrip()}\n{fence}"


def quote(text: str) -> str:
    """A block quote."""
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def item(text: str, mark: str = "-") -> str:
    """A list item; further lines are indented to the first."""
    return f"{mark} " + text.replace("\n", "\n" + " " * (len(mark) + 1))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a table with pipes, the first row its head; a single row has no rule under it."""
    lines = [
        f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"
        for row in rows
    ]
    if len(lines) > 1:
        lines.insert(1, "|" + "---|" * max(len(row) for row in rows))
    return "\n".join(lines)

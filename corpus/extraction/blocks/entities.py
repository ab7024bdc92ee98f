"""Writes `native/entity_table.inc`, the character references of HTML, from Python's own table.

The names are those of the HTML standard (section 13.5, "Named character references"), as Python's
`html.entities.html5` has them: with the semicolon, and the 106 that old pages may write without it.

    python -m corpus.extraction.blocks.entities
"""

from __future__ import annotations

from html.entities import html5
from pathlib import Path

from gristmill.base.atomic import atomic_write

TABLE = Path(__file__).parent / "native" / "entity_table.inc"


def table() -> str:
    """The table as C++ initialisers: `{name, UTF-8 of what it stands for}`, one a line, sorted by name."""
    rows = (f'{{"{name}", "{_escaped(value)}"}},' for name, value in sorted(html5.items()))
    head = "// Written by `python -m corpus.extraction.blocks.entities`: edit that, not this.\n"
    return head + "\n".join(rows) + "\n"


def _escaped(value: str) -> str:
    # Octal escapes end after three digits; hexadecimal ones would swallow the letters that follow.
    return "".join(f"\\{byte:03o}" for byte in value.encode())


if __name__ == "__main__":
    atomic_write(TABLE, table())

"""Jupyter notebooks as text.

The form: text cells (Markdown, raw, headings of version 3) as they are, code cells in fences that name the
kernel's language, their text outputs in fences named `output`, blank lines between all of them. A fence has
one backtick more than the longest run inside it (CommonMark 0.31, 4.5). Images and all else that is no plain
text are left out; of an error its name and message stay.

Read as plain JSON, formats 3 and 4 (nbformat.readthedocs.io, "The notebook file format"), and whatever is
near enough to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OUTPUT = "output"
"""What the fences of outputs are called."""
CUT = "…"
"""Stands where an output was cut."""
_TICKS = re.compile(r"`{3,}")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours of terminals (ECMA-48, 5.4)."""
_EMBEDDED = re.compile(r"data:[\w.+-]{1,50}/[\w.+-]{1,50};base64,[A-Za-z0-9+/=]+")
"""Data inside of a text (RFC 2397)."""


class NotNotebook(ValueError):
    """Bytes that are no notebook."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook as text."""

    text: str
    language: str | None
    """The kernel's language, where the notebook says it."""
    cells: int
    """How many cells have something in them."""
    version: int
    """Of the format: 3 or 4."""


def read_notebook(data: str, output_characters: int | None = None) -> Notebook:
    """A notebook's JSON as text.

    Args:
        data: the file.
        output_characters: most characters of a cell's outputs, or None; 0 leaves them out.

    Raises NotNotebook for what is no JSON, and for JSON without cells.
    """
    try:
        book = json.loads(data)
    except (ValueError, RecursionError) as error:
        # The library's own words quote the place, not the text.
        raise NotNotebook("nested too deeply" if isinstance(error, RecursionError) else str(error)) from None
    if not isinstance(book, dict):
        raise NotNotebook("no object")
    cells = _cells(book)
    if cells is None:
        raise NotNotebook("no cells")
    language = _language(book, cells)
    pieces = [piece for cell in cells if (piece := _cell(cell, language or "", output_characters))]
    # Format 3 has its cells in worksheets (nbformat: "Backward incompatible changes").
    version = 4 if isinstance(book.get("cells"), list) else 3
    return Notebook("\n\n".join(pieces) + "\n" if pieces else "", language, len(pieces), version)


def _cells(book: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    found = book.get("cells")
    if not isinstance(found, list):
        sheets = book.get("worksheets")
        if not isinstance(sheets, list):
            return None
        found = [cell for sheet in sheets for cell in _list(_map(sheet).get("cells"))]
    return [cell for cell in found if isinstance(cell, dict)]


def _language(book: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> str | None:
    """The kernel's language in small letters; format 3 has it in the cells."""
    about = _map(book.get("metadata"))
    named = [_map(about.get("language_info")).get("name"), _map(about.get("kernelspec")).get("language")]
    named += [cell.get("language") for cell in cells]
    for name in named:
        if isinstance(name, str) and re.fullmatch(r"[^\s`]{1,40}", name):
            return name.lower()
    return None


def _cell(cell: Mapping[str, Any], language: str, most: int | None) -> str:
    kind = cell.get("cell_type")
    source = _text(cell.get("source", cell.get("input"))).strip("\n")
    if kind != "code":
        if kind == "heading":
            level = cell.get("level")
            source = f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {source}"
        return _EMBEDDED.sub("", source) if source.strip() else ""
    pieces = [fence(source, language)] if source.strip() else []
    shown = _outputs(_list(cell.get("outputs")), most)
    return "\n\n".join([*pieces, fence(shown, OUTPUT)] if shown else pieces)


def _outputs(outputs: list[Any], most: int | None) -> str:
    """The text of all outputs of a cell, at most so many characters."""
    if most == 0:
        return ""
    text = "\n".join(piece for output in outputs if (piece := _output(_map(output))))
    text = _EMBEDDED.sub("", _ANSI.sub("", text)).strip("\n")
    if most is not None and len(text) > most:
        text = text[:most].rstrip() + CUT
    return text if text.strip() else ""


def _output(output: Mapping[str, Any]) -> str:
    kind = output.get("output_type")
    if kind in ("error", "pyerr"):
        return f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
    if kind == "stream":
        return _text(output.get("text")).rstrip("\n")
    # `execute_result` and `display_data` of format 4 hold a bundle of media types; those of format 3
    # (`pyout`) hold it themselves, as `text`.
    bundle = output.get("data")
    return _text(bundle.get("text/plain") if isinstance(bundle, dict) else output.get("text")).rstrip("\n")


def fence(text: str, name: str) -> str:
    """Text as a fenced block, whatever fences are in it."""
    ticks = "`" * max((len(run) + 1 for run in _TICKS.findall(text)), default=3)
    return f"{ticks}{name}\n{text}\n{ticks}"


def _text(value: Any) -> str:
    """A multi-line string: one, or a list of lines with their ends."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

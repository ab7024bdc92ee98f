"""Cheap signs of code, formulas and left-over markup: substring counts and line ends, nothing that parses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa

from filters.annotators.per_text import PerText, ratio
from filters.base import Spans, TextView
from filters.characters import among, ascii_marks

_CODE_ENDS = ascii_marks("{};")
_LATEX_OPENERS = ("\\(", "\\[", "\\begin{")
# A dollar that opens: not after a word (US$5), then something with a sign of mathematics, on the same line.
_INLINE = re.compile(r"(?<![\w\\$])\$(?=[^$\n]{0,200}[\\^_=])[^$\s][^$\n]{0,400}\$(?![\w$])")
_COMMAND = re.compile(r"\\[A-Za-z]{2,}")


class Markup(PerText):
    """Counts that tell code and mathematics from prose.

    markup.code_line_fraction: lines (blank ones aside) that end with "{", "}", ";" or "):" or begin with
    ">>>". markup.tags: "</" and "/>". markup.urls: "://". math.latex: formulas by their delimiters, that is
    "\\(", "\\[", "\\begin{", pairs of "$$", and $...$ around something with \\, ^, _ or =.
    math.latex_commands: "\\" and two letters or more.
    """

    name = "markup"
    version = "1"
    columns = {
        "markup.code_line_fraction": pa.float64(),
        "markup.tags": pa.int64(),
        "markup.urls": pa.int64(),
        "math.latex": pa.int64(),
        "math.latex_commands": pa.int64(),
    }

    def measure(self, view: TextView) -> tuple[Any, ...]:
        text = view.text
        lines = view.trimmed(view.lines)
        lines = lines[lines.lengths > 0]
        return (
            ratio(_code_lines(view, lines), len(lines)),
            text.count("</") + text.count("/>"),
            text.count("://"),
            _formulas(text),
            sum(1 for _ in _COMMAND.finditer(text)) if "\\" in text else 0,
        )


def _code_lines(view: TextView, lines: Spans) -> int:
    code_points = view.code_points
    code = among(code_points[lines.ends - 1], _CODE_ENDS) if len(lines) else np.zeros(0, np.bool_)
    long = np.flatnonzero(lines.lengths >= 3)
    starts, ends = lines.starts[long], lines.ends[long]
    block = (code_points[ends - 1] == ord(":")) & (code_points[ends - 2] == ord(")"))
    prompt = code_points[starts] == ord(">")
    prompt &= (code_points[starts + 1] == ord(">")) & (code_points[starts + 2] == ord(">"))
    code[long[block | prompt]] = True
    return int(np.count_nonzero(code))


def _formulas(text: str) -> int:
    count = sum(text.count(opener) for opener in _LATEX_OPENERS) if "\\" in text else 0
    if "$" in text:
        count += text.count("$$") // 2 + sum(1 for _ in _INLINE.finditer(text))
    return count

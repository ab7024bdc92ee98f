"""Cheap signs of code, formulas and left-over markup: substring counts and line ends, nothing that parses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerText, ratio
from filters.base import Offsets, TextView
from filters.characters import SPACE
from filters.jit import loop

_CODE_ENDS = (ord("{"), ord("}"), ord(";"))
_COLON, _PARENTHESIS, _GREATER = ord(":"), ord(")"), ord(">")
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
        code, lines = _count_lines(view.code_points, view.classes, view.lines.starts, view.lines.ends)
        return (
            ratio(code, lines),
            text.count("</") + text.count("/>"),
            text.count("://"),
            _formulas(text),
            sum(1 for _ in _COMMAND.finditer(text)) if "\\" in text else 0,
        )


@loop
def _count_lines(
    code_points: npt.NDArray[np.uint32], classes: npt.NDArray[np.uint32], starts: Offsets, ends: Offsets
) -> tuple[int, int]:
    """Lines of code, and lines that are not blank; white space at their ends aside."""
    code = lines = 0
    for index in range(len(starts)):
        first, last = starts[index], ends[index] - 1
        while first <= last and classes[last] & SPACE:
            last -= 1
        while first <= last and classes[first] & SPACE:
            first += 1
        if first > last:
            continue
        lines += 1
        end = code_points[last]
        block = last - first >= 2 and end == _COLON and code_points[last - 1] == _PARENTHESIS
        prompt = last - first >= 2 and code_points[first] == _GREATER
        prompt = prompt and code_points[first + 1] == _GREATER and code_points[first + 2] == _GREATER
        code += end in _CODE_ENDS or block or prompt
    return code, lines


def _formulas(text: str) -> int:
    count = sum(text.count(opener) for opener in _LATEX_OPENERS) if "\\" in text else 0
    if "$" in text:
        count += text.count("$$") // 2 + sum(1 for _ in _INLINE.finditer(text))
    return count

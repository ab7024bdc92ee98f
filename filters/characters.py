"""What kind of character a code point is: one table look-up for a whole text at once.

The classes follow Python's own `str` methods (`isalpha`, `isspace`, `splitlines`), because the published
filters were written with those; punctuation and terminal punctuation are the sets of datatrove's filters,
taken from datatrove.
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
import numpy.typing as npt
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION

ALPHA = 1 << 0
"""`str.isalpha`."""
DIGIT = 1 << 1
"""`str.isdigit`."""
SPACE = 1 << 2
"""`str.isspace`: what `strip` and `split` remove."""
BREAK = 1 << 3
"""A line boundary of `str.splitlines`."""
PUNCTUATION = 1 << 4
"""datatrove.utils.text.PUNCTUATION_SET (includes control characters)."""
TERMINAL = 1 << 5
"""datatrove.utils.text.TERMINAL_PUNCTUATION: ends a sentence in some script."""
WORD = 1 << 6
"""Letters, numbers, marks, the underscore, and the joiners that stand inside words."""
IDEOGRAPH = 1 << 7
"""A Han character: written without spaces, counted as a word of its own (spaCy's default for Chinese)."""
CLOSER = 1 << 8
"""May follow a sentence's last mark and still belong to the sentence: quotes and closing brackets."""
LOWER = 1 << 9
"""`str.islower`."""
UPPER = 1 << 10
"""`str.isupper`."""

CODE_POINTS = 0x110000
LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
JOINERS = "\u00ad\u200c\u200d"
"""Soft hyphen, zero-width non-joiner and joiner: they never end a word (UAX #29, rule WB4)."""
QUOTES = "\"'’”"

# Nothing outside these ranges has a class: planes 4 to 13 are unassigned, 15 and 16 are for private use.
_ASSIGNED = ((0, 0x40000), (0xE0000, 0xE1000))

# Unified ideographs, their extensions and the compatibility blocks (Unicode blocks file).
_IDEOGRAPHS = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32400), (0x32400, 0x33480))


def _flags(code_point: int) -> int:
    character = chr(code_point)
    flags = 0
    if character.isalpha():
        flags |= ALPHA
    if character.isdigit():
        flags |= DIGIT
    if character.isspace():
        flags |= SPACE
    if character.islower():
        flags |= LOWER
    if character.isupper():
        flags |= UPPER
    category = unicodedata.category(character)
    if category[0] in "LNM" or category == "Pc":
        flags |= WORD
    if category in ("Pe", "Pf"):
        flags |= CLOSER
    return flags


@functools.cache
def class_table() -> npt.NDArray[np.uint16]:
    """Flags of every code point: uint16[0x110000]. Built once a process (about a tenth of a second)."""
    table = np.zeros(CODE_POINTS, np.uint16)
    for first, last in _ASSIGNED:
        table[first:last] = [_flags(code_point) for code_point in range(first, last)]
    for characters, flag in (
        (LINE_BREAKS, BREAK),
        (PUNCTUATION_SET, PUNCTUATION),
        (TERMINAL_PUNCTUATION, TERMINAL),
        (QUOTES, CLOSER),
        (JOINERS, WORD),
    ):
        table[[ord(character) for character in characters]] |= flag
    for first, last in _IDEOGRAPHS:
        block = table[first:last]
        block[block & ALPHA > 0] |= IDEOGRAPH
    table.flags.writeable = False
    return table


def ascii_marks(marks: str) -> npt.NDArray[np.bool_]:
    """A look-up table for a few ASCII characters: bool[128], for `among`."""
    table = np.zeros(128, np.bool_)
    table[[ord(mark) for mark in marks]] = True
    return table


def among(code_points: npt.NDArray[np.uint32], marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which code points are among the marks of an `ascii_marks` table (which must not hold U+007F)."""
    found: npt.NDArray[np.bool_] = marks[np.minimum(code_points, 127)]
    return found

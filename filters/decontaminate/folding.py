"""Characters folded for comparison: one table look-up says what a code point counts as.

Letters are compared without case and accents, in compatibility form: NFKD of the case-folded character (what
NFKC_Casefold composes; Unicode standard, section 3.13), its nonspacing marks left out as in datatrove's
decontamination (`simplify_text`). So it does not matter whether a text is composed or decomposed (NFC, NFD),
full width, or has typographic ligatures.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters import characters
from filters.decontaminate.fingerprint import word_hash

SEPARATOR, LETTER, DIGIT, IGNORED, ALONE, EXPANDED, LIFTED, GREEK = range(8)
NAMED, BACKSLASH, AMPERSAND, COLON, HANGUL, POINT, OPEN = range(8, 15)
"""Kinds of characters.

SEPARATOR: all that is none of the others. LETTER: a letter or spacing mark; the value is the folded code
point. DIGIT: of any script; the value is the ASCII digit. IGNORED: nonspacing marks, joiners, soft hyphens.
ALONE: a letter of a script without spaces, a word by itself. EXPANDED: several letters; the value says where
they stand in `expansions`. LIFTED: a superscript or subscript digit. GREEK: a Greek letter. NAMED: words by
itself (½ is 1 and 2, √ is sqrt); the value says where their hashes stand in `names`. HANGUL: a syllable.
"""

KIND_SHIFT = 24
VALUE_MASK = (1 << KIND_SHIFT) - 1

SYMBOLS = {"√": "sqrt", "∠": "angle", "△": "triangle"}
"""Symbols for which people also write a word (LaTeX: \\sqrt, \\angle, \\triangle). Operators and relations
are dropped, as signs and as commands."""
GREEK_NAMES = {"lamda": "lambda"}
"""Where LaTeX spells a letter otherwise than Unicode."""
_KINDS = {"\\": BACKSLASH, "&": AMPERSAND, ":": COLON, "：": COLON, ".": POINT, "{": OPEN}
_JOINERS = "\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff"
_ASSIGNED = (
    (0, 0x3400),
    (0xA000, 0xAC00),
    (0xD7B0, 0xD800),
    (0xE000, 0x20000),
    (0x2F800, 0x2FA20),
    (0xE0100, 0xE01F0),
)
HAN = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0x20000, 0x2F800), (0x2FA20, 0x33480))
HANGUL_FIRST, HANGUL_END = 0xAC00, 0xD7A4


@dataclass(frozen=True)
class Folding:
    """`table`: kind and value of every code point, uint32[0x110000]. `expansions`: uint32, code points ended
    by 0. `names`: uint64, hashes of words ended by 0. `greek`: hash of the name of each letter from U+0370 to
    U+03FF, uint64[144], 0 where there is none."""

    table: npt.NDArray[np.uint32]
    expansions: npt.NDArray[np.uint32]
    names: npt.NDArray[np.uint64]
    greek: npt.NDArray[np.uint64]


def folded(character: str) -> str:
    """A character without case, accents and compatibility form; several characters for some, none for
    marks."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(part for part in plain if unicodedata.category(part) != "Mn")


@functools.cache
def folding() -> Folding:
    """The tables, built once a process (about a tenth of a second)."""
    classes = characters.class_table()
    table = np.zeros(0x110000, np.uint32)
    expansions: list[int] = []
    names: list[int] = []
    for first, last in _ASSIGNED:
        for code_point in range(first, last):
            table[code_point] = _entry(chr(code_point), classes, expansions, names)
    for first, last in HAN:
        table[first:last] = np.arange(first, last, dtype=np.uint32) | np.uint32(ALONE << KIND_SHIFT)
    table[HANGUL_FIRST:HANGUL_END] = HANGUL << KIND_SHIFT
    table.flags.writeable = False
    return Folding(table, np.array(expansions, np.uint32), np.array(names, np.uint64), _greek())


def _entry(  # noqa: PLR0911 (a case, a line)
    character: str, classes: npt.NDArray[np.uint32], expansions: list[int], names: list[int]
) -> int:
    """Kind and value of a character; what it expands to is added to the lists."""
    if character in _KINDS:
        return _KINDS[character] << KIND_SHIFT
    if character in SYMBOLS:
        return _named([SYMBOLS[character]], names)
    category = unicodedata.category(character)
    if character in _JOINERS or category == "Mn":
        return IGNORED << KIND_SHIFT
    if category == "Nd":
        return DIGIT << KIND_SHIFT | (ord("0") + unicodedata.decimal(character))
    plain = folded(character)
    if category == "No" and len(plain) == 1 and plain in "0123456789":
        if unicodedata.decomposition(character).startswith(("<super>", "<sub>")):
            return LIFTED << KIND_SHIFT | ord(plain)
        return _named([plain], names)
    if category[0] != "L" and category not in ("Mc", "Nl", "No", "So"):
        return SEPARATOR
    if any(part.isdecimal() for part in plain):
        return _named("".join(part if part.isalnum() else " " for part in plain).split(), names)
    letters = [part for part in plain if part.isalpha() or unicodedata.category(part) == "Mc"]
    if category == "So":
        return _named(["".join(letters)], names) if letters and character != plain else SEPARATOR
    if not letters:
        return LETTER << KIND_SHIFT | ord(character) if category in ("Nl", "No") else SEPARATOR
    if len(letters) > 1:
        expansions.extend([*(ord(letter) for letter in letters), 0])
        return EXPANDED << KIND_SHIFT | (len(expansions) - len(letters) - 1)
    value = ord(letters[0])
    if classes[ord(character)] & characters.UNSPACED or classes[value] & characters.UNSPACED:
        return ALONE << KIND_SHIFT | value
    kind = GREEK if 0x370 <= value < 0x400 else LETTER
    return kind << KIND_SHIFT | value


def _named(words: Iterable[str], names: list[int]) -> int:
    start = len(names)
    names.extend([*(word_hash(word) for word in words), 0])
    return NAMED << KIND_SHIFT | start


def _greek() -> npt.NDArray[np.uint64]:
    """Hash of the name of a letter that stands alone: α and \\alpha are the same word."""
    hashes = np.zeros(0x90, np.uint64)
    for code_point in range(0x370, 0x400):
        name = unicodedata.name(chr(code_point), "")
        if name.startswith("GREEK SMALL LETTER ") and " " not in name.removeprefix("GREEK SMALL LETTER "):
            letter = name.removeprefix("GREEK SMALL LETTER ").lower()
            hashes[code_point - 0x370] = word_hash(GREEK_NAMES.get(letter, letter))
    return hashes

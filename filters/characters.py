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
UNSPACED = 1 << 7
"""A letter or mark of a script written without spaces: Han, kana, Thai, Lao, Khmer, Burmese."""
CLOSER = 1 << 8
"""May follow a sentence's last mark and still belong to the sentence: quotes and closing brackets."""
LOWER = 1 << 9
"""`str.islower`."""
UPPER = 1 << 10
"""`str.isupper`."""
P_CATEGORY = 1 << 11
"""Unicode category P: spaCy's `is_punct`."""
AFFIX = 1 << 12
"""Cut off at both ends of a word: spaCy's punctuation, quotes and symbols (spacy/lang/char_classes.py), and
all other brackets, quotes and terminal punctuation."""
PREFIX = 1 << 13
"""Cut off at the beginning of a word alone: §, %, = and signs of currency (spacy/lang/punctuation.py)."""
CURRENCY = 1 << 14
"""A sign of currency: cut off behind a digit too."""
INNER = 1 << 15
"""May cut a word in two where the right neighbours stand on both sides (spacy/lang/en/punctuation.py)."""
SYMBOL = 1 << 16
"""Unicode category So: always a word of its own (spaCy's "icons")."""
QUOTE = 1 << 17
"""spaCy's quotes and brackets of quotation: a full stop beside one may end a sentence inside a word."""
LOWERLIKE = 1 << 18
"""A letter that is no capital, or a mark on one: spaCy's ALPHA_LOWER, which has letters without case too."""
UPPERLIKE = 1 << 19
"""A letter that is no small one: spaCy's ALPHA_UPPER, which holds letters without case too."""
LETTER = 1 << 20
"""A letter, or a mark on one: spaCy's ALPHA."""
FIGURE = 1 << 21
"""One of the digits 0 to 9."""
BEFORE_STOP = 1 << 22
"""A full stop behind it is cut off: digits, small letters, marks (spacy/lang/punctuation.py, suffixes)."""
CODE_POINTS = 0x110000
LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
JOINERS = "\u00ad\u200c\u200d"
"""Soft hyphen, zero-width non-joiner and joiner: they never end a word (UAX #29, rule WB4)."""
CLOSING_QUOTES = "\"'’”"

ASSIGNED = ((0, 0x40000), (0xE0000, 0xE1000))
"""Nothing outside these ranges has a class: planes 4 to 13 are unassigned, 15 and 16 are for private use."""

# Blocks whose letters and marks are UNSPACED (Unicode blocks file): Thai and Lao, Burmese, Khmer, Han
# radicals, kana, unified ideographs with their extensions and compatibility forms, Burmese extensions,
# halfwidth kana.
_UNSPACED = (
    (0x0E00, 0x0F00),
    (0x1000, 0x10A0),
    (0x1780, 0x1800),
    (0x2E80, 0x2FE0),
    (0x3005, 0x3008),
    (0x3021, 0x302A),
    (0x3040, 0x3100),
    (0x31F0, 0x3200),
    (0x3400, 0x4DC0),
    (0x4E00, 0xA000),
    (0xA9E0, 0xAA00),
    (0xAA60, 0xAA80),
    (0xF900, 0xFB00),
    (0xFF66, 0xFFA0),
    (0x1AFF0, 0x1B170),
    (0x20000, 0x33480),
)

# spacy/lang/char_classes.py: LIST_PUNCT, LIST_QUOTES, LIST_CURRENCY, LIST_HYPHENS.
_PUNCT = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_CURRENCY = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫€₭₮₯₰₱₲₳₴₵₶₷₸₹₺₻₼₽₾₿"
_INNER = ".…,:<>=/+-*^–—~"


def _flags(code_point: int) -> int:  # noqa: PLR0912 (a flag, a line)
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
    if category[0] == "P":
        flags |= P_CATEGORY
    if category in ("Ps", "Pe", "Pi", "Pf"):
        flags |= AFFIX
    if category == "So":
        flags |= AFFIX | SYMBOL | INNER
    if category[0] in "LM":
        flags |= LETTER
        if not character.isupper():
            flags |= LOWERLIKE | BEFORE_STOP
        if not character.islower():
            flags |= UPPERLIKE
    if character in "0123456789":
        flags |= FIGURE | BEFORE_STOP
    return flags


@functools.cache
def class_table() -> npt.NDArray[np.uint32]:
    """Flags of every code point: uint32[0x110000]. Built once a process (about two tenths of a second)."""
    table = np.zeros(CODE_POINTS, np.uint32)
    for first, last in ASSIGNED:
        table[first:last] = [_flags(code_point) for code_point in range(first, last)]
    for characters, flag in (
        (LINE_BREAKS, BREAK),
        (PUNCTUATION_SET, PUNCTUATION),
        (TERMINAL_PUNCTUATION, TERMINAL),
        (TERMINAL_PUNCTUATION - {"."}, AFFIX),
        (CLOSING_QUOTES, CLOSER),
        (JOINERS, WORD),
        (_PUNCT, AFFIX | BEFORE_STOP),
        (_QUOTES, AFFIX | BEFORE_STOP | QUOTE),
        ("—–", AFFIX),
        ("§%=", PREFIX),
        (_CURRENCY, PREFIX | CURRENCY),
        ("%²-+|\\", BEFORE_STOP),
        (_INNER, INNER),
    ):
        table[[ord(character) for character in characters]] |= flag
    for first, last in _UNSPACED:
        block = table[first:last]
        block[block & LETTER > 0] |= UNSPACED
    table.flags.writeable = False
    return table

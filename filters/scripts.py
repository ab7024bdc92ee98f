"""Which script a text is written in, by the names that Unicode gives its letters."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
import numpy.typing as npt

SCRIPTS = {
    "LATIN": "Latn",
    "CYRILLIC": "Cyrl",
    "GREEK": "Grek",
    "ARABIC": "Arab",
    "CJK": "Hani",
    "HIRAGANA": "Hira",
    "KATAKANA": "Kana",
    "HANGUL": "Hang",
    "THAI": "Thai",
    "HEBREW": "Hebr",
    "DEVANAGARI": "Deva",
    "BENGALI": "Beng",
    "TAMIL": "Taml",
    "TELUGU": "Telu",
    "KANNADA": "Knda",
    "MALAYALAM": "Mlym",
    "GUJARATI": "Gujr",
    "GURMUKHI": "Guru",
    "ORIYA": "Orya",
    "SINHALA": "Sinh",
    "ARMENIAN": "Armn",
    "GEORGIAN": "Geor",
    "ETHIOPIC": "Ethi",
    "KHMER": "Khmr",
    "LAO": "Laoo",
    "MYANMAR": "Mymr",
    "TIBETAN": "Tibt",
    "MONGOLIAN": "Mong",
    "SYRIAC": "Syrc",
    "THAANA": "Thaa",
    "NKO": "Nkoo",
    "TIFINAGH": "Tfng",
    "CHEROKEE": "Cher",
    "CANADIAN": "Cans",
    "BOPOMOFO": "Bopo",
    "YI": "Yiii",
    "JAVANESE": "Java",
    "BALINESE": "Bali",
    "SUNDANESE": "Sund",
    "BUGINESE": "Bugi",
    "OL": "Olck",
    "MEETEI": "Mtei",
    "ADLAM": "Adlm",
    "COPTIC": "Copt",
    "GOTHIC": "Goth",
}
"""First word of the names of a script's letters (Unicode character database), and the script's ISO 15924
code."""
KANA_SHARE = 0.1
"""Of Han characters and kana, from which they are Japanese: Chinese texts quote a word now and then, Japanese
prose has a third at least."""

_CODES = ("", *SCRIPTS.values())
_HAN, _HIRAGANA, _KATAKANA = (_CODES.index(code) for code in ("Hani", "Hira", "Kana"))
_WIDTHS = ("FULLWIDTH", "HALFWIDTH")


@functools.cache
def script_table() -> npt.NDArray[np.uint8]:
    """The script of every letter as an index, 0 for all other characters: uint8[0x110000]."""
    table = np.zeros(0x110000, np.uint8)
    numbers = {name: number for number, name in enumerate(SCRIPTS, 1)}
    numbers["HENTAIGANA"] = numbers["HIRAGANA"]
    for first, last in (
        (0, 0x3400),
        (0xA000, 0xAC00),
        (0xD7B0, 0xD800),
        (0xF900, 0x17000),
        (0x1B000, 0x1B300),
        (0x1E000, 0x1F000),
    ):
        for code_point in range(first, last):
            character = chr(code_point)
            if character.isalpha() or unicodedata.category(character) in ("Mc", "Mn"):
                words = unicodedata.name(character, "").split()
                word = words[words[0] in _WIDTHS] if words else ""
                table[code_point] = numbers.get(word, 0)
    # Han (with its extensions and compatibility blocks), Yi and the Hangul syllables lie in blocks of their
    # own.
    for first, last in ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0)):
        table[first:last] = numbers["CJK"]
    table[0xAC00:0xD7A4] = numbers["HANGUL"]
    table.flags.writeable = False
    return table


def dominant_script(code_points: npt.NDArray[np.uint32]) -> str | None:
    """ISO 15924 code of the script of most letters; None for a text without letters.

    Han characters with kana among them count together, as `Jpan`; without, they are `Hani`. Of two scripts
    with as many letters the one that stands first in SCRIPTS."""
    counts = np.bincount(script_table()[code_points], minlength=len(_CODES))
    kana = int(counts[_HIRAGANA] + counts[_KATAKANA])
    japanese = kana > 0 and kana >= KANA_SHARE * (kana + int(counts[_HAN]))
    if japanese:
        counts[_HIRAGANA] += counts[_HAN] + counts[_KATAKANA]
        counts[_HAN] = 0
    counts[0] = 0
    best = int(counts.argmax())
    if not counts[best]:
        return None
    return "Jpan" if japanese and best == _HIRAGANA else _CODES[best]

"""Text without what near copies differ in: case, accents, punctuation, white space, numbers.

The steps, in this order, are those of `simplify_text` of datatrove 0.10 (datatrove/utils/text.py) with its
defaults, which FineWeb's deduplication ran on: small letters; every number, with at most one decimal part, is
"0"; datatrove's punctuation is white space; white space is one space, none at the ends; canonical
decomposition (NFD) without non-spacing marks (category Mn). Here one look-up a code point does all of that.
Three things differ, all of them rare: σ and ς, which Python tells apart by what stands beside them, are both
σ; marks that are left keep their order where NFD would change it (a few of musical notation); and where
nothing but marks stands between two spaces, one space is left.
"""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import functools
import unicodedata

import numpy as np
import numpy.typing as npt
from datatrove.utils.text import PUNCTUATION

from filters.base import TextView
from filters.characters import AFFIX, ASSIGNED, CODE_POINTS, PREFIX, SPACE, UNSPACED, class_table
from filters.jit import kernel

CodePoints = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.bool_]

DECIMAL = ".,،٫⎖⎗⎘"
"""What may stand once between the digits of a number (datatrove.utils.text.NUMBERS_PATTERN)."""

_SPACE, _ZERO = ord(" "), ord("0")
# An entry of the table: a code point, or where a sequence stands in the pool; and flags.
_TARGET = (1 << 24) - 1
_GONE, _SEQUENCE, _FIGURE, _DECIMAL, _MARK, _UNSPACED = (1 << bit for bit in range(24, 30))
_NO_CUTS = np.zeros(0, np.bool_)


@functools.cache
def _table() -> tuple[CodePoints, CodePoints, int]:
    """What every code point becomes: uint32[0x110000]; a pool of sequences, each behind its length; and the
    length of the longest."""
    table = np.arange(CODE_POINTS, dtype=np.uint32)
    pool: list[int] = []
    longest = 1
    for first, last in ASSIGNED:
        for code_point in range(first, last):
            character = chr(code_point)
            small = "σ" if character in "Σς" else character.lower()
            kept = [
                ord(part)
                for part in unicodedata.normalize("NFD", small)
                if unicodedata.category(part) != "Mn"
            ]
            if len(kept) > 1:
                table[code_point] = len(pool) | _SEQUENCE
                pool += [len(kept), *kept]
                longest = max(longest, len(kept))
            else:
                table[code_point] = kept[0] if kept else _GONE
            if unicodedata.category(character) == "Nd":
                table[code_point] = _ZERO | _FIGURE
    table[[ord(character) for character in PUNCTUATION if unicodedata.category(character) != "Nd"]] = _SPACE
    classes = class_table()
    table[(classes & SPACE) > 0] = _SPACE
    table[[ord(character) for character in DECIMAL]] |= _DECIMAL
    table[(classes & UNSPACED) > 0] |= _UNSPACED
    table[((classes & (AFFIX | PREFIX)) > 0) & (table & _TARGET != _SPACE)] |= _MARK
    return table, np.array(pool, np.uint32), longest


def simplified(view: TextView, *, words: bool) -> CodePoints:
    """The text in its simple form: code points, uint32[k].

    Args:
        words: the words are wanted, not the text: what spaCy would make a word of its own stands alone
            between spaces, that is marks that are left (signs of currency, of other scripts, emoji), and the
            words of scripts that are written without spaces (`filters.unspaced`).
    """
    table, pool, longest = _table()
    cuts = view.cuts if words else None
    found = np.empty((longest + 1) * len(view) + 1, np.uint32)
    count = _simplify(view.code_points, table, pool, _NO_CUTS if cuts is None else cuts, words, found)
    return found[:count]


@kernel
def _simplify(
    code_points: CodePoints, table: CodePoints, pool: CodePoints, cuts: Bits, words: bool, found: CodePoints
) -> int:
    """Write the simple form; returns its length."""
    length = len(code_points)
    space, gone, sequence = np.uint32(_SPACE), np.uint32(_GONE), np.uint32(_SEQUENCE)
    figure, decimal, target = np.uint32(_FIGURE), np.uint32(_DECIMAL), np.uint32(_TARGET)
    # What makes a word end where another kind of character follows, and a mark end anyway.
    alone = np.uint32(_MARK) if words else np.uint32(0)
    kinds = np.uint32(_MARK | _UNSPACED) if words else np.uint32(0)
    before = np.uint32(0)
    gap = False
    count = at = 0
    while at < length:
        entry = table[code_points[at]]
        if len(cuts) and cuts[at]:
            gap = True
        if entry & target == space:
            gap = True
            at += 1
            continue
        if entry & gone:
            at += 1
            continue
        kind = entry & kinds
        if count and (gap or kind != before or kind & alone):
            found[count] = space
            count += 1
        gap = False
        before = kind
        if entry & figure:
            at += 1
            while at < length and table[code_points[at]] & figure:
                at += 1
            if at + 1 < length and table[code_points[at]] & decimal and table[code_points[at + 1]] & figure:
                at += 1
                while at < length and table[code_points[at]] & figure:
                    at += 1
            found[count] = entry & target
            count += 1
            continue
        at += 1
        if entry & sequence:
            place = np.int64(entry & target)
            for part in range(np.int64(pool[place])):
                found[count] = pool[place + 1 + part]
                count += 1
        else:
            found[count] = entry & target
            count += 1
    return count

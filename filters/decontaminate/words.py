"""A text as the words that are compared: letters without case and accents, numbers by value, formulas by
their names.

In one pass over the code points:

- A word is a run of letters, or a number; letters and digits next to each other are two words (x2 is x, 2).
  Everything else parts words and is dropped: white space, punctuation, symbols, markup (`*`, `_`, `#`, `>`,
  `|`, `$`), HTML entities.
- Letters lose case, accents and compatibility forms (`filters.decontaminate.folding`).
- Numbers are compared by value: 1,000 = 1000 = 1000.0 = 1{,}000 = 1\\,000, 0.5 = .5 = 0.50. Groups of three
  digits are joined across a comma (`,` `{,}` `,\\!`), a thin TeX space (`\\,`) or a space that does not
  break; the fraction loses zeros at its end. The point alone is a decimal mark. Leading zeros count (007 is
  not 7), signs do not (-5 is 5).
- Superscript and subscript digits are numbers of their own (x², x^2, x^{2}, x_2 are x, 2).
- Single letters that follow each other are one word whatever stands between them: ab, a b, a\\,b, a + b. In
  formulas spaces mean nothing, and extraction adds and loses them. A colon ends such a run.
- LaTeX commands are read as `filters.decontaminate.latex` says.
- Han, kana, Thai, Lao, Khmer, Burmese: every letter is a word.
"""
# ruff: noqa: PLR0912, PLR0915, PLR0917, PLR1714, SIM109 (one loop over a text, in Numba's Python)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.decontaminate.fingerprint import BASIS, fed, finished, finished_number
from filters.decontaminate.folding import (
    ALONE,
    AMPERSAND,
    BACKSLASH,
    COLON,
    DIGIT,
    EXPANDED,
    GREEK,
    HANGUL,
    HANGUL_FIRST,
    IGNORED,
    KIND_SHIFT,
    LETTER,
    LIFTED,
    NAMED,
    POINT,
    SEPARATOR,
    VALUE_MASK,
    folding,
)
from filters.decontaminate.latex import DROPPED, ENVIRONMENT, FRACTION, RENAMED, ROOT, WITH_ARGUMENT, commands
from filters.hashing import find
from filters.jit import kernel, loop

CodePoints = npt.NDArray[np.uint32]
_VALUE = np.uint32(VALUE_MASK)
_SHIFT = np.uint32(KIND_SHIFT)
_ONE_DIGIT = np.uint64(ord("0"))
_DOT = np.uint64(ord("."))
_GROUP = 3
_ENTITY = 8
"""Longest name of an HTML entity that is looked for."""
_ENVIRONMENT_NAME = 32
_ARGUMENT = 64
_BACKSLASH, _COMMA, _OPEN, _CLOSE, _BANG, _SEMICOLON, _SHARP = (ord(sign) for sign in "\\,{}!;#")
_NARROW = (0xA0, 0x2009, 0x202F)
"""No-break space, thin space, narrow no-break space: between groups of three digits."""
# Jamo of a syllable, Unicode standard section 3.12.
_LEADS, _VOWELS, _TRAILS = 0x1100, 0x1161, 0x11A7
_PER_LEAD, _PER_VOWEL = 588, 28


@dataclass(frozen=True)
class Words:
    """The words of a text: hashes uint64[n], odd those of numbers; where they begin and end in the text, code
    points, int32[n]."""

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.hashes)


def words(code_points: CodePoints) -> Words:
    """The words of a text given as code points."""
    return Words(*cut(code_points, *tables()))


def tables() -> tuple[Any, ...]:
    """What `cut` takes beside the text."""
    fold = folding()
    return (fold.table, fold.expansions, fold.names, fold.greek, *commands())


@loop
def _kind(code_points: CodePoints, table: npt.NDArray[np.uint32], at: int) -> int:
    """Kind of a character; SEPARATOR behind the end."""
    kind: int = SEPARATOR
    if at < len(code_points):
        kind = int(table[code_points[at]] >> _SHIFT)
    return kind


@loop
def _after_digits(code_points: CodePoints, table: npt.NDArray[np.uint32], at: int, most: int) -> int:
    """Where a run of digits ends, `most` of them at the most."""
    end = at
    while end < len(code_points) and end - at < most and table[code_points[end]] >> _SHIFT == DIGIT:
        end += 1
    return end


@loop
def _next_group(code_points: CodePoints, table: npt.NDArray[np.uint32], at: int) -> int:
    """Where the next three digits of a number begin whose digits end at `at`; 0 where none follow."""
    length = len(code_points)
    if at + _GROUP >= length:
        return 0
    sign = code_points[at]
    start = 0
    if sign == _COMMA:
        start = at + 1
        if at + 2 < length and code_points[at + 1] == _BACKSLASH and code_points[at + 2] == _BANG:
            start = at + 3
    elif sign == _OPEN:
        if code_points[at + 1] == _COMMA and code_points[at + 2] == _CLOSE:
            start = at + 3
    elif sign == _BACKSLASH:
        if code_points[at + 1] == _COMMA:
            start = at + 2
    elif sign in _NARROW:
        start = at + 1
    if start == 0 or _after_digits(code_points, table, start, _GROUP + 1) != start + _GROUP:
        return 0
    return start


@loop
def _after_group(code_points: CodePoints, at: int, most: int) -> int:
    """Where a group in braces ends that begins at `at`, spaces before it left out; `at` if there is none."""
    length = len(code_points)
    start = at
    while start < length and code_points[start] == 32:
        start += 1
    if start >= length or code_points[start] != _OPEN:
        return at
    depth = 0
    for index in range(start, min(length, start + most)):
        if code_points[index] == _OPEN:
            depth += 1
        elif code_points[index] == _CLOSE:
            depth -= 1
            if depth == 0:
                return index + 1
    return at


@loop
def _is_array(code_points: CodePoints, at: int) -> bool:
    """Whether the group at `at` is {array...} or {tab...}: their next argument is layout too."""
    while at < len(code_points) and code_points[at] == 32:
        at += 1
    if at + 3 >= len(code_points):
        return False
    a, b = code_points[at + 1] | np.uint32(32), code_points[at + 2] | np.uint32(32)
    found: bool = (a == ord("a") and b == ord("r")) or (a == ord("t") and b == ord("a"))
    return found


@loop
def _after_entity(code_points: CodePoints, at: int) -> int:
    """Where an HTML entity ends that begins at `at`; at + 1 if there is none."""
    index = at + 1
    while index < len(code_points) and index - at <= _ENTITY:
        sign = code_points[index] | np.uint32(32)
        letter = np.uint32(ord("a")) <= sign <= np.uint32(ord("z"))
        digit = np.uint32(ord("0")) <= code_points[index] <= np.uint32(ord("9"))
        if not (letter or digit or code_points[index] == _SHARP):
            break
        index += 1
    if index - at > 2 and index < len(code_points) and code_points[index] == _SEMICOLON:
        return index + 1
    return at + 1


@loop
def _fill(
    code_points: CodePoints,
    table: npt.NDArray[np.uint32],
    expansions: npt.NDArray[np.uint32],
    names: npt.NDArray[np.uint64],
    greek: npt.NDArray[np.uint64],
    command_keys: npt.NDArray[np.uint64],
    command_kinds: npt.NDArray[np.int64],
    renamed: npt.NDArray[np.uint64],
    hashes: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
) -> int:
    """Write the words into the last three arrays; how many there are, or -1 where they do not fit."""
    length = len(code_points)
    room = len(hashes)
    count = 0
    # The last word is a run of single letters that may go on, with this raw hash.
    open_run = False
    run = np.uint64(0)
    # Arguments of a command that need no braces: one character each.
    loose = 0
    at = 0
    while at < length:
        entry = table[code_points[at]]
        kind = entry >> _SHIFT
        if kind == SEPARATOR or kind == IGNORED:
            at += 1
            continue
        start = at
        single = False
        value = np.uint64(0)
        raw = BASIS
        word = np.uint64(0)
        if kind == LETTER or kind == EXPANDED or kind == HANGUL:
            letters = 0
            while True:
                if kind == LETTER:
                    value = np.uint64(entry & _VALUE)
                    raw = fed(raw, value)
                    letters += 1
                elif kind == EXPANDED:
                    place = entry & _VALUE
                    while expansions[place] != 0:
                        raw = fed(raw, np.uint64(expansions[place]))
                        place += np.uint32(1)
                    letters += 2
                elif kind == HANGUL:
                    syllable = np.int64(code_points[at]) - HANGUL_FIRST
                    raw = fed(raw, np.uint64(_LEADS + syllable // _PER_LEAD))
                    raw = fed(raw, np.uint64(_VOWELS + syllable % _PER_LEAD // _PER_VOWEL))
                    if syllable % _PER_VOWEL:
                        raw = fed(raw, np.uint64(_TRAILS + syllable % _PER_VOWEL))
                    letters += 2
                elif kind != IGNORED:
                    break
                at += 1
                if at == length or (loose > 0 and letters > 0):
                    break
                entry = table[code_points[at]]
                kind = entry >> _SHIFT
            loose -= loose > 0
            single = letters == 1
            word = finished(raw)
        elif kind == DIGIT:
            end = _after_digits(code_points, table, at, 1 if loose > 0 else length)
            digits = end - at
            while at < end:
                raw = fed(raw, np.uint64(table[code_points[at]] & _VALUE))
                at += 1
            if loose > 0:
                loose -= 1
            else:
                if digits <= _GROUP:
                    group = _next_group(code_points, table, at)
                    while group > 0:
                        at = group
                        while at < group + _GROUP:
                            raw = fed(raw, np.uint64(table[code_points[at]] & _VALUE))
                            at += 1
                        group = _next_group(code_points, table, at)
                if _kind(code_points, table, at) == POINT and _kind(code_points, table, at + 1) == DIGIT:
                    end = _after_digits(code_points, table, at + 1, length)
                    kept = end
                    while kept > at + 1 and table[code_points[kept - 1]] & _VALUE == ord("0"):
                        kept -= 1
                    if kept > at + 1:
                        raw = fed(raw, _DOT)
                        for index in range(at + 1, kept):
                            raw = fed(raw, np.uint64(table[code_points[index]] & _VALUE))
                    at = end
            word = finished_number(raw)
        elif kind == POINT:
            at += 1
            before = table[code_points[start - 1]] >> _SHIFT if start > 0 else np.uint32(SEPARATOR)
            letter = before == LETTER or before == EXPANDED or before == GREEK or before == HANGUL
            if letter or before == DIGIT or _kind(code_points, table, at) != DIGIT:
                continue
            end = _after_digits(code_points, table, at, length)
            kept = end
            while kept > at and table[code_points[kept - 1]] & _VALUE == ord("0"):
                kept -= 1
            raw = fed(raw, _ONE_DIGIT)
            if kept > at:
                raw = fed(raw, _DOT)
                for index in range(at, kept):
                    raw = fed(raw, np.uint64(table[code_points[index]] & _VALUE))
            at = end
            word = finished_number(raw)
        elif kind == ALONE:
            raw = fed(raw, np.uint64(entry & _VALUE))
            at += 1
            while _kind(code_points, table, at) == IGNORED and at < length:
                at += 1
            word = finished(raw)
        elif kind == LIFTED:
            while kind == LIFTED:
                raw = fed(raw, np.uint64(entry & _VALUE))
                at += 1
                if at == length:
                    break
                entry = table[code_points[at]]
                kind = entry >> _SHIFT
            word = finished_number(raw)
        elif kind == GREEK:
            letters = 0
            while kind == GREEK or kind == IGNORED:
                if kind == GREEK:
                    value = np.uint64(entry & _VALUE)
                    raw = fed(raw, value)
                    letters += 1
                at += 1
                if at == length:
                    break
                entry = table[code_points[at]]
                kind = entry >> _SHIFT
            word = greek[value - np.uint64(0x370)] if letters == 1 else np.uint64(0)
            if word == 0:
                word = finished(raw)
            loose -= loose > 0
        elif kind == NAMED:
            at += 1
            place = np.int64(entry & _VALUE)
            # All but the last word here.
            while names[place + 1] != 0:
                if count == room:
                    return -1
                hashes[count], starts[count], ends[count] = names[place], start, at
                count += 1
                place += 1
            word = names[place]
            if word == 0:
                continue
        elif kind == BACKSLASH:
            at += 1
            letters = 0
            while at < length:
                sign = code_points[at] | np.uint32(32)
                if not np.uint32(ord("a")) <= sign <= np.uint32(ord("z")) or code_points[at] >= 128:
                    break
                value = np.uint64(sign)
                raw = fed(raw, value)
                letters += 1
                at += 1
            if letters == 0:
                continue
            loose -= loose > 0
            word = finished(raw)
            slot = find(command_keys, word)
            if command_keys[slot] == word:
                action = command_kinds[slot]
                if action == DROPPED:
                    continue
                if action == FRACTION:
                    loose = 2
                    continue
                if action == ROOT:
                    loose = 1
                elif action == ENVIRONMENT:
                    array = _is_array(code_points, at)
                    at = _after_group(code_points, at, _ENVIRONMENT_NAME)
                    if array:
                        at = _after_group(code_points, at, _ARGUMENT)
                    continue
                elif action == WITH_ARGUMENT:
                    at = _after_group(code_points, at, _ARGUMENT)
                    continue
                else:
                    word = renamed[action - RENAMED]
            single = letters == 1
        elif kind == AMPERSAND:
            at = _after_entity(code_points, at)
            continue
        elif kind == COLON:
            at += 1
            open_run = False
            continue
        else:
            # OPEN
            at += 1
            loose = 0
            continue
        if single:
            if open_run:
                run = fed(run, value)
                hashes[count - 1] = finished(run)
                ends[count - 1] = at
                continue
            run = raw
        open_run = single
        if count == room:
            return -1
        hashes[count] = word
        starts[count] = start
        ends[count] = at
        count += 1
    return count


@kernel
def cut(
    code_points: CodePoints,
    table: npt.NDArray[np.uint32],
    expansions: npt.NDArray[np.uint32],
    names: npt.NDArray[np.uint64],
    greek: npt.NDArray[np.uint64],
    command_keys: npt.NDArray[np.uint64],
    command_kinds: npt.NDArray[np.int64],
    renamed: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Hashes, starts and ends of the words of a text (see the module)."""
    room = len(code_points) + 1
    while True:
        hashes = np.empty(room, np.uint64)
        starts = np.empty(room, np.int32)
        ends = np.empty(room, np.int32)
        count = _fill(
            code_points,
            table,
            expansions,
            names,
            greek,
            command_keys,
            command_kinds,
            renamed,
            hashes,
            starts,
            ends,
        )
        if count >= 0:
            return hashes[:count], starts[:count], ends[:count]
        # Signs such as ½ are several words.
        room *= 2

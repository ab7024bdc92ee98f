"""Where words begin and end: the rules of spaCy's English tokenizer on arrays of code points.

FineWeb's filters counted spaCy's words, so these are its rules (spacy/tokenizer.pyx,
spacy/lang/punctuation.py, spacy/lang/en/punctuation.py; spaCy 3.8), written anew for all scripts:

1. White space separates chunks. A chunk in the list of special words (`filters.special_words`) is cut as the
   list says: "do" "n't", "Mr.", ":-)".
2. Else marks are cut off at its beginning (punctuation, quotes, brackets, signs of currency, symbols, "..")
   and at its end (the same, "'s", a full stop behind a small letter, a digit, a mark or two capitals, a unit
   or a sign of currency behind a digit), one at each end in turn, until nothing is left to cut, or what is
   left is a special word.
3. What is left is one word if it looks like a host name, an address on the web or an e-mail address.
4. Else it is cut inside: at "..", "…" and symbols; at a sign of calculation between digits; at a full stop
   between a small and a capital letter; at a comma or a hyphen between letters; at one of ":<>=/" between
   letters. "3.14" and "U.S." stay whole (UAX #29, rules WB6 to WB12, would have it so too); an apostrophe
   inside a word cuts nothing.
5. Neighbouring pieces that together make a special word with a mark in it are put together again: "Mr" "."
   before "Smith" in "Mr.Smith".

Letters of scripts that are written without spaces (`characters.UNSPACED`) are no part of these chunks: a run
of them is cut where `filters.unspaced` says, whatever the text's language.
"""
# ruff: noqa: PLR0911, PLR0912, PLR0917 (kernels take arrays one by one, and rules are branches)

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from filters.characters import (
    AFFIX,
    ALPHA,
    BEFORE_STOP,
    CURRENCY,
    FIGURE,
    INNER,
    LETTER,
    LOWERLIKE,
    PREFIX,
    QUOTE,
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPERLIKE,
)
from filters.hashing import find, piece, word_table
from filters.jit import loop
from filters.special_words import UNITS, special_words

CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]

_STOP, _PLUS, _MINUS, _DOLLAR, _ELLIPSIS, _COMMA = 0x2E, 0x2B, 0x2D, 0x24, 0x2026, 0x2C
_COLON, _SLASH, _AT, _QUESTION, _HASH, _UNDERSCORE = 0x3A, 0x2F, 0x40, 0x3F, 0x23, 0x5F
_APOSTROPHE, _RIGHT_QUOTE, _DEGREE = 0x27, 0x2019, 0xB0
_EN_DASH, _EM_DASH, _TILDE, _STAR, _CARET = 0x2013, 0x2014, 0x7E, 0x2A, 0x5E
_SMALL_S, _CAPITAL_S, _CAPITAL_U, _CAPITAL_C, _CAPITAL_A = 0x73, 0x53, 0x55, 0x43, 0x41

# A value of the table of special words: four bits for the length of each piece, and what kind of word it is.
_WHOLE_WORD = 1 << 60
_WITH_MARKS = 1 << 61
_UNIT = 1 << 62
_LONGEST = 12
_LONGEST_UNIT = 6

_NO_CUTS = np.zeros(0, np.bool_)


@functools.cache
def special_table() -> tuple[Hashes, Offsets]:
    """The special words as a hash table with open addressing: keys, 0 where a slot is empty, and values."""
    table: dict[str, int] = {}
    for word, parts in special_words().items():
        value = _WHOLE_WORD | sum(len(part) << 4 * place for place, part in enumerate(parts))
        table[word] = value if word.isalpha() else value | _WITH_MARKS
    for unit in UNITS:
        table[unit] = table.get(unit, 0) | _UNIT
    return word_table(table)


@loop
def _special(running: Hashes, keys: Hashes, values: Offsets, start: int, end: int) -> int:
    """What the list says of the characters from `start` to `end`, or 0."""
    if end - start > _LONGEST:
        return 0
    # A key that is missing leads to an empty slot, whose value is 0.
    value: int = values[find(keys, piece(running, start, end))]
    return value


@loop
def _stops_from(code_points: CodePoints, start: int, end: int) -> int:
    """Length of the run of full stops that begins at `start`."""
    at = start
    while at < end and code_points[at] == _STOP:
        at += 1
    return at - start


@loop
def _prefix(code_points: CodePoints, classes: Classes, start: int, end: int) -> int:
    """How many characters rule 2 cuts off at the beginning."""
    mark = code_points[start]
    if classes[start] & (AFFIX | PREFIX):
        return 1
    if mark == _STOP:
        stops = _stops_from(code_points, start, end)
        return stops if stops > 1 else 0
    if mark == _PLUS:
        return 0 if start + 1 < end and classes[start + 1] & FIGURE else 1
    if mark == _CAPITAL_U and end - start > 2 and code_points[start + 1] == _CAPITAL_S:
        return 3 if code_points[start + 2] == _DOLLAR else 0
    if (mark in (_CAPITAL_C, _CAPITAL_A)) and end - start > 1 and code_points[start + 1] == _DOLLAR:
        return 2
    return 0


@loop
def _stop_suffix(code_points: CodePoints, classes: Classes, start: int, end: int) -> int:
    """How many full stops are cut off at the end, where the last character is one."""
    at = end
    while at > start and code_points[at - 1] == _STOP:
        at -= 1
    if end - at > 1:
        return end - at
    if at == start:
        return 0
    before = classes[at - 1]
    if before & BEFORE_STOP:
        return 1
    if at - 1 > start:
        before_that = classes[at - 2]
        if before & before_that & UPPERLIKE:
            return 1
        if code_points[at - 2] == _DEGREE and code_points[at - 1] in (0x46, 0x43, 0x4B):
            return 1
    return 0


@loop
def _suffix(
    code_points: CodePoints,
    classes: Classes,
    running: Hashes,
    keys: Hashes,
    values: Offsets,
    start: int,
    end: int,
) -> int:
    """How many characters rule 2 cuts off at the end: as many as any of its cases allows."""
    last = code_points[end - 1]
    flags = classes[end - 1]
    if last == _STOP:
        return _stop_suffix(code_points, classes, start, end)
    if end - start > 1:
        before = code_points[end - 2]
        if last in (_SMALL_S, _CAPITAL_S) and before in (_APOSTROPHE, _RIGHT_QUOTE):
            return 2
        if not flags & FIGURE:
            at = end - 1
            while at > start and end - at < _LONGEST_UNIT and not classes[at - 1] & FIGURE:
                at -= 1
            if at > start and classes[at - 1] & FIGURE:
                if _special(running, keys, values, at, end) & _UNIT:
                    return end - at
                if last == _DOLLAR and _prefix(code_points, classes, at, end) == end - at:
                    return end - at
        if last == _ELLIPSIS and before == _ELLIPSIS:
            return 2
        if classes[end - 2] & FIGURE and (flags & CURRENCY or last == _PLUS):
            return 1
    return 1 if flags & AFFIX else 0


@loop
def _infix(code_points: CodePoints, classes: Classes, start: int, end: int, at: int) -> int:
    """How many characters rule 4 cuts out at `at`, of the piece from `start` to `end`; or 0."""
    mark = code_points[at]
    if mark == _ELLIPSIS or classes[at] & SYMBOL:
        return 1
    after = classes[at + 1] if at + 1 < end else np.uint32(0)
    before = classes[at - 1] if at > start else np.uint32(0)
    if mark == _STOP:
        stops = _stops_from(code_points, at, end)
        if stops > 1:
            return stops
        return 1 if before & (LOWERLIKE | QUOTE) and after & (UPPERLIKE | QUOTE) else 0
    if mark == _COMMA:
        return 1 if before & LETTER and after & LETTER else 0
    if (
        mark in (_PLUS, _MINUS, _STAR, _CARET)
        and before & FIGURE
        and (after & FIGURE or (at + 1 < end and code_points[at + 1] == _MINUS))
    ):
        return 1
    if not before & (LETTER | FIGURE) or mark in (_PLUS, _STAR, _CARET):
        return 0
    if after & LETTER:
        return 1
    if mark in (_MINUS, _EM_DASH):
        width = 1
        while width < 4 and at + width < end and code_points[at + width] == mark:
            width += 1
        # "--", "---" and "——" are hyphens too.
        if width == 2 or (width == 3 and mark == _MINUS):
            return width if at + width < end and classes[at + width] & LETTER else 0
    return 0


@loop
def _is_host_character(code_points: CodePoints, at: int) -> bool:
    mark = code_points[at]
    return (
        0x61 <= mark <= 0x7A
        or 0x41 <= mark <= 0x5A
        or 0x30 <= mark <= 0x39
        or 0xA1 <= mark <= 0xFFFF
        or mark in (_MINUS, _UNDERSCORE, _STOP)
    )


@loop
def _is_address_from(code_points: CodePoints, classes: Classes, start: int, end: int) -> bool:
    """Whether a host name begins at `start`, and nothing but a port and a path follow."""
    at = label = start
    labels = 0
    while at < end and _is_host_character(code_points, at):
        if code_points[at] == _STOP:
            first, last = code_points[label], code_points[at - 1]
            bad = first in (_MINUS, _UNDERSCORE) or last in (_MINUS, _UNDERSCORE)
            if at == label or at - label > 64 or bad:
                return False
            labels += 1
            label = at + 1
        at += 1
    if labels == 0 or at - label < 2 or at - label > 63:
        return False
    for place in range(label, at):
        if not classes[place] & LOWERLIKE:
            return False
    if at < end and code_points[at] == _COLON:
        port = at + 1
        while port < end and classes[port] & FIGURE:
            port += 1
        if not 2 <= port - at - 1 <= 5:
            return False
        at = port
    return at == end or code_points[at] in (_SLASH, _QUESTION, _HASH)


@loop
def _is_address(code_points: CodePoints, classes: Classes, start: int, end: int) -> bool:
    """Rule 3: a host name, behind a scheme or a user's name or not (spacy/lang/tokenizer_exceptions.py)."""
    if _is_address_from(code_points, classes, start, end):
        return True
    for at in range(start + 1, end - 1):
        mark = code_points[at]
        if mark == _AT and _is_address_from(code_points, classes, at + 1, end):
            return True
        if (
            mark == _SLASH
            and at - start >= 4
            and code_points[at - 1] == _SLASH
            and code_points[at - 2] == _COLON
            and _is_address_from(code_points, classes, at + 1, end)
        ):
            return True
    return False


@loop
def _inside(
    code_points: CodePoints,
    classes: Classes,
    start: int,
    end: int,
    starts: Offsets,
    ends: Offsets,
    count: int,
) -> int:
    """Rules 3 and 4 for one piece; returns how many words there are now."""
    at = left = start
    asked = False
    while at < end:
        width = _infix(code_points, classes, start, end, at) if classes[at] & INNER else 0
        if width and at > start:
            if not asked:
                asked = True
                if _is_address(code_points, classes, start, end):
                    break
            if at > left:
                starts[count], ends[count] = left, at
                count += 1
            starts[count], ends[count] = at, at + width
            count += 1
            left = at + width
        at += max(width, 1)
    if left < end:
        starts[count], ends[count] = left, end
        count += 1
    return count


@loop
def _pieces_of(value: int, start: int, starts: Offsets, ends: Offsets, count: int) -> int:
    """A special word in its pieces; returns how many words there are now."""
    while value & 15:
        starts[count], ends[count] = start, start + (value & 15)
        start += value & 15
        value >>= 4
        count += 1
    return count


@loop
def _chunk(
    code_points: CodePoints,
    classes: Classes,
    running: Hashes,
    keys: Hashes,
    values: Offsets,
    start: int,
    end: int,
    starts: Offsets,
    ends: Offsets,
    count: int,
) -> int:
    """Rules 1 to 5 for a chunk; returns how many words there are now."""
    first = count
    # What is cut off at the end waits at the far end of the room that the chunk can need.
    room = tail = count + end - start
    special = _special(running, keys, values, start, end)
    while start < end and not special & _WHOLE_WORD:
        prefix = _prefix(code_points, classes, start, end)
        if prefix and prefix < end - start:
            special = _special(running, keys, values, start + prefix, end)
            if special & _WHOLE_WORD:
                starts[count], ends[count] = start, start + prefix
                count += 1
                start += prefix
                break
        suffix = 0
        if start + prefix < end:
            suffix = _suffix(code_points, classes, running, keys, values, start + prefix, end)
        if suffix and suffix < end - start:
            special = _special(running, keys, values, start, end - suffix)
            if special & _WHOLE_WORD:
                tail -= 1
                starts[tail], ends[tail] = end - suffix, end
                end -= suffix
                break
        if prefix == 0 and suffix == 0:
            special = 0
            break
        if prefix:
            starts[count], ends[count] = start, start + prefix
            count += 1
            start += prefix
        if suffix:
            tail -= 1
            starts[tail], ends[tail] = end - suffix, end
            end -= suffix
        special = _special(running, keys, values, start, end) if start < end else 0
    if start < end:
        if special & _WHOLE_WORD:
            count = _pieces_of(special, start, starts, ends, count)
        else:
            count = _inside(code_points, classes, start, end, starts, ends, count)
    while tail < room:
        starts[count], ends[count] = starts[tail], ends[tail]
        count += 1
        tail += 1
    if count - first > 1:
        count = _put_together(running, keys, values, starts, ends, first, count)
    return count


@loop
def _put_together(
    running: Hashes, keys: Hashes, values: Offsets, starts: Offsets, ends: Offsets, first: int, count: int
) -> int:
    """Rule 5, for the words from `first`; returns how many words there are now."""
    index = left = first
    while index < count:
        last = index
        while last + 1 < count and ends[last + 1] - starts[index] <= _LONGEST:
            last += 1
        value = 0
        while last > index:
            value = _special(running, keys, values, starts[index], ends[last])
            if value & _WITH_MARKS:
                break
            last -= 1
        if last > index:
            left = _pieces_of(value, starts[index], starts, ends, left)
        else:
            starts[left], ends[left] = starts[index], ends[index]
            left += 1
        index = last + 1
    return left


@loop
def _word_and_mark(
    code_points: CodePoints,
    classes: Classes,
    running: Hashes,
    keys: Hashes,
    values: Offsets,
    start: int,
    end: int,
    starts: Offsets,
    ends: Offsets,
    count: int,
) -> int:
    """What `_chunk` does, for letters with one mark behind them: the most common chunk that holds a mark."""
    special = _special(running, keys, values, start, end)
    if special & _WHOLE_WORD:
        return _pieces_of(special, start, starts, ends, count)
    if code_points[end - 1] == _STOP and not _stop_suffix(code_points, classes, start, end):
        starts[count], ends[count] = start, end
        return count + 1
    special = _special(running, keys, values, start, end - 1)
    if special & _WHOLE_WORD:
        count = _pieces_of(special, start, starts, ends, count)
    else:
        starts[count], ends[count] = start, end - 1
        count += 1
    starts[count], ends[count] = end - 1, end
    return count + 1


@loop
def _words(
    code_points: CodePoints,
    classes: Classes,
    running: Hashes,
    cuts: Bits,
    keys: Hashes,
    values: Offsets,
    starts: Offsets,
    ends: Offsets,
) -> int:
    """Fill in starts and ends; returns how many words there are, or -1 where there is too little room."""
    length = len(code_points)
    count = at = 0
    while at < length:
        flags = classes[at]
        if flags & SPACE:
            at += 1
            continue
        start = at
        unspaced = flags & UNSPACED
        every = all_but_last = flags
        while at < length:
            flags = classes[at]
            if flags & SPACE or flags & UNSPACED != unspaced:
                break
            all_but_last = every
            every &= flags
            at += 1
        if count + at - start > len(starts):
            return -1
        if unspaced:
            for place in range(start, at):
                if place == start or cuts[place]:
                    starts[count] = place
                    count += 1
                ends[count - 1] = place + 1
        elif every & ALPHA:
            special = _special(running, keys, values, start, at)
            if special & _WHOLE_WORD:
                count = _pieces_of(special, start, starts, ends, count)
            else:
                starts[count], ends[count] = start, at
                count += 1
        elif every & FIGURE:
            starts[count], ends[count] = start, at
            count += 1
        elif all_but_last & ALPHA and (classes[at - 1] & AFFIX or code_points[at - 1] == _STOP):
            count = _word_and_mark(
                code_points, classes, running, keys, values, start, at, starts, ends, count
            )
        else:
            count = _chunk(code_points, classes, running, keys, values, start, at, starts, ends, count)
    return count


def words(
    code_points: CodePoints, classes: Classes, running: Hashes, cuts: Bits | None = None
) -> tuple[Offsets, Offsets]:
    """Starts and ends of the words and marks, in order; every visible character is in exactly one.

    Args:
        code_points, classes, running: the text, as `hashing.scan` has it.
        cuts: where a word begins in a run of UNSPACED characters, bool[n]; None for a text without.
    """
    length = len(code_points)
    if cuts is None:
        cuts = _NO_CUTS
    keys, values = special_table()
    # Text that is nothing but marks needs a word a character.
    for room in (length // 3 + 64, length):
        bounds = np.empty((2, room), np.int64)
        starts, ends = bounds
        count = _words(code_points, classes, running, cuts, keys, values, starts, ends)
        if count >= 0:
            break
    return starts[:count], ends[:count]

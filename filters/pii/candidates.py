"""Where personal data may stand: one compiled pass that looks at every character once or twice.

All that is looked for has an @, six digits or more, or two colons among hexadecimal digits. A text without
them yields nothing, and costs about a nanosecond a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.jit import kernel

AT, CHAIN, COLONS, MIXED = range(4)
"""What a candidate is: an @ inside a word; digits with separators between them; hexadecimal digits with
colons; a word of letters and digits."""

MIN_CHAIN_DIGITS = 6
"""The least digits of anything looked for (the British national insurance number) but an IP address."""
MIN_MIXED_DIGITS, MIN_MIXED_LENGTH = 5, 8
"""The least digits and characters of an identifier of letters and digits (DNI: 8 and 9; CURP: 7 and 18)."""
_MAX_GAP = 3
"""Characters between two groups of digits that may belong together: ") - " is the longest in use, but for
its end."""

CodePoints = npt.NDArray[np.uint32]
Table = npt.NDArray[np.int64]

_CHUNK = 1 << 14

_DIGIT, _LETTER, _HEX, _GAP = 1, 2, 4, 8


class Candidate(NamedTuple):
    """A piece of the text, in code points."""

    kind: int
    start: int
    end: int


def candidates(code_points: CodePoints) -> Iterator[Candidate]:
    """All candidates by their starts, longer ones first."""
    found = _scan(code_points, _CLASSES)
    if len(found) > 1:
        found = found[np.lexsort((-found[:, 2], found[:, 1]))]
    # Millions of candidates must not become millions of objects at once.
    for first in range(0, len(found), _CHUNK):
        for row in found[first : first + _CHUNK].tolist():
            yield Candidate(*row)


def _classes() -> npt.NDArray[np.uint8]:
    """Flags of the ASCII characters: uint8[128]."""
    table = np.zeros(128, np.uint8)
    for characters, flag in (
        ("0123456789", _DIGIT | _HEX),
        ("abcdefABCDEF", _LETTER | _HEX),
        ("ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ", _LETTER),
        (" -.()/", _GAP),
    ):
        table[[ord(character) for character in characters]] = flag
    return table


_CLASSES = _classes()


@kernel
def _class(code_point: int, table: npt.NDArray[np.uint8]) -> int:
    if code_point < 128:
        return int(table[code_point])
    # No-break, thin and narrow spaces; hyphens and dashes; the minus sign.
    if 0x2009 <= code_point <= 0x2013 or code_point in (0xA0, 0x202F, 0x2212):
        return _GAP
    return 0


@kernel
def _most(code_points: CodePoints) -> int:
    """More candidates than there can be: each has an @, a colon or the first digit of a run of its own."""
    count = 0
    digits = False
    for code_point in code_points:
        is_digit = 0x30 <= code_point <= 0x39
        count += code_point == 0x40 or code_point == 0x3A or (is_digit and not digits)  # noqa: PLR1714
        digits = is_digit
    return count


@kernel
def _scan(code_points: CodePoints, table: npt.NDArray[np.uint8]) -> Table:
    """Rows of kind, start and end: int64[candidates, 3]."""
    found = np.empty((_most(code_points), 3), np.int64)
    count = 0
    length = len(code_points)
    at = run_end = colons_end = 0
    while at < length:
        code_point = code_points[at]
        # Digits, the colon and the @ are all that candidates begin with: almost every character ends here.
        if code_point > 0x40 or code_point < 0x30 or 0x3A < code_point < 0x40:
            at += 1
            continue
        kind, start, end = -1, at, at + 1
        if code_point == 0x40:
            kind = AT if _joins(code_points, at, table) else -1
        elif code_point == 0x3A:
            if at >= colons_end:
                start, colons_end, number = _colons(code_points, at, table)
                if number >= 2 and colons_end - start >= 8:
                    kind, end = COLONS, colons_end
            run_end = at + 1
        else:
            kind, start, end = _run(code_points, at, run_end, table)
            run_end = end
        if kind >= 0:
            found[count, 0], found[count, 1], found[count, 2] = kind, start, end
            count += 1
        # What stands between colons may be something else too.
        at = at + 1 if kind == COLONS else end
    return found[:count]


@kernel
def _run(code_points: CodePoints, at: int, floor: int, table: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    """Kind (or -1), start and end of the word or chain that has its first digit at `at`; it begins at
    `floor` or later."""
    length = len(code_points)
    start, end = at, at
    while start > floor and _class(code_points[start - 1], table) & _LETTER:
        start -= 1
    letters, digits = at - start, 0
    while end < length:
        flags = _class(code_points[end], table)
        if not flags & (_DIGIT | _LETTER):
            break
        letters += (flags & _LETTER) != 0
        digits += (flags & _DIGIT) != 0
        end += 1
    if not letters:
        end, digits = _chain(code_points, end, digits, table)
        if digits < MIN_CHAIN_DIGITS and _points(code_points, start, end) < 3:
            return -1, start, end
        while (
            start > floor
            and at - start < 2
            and (code_points[start - 1] == 0x28 or code_points[start - 1] == 0x2B)
        ):
            start -= 1
        return CHAIN, start, end
    if digits >= MIN_MIXED_DIGITS and end - start >= MIN_MIXED_LENGTH:
        return MIXED, start, end
    if digits >= 2 and at == start + 2 and _class(code_points[at + 1], table) & _DIGIT:
        return MIXED, start, end  # the head of an IBAN
    return -1, start, end


@kernel
def _joins(code_points: CodePoints, at: int, table: npt.NDArray[np.uint8]) -> bool:
    """Whether an @ has something on both sides that an address can have there."""
    if at == 0 or at + 1 == len(code_points):
        return False
    before, after = code_points[at - 1], code_points[at + 1]
    name = before >= 128 or (_class(before, table) & (_DIGIT | _LETTER)) != 0
    # Marks of the local part: % & ' + - _
    name = name or before == 0x5F or before == 0x2D or 0x25 <= before <= 0x27 or before == 0x2B  # noqa: PLR1714
    return bool(name and (after >= 128 or _class(after, table) & (_DIGIT | _LETTER)))


@kernel
def _points(code_points: CodePoints, start: int, end: int) -> int:
    """How many full stops there are."""
    count = 0
    for at in range(start, end):
        count += code_points[at] == 0x2E
    return count


@kernel
def _chain(code_points: CodePoints, end: int, digits: int, table: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """From the end of one group of digits to the end of the last that may belong to it; digits in all."""
    length = len(code_points)
    while end < length:
        at = end
        while at < length and at - end < _MAX_GAP and _class(code_points[at], table) & _GAP:
            if code_points[at] == 0x2E and at > end:
                break
            at += 1
        # A point before a space ends a sentence.
        if at > end + 1 and code_points[end] == 0x2E:
            break
        if at in (end, length) or not _class(code_points[at], table) & _DIGIT:
            break
        while at < length and _class(code_points[at], table) & _DIGIT:
            at += 1
            digits += 1
        end = at
        if at < length and _class(code_points[at], table) & _LETTER:
            break
    return end, digits


@kernel
def _colons(code_points: CodePoints, at: int, table: npt.NDArray[np.uint8]) -> tuple[int, int, int]:
    """The hexadecimal digits, colons and points around a colon, and how many colons they hold."""
    start, end, count = at, at + 1, 1
    while start > 0 and at - start < 4 and _class(code_points[start - 1], table) & _HEX:
        start -= 1
    while end < len(code_points):
        code_point = code_points[end]
        if code_point == 0x3A:
            count += 1
        elif code_point != 0x2E and not _class(code_point, table) & _HEX:
            break
        end += 1
    return start, end, count

"""Lines, characters, comments, strings and encoded data of a source file, for OpenCoder's heuristics.

Lines end with a line feed, which counts as theirs. What is comment and what string `filters.code.lexer`
says; a line of code is one with something beside white space that is no comment.
"""
# ruff: noqa: PLR0912, PLR0915, PLR0917 (kernels take arrays one by one, and one pass does many counts)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.characters import ALPHA, DIGIT, SPACE, WORD
from filters.code.lexer import COMMENT, RAW, STRING, TAG
from filters.hashing import BASE, scramble
from filters.jit import kernel, loop
from filters.keywords import Keywords

CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint32]
Kinds = npt.NDArray[np.uint8]
Row = npt.NDArray[np.float64]

LONG_WORD = 20
"""Characters over which a word of a string is long, and words over which a line of a string is."""
LONG_RUN = 1024
"""Characters over which a single run of encoded data tells."""

ASSERT, IMPORT, PASS, STRUCT, TODO = 1, 2, 4, 8, 16
PRINTS = {
    "Python": 32,
    "C": 64,
    "C++": 128,
    "Java": 256,
    "JavaScript": 512,
    "Go": 1024,
    "C#": 2048,
}
"""Flags of what a line prints with, by language."""
_KEYWORDS: dict[str, int] = {
    "assert": ASSERT,
    "import": IMPORT,
    "pass": PASS,
    "struct": STRUCT,
    "using": STRUCT,
    "todo": TODO,
    "fixme": TODO,
    "your code here": TODO,
    "print": PRINTS["Python"],
    "printf": PRINTS["C"] | PRINTS["C++"],
    "cout": PRINTS["C++"],
    "system.out.print": PRINTS["Java"] | PRINTS["Python"],
    "console.log": PRINTS["JavaScript"],
    "fmt.print": PRINTS["Go"] | PRINTS["Python"],
    "console.writeline": PRINTS["C#"],
}
"""Words by which OpenCoder tells lines (quality_signals/code.py and code_specific/), and their flags. Of
words that end at the same place the longest alone is found: its flags hold the others'."""

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)
_CACHED: list[tuple[Keywords, npt.NDArray[np.int64]]] = []


def keywords() -> tuple[Keywords, npt.NDArray[np.int64]]:
    """The automaton that finds the words, and the flags of each: made once a process."""
    if not _CACHED:
        automaton = Keywords(_KEYWORDS)
        _CACHED.append((automaton, np.array([_KEYWORDS[word] for word in automaton.words], np.int64)))
    return _CACHED[0]


@loop
def _hex(character: np.uint32) -> bool:
    return bool(48 <= character <= 57 or 97 <= (character | 32) <= 102)


@kernel
def characters(text: CodePoints, classes: Classes, kinds: Kinds, row: Row) -> int:
    """Fill in shares of letters and digits among what is visible, of white space, of comments, of what is
    in strings and in long words of strings, of hexadecimal words, and of replacement characters:
    float64[8]; the characters that are no comment."""
    length = len(text)
    letters = digits = spaces = comments = replaced = strings = long_words = 0
    for at in range(length):
        flags = classes[at]
        letters += flags & ALPHA != 0
        digits += flags & DIGIT != 0
        spaces += flags & SPACE != 0
        comments += kinds[at] == COMMENT
        strings += kinds[at] == STRING
        replaced += text[at] == 0xFFFD
    code = length - comments
    at = 0
    while at < length:
        if kinds[at] != STRING or classes[at] & SPACE:
            at += 1
            continue
        start = at
        address = False
        while at < length and kinds[at] == STRING and not classes[at] & SPACE:
            if text[at] == 47 and at - start >= 6 and text[at - 1] == 47 and text[at - 2] == 58:
                # http:// or https:// and something behind it
                secure = text[at - 3] == 115
                last = at - 4 if secure else at - 3
                if (
                    last - 3 >= start
                    and text[last] == 112
                    and text[last - 1] == 116
                    and text[last - 2] == 116
                    and text[last - 3] == 104
                ):
                    address = address or (
                        at + 1 < length and kinds[at + 1] == STRING and not classes[at + 1] & SPACE
                    )
            at += 1
        if at - start > LONG_WORD and not address:
            long_words += at - start
    hexadecimal = 0
    at = 0
    while at + 2 < length:
        if (
            text[at] == 48
            and (text[at + 1] | 32) == 120
            and kinds[at] != COMMENT
            and (at == 0 or not classes[at - 1] & WORD)
            and _hex(text[at + 2])
        ):
            end = at + 2
            while end < length and _hex(text[end]):
                end += 1
            if end == length or not classes[end] & WORD:
                hexadecimal += end - at
            at = end
        else:
            at += 1
    visible = length - spaces
    row[0] = letters / visible if visible else 0.0
    row[1] = digits / visible if visible else 1.0
    row[2] = spaces / length if length else 1.0
    row[7] = replaced / length if length else np.nan
    if length:
        row[3] = comments / length
    if code:
        row[4], row[5], row[6] = strings / code, long_words / code, hexadecimal / code
    return code


@kernel
def lines(
    text: CodePoints,
    classes: Classes,
    kinds: Kinds,
    ends: npt.NDArray[np.int64],
    which: npt.NDArray[np.int64],
    flags: npt.NDArray[np.int64],
    prints: int,
    row: Row,
) -> int:
    """Fill in lines, longest, mean, share of repeated lines of code, long lines of strings a line of code,
    share of lines that ask for code to come, and of lines of code shares of those that assert, print, import,
    pass, direct the preprocessor: float64[11]; the lines of code.

    Args:
        ends, which: where keywords end, and which they are.
        flags: of each keyword.
        prints: the flag of what prints in this language.
    """
    length = len(text)
    count = code = longest = 0
    asserts = printing = importing = passing = directing = asking = 0
    for at in range(length):
        count += text[at] == 10
    hashes = np.empty(count + 1, np.uint64)
    sizes = np.empty(count + 1, np.int64)
    count, start, hit = 0, 0, 0
    while start < length:
        at = start
        value, size, found, asked, directive = np.uint64(0), 0, 0, False, False
        while at < length:
            while hit < len(ends) and ends[hit] == at + 1:
                flag = flags[which[hit]]
                if kinds[at] == COMMENT:
                    asked = asked or flag & TODO != 0
                else:
                    found |= flag
                hit += 1
            if kinds[at] != COMMENT and not classes[at] & SPACE:
                value = value * _BASE + scramble(np.uint64(text[at]) + _ONE)
                size += 1
                if text[at] == 35 and not directive:
                    behind = at + 1
                    while behind < length and text[behind] in (32, 9):
                        behind += 1
                    if behind < length:
                        # include, if, define, else, elif, endif, error, pragma, warning, undef, line
                        directive = text[behind] in (105, 100, 101, 112, 119, 117, 108)
            at += 1
            if text[at - 1] == 10:
                break
        longest = max(longest, at - start)
        count += 1
        asking += asked
        if size:
            hashes[code], sizes[code] = scramble(value), size
            # "}," repeats in all code.
            if size == 2 and value == scramble(np.uint64(125) + _ONE) * _BASE + scramble(
                np.uint64(44) + _ONE
            ):
                sizes[code] = 1
            code += 1
            asserts += found & ASSERT != 0
            printing += found & prints != 0
            importing += found & IMPORT != 0
            passing += found & PASS != 0
            directing += directive or found & STRUCT != 0
        start = at
    row[0], row[1] = count, longest
    if count:
        row[2], row[5] = length / count, asking / count
    if not code:
        return 0
    order = np.argsort(hashes[:code])
    repeated, at = 0, 0
    while at < code:
        end = at + 1
        while end < code and hashes[order[end]] == hashes[order[at]]:
            end += 1
        if end - at > 1 and sizes[order[at]] > 1:
            repeated += end - at
        at = end
    row[3] = repeated / code
    row[4] = _long_strings(text, classes, kinds) / code
    row[6], row[7], row[8] = asserts / code, printing / code, importing / code
    row[9], row[10] = passing / code, directing / code
    return code


@loop
def _long_strings(text: CodePoints, classes: Classes, kinds: Kinds) -> int:
    """Lines of strings with more than LONG_WORD words, each a run of word characters or of other marks."""
    length = len(text)
    long_lines = words = 0
    before = 0  # what the last character was: 0 nothing or white space, 1 of a word, 2 another mark
    for at in range(length + 1):
        inside = at < length and kinds[at] == STRING
        if not inside or text[at] == 10:
            long_lines += words > LONG_WORD
            words = before = 0
            continue
        if classes[at] & SPACE:
            before = 0
            continue
        kind = 1 if classes[at] & WORD else 2
        words += kind != before
        before = kind
    return long_lines


@kernel
def encoded(text: CodePoints, classes: Classes) -> bool:
    """Whether a file holds encoded data: a run in base 64 (64 characters of its alphabet or more, line
    feeds among them), of hexadecimal pairs or of `\\uXXXX` (8 or more) of over LONG_RUN characters, or
    more than half of the file in such runs."""
    length = len(text)
    total = longest = 0
    start = -1
    for at in range(length + 1):
        character = text[at] if at < length else np.uint32(0)
        fits = (
            48 <= character <= 57
            or 65 <= character <= 90
            or 97 <= character <= 122
            or character in (43, 47, 10, 61)
        )
        if fits and start < 0:
            start = at
        elif not fits and start >= 0:
            if at - start >= 64:
                total += at - start
                longest = max(longest, at - start)
            start = -1
    at = 0
    while at < length:
        # Most characters begin no pair: not worth a call.
        begins = text[at] == 92 or (_hex(text[at]) and (at == 0 or not _hex(text[at - 1])))
        end = _hex_run(text, classes, at) if begins else at
        if end > at:
            total += end - at
            longest = max(longest, end - at)
            at = end
        else:
            at += 1
    at = 0
    while at < length:
        if text[at] != 92:
            at += 1
            continue
        count, end = 0, at
        while (
            end + 5 < length
            and text[end] == 92
            and text[end + 1] == 117
            and _hex(text[end + 2])
            and _hex(text[end + 3])
            and _hex(text[end + 4])
            and _hex(text[end + 5])
        ):
            count += 1
            end += 6
        if count >= 8:
            total += end - at
            longest = max(longest, end - at)
        at = max(end, at + 1)
    return length > 0 and (longest > LONG_RUN or total / length > 0.5)


@loop
def _boundary(classes: Classes, at: int) -> bool:
    before = at > 0 and classes[at - 1] & WORD != 0
    behind = at < len(classes) and classes[at] & WORD != 0
    return before != behind


@loop
def _hex_run(text: CodePoints, classes: Classes, at: int) -> int:
    """Where a run of eight or more pairs of hexadecimal digits ends, each at the edge of a word, with 0x
    or \\x before it or nothing, and a comma or an edge and white space behind it; `at` where none begins."""
    length = len(text)
    start, pairs = at, 0
    while at < length and _boundary(classes, at):
        place = at
        if place + 1 < length and text[place] in (48, 92) and text[place + 1] == 120:
            place += 2
        if not (place + 1 < length and _hex(text[place]) and _hex(text[place + 1])):
            break
        place += 2
        if place < length and text[place] == 44:
            place += 1
        elif _boundary(classes, place):
            while place < length and classes[place] & SPACE:
                place += 1
        else:
            break
        pairs += 1
        at = place
    return at if pairs >= 8 else start


@kernel
def visible_text(text: CodePoints, kinds: Kinds) -> int:
    """Characters of HTML that are neither tag nor comment nor script."""
    count = 0
    for at in range(len(text)):
        count += kinds[at] != TAG and kinds[at] != COMMENT and kinds[at] != RAW
    return count

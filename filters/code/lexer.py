"""What of a source file is comment, what string, what the rest: a small lexer for each family of languages.

One pass over the characters with a table of what may begin something: comments to the end of the line,
comments between marks (nested where the language nests them), strings with their escapes. It parses
nothing, never fails, and is right about ordinary code; quoting operators of Perl and Ruby and
here-documents of shells are taken for code.
"""
# ruff: noqa: PLR0912, PLR0915, PLR0917 (a lexer is one long case distinction)

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.jit import kernel, loop

CodePoints = npt.NDArray[np.uint32]
Kinds = npt.NDArray[np.uint8]

CODE, COMMENT, STRING, TAG, RAW = 0, 1, 2, 3, 4
"""Kinds of characters. STRING: what stands between quotes, which are CODE. TAG, RAW: of HTML and XML the
tags, and the content of `script` and `style`; what is CODE there is text."""

DOUBLE, SINGLE, BACK = 1, 2, 4
"""Quotes that begin a string: `"`, `'`, and the back quote."""
TRIPLE = 8
"""Three quotes begin a string of several lines."""
DOC = 16
"""A string of three quotes that begins its line is a comment (Python's docstrings, as Pygments tells
them)."""
REGEX = 32
"""A slash may begin a regular expression."""
LINES = 64
"""Strings go over line ends."""
PLAIN_SINGLE = 128
"""No escapes between single quotes."""
SPACED = 256
"""The first mark of comments must follow white space: `$#` of shells, `a#b` of YAML."""
LITERAL = 512
"""A single quote begins one character (`'a'`, `'\\n'`); alone it is a lifetime, a prime, a separator of
digits."""
MARKUP = 1024
"""HTML and XML."""
EMBEDDED = 2048
"""PHP: code stands between `<?` and `?>`."""
POD = 4096
"""Lines that begin with `=word` begin a comment up to `=cut` or `=end` (Perl, Ruby)."""
VERBATIM = 8192
"""C#: no escapes in @"..."; a doubled quote stands for one."""
RAW_PREFIX = 16384
"""C++ R"x(...)x" and Rust r#"..."#."""
LONG_BRACKET = 32768
"""Lua: [[ ... ]] and --[[ ... ]]."""
BACKSLASH = 65536
"""A quote behind a backslash begins nothing (Lisp's characters)."""
NESTED = 131072
"""Comments between marks nest."""
FIRST = 262144
"""The first mark of comments must be the first of its line but white space."""
NO_ESCAPE = 524288
"""A backslash escapes nothing; a doubled quote stands for one."""
TRANSPOSE = 1048576
"""MATLAB: a single quote behind a name or a bracket is an operator."""

_FAMILIES: dict[str, tuple[str, str, int]] = {
    # comments to the end of the line | comments between marks | flags
    "plain": ("", "", 0),
    "c": ("//", "/* */", DOUBLE | SINGLE),
    "cpp": ("//", "/* */", DOUBLE | SINGLE | LITERAL | RAW_PREFIX),
    "java": ("//", "/* */", DOUBLE | SINGLE | TRIPLE),
    "csharp": ("//", "/* */", DOUBLE | SINGLE | TRIPLE | VERBATIM),
    "js": ("//", "/* */", DOUBLE | SINGLE | BACK | REGEX),
    "go": ("//", "/* */", DOUBLE | SINGLE | BACK),
    "rust": ("//", "/* */", DOUBLE | SINGLE | LITERAL | RAW_PREFIX | NESTED | LINES),
    "swift": ("//", "/* */", DOUBLE | TRIPLE | NESTED),
    "kotlin": ("//", "/* */", DOUBLE | SINGLE | TRIPLE | NESTED),
    "scala": ("//", "/* */", DOUBLE | SINGLE | LITERAL | TRIPLE | NESTED),
    "zig": ("//", "", DOUBLE | SINGLE),
    "verilog": ("//", "/* */", DOUBLE),
    "hcl": ("# //", "/* */", DOUBLE),
    "cshash": ("# //", "/* */", DOUBLE | SINGLE),
    "php": ("// #", "/* */", DOUBLE | SINGLE | LINES | EMBEDDED),
    "css": ("", "/* */", DOUBLE | SINGLE),
    "json": ("", "", DOUBLE),
    "python": ("#", "", DOUBLE | SINGLE | TRIPLE | DOC),
    "coffee": ("#", "### ###", DOUBLE | SINGLE | TRIPLE),
    "julia": ("#", "#= =#", DOUBLE | TRIPLE | NESTED),
    "ruby": ("#", "", DOUBLE | SINGLE | LINES | POD | SPACED),
    "hash": ("#", "", DOUBLE | SINGLE | SPACED | POD),
    "shell": ("#", "", DOUBLE | SINGLE | LINES | PLAIN_SINGLE | SPACED),
    "toml": ("#", "", DOUBLE | SINGLE | TRIPLE),
    "nix": ("#", "/* */", DOUBLE | LINES),
    "ini": ("# ;", "", FIRST),
    "m4": ("# dnl", "", 0),
    "asm": ("; // #", "/* */", DOUBLE | SPACED),
    "powershell": ("#", "<# #>", DOUBLE | SINGLE | NO_ESCAPE),
    "sql": ("--", "/* */", SINGLE | DOUBLE | LINES | NO_ESCAPE),
    "dash": ("--", "", DOUBLE | NO_ESCAPE),
    "lua": ("--", "", DOUBLE | SINGLE | LONG_BRACKET),
    "haskell": ("--", "{- -}", DOUBLE | SINGLE | LITERAL | NESTED),
    "lean": ("--", "/- -/", DOUBLE | NESTED),
    "ml": ("", "(* *)", DOUBLE | SINGLE | LITERAL | NESTED | LINES),
    "fsharp": ("//", "(* *)", DOUBLE | SINGLE | LITERAL | TRIPLE | NESTED),
    "pascal": ("//", "{ } (* *)", SINGLE | NO_ESCAPE),
    "lisp": (";", "#| |#", DOUBLE | LINES | BACKSLASH | NESTED),
    "lisp2": (";;", "(; ;)", DOUBLE | LINES | NESTED),
    "semicolon": (";", "", DOUBLE),
    "percent": ("%", "", 0),
    "matlab": ("%", "%{ %}", DOUBLE | SINGLE | TRANSPOSE | NO_ESCAPE),
    "fortran": ("!", "", DOUBLE | SINGLE | NO_ESCAPE),
    "vb": ("'", "", DOUBLE | NO_ESCAPE),
    "vim": ('"', "", SINGLE | FIRST | NO_ESCAPE),
    "batch": (":: rem REM Rem @rem", "", FIRST),
    "html": ("", "<!-- -->", MARKUP),
}


class Family(NamedTuple):
    """A family of languages, as arrays for `lex`."""

    begins: npt.NDArray[np.uint8]
    lines: npt.NDArray[np.uint32]
    opens: npt.NDArray[np.uint32]
    closes: npt.NDArray[np.uint32]
    flags: int


@functools.cache
def family(name: str) -> Family:
    """The family of that name (`filters.code.languages`, field `syntax`)."""
    lines, blocks, flags = _FAMILIES[name]
    marks = blocks.split()
    begins = np.zeros(128, np.uint8)
    for mark in (*lines.split(), *marks[::2]):
        begins[ord(mark[0])] = 1
    for flag, quote in ((DOUBLE, '"'), (SINGLE, "'"), (BACK, "`")):
        if flags & flag:
            begins[ord(quote)] = 1
    for flag, characters in ((REGEX, "/"), (MARKUP, "<"), (EMBEDDED, "?"), (POD, "="), (LONG_BRACKET, "[-")):
        if flags & flag:
            begins[[ord(character) for character in characters]] = 1
    return Family(begins, _padded(lines.split()), _padded(marks[::2]), _padded(marks[1::2]), flags)


def _padded(marks: list[str]) -> npt.NDArray[np.uint32]:
    """Marks as rows of five code points, 0 behind their ends."""
    rows = np.zeros((len(marks), 5), np.uint32)
    for row, mark in zip(rows, marks, strict=True):
        row[: len(mark)] = [ord(character) for character in mark]
    return rows


@loop
def _at(text: CodePoints, at: int, mark: npt.NDArray[np.uint32]) -> int:
    """Length of a mark if it stands there, else 0."""
    length = 0
    while length < 5 and mark[length] != 0:
        if at + length >= len(text) or text[at + length] != mark[length]:
            return 0
        length += 1
    return length


@loop
def _word(character: int | np.uint32) -> bool:
    return bool(
        48 <= character <= 57
        or 65 <= character <= 90
        or 97 <= character <= 122
        or character == 95
        or character > 127
    )


@loop
def _string_end(text: CodePoints, at: int, quote: int, over_lines: bool, escapes: bool) -> int:
    """Where the closing quote of a string stands that begins at `at`; the line's end where it has none."""
    length = len(text)
    while at < length:
        character = text[at]
        if character == 92 and escapes:
            at += 2
            continue
        if character == quote:
            if not escapes and at + 1 < length and text[at + 1] == quote:
                at += 2
                continue
            return at
        if character == 10 and not over_lines:
            return at
        at += 1
    return length


@loop
def _triple_end(text: CodePoints, at: int, quote: int) -> int:
    """Where the three closing quotes begin; the text's end where there are none."""
    length = len(text)
    while at < length:
        if text[at] == 92:
            at += 2
            continue
        if text[at] == quote and at + 2 < length and text[at + 1] == quote and text[at + 2] == quote:
            return at
        at += 1
    return length


@loop
def _line_end(text: CodePoints, at: int, embedded: bool) -> int:
    length = len(text)
    while at < length and text[at] != 10:
        if embedded and text[at] == 63 and at + 1 < length and text[at + 1] == 62:
            return at
        at += 1
    return at


@loop
def _block_end(
    text: CodePoints, at: int, opening: npt.NDArray[np.uint32], closing: npt.NDArray[np.uint32], nested: bool
) -> int:
    """Behind the closing mark of a comment whose opening mark ends at `at`."""
    length, depth = len(text), 1
    while at < length:
        size = _at(text, at, closing) if text[at] == closing[0] else 0
        if size:
            at += size
            depth -= 1
            if depth == 0:
                return at
            continue
        size = _at(text, at, opening) if nested and text[at] == opening[0] else 0
        if size:
            at += size
            depth += 1
            continue
        at += 1
    return length


@loop
def _regex_end(text: CodePoints, at: int) -> int:
    """Behind the slash that ends a regular expression whose first character is at `at`; -1 where the line
    ends first."""
    within = False
    while at < len(text) and text[at] != 10:
        character = text[at]
        if character == 92:
            at += 2
            continue
        if character == 91:
            within = True
        elif character == 93:
            within = False
        elif character == 47 and not within:
            return at + 1
        at += 1
    return -1


@loop
def _tag_end(text: CodePoints, at: int) -> int:
    """Behind the `>` of a tag; quotes may hold one."""
    quote = np.uint32(0)
    limit = min(len(text), at + 20_000)
    while at < limit:
        character = text[at]
        if quote != 0:
            if character == quote:
                quote = np.uint32(0)
        elif character in (34, 39):
            quote = character
        elif character == 62:
            return at + 1
        at += 1
    return limit


@loop
def _named(text: CodePoints, at: int, name: npt.NDArray[np.uint32]) -> bool:
    """Whether a name stands there, whatever its case."""
    for offset in range(len(name)):
        if at + offset >= len(text) or (text[at + offset] | 32) != name[offset]:
            return False
    return True


_SCRIPT = np.array([ord(c) for c in "script"], np.uint32)
_STYLE = np.array([ord(c) for c in "style"], np.uint32)


@loop
def _markup(
    text: CodePoints, at: int, kinds: Kinds, script: npt.NDArray[np.uint32], style: npt.NDArray[np.uint32]
) -> int:
    """Mark a tag that begins at `at`, with the content of a script or style; where it ends."""
    length = len(text)
    follows = text[at + 1] if at + 1 < length else np.uint32(0)
    if not (_word(follows) or follows in (33, 47, 63)):
        return at + 1
    end = _tag_end(text, at + 1)
    kinds[at:end] = 3
    for name in (script, style):
        if _named(text, at + 1, name) and (end < 2 or text[end - 2] != 47):
            start = end
            while end < length and not (
                text[end] == 60 and end + 1 < length and text[end + 1] == 47 and _named(text, end + 2, name)
            ):
                end += 1
            kinds[start:end] = 4
    return end


@loop
def _bracket_end(text: CodePoints, at: int) -> int:
    """Behind a long bracket of Lua that begins at `at`; -1 where none does."""
    level = 0
    at += 1
    length = len(text)
    while at < length and text[at] == 61:
        level += 1
        at += 1
    if at >= length or text[at] != 91:
        return -1
    while at < length:
        if text[at] == 93:
            end, equals = at + 1, 0
            while end < length and text[end] == 61:
                equals += 1
                end += 1
            if equals == level and end < length and text[end] == 93:
                return end + 1
        at += 1
    return length


@loop
def _raw_end(text: CodePoints, at: int) -> int:
    """The closing quote's place of a raw string of C++ or Rust whose opening quote is at `at`; -1 where it is
    none."""
    length = len(text)
    before = text[at - 1] if at > 0 else np.uint32(0)
    if before == 82:
        paren = at + 1
        while paren < length and paren - at <= 17 and text[paren] not in (40, 10, 34):
            paren += 1
        if paren >= length or text[paren] != 40:
            return -1
        size = paren - at - 1
        end = paren + 1
        while end < length:
            if text[end] == 41 and end + size + 1 < length and text[end + size + 1] == 34:
                same = True
                for offset in range(size):
                    same = same and text[end + 1 + offset] == text[at + 1 + offset]
                if same:
                    return end + size + 1
            end += 1
        return length
    hashes = 0
    while at - 1 - hashes >= 0 and text[at - 1 - hashes] == 35:
        hashes += 1
    if at - 1 - hashes < 0 or text[at - 1 - hashes] != 114:
        return -1
    end = at + 1
    while end < length:
        if text[end] == 34:
            count = 0
            while count < hashes and end + 1 + count < length and text[end + 1 + count] == 35:
                count += 1
            if count == hashes:
                return end
        end += 1
    return length


@kernel
def lex(
    text: CodePoints,
    begins: npt.NDArray[np.uint8],
    lines: npt.NDArray[np.uint32],
    opens: npt.NDArray[np.uint32],
    closes: npt.NDArray[np.uint32],
    flags: int,
    script: npt.NDArray[np.uint32],
    style: npt.NDArray[np.uint32],
) -> Kinds:
    """The kind of every character: uint8[n]."""
    length = len(text)
    kinds = np.zeros(length, np.uint8)
    embedded = flags & EMBEDDED != 0
    outside = embedded
    first = True
    significant = np.uint32(10)
    at = 0
    while at < length:
        character = text[at]
        if outside:
            # Text around PHP's code.
            if character == 60 and at + 1 < length and text[at + 1] == 63:
                outside = False
                at += 2
            else:
                at += 1
            continue
        if character == 10:
            first = True
            if flags & REGEX:
                significant = (
                    np.uint32(10) if significant not in (41, 93) and not _word(significant) else significant
                )
            at += 1
            continue
        if character >= 128 or begins[character] == 0:
            if character > 32:
                first = False
                significant = character
            at += 1
            continue
        before = text[at - 1] if at > 0 else np.uint32(10)
        if embedded and character == 63 and at + 1 < length and text[at + 1] == 62:
            outside = True
            at += 2
            continue
        if flags & POD and character == 61 and before == 10 and at + 1 < length and _word(text[at + 1]):
            start = at
            while at < length:
                end = _line_end(text, at, False)
                last = (
                    text[at] == 61
                    and at + 3 < length
                    and (
                        (text[at + 1] == 99 and text[at + 2] == 117)
                        or (text[at + 1] == 101 and text[at + 2] == 110)
                    )
                )
                at = end + 1
                if last:
                    break
            at = min(at, length)
            kinds[start:at] = 1
            first = True
            continue
        if flags & LONG_BRACKET and character in (91, 45):
            comment = character == 45
            if comment and not (at + 2 < length and text[at + 1] == 45 and text[at + 2] == 91):
                end = -1
            else:
                end = _bracket_end(text, at + 2 if comment else at)
            if end > 0:
                kinds[at:end] = 1 if comment else 2
                first = False
                at = end
                continue
        done = False
        for block in range(len(opens)):
            size = _at(text, at, opens[block])
            if size:
                end = _block_end(text, at + size, opens[block], closes[block], flags & NESTED != 0)
                kinds[at:end] = 1
                at = end
                done = True
                break
        if done:
            continue
        for line in range(len(lines)):
            size = _at(text, at, lines[line])
            if size == 0:
                continue
            if flags & FIRST and not first:
                continue
            if line == 0 and flags & SPACED and not (before <= 32 or before == 59):
                continue
            if text[at] >= 64 and at + size < length and _word(text[at + size]):
                continue
            end = _line_end(text, at, embedded)
            kinds[at:end] = 1
            at = end
            done = True
            break
        if done:
            continue
        if flags & MARKUP and character == 60:
            at = _markup(text, at, kinds, script, style)
            continue
        if flags & REGEX and character == 47 and not (_word(significant) or significant in (41, 93, 125)):
            end = _regex_end(text, at + 1)
            if end > 0:
                at = end
                first = False
                # As behind an operand: a slash there divides.
                significant = np.uint32(41)
                continue
        quoted = (
            (character == 34 and flags & DOUBLE != 0)
            or (character == 39 and flags & SINGLE != 0)
            or (character == 96 and flags & BACK != 0)
        )
        if quoted and flags & BACKSLASH and before == 92:
            quoted = False
        if quoted and character == 39:
            if flags & TRANSPOSE and (_word(before) or before in (41, 93, 125, 39, 46)):
                quoted = False
            elif flags & LITERAL:
                if at + 1 < length and text[at + 1] == 92:
                    quoted = not (48 <= before <= 57)
                else:
                    quoted = at + 2 < length and text[at + 2] == 39 and text[at + 1] != 39
        if not quoted:
            first = False
            significant = character
            at += 1
            continue
        if (
            flags & TRIPLE
            and character != 96
            and at + 2 < length
            and text[at + 1] == character
            and text[at + 2] == character
        ):
            end = _triple_end(text, at + 3, character)
            behind = min(length, end + 3)
            if flags & DOC and first:
                kinds[at:behind] = 1
            else:
                kinds[at + 3 : end] = 2
            first = False
            at = behind
            significant = character
            continue
        end = -1
        if flags & RAW_PREFIX and character == 34:
            end = _raw_end(text, at)
        if end < 0:
            verbatim = flags & VERBATIM != 0 and (
                before == 64 or (before == 36 and at > 1 and text[at - 2] == 64)
            )
            escapes = not (
                verbatim or flags & NO_ESCAPE != 0 or (flags & PLAIN_SINGLE != 0 and character == 39)
            )
            over = flags & LINES != 0 or verbatim or character == 96
            if flags & PLAIN_SINGLE and character == 39:
                end = at + 1
                while end < length and text[end] != 39:
                    end += 1
            else:
                end = _string_end(text, at + 1, character, over, escapes)
        end = min(end, length)
        kinds[at + 1 : end] = 2
        first = False
        significant = character
        # A string without its end ends with its line.
        at = end if end < length and text[end] == 10 and character != text[end] else end + 1
    return kinds


def kinds_of(text: CodePoints, syntax: str) -> Kinds:
    """The kind of every character of a text in a family of languages: uint8[n]."""
    return lex(text, *family(syntax), _SCRIPT, _STYLE)

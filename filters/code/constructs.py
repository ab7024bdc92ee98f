"""Functions, classes, imports, plain returns and plain variables of source files, counted without parsing.

OpenCoder counts them with Python's syntax tree, with esprima, and with regular expressions (utils/code/ of
its repository). Here a scanner walks over what is neither comment nor string; a test compares it with the
syntax trees.
"""
# ruff: noqa: E501, PLR0912, PLR0915, PLR0917 (a scanner is one long case distinction)

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from filters.characters import SPACE, WORD
from filters.code.lexer import CODE, COMMENT
from filters.hashing import Hashes, find, piece, word_table
from filters.jit import kernel, loop

CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint32]
Kinds = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

FUNCTIONS, CLASSES, IMPORTS, RETURNS, PLAIN, VARIABLES, SIMPLE, MAINS = range(8)
"""Places in the counts: PLAIN are variables of a plain value or none, VARIABLES all of them, RETURNS such
of a plain value, SIMPLE functions that only return (Python), MAINS definitions of `main`."""

(
    _NAME,
    _CONTROL,
    _RETURN,
    _CLASS,
    _IMPORT,
    _TYPE,
    _DECLARE,
    _FUNCTION,
    _OPERATOR,
    _MODIFIER,
    _MAIN,
    _DEF,
    _ASYNC,
    _FOR,
) = range(14)
_WORDS = {
    _CONTROL: "if while switch catch else do try finally synchronized lock foreach match loop when defer select default break continue",
    _RETURN: "return",
    _CLASS: "class",
    _IMPORT: "import",
    _TYPE: "int float double char bool boolean string String byte sbyte short ushort uint long ulong decimal auto",
    _DECLARE: "var let const",
    _FUNCTION: "function func",
    _OPERATOR: "new throw goto case delete typeof await yield in of instanceof sizeof not and or is as go chan package using",
    _MODIFIER: "public protected private static final abstract internal virtual override async sealed readonly unsigned signed",
    _MAIN: "main",
    _DEF: "def",
    _ASYNC: "async",
    _FOR: "for",
}

JAVASCRIPT, GO, CSHARP, JAVA, CLIKE = range(5)
DIALECTS = {"JavaScript": JAVASCRIPT, "Go": GO, "C#": CSHARP, "Java": JAVA, "C": CLIKE, "C++": CLIKE}


@functools.cache
def word_kinds() -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Words that are no names, and what they are, as a table for `filters.hashing.find`."""
    kinds = {word: kind for kind, words in _WORDS.items() for word in words.split() if word != "async"}
    return word_table(kinds | {"async": _ASYNC})


@loop
def _kind(running: Hashes, start: int, end: int, keys: Hashes, values: npt.NDArray[np.int64]) -> int:
    slot = find(keys, piece(running, start, end))
    return int(values[slot])


@loop
def _skip(text: CodePoints, classes: Classes, kinds: Kinds, at: int) -> int:
    """The next character that is neither white space nor comment, from `at` on."""
    while at < len(text) and (classes[at] & SPACE or kinds[at] == COMMENT):
        at += 1
    return at


@loop
def _word_end(classes: Classes, kinds: Kinds, at: int) -> int:
    while at < len(classes) and classes[at] & WORD and kinds[at] == CODE:
        at += 1
    return at


@kernel
def python_constructs(
    text: CodePoints,
    classes: Classes,
    kinds: Kinds,
    running: Hashes,
    keys: Hashes,
    values: npt.NDArray[np.int64],
) -> Counts:
    """Counts of a Python file: int64[8].

    A statement is a line that no bracket encloses and no backslash continues. Variables are assigned
    names, names of loops and parameters; PLAIN are those assigned or declared right in a class.
    """
    length = len(text)
    counts = np.zeros(8, np.int64)
    # Columns at which the blocks of classes stand, of the innermost last; -1 for those of functions.
    columns = np.zeros(128, np.int64)
    of_class = np.zeros(128, np.bool_)
    depth = brackets = 0
    at = 0
    pending, pending_column, only, body = False, 0, False, 0
    while at < length:
        # At the beginning of a line.
        start = at
        while at < length and text[at] in (32, 9, 12):
            at += 1
        column = at - start
        blank = at >= length or text[at] in (10, 13) or kinds[at] == COMMENT
        if blank and at < length and kinds[at] == COMMENT and text[at] != 35 and pending:
            # A docstring is a statement of the body.
            body += 1
        if not blank and brackets == 0:
            while depth > 0 and column <= columns[depth - 1]:
                depth -= 1
            end = _word_end(classes, kinds, at)
            kind = _kind(running, at, end, keys, values)
            if pending and column > pending_column:
                body += 1
                only = body == 1 and kind == _RETURN
            elif pending:
                counts[SIMPLE] += only
                pending, only, body = False, False, 0
            if kind == _ASYNC:
                at = _skip(text, classes, kinds, end)
                end = _word_end(classes, kinds, at)
                kind = _kind(running, at, end, keys, values)
            follows = _skip(text, classes, kinds, end)
            if kind == _DEF:
                counts[FUNCTIONS] += 1
                pending, pending_column, only, body = True, column, False, 0
                if depth < 128:
                    columns[depth], of_class[depth] = column, False
                    depth += 1
                open_at = follows
                while open_at < length and text[open_at] not in (40, 10):
                    open_at += 1
                first = _skip(text, classes, kinds, open_at + 1)
                counts[VARIABLES] += first < length and text[open_at] == 40 and classes[first] & WORD != 0
            elif kind == _CLASS:
                counts[CLASSES] += 1
                if depth < 128:
                    columns[depth], of_class[depth] = column, True
                    depth += 1
            elif kind == _RETURN:
                counts[RETURNS] += 1
            elif kind == _FOR:
                counts[VARIABLES] += 1
            elif end > at and follows + 1 < length:
                within = depth > 0 and of_class[depth - 1]
                if text[follows] == 61 and text[follows + 1] != 61:
                    counts[VARIABLES] += 1
                    counts[PLAIN] += within
                elif text[follows] == 58 and kind == _NAME:
                    counts[PLAIN] += within
        # To the end of the statement's line.
        while at < length:
            character = text[at]
            if kinds[at] == CODE:
                if character in (40, 91, 123):
                    brackets += 1
                elif character in (41, 93, 125):
                    brackets = max(0, brackets - 1)
            if character == 10:
                at += 1
                if kinds[at - 1] == CODE and brackets == 0 and not (at > 1 and text[at - 2] == 92):
                    break
                continue
            at += 1
    if pending:
        counts[SIMPLE] += only
    return counts


@loop
def _plain_value(text: CodePoints, classes: Classes, kinds: Kinds, at: int) -> int:
    """Behind a name, a number or a string, with a sign before it or not; -1 where something else stands."""
    length = len(text)
    if at < length and text[at] in (45, 33, 126, 43):
        at = _skip(text, classes, kinds, at + 1)
    if at >= length:
        return -1
    if text[at] in (34, 39, 96) and kinds[at] == CODE:
        at += 1
        while at < length and kinds[at] != CODE:
            at += 1
        return at + 1
    start = at
    while at < length and kinds[at] == CODE and (classes[at] & WORD or text[at] == 46):
        at += 1
    return at if at > start else -1


@loop
def _ends(text: CodePoints, kinds: Kinds, at: int) -> bool:
    """Whether a statement ends there: at a semicolon, a line's end, a closing brace or the text's end."""
    while at < len(text) and (text[at] in (32, 9) or kinds[at] == COMMENT):
        at += 1
    return at >= len(text) or text[at] in (59, 10, 13, 125)


@kernel
def braced_constructs(
    text: CodePoints,
    classes: Classes,
    kinds: Kinds,
    running: Hashes,
    keys: Hashes,
    values: npt.NDArray[np.int64],
    dialect: int,
) -> Counts:
    """Counts of a file of a language with braces: int64[8].

    A function is a type and a name before a bracket, at the beginning of a statement (a declaration counts
    as one), or what the word `function` or `func` begins.
    """
    length = len(text)
    counts = np.zeros(8, np.int64)
    at = 0
    names = 0  # names and types since the statement began
    typed = True  # nothing but names, types and signs of types since then
    builtin = False
    previous = _NAME
    declared = False
    line_start = True
    while at < length:
        character = text[at]
        if kinds[at] != CODE or classes[at] & SPACE:
            if character == 10:
                line_start = True
            at += 1
            continue
        if character == 35 and line_start and dialect == CLIKE:
            # A directive, to the end of its last line.
            word = _skip(text, classes, kinds, at + 1)
            if word + 6 < length and text[word] == 105 and text[word + 1] == 110 and text[word + 2] == 99:
                counts[IMPORTS] += 1
            while at < length and not (text[at] == 10 and text[at - 1] != 92):
                at += 1
            names, typed, builtin, declared, previous = 0, True, False, False, _NAME
            continue
        if classes[at] & WORD:
            start = at
            at = _word_end(classes, kinds, at)
            kind = _kind(running, start, at, keys, values)
            follows = _skip(text, classes, kinds, at)
            behind = text[follows] if follows < length else np.uint32(0)
            if kind == _IMPORT:
                counts[IMPORTS] += line_start and dialect in (JAVA, JAVASCRIPT, GO)
                typed = False
            elif kind == _RETURN:
                if dialect in (GO, CSHARP):
                    counts[RETURNS] += line_start
                else:
                    end = follows if behind == 59 else _plain_value(text, classes, kinds, follows)
                    counts[RETURNS] += line_start and (behind == 59 or (end > 0 and _ends(text, kinds, end)))
                typed = False
            elif kind == _CLASS:
                if follows < length and classes[follows] & WORD:
                    after = _skip(text, classes, kinds, _word_end(classes, kinds, follows))
                    counts[CLASSES] += after >= length or text[after] != 59
                typed = False
            elif kind == _FUNCTION:
                if dialect == GO:
                    counts[FUNCTIONS] += line_start
                elif dialect == JAVASCRIPT:
                    counts[FUNCTIONS] += follows < length and classes[follows] & WORD != 0
                typed = False
            elif kind == _DECLARE:
                declared = True
                if dialect in (JAVASCRIPT, GO):
                    typed = False
                if dialect == GO:
                    counts[VARIABLES] += 1
            elif kind in (_CONTROL, _OPERATOR, _FOR):
                if (
                    kind == _OPERATOR
                    and dialect == CSHARP
                    and line_start
                    and at - start == 5
                    and text[start] == 117
                ):
                    counts[IMPORTS] += follows < length and classes[follows] & WORD != 0
                typed = False
            elif kind in (_MODIFIER, _ASYNC):
                pass
            else:
                if dialect == JAVASCRIPT and declared and previous == _DECLARE:
                    end = follows
                    if behind == 61:
                        value = _skip(text, classes, kinds, follows + 1)
                        word = _kind(running, value, _word_end(classes, kinds, value), keys, values)
                        if word == _FUNCTION:
                            counts[FUNCTIONS] += 1
                            end = -1
                        else:
                            counts[VARIABLES] += 1
                            end = _plain_value(text, classes, kinds, value)
                            end = -1 if end > 0 and not _ends(text, kinds, end) else end
                    else:
                        counts[VARIABLES] += 1
                    counts[PLAIN] += end > 0
                    declared = False
                elif dialect == GO:
                    counts[VARIABLES] += behind == 58 and follows + 1 < length and text[follows + 1] == 61
                    if declared and previous == _DECLARE and follows < length and classes[follows] & WORD:
                        after = _word_end(classes, kinds, follows)
                        counts[PLAIN] += _ends(text, kinds, after)
                    declared = False
                elif typed and names > 0:
                    if behind == 40 and kind != _TYPE:
                        counts[FUNCTIONS] += 1
                        counts[MAINS] += kind == _MAIN
                        typed = False
                    elif behind in (59, 61) and not (follows + 1 < length and text[follows + 1] == 61):
                        counts[VARIABLES] += 1
                        counts[PLAIN] += behind == 59 and (builtin or dialect == JAVA)
                elif kind == _MAIN and behind == 40:
                    counts[MAINS] += 1
                builtin = builtin or kind == _TYPE
                names += 1
            if dialect == GO and kind == _NAME and at - start == 4 and line_start and behind != 40:
                # type X struct { or type X interface {
                after = _skip(text, classes, kinds, _word_end(classes, kinds, follows))
                if (
                    text[start] == 116
                    and text[start + 1] == 121
                    and text[start + 2] == 112
                    and after + 6 < length
                ):
                    counts[CLASSES] += (text[after] == 115 and text[after + 1] == 116) or (
                        text[after] == 105 and text[after + 1] == 110 and text[after + 2] == 116
                    )
            previous = kind
            line_start = False
            continue
        line_start = False
        if character in (59, 123, 125):
            names, typed, builtin, declared = 0, True, False, False
        elif not (character in (42, 38, 60, 62, 58, 44, 91, 93, 46, 126, 64, 63) and dialect != JAVASCRIPT):
            typed = False
        previous = _NAME if character not in (42, 38) else previous
        at += 1
    return counts

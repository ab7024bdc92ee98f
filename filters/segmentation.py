"""Where lines, paragraphs and sentences begin and end: kernels on arrays of code points. Words are in
`filters.words`.
"""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from filters.abbreviations import AFTER_ORDINAL, ALWAYS, BEFORE_NUMBER, ERA, abbreviations
from filters.characters import (
    BREAK,
    CLOSER,
    DIGIT,
    FIGURE,
    LETTER,
    LOWER,
    SPACE,
    TERMINAL,
    UNSPACED,
    WORD,
)
from filters.hashing import find, piece, word_table
from filters.jit import kernel, loop

Offsets = npt.NDArray[np.int64]
CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

_LINE_FEED, _RETURN, _SPACE, _STOP, _HYPHEN, _ELLIPSIS = 0x0A, 0x0D, 0x20, 0x2E, 0x2D, 0x2026
_CAPITAL_C, _SMALL_A, _SMALL_D = 0x43, 0x61, 0x64
_DASHES = (0x2D, 0x2013, 0x2014)
_THAI, _LAO, _HIRAGANA, _KATAKANA, _CORNER, _WHITE_CORNER = 0x0E00, 0x0E80, 0x3040, 0x30A0, 0x300D, 0x300F
_WIDE = 0x3000
"""Terminal marks from here on (。！？) belong to scripts that are written without spaces."""
_THAI_SENTENCE = 60
"""Characters: at this length sentences of the Thai treebank PUD are best found again (their mean is 98)."""
_LONGEST = 16
"""Characters of the longest abbreviation that is looked up."""


@kernel
def pieces_between(classes: Classes, flags: int) -> tuple[Offsets, Offsets]:
    """Starts and ends of the longest runs of characters that have none of the flags: int64[pieces] each."""
    wanted = np.uint32(flags)
    count = 0
    inside = False
    for flag in classes:
        count += inside == ((flag & wanted) != 0)
        inside = (flag & wanted) == 0
    edges = np.empty(count + inside, np.int64)
    count = 0
    inside = False
    for at in range(len(classes)):
        if inside == ((classes[at] & wanted) != 0):
            edges[count] = at
            count += 1
            inside = not inside
    if inside:
        edges[count] = len(classes)
    return edges[0::2].copy(), edges[1::2].copy()


@kernel
def lines(code_points: CodePoints, classes: Classes) -> tuple[Offsets, Offsets]:
    """`str.splitlines` as offsets: CR LF is one end, and no line follows the last end."""
    length = len(code_points)
    count = 1
    for at in range(length):
        if classes[at] & BREAK:
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count = start = at = 0
    while at < length:
        if classes[at] & BREAK:
            starts[count], ends[count] = start, at
            count += 1
            if code_points[at] == _RETURN and at + 1 < length and code_points[at + 1] == _LINE_FEED:
                at += 1
            start = at + 1
        at += 1
    if start < length:
        starts[count], ends[count] = start, length
        count += 1
    return starts[:count].copy(), ends[:count].copy()


@kernel
def paragraphs(code_points: CodePoints, classes: Classes) -> tuple[Offsets, Offsets]:
    """The stripped text cut at two or more line feeds in a row; a blank text has one empty paragraph."""
    first, last = 0, len(code_points)
    while first < last and classes[last - 1] & SPACE:
        last -= 1
    while first < last and classes[first] & SPACE:
        first += 1
    if first == last:
        first = last = 0
    count = 1
    for at in range(first + 1, last):
        if code_points[at] == _LINE_FEED and code_points[at - 1] == _LINE_FEED:
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count, start, at = 0, first, first
    while at < last:
        feeds = at
        while feeds < last and code_points[feeds] == _LINE_FEED:
            feeds += 1
        if feeds - at > 1:
            starts[count], ends[count] = start, at
            count += 1
            start = feeds
        at = max(feeds, at + 1)
    starts[count], ends[count] = start, last
    return starts[: count + 1].copy(), ends[: count + 1].copy()


@functools.cache
def abbreviation_table() -> tuple[Hashes, Offsets]:
    """`filters.abbreviations` as a hash table: keys and kinds."""
    return word_table(abbreviations())


@loop
def _known(running: Hashes, keys: Hashes, kinds: Offsets, start: int, end: int) -> int:
    """What the list says of a word, or 0."""
    if end - start > _LONGEST:
        return 0
    kind: int = kinds[find(keys, piece(running, start, end))]
    return kind


@loop
def _stays_open(
    code_points: CodePoints,
    classes: Classes,
    running: Hashes,
    keys: Hashes,
    kinds: Offsets,
    stop: int,
    after: int,
) -> bool:
    """Whether the full stop at `stop` ends no sentence; the next visible character stands at `after`."""
    start = stop
    letters = figures = stops = 0
    while start > 0 and stop - start <= _LONGEST:
        flags = classes[start - 1]
        if code_points[start - 1] == _STOP:
            stops += 1
        elif flags & LETTER:
            letters += 1
        elif flags & FIGURE:
            figures += 1
        elif not (flags & WORD or (code_points[start - 1] == _HYPHEN and start < stop)):
            break
        start -= 1
    if start == stop:
        return False
    if figures == stop - start <= 2:
        end = after
        while end < len(classes) and classes[end] & LETTER:
            end += 1
        return _known(running, keys, kinds, after, end) == AFTER_ORDINAL
    kind = _known(running, keys, kinds, start, stop)
    if kind == BEFORE_NUMBER:
        return bool(classes[after] & DIGIT)
    if kind in (ALWAYS, ERA):
        return kind == ALWAYS
    if stop - start == 1:
        # "a. C." and "d. C." are eras too.
        era = code_points[start] == _CAPITAL_C and start > 3 and code_points[start - 2] == _STOP
        era = era and (code_points[start - 3] == _SMALL_A or code_points[start - 3] == _SMALL_D)
        return letters == 1 and not classes[start] & UNSPACED and not era
    return stops > 0 and letters > 0 and stop - start - stops <= 2 * stops + 2


@loop
def _tail(code_points: CodePoints, classes: Classes, at: int) -> tuple[int, int]:
    """What belongs to the terminal mark at `at`: where it ends, and the last terminal mark.

    More marks, closing quotes and brackets; also those that stand behind a space and before another.
    """
    length = len(code_points)
    last = at
    at += 1
    while at < length and (classes[at] & (TERMINAL | CLOSER) or code_points[at] == _ELLIPSIS):
        if not classes[at] & CLOSER:
            last = at
        at += 1
    behind = at
    while behind < length and classes[behind] & (SPACE | BREAK) == SPACE:
        behind += 1
    if behind > at and behind < length and classes[behind] & CLOSER:
        while behind < length and classes[behind] & CLOSER:
            behind += 1
        if behind == length or classes[behind] & SPACE:
            return behind, last
    return at, last


@loop
def _ends(
    code_points: CodePoints,
    classes: Classes,
    running: Hashes,
    keys: Hashes,
    kinds: Offsets,
    first: int,
    last: int,
    at: int,
) -> bool:
    """Whether a sentence ends at `at`, behind terminal marks at `first` to `last` and what closes."""
    length = len(code_points)
    if at == length:
        return True
    if code_points[last] >= _WIDE:
        # 「…。」と
        quoted = code_points[at - 1] == _CORNER or code_points[at - 1] == _WHITE_CORNER
        return not (quoted and _HIRAGANA <= code_points[at] < _KATAKANA)
    if not classes[at] & SPACE:
        return False
    after = at
    while after < length and classes[after] & SPACE:
        after += 1
    if after == length:
        return True
    plain = after
    while plain < length and (classes[plain] & SPACE or code_points[plain] in _DASHES):
        plain += 1
    if plain < length and classes[plain] & LOWER:
        return False
    single = first == last and code_points[first] == _STOP
    return not (single and _stays_open(code_points, classes, running, keys, kinds, first, after))


@loop
def _is_thai_gap(code_points: CodePoints, at: int, start: int) -> bool:
    """Whether the space at `at` stands between Thai letters, far enough into the sentence."""
    if code_points[at] != _SPACE or at - start < _THAI_SENTENCE or at + 1 == len(code_points):
        return False
    before, after = code_points[at - 1], code_points[at + 1]
    return bool(_THAI <= before < _LAO and _THAI <= after < _LAO)


@kernel
def sentences(
    code_points: CodePoints, classes: Classes, running: Hashes, keys: Hashes, kinds: Offsets
) -> tuple[Offsets, Offsets]:
    """Sentences, trimmed and not empty; a line end always ends one.

    A run of terminal marks, with closing quotes and brackets, ends a sentence where white space and no small
    letter follow, or where its last mark is wide (of a script written without spaces). A full stop does not
    behind an abbreviation (`filters.abbreviations`), a single letter, or an ordinal number before a German
    month and the like. Thai has no mark: there a space between letters ends a sentence of at least 60
    characters.
    """
    length = len(code_points)
    count = 1
    for at in range(length):
        if classes[at] & (BREAK | TERMINAL | SPACE) or code_points[at] == _ELLIPSIS:
            count += 1
    starts, ends = np.empty(count, np.int64), np.empty(count, np.int64)
    count = start = at = 0
    while at <= length:
        if at == length or classes[at] & BREAK:
            over = True
            end = at
            at += 1
        elif classes[at] & TERMINAL or code_points[at] == _ELLIPSIS:
            first = at
            at, last = _tail(code_points, classes, at)
            end = at
            over = _ends(code_points, classes, running, keys, kinds, first, last, at)
        else:
            over = _is_thai_gap(code_points, at, start)
            end = at
            at += 1
        if over:
            while start < end and classes[end - 1] & SPACE:
                end -= 1
            while start < end and classes[start] & SPACE:
                start += 1
            if start < end:
                starts[count], ends[count] = start, end
                count += 1
            start = at
    return starts[:count].copy(), ends[:count].copy()

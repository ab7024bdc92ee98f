"""Where lines, paragraphs, words and sentences begin and end: pure functions on arrays of code points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.characters import ALPHA, BREAK, CLOSER, DIGIT, IDEOGRAPH, LOWER, SPACE, TERMINAL, UPPER, WORD

Offsets = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
CodePoints = npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Spans:
    """Pieces of a text: int64 offsets of their starts and ends in code points, in order, never
    overlapping.
    """

    starts: Offsets
    ends: Offsets

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Offsets:
        """Lengths in characters."""
        return self.ends - self.starts

    def __getitem__(self, which: Bits | Offsets | slice) -> Spans:
        return Spans(self.starts[which], self.ends[which])

    def of(self, text: str) -> Iterator[str]:
        """The pieces as strings: for tests, messages and people, not for hot loops."""
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield text[start:end]


def trim(spans: Spans, visible: Offsets) -> Spans:
    """Spans without white space at their ends; `visible` are the offsets of all other characters."""
    first = np.searchsorted(visible, spans.starts)
    last = np.searchsorted(visible, spans.ends)
    filled = first < last
    starts = (
        np.where(filled, visible[np.minimum(first, max(0, len(visible) - 1))], spans.starts)
        if len(visible)
        else spans.starts
    )
    ends = np.where(filled, visible[last - 1] + 1, starts) if len(visible) else spans.starts
    return Spans(starts, ends)


def cut(length: int, at: Offsets, widths: Offsets | int = 1) -> Spans:
    """The pieces between separators at `at` of the given widths: one more than there are separators."""
    starts = np.concatenate(([0], at + widths)).astype(np.int64)
    ends = np.concatenate((at, [length])).astype(np.int64)
    return Spans(starts, ends)


def runs(flags: Bits) -> Spans:
    """Maximal runs of true values."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return Spans(edges[0::2], edges[1::2])


def lines(code_points: CodePoints, classes: Classes) -> Spans:
    """`str.splitlines` as offsets: CR LF is one end, and no line follows the last end."""
    at = np.flatnonzero(classes & BREAK)
    widths = np.ones(len(at), np.int64)
    if len(at) and (code_points == 13).any():
        pair = (code_points[at] == 13) & (code_points[np.minimum(at + 1, len(code_points) - 1)] == 10)
        widths[pair] = 2
        second = np.zeros(len(at), np.bool_)
        second[1:] = pair[:-1]
        at, widths = at[~second], widths[~second]
    pieces = cut(len(code_points), at, widths)
    if pieces.starts[-1] == len(code_points):
        pieces = pieces[:-1]
    return pieces


def paragraphs(code_points: CodePoints, visible: Offsets) -> Spans:
    """The stripped text cut at two or more line feeds in a row; a blank text has one empty paragraph."""
    if not len(visible):
        return Spans(np.zeros(1, np.int64), np.zeros(1, np.int64))
    first, end = int(visible[0]), int(visible[-1]) + 1
    gaps = runs(code_points[first:end] == 10)
    gaps = gaps[gaps.lengths >= 2]
    pieces = cut(end - first, gaps.starts, gaps.lengths)
    return Spans(pieces.starts + first, pieces.ends + first)


def words(code_points: CodePoints, classes: Classes) -> Spans:
    """Words and marks in order; every visible character is in exactly one.

    A word is a run of letters, digits, marks and underscores; an apostrophe between letters and a point or
    comma between digits belong to it ("don't", "3.14", "1,000"; UAX #29 rules WB6, WB7, WB11, WB12), a hyphen
    does not. A Han character is a word of its own. Other visible characters are marks: a run of the same one
    ("...", "---") is one.
    """
    length = len(code_points)
    if not length:
        return Spans(np.zeros(0, np.int64), np.zeros(0, np.int64))
    word = (classes & WORD) != 0
    inner = code_points == 0x27
    inner |= code_points == 0x2019
    if inner.any():
        _join(word, inner, (classes & ALPHA) != 0)
    inner = code_points == 0x2E
    inner |= code_points == 0x2C
    if inner.any():
        _join(word, inner, (classes & DIGIT) != 0)
    space = (classes & SPACE) != 0
    begins = np.ones(length + 1, np.bool_)
    both_words = word[1:] & word[:-1]
    both_words &= ((classes[1:] | classes[:-1]) & IDEOGRAPH) == 0
    same_mark = code_points[1:] == code_points[:-1]
    same_mark &= ~word[1:]
    begins[1:-1] = ~(both_words | same_mark)
    edges = np.flatnonzero(begins)
    starts, ends = edges[:-1], edges[1:]
    filled = ~space[starts]
    return Spans(starts[filled], ends[filled])


def _join(word: Bits, inner: Bits, neighbours: Bits) -> None:
    """Let an inner character be part of a word where a neighbour of the right class stands on both sides."""
    at = np.flatnonzero(inner[1:-1]) + 1 if len(inner) > 2 else np.zeros(0, np.int64)
    word[at[neighbours[at - 1] & neighbours[at + 1]]] = True


def sentences(code_points: CodePoints, classes: Classes, visible: Offsets) -> Spans:
    """Sentences, trimmed and not empty; a line end always ends one.

    A run of terminal marks and closing quotes or brackets ends a sentence where white space follows, or where
    its last terminal mark is wide (of a script written without spaces). A full stop does not where the next
    letter is small or where it follows a single capital letter ("J. Smith", "U.S. Army").
    """
    length = len(code_points)
    breaks = (classes & BREAK) != 0
    ends = breaks.copy()
    terminal = (classes & TERMINAL) != 0
    if terminal.any():
        tails = runs(terminal | ((classes & CLOSER) != 0))
        total = np.concatenate(([0], np.cumsum(terminal)))
        tails = tails[total[tails.ends] > total[tails.starts]]
        at = np.flatnonzero(terminal)
        last = at[total[tails.ends] - 1]
        first = at[total[tails.starts]]
        wide = code_points[last] >= 0x3000
        follows = np.append(classes, np.uint16(SPACE))[tails.ends]
        good = wide | ((follows & SPACE) != 0)
        stop = (code_points[last] == 0x2E) & (first == last)
        following = np.searchsorted(visible, tails.ends)
        after = np.append(visible, length)[following]
        small = np.append(classes, np.uint16(0))[after]
        before = np.append(classes, np.uint16(0))[first - 1]
        before_that = np.append(classes, np.uint16(0))[np.maximum(first - 2, -1)]
        initial = ((before & UPPER) != 0) & ((before_that & WORD) == 0)
        good &= ~(stop & (((small & LOWER) != 0) | initial))
        ends[tails.ends[good] - 1] = True
    at = np.flatnonzero(ends) + 1
    pieces = trim(cut(length, at, 0), visible)
    return pieces[pieces.lengths > 0]

"""Measures of the texts among source files, such as README.md, for OpenCoder's rules of text."""
# ruff: noqa: PLR0912, PLR0915 (one pass does many counts)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.characters import LOWER, SPACE, UPPER, WORD
from filters.hashing import BASE, scramble
from filters.jit import kernel, loop

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)
_ENDS = "...|…|全文|详情|详细|更多|المزيد|تفاصيل|もっと|詳細|もっと読む"
"""What a line ends with that is to be read on (OpenCoder, quality_signals/doc.py)."""
_BULLETS = "•‣⁃⁌⁍∙■□▢▣▤▥▦▧▨▩▪▫▬▭▮▯○●◦◆◇◈◉◊◐◑◒◓◔◕◖◘◙◢◣◤◥◯☑☒⬛⬜⬤⬞⬟⦾"
"""Bullets (OpenCoder, utils/constants.py)."""


def _suffixes() -> npt.NDArray[np.uint32]:
    """The ends as rows, backwards, 0 behind them."""
    ends = _ENDS.split("|")
    rows = np.zeros((len(ends), max(map(len, ends)) + 1), np.uint32)
    for row, end in zip(rows, ends, strict=True):
        row[: len(end)] = [ord(character) for character in reversed(end)]
    return rows


SUFFIXES = _suffixes()
BULLETS = np.array([ord(character) for character in _BULLETS], np.uint32)


@loop
def _ends_with(text: npt.NDArray[np.uint32], start: int, end: int, suffixes: npt.NDArray[np.uint32]) -> bool:
    for row in range(len(suffixes)):
        length = 0
        while (
            suffixes[row, length] != 0
            and end - 1 - length >= start
            and text[end - 1 - length] == suffixes[row, length]
        ):
            length += 1
        if suffixes[row, length] == 0:
            return True
    return False


@kernel
def prose_lines(
    text: npt.NDArray[np.uint32],
    classes: npt.NDArray[np.uint32],
    suffixes: npt.NDArray[np.uint32],
    bullets: npt.NDArray[np.uint32],
    row: npt.NDArray[np.float64],
) -> None:
    """Fill in shares of lines that repeat, of characters in such, of lines to be read on, of lines with a
    bullet: float64[4]; untouched for an empty text. White space at the ends of lines does not count."""
    length = len(text)
    if length == 0:
        return
    count = 1
    for at in range(length):
        count += text[at] == 10
    hashes, sizes = np.empty(count, np.uint64), np.empty(count, np.int64)
    total = filled = 0
    on = bulleted = 0
    start = 0
    while start < length:
        at = start
        while at < length and text[at] != 10:
            at += 1
        first, last = start, at
        while first < last and classes[first] & SPACE:
            first += 1
        while last > first and classes[last - 1] & SPACE:
            last -= 1
        total += 1
        if last > first:
            value = np.uint64(0)
            for place in range(first, last):
                value = value * _BASE + scramble(np.uint64(text[place]) + _ONE)
            hashes[filled], sizes[filled] = scramble(value), last - first
            filled += 1
            for bullet in bullets:
                bulleted += text[first] == bullet
            end = last
            while end > first and text[end - 1] in (93, 12305, 41, 62, 12299):
                end -= 1
            on += _ends_with(text, first, end, suffixes)
        start = at + 1
    row[2], row[3] = on / total, bulleted / total
    if filled == 0:
        return
    order = np.argsort(hashes[:filled])
    repeated = characters = everything = at = 0
    while at < filled:
        end = at + 1
        while end < filled and hashes[order[end]] == hashes[order[at]]:
            end += 1
        everything += sizes[order[at]] * (end - at)
        if end - at > 1:
            repeated += end - at
            characters += sizes[order[at]] * (end - at)
        at = end
    row[0], row[1] = repeated / filled, characters / everything


@kernel
def prose_words(
    text: npt.NDArray[np.uint32], classes: npt.NDArray[np.uint32], row: npt.NDArray[np.float64]
) -> None:
    """Fill in sentences, the share of words in capitals, and the share of characters in tags and in addresses
    between brackets: float64[3].

    A sentence is what marks of its end divide and has a word. A word is here a run of word characters or
    of other marks, punctuation too.
    """
    length = len(text)
    if length == 0:
        return
    sentences = words = capitals = marked = 0
    inside = False
    at = 0
    while at < length:
        if text[at] in (46, 33, 63, 0x3002, 0xFF01, 0xFF1F, 0x61F):
            inside = False
        elif not inside and classes[at] & WORD:
            inside = True
            sentences += 1
        at += 1
    at = 0
    while at < length:
        if classes[at] & SPACE:
            at += 1
            continue
        word = classes[at] & WORD != 0
        upper = lower = False
        while at < length and not classes[at] & SPACE and (classes[at] & WORD != 0) == word:
            upper = upper or classes[at] & UPPER != 0
            lower = lower or classes[at] & LOWER != 0
            at += 1
        words += 1
        capitals += upper and not lower
    at = 0
    while at < length:
        if text[at] == 60:
            end = at + 1
            while end < length and text[end] not in (62, 10):
                end += 1
            if end < length and text[end] == 62:
                marked += end + 1 - at
            at = end + 1
        else:
            at += 1
    at = 0
    while at + 8 < length:
        if (
            text[at] == 40
            and text[at + 1] == 104
            and text[at + 2] == 116
            and text[at + 3] == 116
            and text[at + 4] == 112
        ):
            place = at + 6 if text[at + 5] == 115 else at + 5
            if text[place] == 58 and text[place + 1] == 47 and text[place + 2] == 47 and place + 2 < length:
                end, closed = place + 3, -1
                while end < length and not classes[end] & SPACE:
                    if text[end] == 41 and end > place + 3:
                        closed = end
                    end += 1
                if closed > 0:
                    marked += closed + 1 - at
                    at = closed
        at += 1
    row[0] = sentences
    if words:
        row[1] = capitals / words
    row[2] = min(1.0, marked / length)

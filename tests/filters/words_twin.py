"""The rules of `filters.words`, one word after the other: slow and readable."""

from __future__ import annotations

import re
from collections.abc import Iterator

from icu4py.breakers import WordBreaker

from filters import characters
from filters.special_words import UNITS, special_words

SPECIAL = special_words()
WITH_MARKS = {word for word in SPECIAL if not word.isalpha()}
LONGEST = max(map(len, SPECIAL))
HOST = re.compile(
    r"(?:[A-Za-z0-9\u00a1-\uffff](?:[A-Za-z0-9\u00a1-\uffff_-]{0,62}[A-Za-z0-9\u00a1-\uffff])?\.)+"
)
END = re.compile(r"(?::[0-9]{2,5})?(?:[/?#].*)?", re.DOTALL)


def has(character: str, flags: int) -> bool:
    """Whether the character has one of the flags; an empty string has none."""
    return bool(character) and bool(characters.class_table()[ord(character)] & flags)


def words(text: str) -> Iterator[str]:
    """Words and marks."""
    for chunk in text.split():
        for run in re.finditer("([\0]+)|([^\0]+)", mask(chunk)):
            piece = chunk[run.start() : run.end()]
            yield from WordBreaker(piece, "en") if run[1] else put_together(cut(piece))


def mask(chunk: str) -> str:
    """NUL for a letter of a script without spaces."""
    return "".join("\0" if has(character, characters.UNSPACED) else "x" for character in chunk)


def cut(chunk: str) -> list[str]:
    """Rules 1 and 2."""
    before: list[str] = []
    behind: list[str] = []
    while chunk and chunk not in SPECIAL:
        prefix, suffix = chunk[: prefix_length(chunk)], ""
        if chunk[len(prefix) :] in SPECIAL:
            before.append(prefix)
            chunk = chunk[len(prefix) :]
            break
        if chunk[len(prefix) :]:
            suffix = chunk[len(chunk) - suffix_length(chunk[len(prefix) :]) :]
        if chunk[: len(chunk) - len(suffix)] in SPECIAL:
            behind.append(suffix)
            chunk = chunk[: len(chunk) - len(suffix)]
            break
        if not prefix and not suffix:
            break
        chunk = chunk[len(prefix) : len(chunk) - len(suffix)]
        before += [prefix] * bool(prefix)
        behind += [suffix] * bool(suffix)
    middle = list(SPECIAL[chunk]) if chunk in SPECIAL else list(inside(chunk))
    return before + middle + behind[::-1]


def prefix_length(piece: str) -> int:
    if has(piece[0], characters.AFFIX | characters.PREFIX):
        return 1
    match = re.match(r"\.\.+|\+(?![0-9])|US\$|[CA]\$", piece)
    return len(match[0]) if match else 0


def suffix_length(piece: str) -> int:
    return max((length for length in range(1, len(piece) + 1) if is_suffix(piece, length)), default=0)


def is_suffix(piece: str, length: int) -> bool:
    rest, end = piece[:-length], piece[-length:]
    last = rest[-1:]
    if re.fullmatch(r"\.\.+|……|['’][sS]", end) or (length == 1 and has(end, characters.AFFIX)):
        return True
    if end == ".":
        capitals = has(last, characters.UPPERLIKE) and has(rest[-2:-1], characters.UPPERLIKE)
        return has(last, characters.BEFORE_STOP) or capitals or bool(re.search("°[FCK]$", rest))
    money = end in ("US$", "C$", "A$") or (length == 1 and has(end, characters.CURRENCY))
    return has(last, characters.FIGURE) and (money or end == "+" or end in UNITS)


def inside(piece: str) -> Iterator[str]:
    """Rules 3 and 4."""
    if is_address(piece):
        yield piece
        return
    left = at = 0
    while at < len(piece):
        width = infix_length(piece, at)
        if width and at:
            yield from filter(None, (piece[left:at], piece[at : at + width]))
            left = at + width
        at += max(width, 1)
    if piece[left:]:
        yield piece[left:]


def infix_length(piece: str, at: int) -> int:
    before, mark = piece[:at][-1:], piece[at]
    match = re.match(r"\.\.+|…", piece[at:])
    if match or has(mark, characters.SYMBOL):
        return len(match[0]) if match else 1
    after = piece[at + 1 : at + 2]
    letters = has(before, characters.LETTER) and has(after, characters.LETTER)
    if mark == ".":
        return has(before, characters.LOWERLIKE | characters.QUOTE) and has(
            after, characters.UPPERLIKE | characters.QUOTE
        )
    if mark in "+-*^" and has(before, characters.FIGURE) and after and after in "0123456789-":
        return 1
    if has(before, characters.LETTER | characters.FIGURE) and mark != ",":
        if mark in ":<>=/-–—~" and has(after, characters.LETTER):
            return 1
        match = re.match("--(?!-)|---|——", piece[at:])
        if match and has(piece[at + len(match[0]) :][:1], characters.LETTER):
            return len(match[0])
    return mark == "," and letters


def is_address(piece: str) -> bool:
    starts = [0, *(match.end() for match in re.finditer("@|(?<=..)://", piece) if match.start())]
    for start in starts:
        for host in [HOST.match(piece, start)] if start < len(piece) else []:
            if host is None:
                continue
            rest = piece[host.end() :]
            domain = re.match(r"[^:/?#]*", rest)
            assert domain is not None
            lower = all(has(character, characters.LOWERLIKE) for character in domain[0])
            narrow = all(ord(character) <= 0xFFFF for character in domain[0])
            if 2 <= len(domain[0]) <= 63 and lower and narrow and END.fullmatch(rest, domain.end()):
                return True
    return False


def put_together(pieces: list[str]) -> Iterator[str]:
    """Rule 5."""
    while pieces:
        for count in range(len(pieces), 1, -1):
            joined = "".join(pieces[:count])
            if len(joined) <= LONGEST and joined in WITH_MARKS:
                yield from SPECIAL[joined]
                pieces = pieces[count:]
                break
        else:
            yield pieces.pop(0)

"""Repeated pieces in plain Python, one document and one string at a time: slow, and easy to read."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import regex
from datatrove.utils.text import PUNCTUATION_SET

from filters.base import TextView

INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
NUMBER = regex.compile(r"\p{Nd}+(?:[.,\u066b\u060c]\p{Nd}+)*")
MARK = regex.compile(r"\p{M}")


def fold(text: str, folds: Sequence[str]) -> str:
    """A piece without what does not count."""
    if "case" in folds:
        text = "".join(c.casefold() if len(c.casefold()) == 1 else _lower(c, folds) for c in text)
    if "accents" in folds:
        text = "".join(map(_bare, text))
    if "numbers" in folds:
        text = NUMBER.sub("0", text)
    if "punctuation" in folds:
        text = "".join(" " if is_mark(c) else c for c in text)
    if "space" in folds:
        text = "".join(c for c in text if c not in INVISIBLE)
        text = " ".join(text.split())
    return text


def _lower(c: str, folds: Sequence[str]) -> str:
    """What has no small letter of one character: İ is i where accents do not count."""
    return c.lower()[0] if "accents" in folds or len(c.lower()) == 1 else c


def _bare(c: str) -> str:
    parts = unicodedata.normalize("NFD", c)
    kept = [p for p in parts if not (unicodedata.combining(p) == 1 or 10 <= unicodedata.combining(p) <= 36
                                     or unicodedata.combining(p) >= 200)]  # fmt: skip
    bare = unicodedata.normalize("NFC", "".join(kept))
    return bare if len(bare) < 2 else c


def is_mark(c: str) -> bool:
    known = c in PUNCTUATION_SET or unicodedata.category(c)[0] == "P"
    return known and not c.isspace() and not c.isdigit()


def units(text: str, unit: str) -> list[tuple[int, int, int]]:
    """Begin (of the line), start and end of every unit."""
    if unit == "sentence":
        found = TextView(text).sentences
        return [(s, s, e) for s, e in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
    blocks: list[list[int]] = []
    at, blank = 0, True
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped:
            start = at + line.index(stripped[0])
            end = at + len(line.rstrip())
            if unit == "line" or blank:
                blocks.append([at, start, end])
            blocks[-1][2] = end
        blank = not stripped
        at += len(line)
    return [(begin, start, end) for begin, start, end in blocks]


def is_word(c: str, folds: Sequence[str]) -> bool:
    figure = "numbers" in folds and unicodedata.category(c) == "Nd"
    return (
        (unicodedata.category(c)[0] in "LMN" or c in "\u00ad\u200c\u200d") and not is_mark(c) and not figure
    )


def words(folded: str, folds: Sequence[str]) -> float:
    """Runs of letters (and digits); two characters of a script without spaces are one."""
    count = 0.0
    kept = (c for c in folded if not ("numbers" in folds and c == "0"))
    for run in "".join(c if is_word(c, folds) else " " for c in kept).split():
        for piece in regex.split(r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}])", run):
            if piece:
                unspaced = regex.fullmatch(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]", piece) is not None
                count += 0.5 if unspaced else 1
    return count


class Twin:
    """What `Repeated` of the same options finds in documents, given in the order of their numbers."""

    def __init__(self, unit: str = "line", **options: Any) -> None:
        self.unit = unit
        self.options: dict[str, Any] = {
            "window": 3 if unit == "sentence" else 1,
            "fold": ("case", "accents", "numbers", "punctuation", "space"),
            "least_documents": 2,
            "least_words": 0,
            "keep": "first",
            "fragment": 0,
            "least_remaining": 0,
            **options,
        }

    def __call__(self, documents: Sequence[tuple[str, str, Any]]) -> dict[str, list[tuple[int, int]]]:
        """Spans by id of (id, text, group)."""
        o = self.options
        window = o["window"]
        places: dict[Any, list[tuple[int, int]]] = defaultdict(list)
        speaking: list[list[int]] = []
        for number, (_, text, group) in enumerate(documents):
            found = units(text, self.unit)
            folded = [fold(text[start:end], o["fold"]) for _, start, end in found]
            speaking.append([n for n, piece in enumerate(folded) if piece])
            pieces = [piece for piece in folded if piece]
            for place in range(len(pieces) - window + 1):
                piece = tuple(pieces[place : place + window])
                if sum(words(unit, o["fold"]) for unit in piece) >= max(0.5, o["least_words"]):
                    places[group, piece].append((number, place))
        goes: dict[int, set[int]] = defaultdict(set)
        for occurrences in places.values():
            if len(occurrences) > 1 and len({number for number, _ in occurrences}) >= o["least_documents"]:
                for number, place in occurrences[o["keep"] == "first" :]:
                    goes[number] |= {speaking[number][p] for p in range(place, place + window)}
        return {
            key: self.cut(text, goes[number], set(speaking[number]))
            for number, (key, text, _) in enumerate(documents)
        }

    def cut(self, text: str, goes: set[int], speaking: set[int]) -> list[tuple[int, int]]:
        """The spans of a text of which these units go."""
        if not goes:
            return []
        found = units(text, self.unit)
        runs: list[tuple[bool, list[int]]] = []
        for n in range(len(found)):
            if not runs or runs[-1][0] != (n in goes):
                runs.append((n in goes, []))
            runs[-1][1].append(n)
        left = 0
        stays: list[list[int]] = []
        for cut, run in runs:
            length = found[run[-1]][2] - found[run[0]][1]
            if not cut and speaking & set(run) and length >= self.options["fragment"]:
                left += length
                stays.append(run)
        if not stays or left < self.options["least_remaining"]:
            return [(0, len(text))]
        spans = []
        for before, after in zip([None, *stays], [*stays, None], strict=True):
            first = before[-1] + 1 if before else 0
            last = after[0] - 1 if after else len(found) - 1
            if first > last:
                continue
            if before is None and after is not None:
                start, end = 0, found[after[0]][0]
            elif before is not None and after is None:
                start, end = found[before[-1]][2], found[last][2]
            else:
                assert before is not None
                assert after is not None
                gaps = (found[before[-1]][2], found[first][0]), (found[last][2], found[after[0]][0])
                one, two = (
                    len(re.findall(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text[s:e])) for s, e in gaps
                )
                start, end = (gaps[0][0], gaps[1][0]) if two > one else (gaps[0][1], gaps[1][1])
            start, end = (_past(text, at) for at in (start, end))
            if start < end:
                spans.append((start, end))
        return spans


def _past(text: str, at: int) -> int:
    while 0 < at < len(text) and MARK.match(text[at]):
        at += 1
    return at

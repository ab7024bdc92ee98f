"""All personal data of a text: candidates judged one after the other.

A chain of digits may be read in several ways: whole before in pieces, and a reading that its check digits
prove before one that only its shape suggests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from filters.base import TextView
from filters.findings import Finding, disjoint
from filters.masking import exhaust
from filters.pii import network, payment, phones
from filters.pii.candidates import AT, CHAIN, COLONS, Candidate, candidates
from filters.pii.context import FALLBACK, after, before, in_url
from filters.pii.national_ids import (
    BY_PATTERN,
    BY_SHAPE,
    NATIONAL_IDS,
    SPACED_NINO,
    NationalId,
    Needs,
    uk_nino,
)

KINDS = ("email", "ipv4", "ipv6", "phone", "card", "iban", *(known.kind for known in NATIONAL_IDS))
"""All kinds of findings."""

_DIGITS = re.compile(r"[0-9]+")
_MOST = 21
"""Digits of the longest thing (a telephone number with its extension)."""
_LONG = 30
"""Digits of a chain above which it is a table, cut at its white space: nothing is so long (a phone number
with its extension has 21, a card 19)."""


def find(view: TextView, regions: Sequence[str] = ()) -> list[Finding]:
    """Personal data of a text, in order, none overlapping another.

    When all of it is replaced by the tokens of `filters.masking`, nothing is found in what is left: what
    stood beside a finding is judged again without it.

    Args:
        view: the text.
        regions: of its language and domain (`filters.pii.context.regions_of`); where none is known, numbers
            are judged as if written in the United States and the United Kingdom.
    """
    return exhaust(view, lambda view: _look(view, regions))


def _look(view: TextView, regions: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    text = view.text
    reached = 0
    for candidate in candidates(view.code_points):
        if candidate.kind != AT and candidate.start < reached:
            continue
        here = list(_judge(text, candidate, regions))
        found += here
        reached = max([reached, *(end for _, end, _ in here)])
    return disjoint(found)


def _judge(text: str, candidate: Candidate, regions: Sequence[str]) -> Iterator[Finding]:
    kind, start, end = candidate
    if kind == AT:
        finding = network.email(text, start)
    elif kind == COLONS:
        finding = network.ipv6(text, start, end)
    elif kind == CHAIN:
        yield from Chain(text, start, end, regions).findings()
        return
    else:
        finding = _mixed(text, start, end, regions)
    if finding is not None:
        yield finding


def _mixed(text: str, start: int, end: int, regions: Sequence[str]) -> Finding | None:
    """A word of letters and digits: an account number, or a national identifier."""
    if _is_inside(text, start, end):
        return None
    account = payment.iban(text, start)
    if account is not None:
        return start, account, "iban"
    word = text[start:end]
    for known in BY_PATTERN:
        assert known.pattern is not None
        if known.pattern.fullmatch(word) and known.check(word):
            if known.needs == Needs.NOTHING and in_url(text, start):
                continue
            if _is_supported(known, known.needs, before(text, start), regions):
                return start, end, known.kind
    return None


def _is_inside(text: str, start: int, end: int) -> bool:
    """Whether a candidate is a part of something longer."""
    if start and (
        _is_name(text[start - 1]) or (text[start - 1] in "-./" and start > 1 and _is_name(text[start - 2]))
    ):
        return True
    return end < len(text) and _is_name(text[end])


def _is_name(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _is_supported(known: NationalId, needs: Needs, near: str, regions: Sequence[str]) -> bool:
    if needs == Needs.NOTHING or known.named.search(near):
        return True
    return needs == Needs.HINT and known.region in (regions or FALLBACK)


class Chain:
    """Groups of digits and what stands between them."""

    def __init__(self, text: str, start: int, end: int, regions: Sequence[str]) -> None:
        self.text, self.start, self.end, self.regions = text, start, end, regions
        groups = [match.span() for match in _DIGITS.finditer(text, start, end)]
        self.groups = groups
        self.gaps = [text[a[1] : b[0]] for a, b in pairwise(groups)]
        self.lengths = [b - a for a, b in groups]

    def findings(self) -> Iterator[Finding]:
        """What the chain holds."""
        if self._is_open():
            return
        if sum(self.gaps[i] == "." for i in range(len(self.gaps))) >= 3:
            addresses = network.ipv4(self.text, self.start, self.end)
            if addresses:
                yield from addresses
                return
        if sum(self.lengths) > _LONG:
            yield from self._pieces()
            return
        yield from self._read(0, len(self.groups))

    def _is_open(self) -> bool:
        """Whether the chain goes on to the left: a name, a decimal, an amount of money."""
        if not self.start:
            return False
        before_it = self.text[self.start - 1]
        if _is_name(before_it) or before_it in "$€£¥₹%#=":
            return True
        return before_it in ".,-/\\" and self.start > 1 and _is_name(self.text[self.start - 2])

    def _pieces(self) -> Iterator[Finding]:
        """The chains between white space."""
        first = 0
        for number in range(1, len(self.groups) + 1):
            if number == len(self.groups) or any(character.isspace() for character in self.gaps[number - 1]):
                start, end = self.groups[first][0], self.groups[number - 1][1]
                first = number
                piece = Chain(self.text, start, end, self.regions)
                if 6 <= sum(piece.lengths) <= _LONG:
                    yield from piece._read(0, len(piece.groups))

    def _read(self, low: int, high: int) -> Iterator[Finding]:
        """Read the groups from `low` to `high`: the longest run of them that is something, then what is
        beside it."""
        for size in range(high - low, 0, -1):
            if size * 15 < 6:
                break
            for first in range(low, high - size + 1):
                last = first + size
                if not self._is_loose(first) or not self._is_loose(last):
                    continue
                finding = self._recognise(first, last)
                if finding is not None:
                    yield from self._read(low, first)
                    yield finding
                    yield from self._read(last, high)
                    return

    def _is_loose(self, border: int) -> bool:
        """Whether two neighbouring groups may belong to different things."""
        if border in (0, len(self.groups)):
            return True
        gap = self.gaps[border - 1]
        return any(character.isspace() or character == "/" for character in gap)

    def _recognise(self, first: int, last: int) -> Finding | None:
        """What a run of groups is, taken as a whole."""
        lengths = tuple(self.lengths[first:last])
        count = sum(lengths)
        start, end = self.start if first == 0 else self.groups[first][0], self.groups[last - 1][1]
        if not 6 <= count <= _MOST or (count > 19 and self.text[start] not in "+(0"):
            return None
        near = before(self.text, start)
        closed = end == len(self.text) or not _is_name(self.text[end])
        international = self.text[start : start + 2].lstrip("(").startswith("+")
        if in_url(self.text, start):
            return self._phone(first, last, start, lengths, named=False) if international else None
        finding = self._card(first, last, lengths, near) if closed and count >= 12 else None
        if finding is None and not international:
            finding = self._national_id(first, last, lengths, near, closed)
        if finding is None:
            named = phones.is_named(near, after(self.text, end))
            whole = first == 0 and last == len(self.groups)
            if named or whole or international:
                finding = self._phone(first, last, start, lengths, named)
        return finding

    def _card(self, first: int, last: int, lengths: tuple[int, ...], near: str) -> Finding | None:
        gaps = set(self.gaps[first : last - 1])
        if len(gaps) > 1 or not gaps <= {" ", "-", "\u00a0", "\u2011"}:
            return None
        start, end = self.groups[first][0], self.groups[last - 1][1]
        named = payment.CARD_WORDS.search(near) is not None
        return (
            (start, end, "card") if payment.is_card(_joined(self.text[start:end]), lengths, named) else None
        )

    def _national_id(
        self, first: int, last: int, lengths: tuple[int, ...], near: str, closed: bool
    ) -> Finding | None:
        shape = str(lengths[0]) + "".join(
            _plain(gap) + str(length)
            for gap, length in zip(self.gaps[first : last - 1], lengths[1:], strict=True)
        )
        start, end = self.groups[first][0], self.groups[last - 1][1]
        if not closed or last == len(self.groups):
            tail = _TAIL.match(self.text, end)
            if tail is not None:
                letter = _known_id(
                    self.text[start : tail.end()], shape + _plain(tail[1]) + "A", near, self.regions
                )
                if letter is not None:
                    return start, tail.end(), letter
        if shape == "2 2 2" and start >= 3:
            nino = SPACED_NINO.match(self.text, start - 3)
            alone = start == 3 or not _is_name(self.text[start - 4])
            if nino is not None and alone and uk_nino(nino[0].replace(" ", "")):
                return nino.start(), nino.end(), "uk_nino"
        kind = _known_id(self.text[start:end], shape, near, self.regions) if closed else None
        return (start, end, kind) if kind is not None else None

    def _phone(
        self, first: int, last: int, start: int, lengths: tuple[int, ...], named: bool
    ) -> Finding | None:
        end = self.groups[last - 1][1]
        reach = phones.extension(self.text, end)
        next_to = self.text[end : end + 1]
        # A word may follow without a space where elements of a page were put together ("555-0100Monday").
        if reach == end and next_to and _is_name(next_to) and not (named and next_to.isalpha()):
            return None
        piece = self.text[start:end]
        if piece.count("(") != piece.count(")"):
            if piece.lstrip("(").count("(") != piece.count(")"):
                return None
            start += len(piece) - len(piece.lstrip("("))
            piece = piece.lstrip("(")
        gaps = self.gaps[first : last - 1]
        found = phones.is_phone(piece, lengths, gaps, named, self.regions or FALLBACK)
        return (start, reach, "phone") if found else None


_TAIL = re.compile(r"([- ]?)([A-Z])(?![A-Za-z0-9_])")


def _known_id(piece: str, shape: str, near: str, regions: Sequence[str]) -> str | None:
    """The kind of a national identifier with such a shape."""
    for known, needs in BY_SHAPE.get(shape, ()):
        if _is_supported(known, needs, near, regions) and known.check(_joined(piece)):
            return known.kind
    return None


def _joined(piece: str) -> str:
    """Without what separates."""
    return "".join(character for character in piece if character.isalnum())


def _plain(gap: str) -> str:
    """A gap as shapes have it."""
    return {"\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2010": "-", "\u2011": "-", "\u2013": "-"}.get(
        gap, gap
    )

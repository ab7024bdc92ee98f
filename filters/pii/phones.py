"""Telephone numbers, judged by Google's metadata of the world's numbering plans (`phonenumbers`)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from filters.pii.context import words

MIN_DIGITS, MAX_DIGITS = 7, 15
"""The shortest number that is more than an extension; ITU-T E.164, section 6.1."""

PHONE_WORDS = words(
    "phone, phones, telephone, tel, tels, call, calls, calling, fax, faxes, mobile, mob, cell, cellphone, "
    "cellular, whatsapp, viber, hotline, helpline, dial, sms, landline, tollfree, toll-free, toll free, "
    "messages to, contact, telefon, telefonnummer, rufnummer, fon, handy, mobil, téléphone, tél, portable, "
    "appelez, appeler, télécopie, teléfono, teléfonos, telf, móvil, celular, llame, llámanos, telefone, "
    "telemóvel, ligue, fone, telefono, cellulare, chiamare, telefoon, telefoonnummer, mobiel, bel, komórka, "
    "tfn, tlf, telefonnr, тел, телефон, телефоны, телефону, моб, факс, звоните, gsm, mobilnummer, telefax, "
    "電話, 电话, 手机, 手機, 携帯, 傳真, 传真, 热线, 熱線, 연락처, 전화, "
    "휴대폰, 팩스, โทร, มือถือ, هاتف, تلفون, جوال, اتصل, فاكس, موبايل, ℡, ☎, 📞, 📱, ☏, ✆"
)
AFTER_WORDS = re.compile(
    r"[\s\\,;:()/-]{0,3}(?:office|fax|mobile|cell|home|work|desk|direct|main)(?![^\W\d_])"
)

WIDE = (
    "US GB DE FR IT ES NL BE CH AT PL PT BR SE DK NO FI RU UA JP KR CN TW HK TH SA AE EG IN AU NZ ZA MX AR "
    "CO CL IE TR IL CZ HU RO GR"
)
"""Regions that are tried after the document's own where a word says that this is a telephone number."""

_LIST = 14
"""Characters between two numbers that one word names both of ("Tel: 555-0100 or 555-0199")."""
_BEHIND_DIGITS = re.compile(r"[^0-9]*\Z")
_GAPS = frozenset(
    (" ", "-", ".", ")", ") ", ")-", "/", " (", "(", "\u00a0", "\u2010", "\u2011", "\u202f", " / ", "- ")
)
"""What stands between the groups of a number that no word names."""
_INTERNATIONAL = re.compile(r"\(?\+|00[1-9]")
_EXTENSION = re.compile(r"\s?(?:x|ext\.?|extension|#)\s?\d{1,6}(?!\w)", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,4})([./ -])(\d{1,2})\2(\d{1,4})(?:\D+\d{1,2})?", re.ASCII)
_SPAN = re.compile(r"(1[0-9]{3}|20[0-9]{2})\s?[-\u2010-\u2013]\s?(1[0-9]{3}|20[0-9]{2})", re.ASCII)
_DECIMAL = re.compile(r"\d{1,4}\.\d{5,}")
_THOUSANDS = re.compile(r"\d{1,3}(?:([. \u00a0\u2009\u202f])\d{3})(?:\1\d{3})*")


@functools.cache
def _library() -> Any:
    """Loads its metadata of a region when it is first asked for."""
    import phonenumbers

    return phonenumbers


def is_named(near: str, behind: str) -> bool:
    """Whether a word names what stands between two pieces of text; a number in between takes the word for
    itself."""
    if AFTER_WORDS.match(behind):
        return True
    match = _BEHIND_DIGITS.search(near)
    tail = match[0] if match is not None else near
    return PHONE_WORDS.search(near if len(tail) <= _LIST else tail) is not None


def is_phone(
    piece: str, groups: Sequence[int], gaps: Sequence[str], named: bool, regions: Sequence[str]
) -> bool:
    """Whether digits and separators are a telephone number.

    With its country's code a number need only be valid. Without, it must be valid in one of the regions, and
    a word must name it, or its groups must be those in which that region prints it.
    """
    digits = sum(groups)
    if not MIN_DIGITS <= digits <= MAX_DIGITS + 2 or _is_date(piece) or _is_span(piece):
        return False
    if _INTERNATIONAL.match(piece) and (piece[0] in "+(" or named or len(groups) > 1):
        number = "+" + piece[2:] if piece.startswith("00") else piece
        if _is_valid(number, None, possible=named):
            return True
    if digits > MAX_DIGITS or (len(groups) > 1 and groups[-1] < 2):
        return False
    if named:
        return any(_is_valid(piece, region) for region in (*regions, *WIDE.split())) or (
            digits == 7 and len(groups) == 2 and any(_is_local(piece, region) for region in regions)
        )
    if (
        len(groups) < 2
        or not _GAPS.issuperset(gaps)
        or _DECIMAL.fullmatch(piece)
        or _THOUSANDS.fullmatch(piece)
    ):
        return False
    return any(_is_valid(piece, region) and _is_grouped(piece, region) for region in regions)


def _is_date(piece: str) -> bool:
    """Whether this is a date, or a date and an hour."""
    match = _DATE.fullmatch(piece)
    if match is None:
        return False
    parts = [int(match[1]), int(match[3]), int(match[4])]
    year = [part for part in parts if part > 31]
    return (
        len(year) <= 1
        and any(0 < part <= 12 for part in parts)
        and {len(match[1]), len(match[4])} <= {1, 2, 4}
    )


def _is_span(piece: str) -> bool:
    """Whether this is from one year to another."""
    match = _SPAN.fullmatch(piece)
    return match is not None and match[1] < match[2]


def extension(text: str, end: int) -> int:
    """Where a number ends with the extension that may follow it."""
    match = _EXTENSION.match(text, end)
    return match.end() if match is not None else end


@functools.lru_cache(maxsize=4096)
def _is_valid(piece: str, region: str | None, possible: bool = False) -> bool:
    """Whether a number is valid in its plan; `possible`: or at least of a length that is."""
    library = _library()
    try:
        number = library.parse(piece, region)
    except library.NumberParseException:
        return False
    return bool(library.is_valid_number(number) or (possible and library.is_possible_number(number)))


def _is_local(piece: str, region: str) -> bool:
    """Whether a number can be dialled within an area of the region."""
    library = _library()
    try:
        number = library.parse(piece, region)
    except library.NumberParseException:
        return False
    reason = library.is_possible_number_with_reason(number)
    return bool(reason == library.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


@functools.lru_cache(maxsize=4096)
def _is_grouped(piece: str, region: str) -> bool:
    """Whether the whole piece is printed as the region prints such a number."""
    library = _library()
    matcher = library.PhoneNumberMatcher(piece, region, leniency=library.Leniency.STRICT_GROUPING)
    return any(match.raw_string == piece for match in matcher)

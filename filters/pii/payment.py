"""Payment cards and international bank account numbers."""

from __future__ import annotations

from filters.pii.checksums import luhn, mod97
from filters.pii.context import words

CARDS: tuple[tuple[int, int, tuple[int, ...], tuple[int, ...]], ...] = (
    # First and last prefix, lengths that are told by their digits alone, and lengths that need a word
    # beside them.
    (4, 4, (16,), (13, 19)),  # Visa
    (51, 55, (16,), ()),  # Mastercard
    (2221, 2720, (16,), ()),
    (34, 34, (15,), ()),  # American Express
    (37, 37, (15,), ()),
    (6011, 6011, (16,), (19,)),  # Discover
    (644, 659, (16,), (19,)),
    (300, 305, (14,), (16, 19)),  # Diners Club
    (3095, 3095, (14,), (16, 19)),
    (36, 36, (14,), (16, 19)),
    (38, 39, (14,), (16, 19)),
    (3528, 3589, (16,), (19,)),  # JCB
    (1800, 1800, (), (15,)),
    (2131, 2131, (), (15,)),
    (62, 62, (16,), (17, 18, 19)),  # UnionPay
    (81, 82, (16,), (17, 18, 19)),  # UnionPay, RuPay
    (2200, 2204, (16,), (17, 18, 19)),  # Mir
    (9792, 9792, (16,), ()),  # Troy
    (508, 508, (16,), ()),  # RuPay
    (5018, 5018, (), tuple(range(12, 20))),  # Maestro
    (5020, 5020, (), tuple(range(12, 20))),
    (5038, 5038, (), tuple(range(12, 20))),
    (5893, 5893, (), tuple(range(12, 20))),
    (6304, 6304, (), tuple(range(12, 20))),
    (6759, 6759, (), tuple(range(12, 20))),
    (6761, 6763, (), tuple(range(12, 20))),
)
"""Issuer ranges and lengths of ISO/IEC 7812 as the networks publish them (collected in Wikipedia, "Payment
card number", section "Issuer identification number")."""

GROUPS = {
    13: ((13,), (4, 3, 3, 3)),
    14: ((14,), (4, 6, 4), (4, 4, 4, 2)),
    15: ((15,), (4, 6, 5), (4, 4, 4, 3)),
    16: ((16,), (4, 4, 4, 4)),
    19: ((19,), (4, 4, 4, 4, 3), (6, 13)),
}
"""How the digits of a card are grouped in print; other lengths stand without spaces."""

CARD_WORDS = words(
    "card, cards, credit, debit, visa, mastercard, maestro, amex, american express, discover, diners, jcb, "
    "unionpay, cc, pan, carte, karte, kreditkarte, tarjeta, cartão, carta, kort, creditcard, kreditkort, "
    "karta, карта, карты, карту, بطاقة, บัตร, カード, 信用卡, 银行卡, 卡号, 카드"
)

_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 "
    "EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 "
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 "
    "NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 "
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTHS = {code[:2]: int(code[2:]) for code in _IBANS.split()}
"""Country to length: SWIFT, IBAN Registry, release 99."""


def is_card(digits: str, groups: tuple[int, ...], named: bool) -> bool:
    """Whether digits in such groups are the number of a payment card.

    `named`: a word beside them says so; then any number will do that begins with a digit of the card industry
    (ISO/IEC 7812-1, major industry identifiers 3 to 6), and those whose ranges or lengths prove little.
    """
    if groups not in GROUPS.get(len(digits), ((len(digits),),)) or len(set(digits)) < 2 or not luhn(digits):
        return False
    if named and digits[0] in "3456" and len(digits) >= 13:
        return True
    for first, last, told, untold in CARDS:
        if first <= int(digits[: len(str(first))]) <= last and (
            len(digits) in told or (named and len(digits) in untold)
        ):
            return True
    return False


def iban(text: str, start: int) -> int | None:
    """Where the account number that begins here ends; it may be written in groups, in capitals or small
    letters."""
    length = IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return None
    characters: list[str] = []
    at = start
    while at < len(text) and len(characters) < length:
        character = text[at]
        if character.isascii() and character.isalnum():
            characters.append(character.upper())
        elif character not in " -\u00a0" or not characters or not _alphanumeric(text, at - 1):
            return None
        at += 1
    if len(characters) < length or _alphanumeric(text, at):
        return None
    number = "".join(characters)
    return at if mod97(number[4:] + number[:4]) == 1 else None


def _alphanumeric(text: str, at: int) -> bool:
    return at < len(text) and text[at].isascii() and text[at].isalnum()

"""Payment cards and international bank account numbers."""

from __future__ import annotations

from filters.pii.checksums import luhn, mod97
from filters.pii.context import words

CARDS: tuple[tuple[int, int, tuple[int, ...], tuple[int, ...]], ...] = (
    # First and last prefix, lengths that are told by their digits alone, and lengths that need a word beside them.
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
"""Issuer ranges and lengths of ISO/IEC 7812 as the networks publish them (collected in Wikipedia, "Payment card
number", section "Issuer identification number")."""

GROUPS = {
    13: ((13,), (4, 3, 3, 3)),
    14: ((14,), (4, 6, 4), (4, 4, 4, 2)),
    15: ((15,), (4, 6, 5), (4, 4, 4, 3)),
    16: ((16,), (4, 4, 4, 4)),
    19: ((19,), (4, 4, 4, 4, 3), (6, 13)),
}
"""How the digits of a card are grouped in print; other lengths stand without spaces."""

CARD_WORDS = words(
    *(
        "card",
        "cards",
        "credit",
        "debit",
        "visa",
        "mastercard",
        "maestro",
        "amex",
        "american express",
        "discover",
    ),
    *(
        "diners",
        "jcb",
        "unionpay",
        "cc",
        "pan",
        "carte",
        "karte",
        "kreditkarte",
        "tarjeta",
        "cartão",
        "carta",
        "kort",
    ),
    *(
        "creditcard",
        "kreditkort",
        "karta",
        "карта",
        "карты",
        "карту",
        "بطاقة",
        "บัตร",
        "カード",
        "信用卡",
        "银行卡",
        "卡号",
        "카드",
    ),
)

IBAN_LENGTHS: dict[str, int] = {
    **dict(
        AD=24,
        AE=23,
        AL=28,
        AT=20,
        AZ=28,
        BA=20,
        BE=16,
        BG=22,
        BH=22,
        BI=27,
        BR=29,
        BY=28,
        CH=21,
        CR=22,
        CY=28,
    ),
    **dict(
        CZ=24,
        DE=22,
        DJ=27,
        DK=18,
        DO=28,
        EE=20,
        EG=29,
        ES=24,
        FI=18,
        FK=18,
        FO=18,
        FR=27,
        GB=22,
        GE=22,
        GI=23,
    ),
    **dict(
        GL=18,
        GR=27,
        GT=28,
        HN=28,
        HR=21,
        HU=28,
        IE=22,
        IL=23,
        IQ=23,
        IS=26,
        IT=27,
        JO=30,
        KW=30,
        KZ=20,
        LB=28,
    ),
    **dict(
        LC=32,
        LI=21,
        LT=20,
        LU=20,
        LV=21,
        LY=25,
        MC=27,
        MD=24,
        ME=22,
        MK=19,
        MN=20,
        MR=27,
        MT=31,
        MU=30,
        NI=28,
    ),
    **dict(
        NL=18,
        NO=15,
        OM=23,
        PK=24,
        PL=28,
        PS=29,
        PT=25,
        QA=29,
        RO=24,
        RS=22,
        RU=33,
        SA=24,
        SC=31,
        SD=18,
        SE=24,
    ),
    **dict(SI=19, SK=24, SM=27, SO=23, ST=25, SV=28, TL=23, TN=24, TR=26, UA=29, VA=22, VG=24, XK=20, YE=30),
}
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
    """Where the account number that begins here ends; it may be written in groups, in capitals or small letters."""
    length = IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return None
    characters = []
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

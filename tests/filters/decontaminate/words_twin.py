"""The words of `filters.decontaminate.words`, slowly: regular expressions over strings."""

from __future__ import annotations

import re
import unicodedata

from filters import characters
from filters.decontaminate.folding import HAN, SYMBOLS, folded
from filters.decontaminate.latex import DROPPED, ENVIRONMENT, FRACTION, NOTHING, ROOT, WITH_ARGUMENT, kinds

Word = tuple[str, int, int]
_ENTITY = re.compile(r"&[A-Za-z0-9#]{2,8};")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_JOINERS = "\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff"


def kind(character: str) -> str:  # noqa: PLR0911
    """separator, letter, greek, syllable, digit, lifted, alone, ignored, or the character itself."""
    if character in "\\&:：.{" or character in SYMBOLS:
        return character
    if any(first <= ord(character) < last for first, last in HAN):
        return "alone"
    category = unicodedata.category(character)
    if character in _JOINERS or category == "Mn":
        return "ignored"
    if category == "Nd":
        return "digit"
    plain = folded(character)
    if category == "No" and re.fullmatch("[0-9]", plain):
        lifted = unicodedata.decomposition(character).startswith(("<super>", "<sub>"))
        return "lifted" if lifted else "named"
    if category[0] != "L" and category not in ("Mc", "Nl", "No", "So"):
        return "separator"
    if any(part.isdecimal() for part in plain):
        return "named"
    letters = [part for part in plain if part.isalpha() or unicodedata.category(part) == "Mc"]
    if category == "So":
        return "named" if letters and character != plain else "separator"
    if not letters:
        return "letter" if category in ("Nl", "No") else "separator"
    if "가" <= character <= "힣":
        return "syllable"
    if len(letters) > 1:
        return "letter"
    table = characters.class_table()
    if (table[ord(character)] | table[ord(letters[0])]) & characters.UNSPACED:
        return "alone"
    return "greek" if "Ͱ" <= letters[0] <= "Ͽ" else "letter"


def letters_of(character: str) -> str:
    """What a letter adds to its word."""
    plain = folded(character)
    return (
        "".join(part for part in plain if part.isalpha() or unicodedata.category(part) == "Mc") or character
    )


def number(digits: str) -> str:
    """Digits and point in the normal form."""
    whole, point, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return whole + (point + fraction if fraction else "")


def ascii_digits(text: str) -> str:
    """The text with the digits of all scripts as 0 to 9."""
    return "".join(
        str(unicodedata.decimal(character)) if kind(character) == "digit" else character for character in text
    )


_NUMBER = re.compile(
    r"""([0-9]{1,3})((?:(?:,(?:\\!)?|\{,\}|\\,|[\u00a0\u2009\u202f])[0-9]{3}(?![0-9]))+)(\.[0-9]+)?
        |([0-9]+)(\.[0-9]+)?""",
    re.VERBOSE,
)


def group_end(text: str, at: int, most: int) -> int:
    """Where the braces close that open at `at` behind spaces, within so many characters; else `at`."""
    start = at + len(re.match(" *", text[at:])[0])  # type: ignore[index]
    depth = 0
    for place in range(start, min(len(text), start + most)):
        if place == start and text[place] != "{":
            return at
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return at


def twin(text: str) -> list[Word]:  # noqa: PLR0912, PLR0915
    """Words with their places."""
    plain = ascii_digits(text)
    found: list[Word] = []
    run = False
    loose = 0
    at = 0

    def add(word: str, start: int, end: int, single: bool = False) -> None:
        nonlocal run
        if single and run:
            before, first, _ = found.pop()
            word, start = before + word, first
        found.append((word, start, end))
        run = single

    while at < len(text):
        what, start = kind(text[at]), at
        if what in ("letter", "syllable"):
            word, many = "", 0
            while at < len(text) and (what := kind(text[at])) in ("letter", "syllable", "ignored"):
                if what != "ignored":
                    more = letters_of(text[at])
                    word += more
                    many += 1 if what == "letter" and len(more) == 1 else 2
                at += 1
                if loose and many:
                    break
            loose = max(0, loose - 1)
            add(word, start, at, many == 1)
        elif what == "greek":
            word = ""
            while at < len(text) and (what := kind(text[at])) in ("greek", "ignored"):
                word += letters_of(text[at]) if what == "greek" else ""
                at += 1
            name = unicodedata.name(word, "") if len(word) == 1 else ""
            if re.fullmatch(r"GREEK SMALL LETTER [A-Z]+", name):
                word = {"lamda": "lambda"}.get(name.split()[-1].lower(), name.split()[-1].lower())
            loose = max(0, loose - 1)
            add(word, start, at)
        elif what == "digit" and loose:
            at, loose = at + 1, loose - 1
            add(plain[start], start, at)
        elif what == "digit":
            match = _NUMBER.match(plain, at)
            assert match is not None
            if match[1]:
                whole = match[1] + "".join(re.findall("[0-9]{3}", match[2]))
                add(number(whole + (match[3] or "")), start, match.end())
            else:
                add(number(match[4] + (match[5] or "")), start, match.end())
            at = match.end()
        elif what == ".":
            at += 1
            before = kind(text[start - 1]) if start else "separator"
            match = re.match("[0-9]+", plain[at:])
            if before not in ("digit", "letter", "greek", "syllable") and match:
                at += match.end()
                add(number(f"0.{match[0]}"), start, at)
        elif what == "lifted":
            word = ""
            while at < len(text) and kind(text[at]) == "lifted":
                word += folded(text[at])
                at += 1
            add(word, start, at)
        elif what == "alone":
            word = letters_of(text[at])
            at += 1
            while at < len(text) and kind(text[at]) == "ignored":
                at += 1
            add(word, start, at)
        elif what == "named" or what in SYMBOLS:
            at += 1
            spelled = folded(text[start]) if what == "named" else SYMBOLS[text[start]]
            for word in "".join(part if part.isalnum() else " " for part in spelled).split():
                add(word, start, at)
        elif what == "\\":
            match = _COMMAND.match(text, at)
            at = match.end() if match else at + 1
            if match is None:
                continue
            loose = max(0, loose - 1)
            name = match[1].lower()
            action = kinds().get(name, NOTHING)
            if action == FRACTION:
                loose = 2
            elif action == ENVIRONMENT:
                array = re.match(r" *.(?:ar|ta)", text[at:], re.IGNORECASE | re.DOTALL)
                at = group_end(text, at, 32)
                at = group_end(text, at, 64) if array else at
            elif action == WITH_ARGUMENT:
                at = group_end(text, at, 64)
            elif isinstance(action, str):
                add(action, start, at)
            elif action in (NOTHING, ROOT):
                loose = 1 if action == ROOT else loose
                add(name, start, at, len(name) == 1)
            else:
                assert action == DROPPED
        elif what == "&":
            match = _ENTITY.match(text, at)
            at = match.end() if match else at + 1
        else:
            at += 1
            run = run and what not in (":", "：")
            loose = 0 if what == "{" else loose
    return found

"""Licences by what people write: addresses of deeds, codes, names in sixteen languages. Identifiers are
SPDX's where a version is said (`CC-BY-SA-4.0`), and the same without one where none is (`CC-BY-SA`)."""

from __future__ import annotations

import re

ELEMENTS = {
    "BY": (
        "attribution|namensnennung|paternit[eé]|reconocimiento|atribuci[oó]n|attribuzione"
        "|atribui[cç][aã]o|naamsvermelding"
        "|uznanie autorstwa|erk[aä]nnande|navngivelse|kreditering|표시|표기|表示|署名|姓名標示|атрибуция"
        "|с указанием авторства"
        "|แสดงที่มา|نسب المصنف|النسبة"
    ),
    "NC": (
        "non-?\\s?commercial|nicht[- ]?kommerziell|pas d['’]utilisation commerciale|no ?comercial"
        "|n[aã]o ?comercial|non commerciale"
        "|niet-?commercieel|u[zż]ycie niekomercyjne|icke-?kommersiell|ikke-?kommerciel|비영리|非営利|非商业"
        "|非商業"
        "|некоммерческ"
        "|ไม่ใช้เพื่อการค้า|غير تجاري"
    ),
    "ND": (
        "no-?\\s?deriv\\w*|keine bearbeitung\\w*|pas de modification|sin ?deriv\\w+"
        "|sin ?obra ?deriv\\w+|sem ?deriv\\w+|non opere derivate"
        "|geen ?afgeleide ?werken|bez utwor[oó]w zale[zż]nych|inga ?bearbetningar|ingen ?bearbejd\\w+"
        "|변경금지|改変禁止|禁止演绎|禁止改作"
        "|без производных|ไม่ดัดแปลง|منع الاشتقاق"
    ),
    "SA": (
        "share[- ]?alike|weitergabe unter gleichen bedingungen|partage (?:dans les m[eê]mes conditions"
        "|[aà] l['’]identique)"
        "|compartir ?igual|compartilha ?igual|partilha nos mesmos termos|condividi allo stesso modo"
        "|gelijk ?delen"
        "|na tych samych warunkach|dela ?lika|del p[aå] samme vilk[aå]r|동일조건변경허락|継承|相同方式"
        "|相同分享"
        "|на тех же условиях"
        "|с сохранением условий|อนุญาตแบบเดียวกัน|المشاركة بالمثل|الترخيص بالمثل"
    ),
}
"""The elements of Creative Commons' licences by their official names, creativecommons.org in each
language."""

_DEED = re.compile(
    r"creativecommons\.org/(?:licen[cs]es/(by(?:-nc-sa|-nc-nd|-nd-nc|-nc|-nd|-sa)?)(?![\w-])(?:/(\d\.\d))?"
    r"|(publicdomain)/(zero|mark)(?:/(\d\.\d))?)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\bCC(?:[ -]|:\s?)?(0|BY(?:[ -](?:NC|SA|ND)){0,2})(?![A-Za-z0-9-]*@)(?:[ -]v?(\d\.\d))?(?![\w-])"
)
_NAME = re.compile(
    r"(?:creative\s+commons"
    r"|クリエイティブ・?コモンズ|知识共享|創用\s?cc|크리에이티브\s?커먼즈|ครีเอทีฟ\s?คอมมอนส์|المشاع الإبداعي)"
    r"[\s:–—-]{0,3}",
    re.IGNORECASE,
)
_ELEMENT = {name: re.compile(words, re.IGNORECASE) for name, words in ELEMENTS.items()}
_VERSION = re.compile(r"(?<![\d.])([1-4]\.\d)(?!\d|\.\d)")
_OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("GFDL", r"gnu free documentation licen[cs]e|gnu\.org/(?:copyleft|licenses)/fdl|\bGFDL\b"),
        ("OGL-UK", r"open government licen[cs]e|nationalarchives\.gov\.uk/doc/open-government-licence"),
        ("ODbL", r"open (?:data commons open )?database licen[cs]e|opendatacommons\.org/licenses/odbl"),
        ("Apache", r"apache licen[cs]e|apache\.org/licenses/LICENSE"),
        ("MIT", r"\bMIT licen[cs]e|opensource\.org/licen[cs]es?/mit"),
    )
)
_WINDOW = 160
OPEN = re.compile(r"CC-BY(?:-SA)?(?:-\d|$)|CC0|CC-PDM|Public-Domain|GFDL|OGL-UK|ODbL|Apache|MIT")
"""Identifiers that permit commercial use and changed versions."""


def license_in(text: str) -> str | None:
    """The first licence that a text names, by the address of its deed, its code or its name; None where it
    names none.

    What stands near it may give the version: "the Creative Commons Attribution License
    (http://creativecommons.org/licenses/by/4.0/)"."""
    found = [match for match in (_deed(text), _code(text), _name(text), _other(text)) if match is not None]
    if not found:
        return None
    at, first = min(found)
    return max((name for place, name in found if name.startswith(first) and place - at < _WINDOW), key=len)


def is_open(identifier: str) -> bool:
    """Whether a licence permits commercial use and changed versions."""
    return OPEN.match(identifier) is not None


def _deed(text: str) -> tuple[int, str] | None:
    match = _DEED.search(text)
    if match is None:
        return None
    if match[3]:
        name = "CC0" if match[4].lower() == "zero" else "CC-PDM"
        return match.start(), _versioned(name, match[5] or "1.0")
    return match.start(), _versioned(f"CC-{_ordered(match[1].upper().split('-'))}", match[2])


def _code(text: str) -> tuple[int, str] | None:
    match = _CODE.search(text)
    if match is None:
        return None
    if match[1] == "0":
        return match.start(), _versioned("CC0", match[2] or "1.0")
    return match.start(), _versioned(f"CC-{_ordered(re.split('[ -]', match[1]))}", match[2])


def _name(text: str) -> tuple[int, str] | None:
    """Creative Commons by name: the elements that follow in one run, and the version behind them."""
    for match in _NAME.finditer(text):
        rest = text[match.end() : match.end() + _WINDOW]
        if re.match(r"(?:zero|0|CC0)\b", rest, re.IGNORECASE):
            return match.start(), "CC0-1.0"
        end = 0
        elements = set()
        while True:
            near = [
                (found.start(), found.end(), name)
                for name, pattern in _ELEMENT.items()
                if name not in elements and (found := pattern.search(rest, end, end + 40)) is not None
            ]
            if not near:
                break
            start, stop, name = min(near)
            if re.search(r"[.;()]|licen[sc]|lizen[zc]", rest[end:start], re.IGNORECASE):
                break
            elements.add(name)
            end = stop
        if "BY" in elements or {"NC", "SA"} <= elements:
            version = _VERSION.search(rest, end, end + 30)
            return match.start(), _versioned(
                f"CC-{_ordered(['BY', *elements])}", version[1] if version else None
            )
    return None


def _other(text: str) -> tuple[int, str] | None:
    found = []
    for name, pattern in _OTHERS:
        match = pattern.search(text)
        if match is not None:
            version = _VERSION.search(text, match.end(), match.end() + 30)
            found.append((match.start(), _versioned(name, version[1] if version else None)))
    return min(found) if found else None


def _ordered(elements: list[str]) -> str:
    return "-".join(name for name in ("BY", "NC", "SA", "ND") if name in elements)


def _versioned(name: str, version: str | None) -> str:
    return f"{name}-{version}" if version else name

"""What stands around a candidate, and what is known of its document.

Some numbers mean something only beside a word that says what they are. Words are looked for in the
characters before a number, on both sides of a line end; a replacement token such as <EMAIL> counts as one
digit, so that a masked text is judged as the original was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from filters.masking import TOKEN

BEFORE, AFTER = 48, 12
"""Characters before and after a number in which a word counts."""

LANGUAGES: dict[str, tuple[str, ...]] = {
    "ar": ("SA", "AE", "EG"),
    "da": ("DK",),
    "de": ("DE", "AT", "CH"),
    "en": ("US", "GB", "AU", "IN"),
    "es": ("ES", "MX", "AR", "CO", "CL"),
    "fi": ("FI",),
    "fr": ("FR", "BE", "CH"),
    "it": ("IT", "CH"),
    "ja": ("JP",),
    "ko": ("KR",),
    "nl": ("NL", "BE"),
    "no": ("NO",),
    "nb": ("NO",),
    "pl": ("PL",),
    "pt": ("PT", "BR"),
    "ru": ("RU",),
    "sv": ("SE", "FI"),
    "th": ("TH",),
    "tr": ("TR",),
    "zh": ("CN", "TW", "HK"),
}
"""ISO 639-1 language to the regions (ISO 3166-1) where most of its pages are written."""
FALLBACK = ("US", "GB")
"""Regions of a document of which neither language nor domain is known."""
_DOMAINS = {"uk": "GB"}
_GENERIC = "ad ai as bz cc cd co dj eu fm gg io la ly me ms nu sc sh sr su to tv tk ws"
# Top-level domains of two letters that are used all over the world (most of these Google treats as generic:
# developers.google.com/search/docs/specialty/international/managing-multi-regional-sites).


def regions_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Regions by the document's country domain, then by its language; empty where neither is known."""
    found: list[str] = []
    url = document.get("url")
    if isinstance(url, str):
        found += _region_of_url(url)
    language = document.get("language")
    if isinstance(language, str):
        found += LANGUAGES.get(re.split(r"[-_]", language.lower())[0], ())
    return tuple(dict.fromkeys(found))


def _region_of_url(url: str) -> list[str]:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return []
    domain = host.rpartition(".")[2]
    if len(domain) != 2 or not domain.isalpha() or not domain.isascii() or domain in _GENERIC.split():
        return []
    return [_DOMAINS.get(domain, domain.upper())]


def before(text: str, start: int) -> str:
    """The characters before a candidate, in small letters."""
    piece = text[max(0, start - 3 * BEFORE) : start]
    if "<" in piece:
        piece = TOKEN.sub("0", piece)
    return piece[-BEFORE:].lower()


def after(text: str, end: int) -> str:
    """The characters after a candidate."""
    piece = text[end : end + 3 * AFTER]
    if "<" in piece:
        piece = TOKEN.sub("0", piece)
    return piece[:AFTER].lower()


def words(listed: str) -> re.Pattern[str]:
    """A pattern for whole words or phrases, listed with commas between them.

    A Latin, Greek or Cyrillic letter or an underscore beside them makes another word of them; those of
    scripts without spaces are found anywhere.
    """
    alternatives = [word.strip() for word in listed.split(",")]
    spaced = "|".join(re.escape(word) for word in alternatives if ord(word[0]) < 0x0E00)
    unspaced = "|".join(re.escape(word) for word in alternatives if ord(word[0]) >= 0x0E00)
    pattern = rf"(?<![^\W\d])(?:{spaced})(?![^\W\d])" if spaced else ""
    return re.compile("|".join(filter(None, (pattern, unspaced))))


def in_url(text: str, start: int) -> bool:
    """Whether the characters since the last white space make a URL of what stands here."""
    piece = text[max(0, start - 256) : start]
    last = piece.split()[-1] if piece and not piece[-1].isspace() else ""
    return "://" in last or last.startswith("www.")

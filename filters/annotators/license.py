"""The licence under which a page says it stands (not that of what it shows or writes about).

Two kinds of evidence count: what the mark-up states (`rel=license`, meta elements, microdata, JSON-LD, the
header `Link`), and a sentence that says so of the page, the site, the text. A licence that is merely
mentioned, or given to a picture, a font, some code, is not the page's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.base import TextView
from filters.licenses import is_open, license_in

PAGE_TYPES = frozenset(
    {
        "article",
        "newsarticle",
        "blogposting",
        "scholarlyarticle",
        "techarticle",
        "report",
        "webpage",
        "website",
        "creativework",
        "learningresource",
        "course",
        "book",
        "chapter",
        "recipe",
        "howto",
        "medicalscholarlyarticle",
        "discussionforumposting",
        "qapage",
        "faqpage",
        "aboutpage",
        "itempage",
    }
)
"""schema.org types that stand for the page or its text; a licence of an `ImageObject`, a `Dataset` or a
product is not the page's."""
EVIDENCE = ("rel", "header", "meta", "itemprop", "json-ld", "statement")
"""Kinds of evidence, the strongest first."""
MAX_CHARACTERS = 1_000_000
MAX_PLACES = 200
"""Of each part of a word."""

_SAYS = re.compile(
    r"licen[sc]ed\s+(?:to\s+the\s+public\s+)?(?:under|according)|(?:released|published|distributed"
    r"|available|shared|provided|offered|reusable)"
    r"\s+(?:\w+\s+){0,3}under|dual[- ]licensed"
    r"|lizenz(?:iert)?\b|sous\s+(?:la\s+|les\s+termes\s+de\s+la\s+)?licence|bajo\s+(?:una\s+"
    r"|la\s+)?licencia|con\s+licen[cz]a|sotto\s+(?:la\s+)?licenza"
    r"|sob\s+(?:a|uma|os\s+termos\s+da)?\s*licen[cç]a|na\s+licencji|under\s+(?:en\s+)?licens|licentie"
    r"|на\s+условиях\s+лицензии|по\s+лицензии"
    r"|ライセンスの?(?:下|もと|に)|라이선스에?|许可协议|授权|授權條款|สัญญาอนุญาต|ترخيص|رخصة",
    re.IGNORECASE,
)
_PAGE = re.compile(
    r"\b(?:this\s+(?:\w+\s+)?(?:work|page|site|website|web\s?site|blog|article|post|text|document|book"
    r"|wiki|content|material|publication|resource|course"
    r"|story|report|guide|tutorial|chapter|paper|lesson)"
    r"|(?:content|contents|(?:all|the)\s+texts?|articles?|posts?|documentation|docs|materials?|contributions|works?)\b)"
    r"|\b(?:dieses?r?\s+\w+|inhalte?|texte?)\b|\b(?:ce(?:tte)?|cet)\s+\w+|\b(?:est[ea]|questo|quest[ao]"
    r"|tod[oa]s?)\s+\w+|\bcontenu|\bcontenid|\bcontenut|\bconte[uú]d"
    r"|\bdeze\s+\w+|\binhoud|\btekst|\btre[sś][cć]|\binnehåll|\bindhold|текст|материал|содержани|この"
    r"|本(?:作品|文|站|页|頁|サイト)|作品|文章|内容|이\s?저작물|저작물|콘텐츠"
    r"|هذا|المحتوى|النص|เนื้อหา|ข้อความ",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\b(?:photos?|photographs?|images?|pictures?|figures?|illustrations?|icons?|fonts?|typefaces?|code"
    r"|software|source|samples?|examples?|recipes?|plug-?ins?"
    r"|firmware|packages?|librar(?:y|ies)|binaries|logos?|videos?|audio|music|songs?|tracks?|maps?"
    r"|data(?:sets?|bases?)?|bild(?:er)?|fotos?|logiciel"
    r"|imagen(?:es)?|immagin[ei]|imagens?|zdj[eę]ci\w*|obraz\w*|bilder)\b|写真|画像|图片|圖片|사진|이미지|фото"
    r"|изображени|صورة|ภาพ",
    re.IGNORECASE,
)
_RESERVED = re.compile(
    r"all\s+rights\s+reserved|alle\s+rechte\s+vorbehalten|tous\s+droits\s+r[ée]serv[ée]s"
    r"|todos\s+los\s+derechos\s+reservados"
    r"|todos\s+os\s+direitos\s+reservados|tutti\s+i\s+diritti\s+(?:sono\s+)?riservati"
    r"|alle\s+rechten\s+voorbehouden"
    r"|wszelkie\s+prawa\s+zastrze[żz]one|все\s+права\s+защищены|保留所有权利|版权所有|版權所有|無断転載(?:を)?(?:禁|禁止)"
    r"|모든\s?권리\s?보유|جميع\s+الحقوق\s+محفوظة",
    re.IGNORECASE,
)
_PUBLIC_DOMAIN = re.compile(
    r"\bthis\s+(?:\w+\s+)?(?:work|text|document|page|book|article|content|file|report"
    r"|publication)\s+is\s+(?:\w+\s+){0,3}in\s+the\s+public\s+domain",
    re.IGNORECASE,
)
_WITHIN = re.compile(
    r"\s*(?:\w+\s+)?(?:on|in|of|from|throughout|within|used|auf|sur|en|em|su|op|på|na|w|z)\s+(?:\w+\s+){0,2}",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?。！？]\s|\n")
_HINTS = (
    "icens",
    "icenc",
    "izenz",
    "ommons",
    "CC BY",
    "CC-BY",
    "GFDL",
    "ublic domain",
    "ights reserved",
    "права",
    "ライセンス",
    "라이선스",
    "许可",
    "授权",
    "授權",
    "สัญญา",
    "رخص",
)
"""Parts of words around which sentences are looked at: to look for them costs nothing beside looking at all
sentences."""
_LINK = re.compile(r"<([^>]*)>([^<]*)")
_BEFORE, _BEHIND, _NEAR = 200, 220, 120


class License:
    """The licence of a page.

    license.id: SPDX identifier, without a version where none is said; `All-Rights-Reserved` where the mark-up
    or a sentence says so and names no licence. license.evidence: the strongest kind (`rel`, `header`, `meta`,
    `itemprop`, `json-ld`, `statement`). license.url: the address that states it. license.open: whether it
    permits commercial use and changes. license.contradictory: whether evidence names licences that differ, or
    also reserves all rights. license.mentioned: licences that are named or linked without being the page's,
    with commas between. All null where nothing is said."""

    name = "license"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "license.id": pa.string(),
        "license.evidence": pa.string(),
        "license.url": pa.string(),
        "license.open": pa.bool_(),
        "license.contradictory": pa.bool_(),
        "license.mentioned": pa.string(),
    }

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows = [
            _judge(view.text[:MAX_CHARACTERS], document)
            for view, document in zip(views, documents, strict=True)
        ]
        return {
            name: pa.array([row[index] for row in rows], kind)
            for index, (name, kind) in enumerate(self.columns.items())
        }


def _judge(text: str, document: Mapping[str, Any]) -> tuple[Any, ...]:
    found: dict[str, list[tuple[str, str]]] = {}
    mentioned: list[str] = []
    reserved = False
    for kind, value, of in _stated(document):
        identifier = license_in(value)
        if kind in ("text", "link"):
            if kind == "link":
                mentioned += [identifier] if identifier else []
                continue
            identifier = statement(value)
        elif identifier is None and value.rstrip("/").endswith(
            ("creativecommons.org/licenses", "creativecommons.org")
        ):
            continue
        reserved = reserved or _RESERVED.search(value) is not None
        if identifier and (of is None or of.lower() in PAGE_TYPES):
            found.setdefault("statement" if kind == "text" else kind, []).append((identifier, value))
        elif identifier:
            mentioned.append(identifier)
    for sentence in _sentences(text):
        reserved = reserved or _RESERVED.search(sentence) is not None
        if identifier := statement(sentence):
            found.setdefault("statement", []).append((identifier, sentence))
        elif identifier := license_in(sentence):
            mentioned.append(identifier)
    return _conclude(found, mentioned, reserved)


def _conclude(
    found: Mapping[str, list[tuple[str, str]]], mentioned: Sequence[str], reserved: bool
) -> tuple[Any, ...]:
    names = list(dict.fromkeys(identifier for kind in EVIDENCE for identifier, _ in found.get(kind, ())))
    if not names:
        others = ",".join(dict.fromkeys(mentioned)) or None
        if reserved:
            return "All-Rights-Reserved", "statement", None, False, False, others
        return (None, None, None, None, None, others)
    kind = next(kind for kind in EVIDENCE if found.get(kind))
    identifier, value = max(found[kind], key=lambda item: (item[0] == names[0], len(item[0])))
    # The same licence with and without its version is no contradiction.
    identifier = max((name for name in names if _same(name, identifier)), key=len)
    differ = any(not _same(name, identifier) for name in names)
    others = ",".join(name for name in dict.fromkeys(mentioned) if not _same(name, identifier)) or None
    url = value if re.match(r"(?:https?:)?//|/", value) and not re.search(r"\s", value) else None
    return identifier, kind, url, is_open(identifier), differ or reserved, others


def _same(one: str, other: str) -> bool:
    return one == other or _bare(one) == other or one == _bare(other)


def _bare(identifier: str) -> str:
    return re.sub(r"-\d\.\d$", "", identifier)


def _stated(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Kind, value and licensed type of what mark-up and headers state."""
    page, http = document.get("page"), document.get("http")
    for item in (page.get("license") if isinstance(page, Mapping) else None) or ():
        if (
            isinstance(item, Mapping)
            and isinstance(item.get("from"), str)
            and isinstance(item.get("value"), str)
        ):
            of = item.get("of")
            yield item["from"], item["value"], of if isinstance(of, str) else None
    link = http.get("link") if isinstance(http, Mapping) else None
    for address, relations in _LINK.findall(link) if isinstance(link, str) else ():
        if re.search(r"rel\s*=\s*\"?[^\";]*\blicense\b", relations, re.IGNORECASE):
            yield "header", address, None


def _sentences(text: str) -> Iterator[str]:
    """The parts of a text around words of licences, each once."""
    end = 0
    for at in sorted(at for hint in _HINTS for at in _places(text, hint)):
        if at < end:
            continue
        start = max(end, at - _BEFORE)
        breaks = [found.end() for found in _SENTENCE_END.finditer(text, start, at)]
        start = breaks[-1] if breaks else start
        stop = text.find("\n", at, at + _BEHIND)
        end = stop if stop >= 0 else min(len(text), at + _BEHIND)
        yield text[start:end]


def _places(text: str, hint: str) -> Iterator[int]:
    at = text.find(hint)
    for _ in range(MAX_PLACES):
        if at < 0:
            return
        yield at
        at = text.find(hint, at + 1)


def statement(sentence: str) -> str | None:
    """The licence that a sentence gives to the page, or None: "This work is licensed under CC BY 4.0", not
    "Photo: CC BY"."""
    if _PUBLIC_DOMAIN.search(sentence):
        return "Public-Domain"
    for match in _SAYS.finditer(sentence):
        # In most languages the licence follows, in Japanese, Korean and Chinese it stands before.
        identifier = license_in(sentence[match.start() : match.end() + _NEAR])
        if identifier is None and not match[0].isascii():
            identifier = license_in(sentence[max(0, match.start() - _NEAR) : match.start()])
        ends = [found.end() for found in _SENTENCE_END.finditer(sentence, 0, match.start())]
        before = sentence[ends[-1] if ends else 0 : match.start()]
        if identifier and _of_the_page(before, sentence[match.start() : match.end() + 40]):
            return identifier
    return None


def _of_the_page(before: str, behind: str) -> bool:
    """Whether what is licensed is the page and no part of it: "photos on this page" are a part."""
    subjects, parts = list(_PAGE.finditer(before)), list(_PART.finditer(before))
    if not parts:
        return bool(subjects) or _PAGE.search(behind) is not None
    later = [subject for subject in subjects if subject.start() > parts[-1].start()]
    return bool(later) and not _WITHIN.fullmatch(before, parts[-1].end(), later[0].start())

"""What a page's mark-up says of the page: language, address, robots, opt-outs, licences.

No tree and no tokenizer: one search for `<meta`, `<link` and `<html`, one for the word "license". Only where
one of them says something of interest is it asked whether it stands in a comment, script, style sheet or text
area, which a browser passes over. Whatever the input, the work is linear: a tag is read for at most
TAG_CHARACTERS, at most MAX_TAGS of a kind are, and what is never closed ends the page."""

from __future__ import annotations

import html as entities
import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from corpus.sources.base import clean, present

TAG_CHARACTERS = 4096
"""A longer tag is not read: those for robots and licences have some hundred characters."""
MAX_TAGS = 2000
"""Of each kind; the most `<meta` and `<link` of 1,497 real pages are 1,250 together."""
MAX_VALUE = 1000
"""Characters kept of a value."""
SENTENCE_CHARACTERS = 800
"""How much mark-up around "licensed under" is looked at, on each side."""
MAX_LICENSES = 20
"""Licence statements kept of a page; catalogues state one for every picture."""
MAX_JSON = 1 << 20
"""Characters of a JSON-LD script that are read."""

# The commonest tags, which say nothing of interest, are passed over in the search itself; the commonest shape
# of the others, name or relation first, tells at once.
_TAG = re.compile(
    r"<([mMlLhH](?:[eE][tT][aA]|[iI][nN][kK]|[tT][mM][lL]))(?=[\s/>])"
    r"""(?!\ (?:rel=["'](?:stylesheet|alternate|icon|pre|dns-|apple-|shortcut|modulepreload)"""
    r"""|(?:name|property)=["'](?:og:(?!type|license)|twitter:|article:|viewport|desc|ms|theme)|charset=[^\s>]*+\s*/?>))"""
    r"""(?:\s+(?:name|property|rel)\s*=\s*["']?([^"'>]{1,100}))?"""
)
_OPENER = re.compile(
    r"<(?:!--|([sS][cC][rR][iI][pP][tT]|[sS][tT][yY][lL][eE]|[tT][eE][xX][tT][aA][rR][eE][aA])(?=[\s/>]))"
)
_CLOSER = {name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("script", "style", "textarea")}
_COMMENT_END = re.compile("--!?>")
_BLOCK = re.compile(
    r"</?(?:p|div|li|ul|td|tr|h[1-6]|section|footer|article|br|script|style)\b[^>]*>", re.IGNORECASE
)
_TAG_OR_REST = re.compile(r"<[^>]*>?")
_NAME = re.compile(r"[A-Za-z][^\s/>]*")
# Every step consumes something and nothing is tried twice, so that no mark-up makes it slow.
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(>)|([^\s"'>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>]*+)))?+|["'=])"""
)
_JSON_LICENSE = re.compile(r'"license"\s*:\s*"((?:[^"\\]|\\.){1,1000})"')

BOTS = frozenset(
    {
        "robots",
        "slurp",
        "yandex",
        "teoma",
        "baiduspider",
        "google-extended",
        "applebot-extended",
        "googlebot-news",
    }
)
"""Names of robots meta elements without "bot" at their end, as Google, Yahoo, Yandex, Baidu and Apple
document them."""
_BOT = re.compile(r"[a-z][\w.-]*bot(?:[-_][\w-]*)?")
_RIGHTS = frozenset(
    {
        "license",
        "licence",
        "rights",
        "copyright",
        "cc:license",
        "og:license",
        "dc.license",
        "dc.rights",
        "dc.rights.license",
        "dc:rights",
        "dc:license",
        "dcterms.license",
        "dcterms.rights",
        "dcterms.accessrights",
        "dcterms:license",
        "dcterms:rights",
        "dct:license",
        "dct:rights",
        "citation_license",
        "xhtml:license",
        "schema:license",
    }
)
"""Names of meta elements, and of `property` and `rel` in RDFa, that state rights (Dublin Core, ccREL,
Highwire)."""
_LICENSED = _RIGHTS - {"rights", "copyright"}
"""The same for links: HTML's `rel=copyright` leads to a notice, which is no licence."""
_OTHERS = frozenset({"generator", "og:type", "tdm-reservation", "tdm-policy", "content-language"})


def page_signals(html: str) -> dict[str, Any]:
    """What a page says of itself; only what it says.

    `html_lang`: language tag of the html element, else of `<meta http-equiv="content-language">`.
    `canonical`: the canonical address as written. `generator`, `og_type`.
    `robots`: contents of robots meta elements by lower-case name (`robots`, `googlebot`, `gptbot`, ...),
    several of one name joined by ", ". `tdm`: `reservation` and `policy` (TDM Reservation Protocol,
    w3.org/2022/tdmrep). `license`: statements of licence or rights in the order of the page: `from` (`rel`,
    `meta`, `itemprop`, `json-ld`; `text` for a sentence around "licensed under", `link` for a deed of
    Creative Commons that is merely linked), `value` (an address or words, as written) and, of JSON-LD, `of`,
    the type of what is licensed."""
    page = _Page(html)
    page.tags()
    page.mentions()
    page.licenses.sort(key=lambda found: found[0])
    licenses: list[dict[str, str]] = []
    for _, statement in page.licenses:
        if statement not in licenses and len(licenses) < MAX_LICENSES:
            licenses.append(statement)
    said = page.said
    return present(
        html_lang=page.language or said.get("content-language"),
        canonical=page.canonical,
        generator=said.get("generator"),
        og_type=said.get("og:type"),
        robots=page.robots or None,
        tdm=present(reservation=said.get("tdm-reservation"), policy=said.get("tdm-policy")) or None,
        license=licenses or None,
    )


class _Page:
    """What the searches have found so far."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.language: str | None = None
        self.canonical: str | None = None
        self.said: dict[str, str] = {}
        self.robots: dict[str, str] = {}
        self.licenses: list[tuple[int, dict[str, str]]] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._seen = 0

    def tags(self) -> None:
        """Read what meta, link and html elements say."""
        metas = links = 0
        for match in _TAG.finditer(self.html):
            kind, hint = match.groups()
            kind = kind.lower()
            if kind == "meta" and metas < MAX_TAGS:
                metas += 1
                if hint is None or _wanted(hint.strip().partition(" ")[0].lower()):
                    self._meta(match.start(), match.end(1))
            elif kind == "link" and links < MAX_TAGS:
                links += 1
                if _linked((hint or self._tag(match.end())).lower()):
                    self._link(match.start(), match.end(1))
            elif kind == "html" and self.language is None and self._opaque(match.start()) is None:
                found = _attributes(self.html, match.end(1))
                self.language = _value(found.get("lang") or found.get("xml:lang") or "") or None

    def _tag(self, position: int) -> str:
        """What is left of a tag, or of its beginning where a value has a ">"."""
        return self.html[position : self.html.find(">", position, position + TAG_CHARACTERS)]

    def mentions(self) -> None:
        """Find licences on anchors and other elements (`rel=license`, RDFa, microdata), and in JSON-LD."""
        html = self.html
        position = 0
        for _ in range(MAX_TAGS):
            position = html.find("license", position)
            if position < 0:
                return
            region = self._opaque(position)
            if region is not None:
                self._script(*region)
                position = region[1]
                continue
            start = html.rfind("<", max(0, position - TAG_CHARACTERS), position)
            end = html.find(">", start, start + TAG_CHARACTERS) if start >= 0 else -1
            if end < position:
                position = self._sentence(position)
                continue
            name = _NAME.match(html, start + 1)
            position += len("license")
            if name is None or name[0].lower() in ("meta", "link"):
                continue
            found = _attributes(html, name.end())
            value = _value(found.get("href") or found.get("resource") or "")
            relations = f"{found.get('rel', '')} {found.get('property', '')}".lower().split()
            if value and not _LICENSED.isdisjoint(relations):
                self._license(start, "rel", value)
            elif value and found.get("itemprop", "").strip().lower() == "license":
                self._license(start, "itemprop", value)
            elif "creativecommons.org/licenses/" in value:
                self._license(start, "link", value)
            position = end

    def _sentence(self, position: int) -> int:
        """Keep what a page says around "licensed under"; returns where to go on."""
        end = position + len("license")
        if not self.html.startswith(("d under", "d for use under"), end):
            return end
        begin = max(0, position - SENTENCE_CHARACTERS)
        stop = end + SENTENCE_CHARACTERS
        around = self.html[begin:stop]
        # Cut where a block begins or ends: what is said before is about something else.
        cuts = [match.end() for match in _BLOCK.finditer(around, 0, position - begin)]
        after = _BLOCK.search(around, end - begin)
        around = around[cuts[-1] if cuts else around.find(">", 0, 100) + 1 : after.start() if after else None]
        text = _TAG_OR_REST.sub(" ", around)
        if value := _value(text):
            self._license(position, "text", value)
        return stop

    def _opaque(self, at: int) -> tuple[int, int] | None:
        """Start and end of the comment, script, style sheet or text area around a place. Reads no further."""
        html = self.html
        while self._seen <= at and (match := _OPENER.search(html, self._seen, at)) is not None:
            # "<!-->" and "<!--->" are whole comments.
            end = (
                _CLOSER[match[1].lower()].search(html, match.end())
                if match[1]
                else _COMMENT_END.search(html, match.end() - 2)
            )
            self._starts.append(match.start())
            self._ends.append(end.end() if end else len(html))
            self._seen = self._ends[-1]
        self._seen = max(self._seen, at - len("<textarea"))
        before = bisect_right(self._starts, at) - 1
        return (self._starts[before], self._ends[before]) if before >= 0 and at < self._ends[before] else None

    def _meta(self, start: int, position: int) -> None:
        found = _attributes(self.html, position)
        value = _value(found.get("content", ""))
        if not value or self._opaque(start) is not None:
            return
        if found.get("itemprop", "").strip().lower() == "license":
            self._license(start, "itemprop", value)
        for attribute in ("name", "property", "http-equiv"):
            name = found.get(attribute, "").strip().lower()
            if name in _RIGHTS:
                self._license(start, "meta", value)
            elif name in _OTHERS:
                self.said.setdefault(name, value)
            elif _is_bot(name):
                known = self.robots.get(name)
                self.robots[name] = f"{known}, {value}"[:MAX_VALUE] if known else value

    def _link(self, start: int, position: int) -> None:
        found = _attributes(self.html, position)
        value = _value(found.get("href", ""))
        relations = found.get("rel", "").lower().split()
        if not value or self._opaque(start) is not None:
            return
        if "canonical" in relations and self.canonical is None:
            self.canonical = value
        if not _LICENSED.isdisjoint(relations):
            self._license(start, "rel", value)
        elif found.get("itemprop", "").strip().lower() == "license":
            self._license(start, "itemprop", value)

    def _script(self, start: int, end: int) -> None:
        """Licences in a script, if it is JSON-LD."""
        opened = self.html.find(">", start, start + TAG_CHARACTERS)
        if opened < 0 or "ld+json" not in self.html[start:opened].lower():
            return
        body = self.html[opened + 1 : min(end, opened + MAX_JSON)].rpartition("</")[0]
        if '"license"' not in body:
            return
        statements: list[tuple[str, str | None]]
        try:
            statements = list(_json_licenses(json.loads(body, strict=False)))
        except (ValueError, RecursionError):
            statements = [(text.replace("\\/", "/"), None) for text in _JSON_LICENSE.findall(body)]
        for text, kind in statements[:MAX_LICENSES]:
            if value := _value(text):
                self._license(start, "json-ld", value, kind)

    def _license(self, at: int, where: str, value: str, kind: str | None = None) -> None:
        self.licenses.append((at, present(**{"from": where, "value": value, "of": kind})))


def _wanted(name: str) -> bool:
    return name in _RIGHTS or name in _OTHERS or _is_bot(name)


def _linked(relations: str) -> bool:
    return "canonical" in relations or "license" in relations or "dc" in relations


def _is_bot(name: str) -> bool:
    return name in BOTS or _BOT.fullmatch(name) is not None


def _attributes(html: str, position: int) -> dict[str, str]:
    """Attributes of the tag whose name ends at `position`, names in small letters, the first of each; none
    where the tag does not end."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(html, position, position + TAG_CHARACTERS):
        end, name, double, single, bare = match.groups()
        if end:
            return found
        if name:
            found.setdefault(name.lower(), double or single or bare or "")
    return {}


def _value(raw: str) -> str:
    """An attribute's value for people: references resolved, white space folded, cut to MAX_VALUE."""
    text = entities.unescape(raw) if "&" in raw else raw
    return clean(" ".join(text.split())[:MAX_VALUE]).replace("\0", "\ufffd")


def _json_licenses(data: Any) -> Iterator[tuple[str, str | None]]:
    """Values of `license` in JSON-LD, with the `@type` of what they license."""
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, dict):
            kind = item.get("@type")
            kind = kind[0] if isinstance(kind, list) and kind else kind
            for value in _listed(item.get("license")):
                address = (
                    (value.get("@id") or value.get("url") or value.get("name"))
                    if isinstance(value, dict)
                    else value
                )
                if isinstance(address, str):
                    yield address, clean(kind[:100]) if isinstance(kind, str) else None
            waiting.extend(reversed(item.values()))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

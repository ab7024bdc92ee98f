"""URLs in a form in which addresses of the same page are equal.

    HTTP://User@Example.COM:80/a/../b/index.html?utm_source=x&b=2&a=1#top  ->  http://example.com/b?a=1&b=2

Small letters, default ports, escapes and dot segments are RFC 3986, section 6.2.2 and 6.2.3; the rest are
usual conventions of crawlers, which may join two pages that differ in a directory's index or a tracking
parameter. Normalising twice changes nothing. What tells pages apart more carefully is
`filters.annotators.url_key`, made of the same pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

TRACKING = frozenset(
    {
        "_ga", "_gl", "_hsenc", "_hsmi", "_openstat", "cmpid", "dclid", "fb_action_ids",
        "fb_action_types", "fb_ref", "fb_source", "fbclid", "gad_source", "gbraid", "gclid", "gclsrc",
        "icid", "igsh", "igshid", "li_fat_id", "mc_cid", "mc_eid", "mkt_tok", "msclkid", "oly_anon_id",
        "oly_enc_id", "rb_clickid", "s_cid", "srsltid", "ttclid", "twclid", "vero_conv", "vero_id",
        "wbraid", "wickedid", "yclid", "ysclid",
    }
)  # fmt: skip
"""Query parameters that only say where a visitor came from, beside `utm_*` and `mtm_*`: as the advertising
systems that add them document (Google, Meta, Microsoft, Yandex, TikTok, HubSpot, Mailchimp, Marketo, Matomo,
Vero, Omeda)."""
SESSION = frozenset(
    {"phpsessid", "jsessionid", "sessionid", "session_id", "cfid", "cftoken", "oscsid", "zenid"}
)
"""Query parameters that name a visitor's session, beside `aspsessionid*`: PHP, Java, ColdFusion, osCommerce,
Zen Cart."""
INDEXES = re.compile(r"(?:index|default)\.(?:html?|shtml|xhtml|php\d?|aspx?|jspx?|cfm|cgi|pl)", re.IGNORECASE)
"""Names under which web servers serve a directory's own page."""
MAX_CHARACTERS = 8192
"""A longer URL is none: servers and archives cut at 2,000 to 8,000."""

PORTS = {"http": "80", "https": "443"}
"""The ports that need not be named."""
_URL = re.compile(
    r"(https?)://(?:[^/?#\\]*@)?(\[[0-9a-f:.]+\]|[^/?#\\:@\[\]]+)(?::(\d*))?([/\\][^?#]*)?(?:\?([^#]*))?(?:#(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_IGNORED = re.compile("[\t\n\r]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNSAFE = re.compile(r"[^!-~]|[\"<>\\^`{|}]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_TRACKED_PREFIXES = ("utm_", "mtm_", "aspsessionid")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of an address of the web, normalised."""

    scheme: str
    """`http` or `https`."""
    host: str
    """Small letters, ASCII (`xn--…`); an IPv6 address with its brackets."""
    port: str
    """Empty for the scheme's own."""
    path: str
    """Begins with "/"; ends with one only where it is nothing else."""
    query: str
    """Without "?"; parameters in the order of their names."""

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{port}{self.path}{query}"

    @property
    def authority(self) -> str:
        """Host, and port if it is not the scheme's own."""
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of an address of the web: scheme and host normalised, the others as they were written."""

    scheme: str
    host: str
    port: str
    """Without leading zeros; empty where none is named."""
    path: str
    query: str
    fragment: str


def split_url(text: str | None) -> Pieces | None:
    """The pieces of a URL, or None for what is no address of the web (another scheme, no host, a host that
    cannot be)."""
    if not text or len(text) > MAX_CHARACTERS:
        return None
    match = _URL.fullmatch(_IGNORED.sub("", text.strip("".join(map(chr, range(33))))))
    if match is None:
        return None
    host = _host(match[2])
    port = (match[3] or "").lstrip("0")
    if host is None or len(port) > 5 or (match[3] and not port):
        return None
    return Pieces(match[1].lower(), host, port, match[4] or "/", match[5] or "", match[6] or "")


def parse_url(text: str | None) -> Url | None:
    """A normalised URL, or None for what is no address of the web (another scheme, no host, a host that
    cannot be)."""
    raw = split_url(text)
    if raw is None:
        return None
    port = "" if raw.port == PORTS[raw.scheme] else raw.port
    kept = segments(without_session(escape_path(raw.path)))
    # What a directory's own page and a slash at the end leave may be the same again ("/index.php/index.php").
    while kept and (not kept[-1] or INDEXES.fullmatch(kept[-1])):
        kept.pop()
    kept_query = [item for item in items(escape(raw.query)) if not is_tracking(item)]
    return Url(raw.scheme, raw.host, port, "/" + "/".join(kept), "&".join(in_order(kept_query)))


def normalise_url(text: str | None) -> str | None:
    """The address in its normal form, or None for what is no address of the web."""
    url = parse_url(text)
    return str(url) if url is not None else None


def _host(raw: str) -> str | None:
    """A host in small letters and ASCII, without a dot at its end."""
    if raw.startswith("["):
        return raw.lower()
    if "%" in raw:
        raw = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), raw)
    host = raw.lower().rstrip(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii").rstrip(".")
        except (idna.IDNAError, UnicodeError, IndexError):
            return None
    return host if len(host) <= 253 and _HOST.fullmatch(host) else None


def escape(text: str) -> str:
    """Escapes in one form: unreserved characters as themselves, all others that need it as %XX."""
    if _UNSAFE.search(text) is None and "%" not in text:
        return text
    text = _LONE_PERCENT.sub("%25", text)
    text = _ESCAPE.sub(_unescape, text)
    return _UNSAFE.sub(lambda found: _percent(found[0]), text)


def _unescape(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def escape_path(raw: str) -> str:
    """A path with slashes alone, and escapes in one form."""
    return escape(raw.replace("\\", "/"))


def without_session(path: str) -> str:
    """A path without the sessions that servers write into it."""
    return _SESSION_PATH.sub("", path) if ";" in path else path


def segments(path: str) -> list[str]:
    """What stands between the slashes of a path, dot segments resolved (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    between = path.split("/")[1:]
    for segment in between:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    # "/a/.." is "/" and "/a/." is "/a/".
    return [*kept, ""] if between[-1] in (".", "..") else kept


def items(query: str) -> list[str]:
    """The parameters of a query, each with its value."""
    return [item for item in query.split("&") if item]


def is_tracking(item: str) -> bool:
    """Whether a parameter says who came or where from, not what is wanted: TRACKING, SESSION."""
    name = item.partition("=")[0].lower()
    return name in TRACKING or name in SESSION or name.startswith(_TRACKED_PREFIXES)


def in_order(parameters: list[str]) -> list[str]:
    """Parameters in the order of their names; values of one name stay in theirs, which may mean something."""
    return sorted(parameters, key=lambda item: item.partition("=")[0])

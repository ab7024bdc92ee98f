"""E-mail addresses and public IP addresses."""

from __future__ import annotations

import ipaddress
import re

from filters.findings import Finding
from filters.pii.context import before, words

_LOCAL = re.compile(r"[\w.+%&'’-]{1,64}\Z")
"""RFC 5322's atoms without the marks that stand around addresses in text (=, /, ?, !, {, |, `, ...)."""
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,40}|[^\W\d_]{2,24})(?![\w-])"
)
_RESERVED = re.compile(r"(?i)(?:.*\.)?(?:example\.(?:com|net|org)|example|invalid|test|localhost|local)")
"""RFC 2606 and RFC 6762: names that are nobody's."""
_FILES = "png jpg jpeg gif svg webp avif ico bmp css js mjs ts json html htm php pdf txt xml yaml yml md py"
"""Endings of file names: icon@2x.png."""
_SYSTEM = frozenset(("git", "hg", "svn"))
"""Users of version control, the same for everybody (git@github.com)."""

_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)", re.ASCII)
_ADDRESS = words(
    "ip, ips, ipv4, ipv6, address, addresses, adress, adresse, dirección, indirizzo, endereço, host, "
    "hostname, server, client, proxy, dns, ping, gateway, router, port, remote, subnet, ssh, connect, "
    "connected, login, logged, адрес, 地址, アドレス, 주소"
)
_VERSION = words(
    "version, versions, ver, v, release, released, rev, revision, build, firmware, update, upgrade, driver, "
    "patch, section, sections, chapter, clause, figure, table, rule, article, software, app, android, ios, "
    "chrome, firefox, safari, opera, windows, office, versión, versione, versão, versie, wersja, версия, "
    "версии, абзац, §, kapitel, abschnitt"
)
_SMALL = 32
"""Of a random public address three octets of four are at least this with a chance of 97 %; of a version
hardly any is."""


def email(text: str, at: int) -> Finding | None:
    """The address around an @."""
    local = _LOCAL.search(text, max(0, at - 64), at)
    domain = _DOMAIN.match(text, at + 1)
    if local is None or domain is None:
        return None
    name = local[0].lstrip(".+%&'’-")
    if not name or name.endswith(".") or ".." in name or name in _SYSTEM:
        return None
    host = domain[0].lower()
    if _RESERVED.fullmatch(host) or host.rpartition(".")[2] in _FILES.split():
        return None
    start = at - len(name)
    if _is_password(text, start):
        return None
    return start, domain.end(), "email"


def _is_password(text: str, start: int) -> bool:
    """Whether this is the end of scheme://user:password@host."""
    return (
        start > 0
        and text[start - 1] == ":"
        and re.search(r"://[^\s/@]{0,64}:\Z", text[:start][-80:]) is not None
    )


def ipv4(text: str, start: int, end: int) -> list[Finding]:
    """Public addresses among digits and points."""
    found: list[Finding] = []
    for match in _IPV4.finditer(text, start, end):
        if _is_public(match[0]) and _is_address(text, match.start(), match.end(), match[0]):
            found.append((match.start(), match.end(), "ipv4"))
    return found


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _is_address(text: str, start: int, end: int, address: str) -> bool:
    """Whether this is rather an address than a version or the number of a section."""
    if start and (text[start - 1].isalnum() or (text[start - 1] in "_-+@=" and _word_before(text, start))):
        return False
    if end < len(text) and (text[end].isalnum() or text[end] == "_"):
        return False
    near = before(text, start)
    if _ADDRESS.search(near):
        return True
    if _VERSION.search(near[-24:]) or near.endswith("§"):
        return False
    if end < len(text) and text[end] in "-+" and end + 1 < len(text) and text[end + 1].isalpha():
        return False
    return sum(int(octet) >= _SMALL for octet in address.split(".")) >= 2


def _word_before(text: str, start: int) -> bool:
    """Whether a name goes on here: openssl-1.0.2.4, pkg==1.2.3.4."""
    return start >= 2 and (text[start - 2].isalnum() or text[start - 2] == "=")


def ipv6(text: str, start: int, end: int) -> Finding | None:
    """A public address among hexadecimal digits and colons."""
    address = text[start:end].rstrip(".")
    if address.endswith(":") and not address.endswith("::"):
        address = address[:-1]
    end = start + len(address)
    if start and (text[start - 1].isalnum() or text[start - 1] in "_:.-"):
        return None
    if end < len(text) and (text[end].isalnum() or text[end] in "_:"):
        return None
    groups = [group for group in address.split(":") if group]
    if len(groups) < 3 or not any(c.isdigit() for c in address) or max(map(len, groups)) < 3:
        return None
    return (start, end, "ipv6") if _is_public(address) else None

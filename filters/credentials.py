"""Passwords and keys by where they stand: assigned to a word that says what they are, in strings that connect
to something, in settings, headers and command lines.

No value has a form of its own here; it must stand where a credential stands, and look like no word, no
name and no placeholder.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from itertools import pairwise

from filters.findings import Finding

ASSIGNED = {
    **dict.fromkeys(("password", "passwd", "passphrase", "pwd", "_pass", ".pass", "-pass"), "password"),
    **dict.fromkeys(("secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey"), "key"),
    **dict.fromkeys(
        ("auth_key", "authkey", "private_key", "encryption_key", "credential", "signing_key"), "key"
    ),
}
"""Words that stand before a credential, and the kind of what they are given."""

MIN_ENTROPY_KEY = 3.5
"""Bits a character of an assigned value that counts as a key: a random one of 20 characters in base 64 has
4.1, in hexadecimal 3.5; English words have less than 3.5."""
MIN_ENTROPY_HEX = 3.0
"""The same for hexadecimal digits, of which there are 16 (4 bits at most)."""
MIN_HEX = 32
"""Hexadecimal digits of a key of 128 bits; shorter ones are tokens of assemblies, revisions, colours."""
MIN_PASSWORD = 8
"""Characters of the shortest password that is taken where nothing but its name tells it."""
_ASSIGNMENT = re.compile(
    r"[\w.-]{0,32}[\"']?\]?\s{0,3}(?::\s?=|=>|==?|:)\s{0,3}[brfu]{0,2}(?:([\"'`])([^\s\"'`]{8,200})\1"
    r"|(?<=[=:\s])([\w+/=.~!@#$%^&*-]{8,200})(?![^\s]))",
    re.ASCII,
)
_ENVIRONMENT = re.compile(r"(?:^|[\n\r]|export |set |ENV |ARG |-e )[ \t]*(?:- )?[A-Z][A-Z0-9_]{0,64}$")
_NAME_END = re.compile(r"[\w.-]{0,32}", re.ASCII)
PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|placeholder|change.?me|your.?|insert|redacted|fake|test|todo|xxx|\.\.\.|\*\*\*|123456|abcdef"
    r"|[<>{}]|^\$|\$\(|%[sdr(]|^[a-z_.-]+$|password|passwd|secret|none|null|true|false|undefined|://|\(|\)"
)
_HEX = re.compile(r"[0-9a-fA-F]+")
_IDENTIFIER = re.compile(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|/.*|\w+\[.*"
)
_SEGMENT = re.compile(r"[A-Z]+[a-z]*|[a-z]+|[0-9]+")


_SETTING = re.compile(r"(?:^|[\n\r])[ \t]*(?:- |//[\w./-]{1,80}/:_)?[a-z][A-Za-z0-9_.-]{0,64}$")
# Words of a connection's parameters: `?user=a&password=...`, `Server=a;Password=...;`
_PARAMETER = re.compile(r"=([^\s&;\"'<>{}$`\\]{6,128})(?=[&;\"'\s]|$)")
# `<password>...</password>`, `<add key="Password" value="..."/>`
_ELEMENT = re.compile(
    r">([^\s<>]{6,128})</|[\"'][ \t]+value[ \t]*=[ \t]*[\"']([^\s\"'<>]{6,128})[\"']", re.IGNORECASE
)
# `setPassword("...")`, `define('DB_PASSWORD', '...')`, `WITH PASSWORD '...'`
_ARGUMENT = re.compile(r"[\"']?(?:[ \t]*[,(][ \t]*|[ \t]+)([\"'])([^\s\"'`]{6,128})\1")
# `machine a login b password ...`, `ENV DB_PASSWORD ...`
_NETRC = re.compile(r"\s+([^\s\"'#]{6,128})(?=\s|$)")
_NETRC_BEFORE = re.compile(r"\blogin\s+\S{1,128}\s+$|(?:^|\n)[ \t]*ENV[ \t]+\w{0,64}$")
_BASIC = re.compile(r"[ \t]+([A-Za-z0-9+/]{8,400}={0,2})(?![A-Za-z0-9+/=])")
_BEARER = re.compile(r"[ \t]+([A-Za-z0-9._~+/-]{16,400}={0,2})(?![A-Za-z0-9._~+/=-])")
_CURL = re.compile(r"\b[^\n]{0,300}?\s(?:-u|--user)[ =]?\s*[\"']?[^\s:\"'/]{1,64}:([^\s\"'@]{6,128})")
_MYSQL = re.compile(r"(?:dump|admin)?\b[^\n]{0,200}?\s-p[\"']?([^\s\"'=-][^\s\"'=]{5,64})")

_LINES = {"basic": _BASIC, "bearer": _BEARER, "curl": _CURL, "mysql": _MYSQL}
WORDS = (*ASSIGNED, "identified by", *_LINES)
"""Words at which `credential_at` is to look, whatever their case."""


def credential_at(text: str, at: int, word: str) -> Finding | None:
    """The password or key to which the word that stands at `at` (one of WORDS) leads, or None."""
    end = at + len(word)
    if word in _LINES:
        return _on_line(text, at, end, word)
    kind = ASSIGNED.get(word, "password")
    found = _assigned(text, at, end, kind) if word in ASSIGNED else None
    if found is None and kind == "password":
        found = _named_password(text, at, end)
    return found


def _on_line(text: str, at: int, end: int, word: str) -> Finding | None:
    """A credential of a header (RFC 7617, RFC 6750) or of a command line."""
    if at and (text[at - 1].isalnum() or text[at - 1] in "_-"):
        return None
    match = _LINES[word].match(text, end)
    if match is None:
        return None
    value = match[1]
    if word == "basic":
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return None
        good = bool(colon) and user.isprintable() and password.isprintable() and len(password) >= 4
        return (match.start(1), match.end(1), "password") if good else None
    if word == "bearer":
        return (match.start(1), match.end(1), "key") if _acceptable(value) and _is_random(value) else None
    return (match.start(1), match.end(1), "password") if _is_password(value) else None


def _named_password(text: str, at: int, end: int) -> Finding | None:
    """A password that stands behind its name without an assignment."""
    before = text[at - 1] if at else "\n"
    for pattern, fits in (
        (_PARAMETER, before in "?&;\"'" or (before == " " and text[max(0, at - 2) : at - 1] == ";")),
        (_ELEMENT, True),
        (_ARGUMENT, True),
        (_NETRC, before in " \t\n_" and _NETRC_BEFORE.search(text, max(0, at - 160), at) is not None),
    ):
        match = pattern.match(text, end) if fits else None
        if match is not None:
            group = max(index for index in range(1, pattern.groups + 1) if match[index] is not None)
            if _is_password(match[group]):
                return match.start(group), match.end(group), "password"
    return None


def _acceptable(value: str) -> bool:
    """Whether a value is neither placeholder nor name nor words."""
    return not (PLACEHOLDER.search(value) or _IDENTIFIER.fullmatch(value) or _is_words(value))


def _is_password(value: str) -> bool:
    """Whether a value has the look of a password that is no word: three classes of characters, digits
    among them."""
    return (
        len(value) >= MIN_PASSWORD
        and _acceptable(value)
        and _kinds(value) >= 3
        and any(character.isdigit() for character in value)
        and not runs(value)
    )


def _assigned(text: str, at: int, end: int, kind: str) -> Finding | None:
    match = _ASSIGNMENT.match(text, end)
    if match is None:
        return None
    quoted = match[1] is not None
    group = 2 if quoted else 3
    value = match[group]
    if not quoted:
        # Bare values are taken where a line sets a variable of the environment, or a file of settings a
        # field.
        name = text[max(0, at - 72) : end] + _NAME_END.match(text, end)[0]  # type: ignore[index]
        if not _ENVIRONMENT.search(name) and not _SETTING.search(name):
            return None
    if not _acceptable(value):
        return None
    if kind == "password":
        good = _kinds(value) >= 3 if quoted else _is_password(value)
    else:
        good = _is_random(value)
    return (match.start(group), match.end(group), kind) if good else None


def _is_words(value: str) -> bool:
    """Whether it is made of words in any usual manner (camelCase, snake_case, A-B): pieces of the same
    class of characters are three characters long in the mean; those of random ones half that."""
    segments = _SEGMENT.findall(value)
    return bool(segments) and sum(map(len, segments)) >= 3 * len(segments)


def _is_random(value: str) -> bool:
    if len(value) < 16 or not any(c.isdigit() for c in value) or runs(value):
        return False
    if _HEX.fullmatch(value):
        return len(value) >= MIN_HEX and entropy(value) >= MIN_ENTROPY_HEX
    return entropy(value) >= MIN_ENTROPY_KEY and _kinds(value) >= 2


def _kinds(value: str) -> int:
    """How many of small letters, capitals, digits and marks occur."""
    return (
        any(c.islower() for c in value)
        + any(c.isupper() for c in value)
        + any(c.isdigit() for c in value)
        + any(not c.isalnum() for c in value)
    )


def runs(value: str) -> bool:
    """Whether six neighbours are equal or count up or down: nobody's random key."""
    steps = [ord(b) - ord(a) for a, b in pairwise(value)]
    return any(
        steps[i] in (-1, 0, 1) and len(set(steps[i : i + 5])) == 1 for i in range(max(0, len(steps) - 4))
    )


def entropy(value: str) -> float:
    """Shannon entropy of the characters of a string, in bits a character."""
    counts = Counter(value)
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())

"""Bytes to text: the charset that is declared, where the bytes agree with it, else the one they look like."""

from __future__ import annotations

import codecs
import re

from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

META_BYTES = 4096
"""Where a charset declaration is looked for; the standard asks for 1024, pages put it later."""
MAX_GARBAGE = 0.05
"""Share of control and replacement characters above which bytes are no text (resiliparse's `detect_mime`
uses the same share)."""
_SAMPLE = 1 << 14
_GARBAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")
_META = re.compile(rb"""<meta[^>]{0,512}?charset\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{2,40})""", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SINGLE_BYTE = re.compile(r"(windows-|cp|iso-?8859|koi8|macintosh|us-ascii|ascii|latin)", re.IGNORECASE)


class NotText(ValueError):
    """Bytes that are no text in any charset."""


def decode(data: bytes, declared: str | None = None, html: bool = True) -> tuple[str, str]:
    """Bytes as text, and the charset that was used.

    In this order: byte order mark, `declared` (the HTTP header's charset), the page's own meta element,
    detection. A declared charset that the bytes contradict is passed over; undecodable bytes become U+FFFD.

    Raises NotText where the result is mostly no text.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _checked(data[len(mark) :].decode(name, "replace")), name
    labels: list[str | None] = [declared]
    if html and (match := _META.search(data[:META_BYTES])):
        labels.append(match[1].decode("ascii"))
    stated: list[str] = []
    for label in labels:
        charset = map_encoding_to_html5(label.strip("\"' "), False) if label else None
        if charset is None or (charset.startswith("utf-16") and label is not declared):
            # A meta element that can be read is no UTF-16.
            continue
        if _SINGLE_BYTE.match(charset) and (utf8 := _strict_utf8(data)) is not None:
            # Any bytes decode as a single-byte charset; UTF-8 with letters beyond ASCII is no accident.
            return _checked(utf8), "utf-8"
        try:
            return _checked(data.decode(charset)), charset
        except (LookupError, UnicodeDecodeError):
            stated.append(charset)
    if (utf8 := _strict_utf8(data)) is not None:
        return _checked(utf8), "utf-8"
    if not stated and data.isascii() and b"\x1b" not in data:
        # Every charset without escape sequences agrees on it.
        return _checked(data.decode("ascii")), "utf-8"
    # Nothing fits all bytes: what fits most of them, the stated before the guessed.
    guessed = detect_encoding(data) or "utf-8"
    texts = {charset: _lenient(data, charset) for charset in (*stated, guessed)}
    charset = min(texts, key=lambda name: texts[name].count("\ufffd"))
    return _checked(texts[charset]), charset


def _lenient(data: bytes, name: str) -> str:
    try:
        return data.decode(name, "replace")
    except LookupError:
        return str(bytes_to_str(data, name, errors="replace"))


def _strict_utf8(data: bytes) -> str | None:
    """The text, if it is UTF-8 with at least one character beyond ASCII."""
    if data.isascii():
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        # A page cut off in the middle of a character is still UTF-8.
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return data[: error.start].decode()
        return None


def _checked(text: str) -> str:
    sample = text[:_SAMPLE]
    if len(_GARBAGE.findall(sample)) > MAX_GARBAGE * len(sample):
        raise NotText("control or replacement characters")
    return text

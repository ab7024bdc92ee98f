"""HTML to text: which charset, which extractor.

The seam is `extract(html, options)`: another engine is another function of that form in `ENGINES`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLTree

from corpus.manifest import Extraction

META_BYTES = 4096
"""Where a charset declaration is looked for; the standard asks for 1024, pages put it later."""
MAX_DEPTH = 1000
"""Deeper nesting makes the search for main content quadratic (20,000 levels: 4 s); browsers stop at 512
levels."""
MANY_TAGS = 10_000
"""Pages with more elements than this (one in a hundred) are measured, not estimated."""
MAX_GARBAGE = 0.05
"""Share of control and replacement characters above which bytes are no text (resiliparse's `detect_mime`
uses the same share)."""
_SAMPLE = 1 << 16
_GARBAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")
_META = re.compile(rb"""<meta[^>]{0,512}?charset\s*=\s*["']?\s*([a-zA-Z0-9_:.-]{2,40})""", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SINGLE_BYTE = re.compile(r"(windows-|cp|iso-?8859|koi8|macintosh|us-ascii|ascii|latin)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a page says."""

    text: str
    title: str | None = None


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


def extract(html: str, options: Extraction) -> Extracted:
    """The text and title of a page, by the engine that the options name."""
    return ENGINES[options.engine](html, options)


def _resiliparse(html: str, options: Extraction) -> Extracted:
    tree = HTMLTree.parse(html)
    text = extract_plain_text(
        tree,
        main_content=options.main_content and not _too_deep(html, tree),
        alt_texts=options.alt_texts,
        links=options.links,
        list_bullets=options.list_bullets,
        comments=options.comments,
    )
    return Extracted(text.strip(), " ".join((tree.title or "").split()) or None)


def _too_deep(html: str, tree: Any) -> bool:
    """Whether elements are nested deeper than MAX_DEPTH."""
    # Most pages are cleared by counting tags: elements that nobody closes only make the count too high ...
    data = np.frombuffer(html.encode("utf-8", "replace"), np.uint8)
    starts = np.flatnonzero(data[:-1] == ord("<"))
    after = data[starts + 1]
    opens = ((after | 0x20) >= ord("a")) & ((after | 0x20) <= ord("z"))
    steps = opens.astype(np.int32) - (after == ord("/"))
    level = np.cumsum(steps)
    # ... and end tags of elements that nobody opened, which make it too low, do no harm in a small page.
    if int(level.max(initial=0) - level.min(initial=0)) <= MAX_DEPTH and int(opens.sum()) <= MANY_TAGS:
        return False
    # The few others are walked down.
    stack = [(tree.document, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return True
        child = node.first_child
        while child is not None:
            if child.first_child is not None:
                stack.append((child, depth + 1))
            child = child.next
    return False


ENGINES: dict[str, Callable[[str, Extraction], Extracted]] = {"resiliparse": _resiliparse}
"""Extractors by the name that manifests use."""

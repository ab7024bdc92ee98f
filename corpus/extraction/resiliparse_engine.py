"""resiliparse as an engine: a rule-based main-content filter over Lexbor's DOM, in native code."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpus.extraction.base import Extracted
from corpus.manifest import Extraction

MAX_DEPTH = 1000
"""Deeper nesting makes the search for main content quadratic (20,000 levels: 4 s); browsers stop at 512
levels."""
MANY_TAGS = 10_000
"""Pages with more elements than this (one in a hundred) are measured, not estimated."""


class ResiliparseEngine:
    """Text and title of a page by `resiliparse.extract`."""

    name = "resiliparse"

    def __init__(self, options: Extraction) -> None:
        self.options = options
        self.version = f"1-{importlib.metadata.version('resiliparse')}"

    def extract(self, html: str, url: str | None = None) -> Extracted:
        """See `corpus.extraction.base.Engine`."""
        options = self.options
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

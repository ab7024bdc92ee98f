"""The engine "gristmill": a learned decision for every block of a page, in native code."""

from __future__ import annotations

import html as entities
import json
import re
from collections.abc import Iterator
from typing import Any

from corpus.extraction.base import Extracted
from corpus.extraction.blocks import build, model
from corpus.extraction.blocks.library import LibraryError, Page
from corpus.extraction.structure import Format
from gristmill.base.errors import UserError

FEW_CHARACTERS = 200
"""A shorter text is no article: scripts have built the page, and its JSON-LD may hold what they show."""
MOST_DEPTH = 50
"""Levels of a JSON-LD script that are searched; schema.org's examples have five."""
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


class BlockEngine:
    """Text and title of a page by the blocks that the shipped model keeps.

    Raises UserError where the native library or the model cannot be used here.
    """

    name = "gristmill"

    def __init__(self, *, format: Format = "markdown") -> None:
        self.format: Format = format
        try:
            self._model = model.shipped()
            self.version = f"1-{build.source_digest()[:12]}-{model.version()}"
        except LibraryError as error:
            raise UserError(
                f"the engine gristmill cannot be used: {error}",
                where="source.extract.engine",
                mend="install a C++ compiler and run `python -m corpus.extraction.blocks.build`, or choose "
                "another engine",
            ) from None

    def extract(self, html: str, url: str | None = None) -> Extracted:
        """See `corpus.extraction.base.Engine`."""
        with Page(html, url) as page:
            text = self._model.extract(page, self.format)
            signals: dict[str, Any] = {}
            if len(text) < FEW_CHARACTERS:
                body = max(
                    (found for source in page.linked_data for found in article_bodies(source)),
                    key=len,
                    default="",
                )
                if len(body) > max(FEW_CHARACTERS, len(text)):
                    text, signals = body, {"from": "json-ld"}
            if page.truncated:
                signals["truncated"] = True
            return Extracted(text, page.title, signals)


def article_bodies(source: str) -> Iterator[str]:
    """The `articleBody` texts of a JSON-LD script (schema.org/articleBody), outermost first.

    Mark-up in them is taken out and character references are resolved; a script that is no JSON has none.
    """
    try:
        found = json.loads(source, strict=False)
    except (ValueError, RecursionError):
        return
    level = [found]
    for _ in range(MOST_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                body = value.get("articleBody")
                if isinstance(body, str):
                    yield entities.unescape(_TAG.sub("", body)).strip()
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below

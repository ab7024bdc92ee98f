"""rs-trafilatura as an engine: page types and their rules, in Rust (API reference: its page on PyPI)."""

from __future__ import annotations

import importlib.metadata
from typing import Any, Literal

from corpus.extraction.base import Extracted
from corpus.extraction.structure import Format, page_title
from gristmill.base.errors import UserError


class RsTrafilaturaEngine:
    """Text of a page by `rs_trafilatura.extract`."""

    name = "rs-trafilatura"

    def __init__(
        self,
        *,
        format: Format = "markdown",
        focus: Literal["balanced", "precision", "recall"] = "balanced",
        page_type: str | None = None,
        comments: bool = False,
        tables: bool = True,
        links: bool = False,
    ) -> None:
        try:
            import rs_trafilatura
        except ImportError:
            raise UserError(
                "the engine `rs-trafilatura` needs the package 'rs-trafilatura', which is not installed",
                mend="pip install rs-trafilatura, where it has a wheel, or name another engine",
            ) from None
        self.version = f"1-{importlib.metadata.version('rs-trafilatura')}"
        self.format = format
        self._extract = rs_trafilatura.extract
        self.options: dict[str, Any] = {
            "page_type": page_type,
            "favor_precision": focus == "precision",
            "favor_recall": focus == "recall",
            "include_comments": comments,
            "include_tables": tables,
            "include_links": links,
            "output_markdown": format == "markdown",
        }

    def extract(self, html: str, url: str | None = None) -> Extracted:
        """See `corpus.extraction.base.Engine`. Signals: `page_type`, `quality` (0 to 1)."""
        found = self._extract(html, url=url, **self.options)
        text = (found.content_markdown if self.format == "markdown" else None) or found.main_content
        signals = {"page_type": found.page_type, "quality": found.extraction_quality}
        return Extracted(text, found.title or page_title(html), signals)

"""What extraction works on, what it returns, and what an engine is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP response as an archive holds it."""

    body: bytes
    """The payload, transfer and content encodings undone."""
    url: str | None = None
    charset: str | None = None
    """The charset that the HTTP header declares."""
    media_type: str = "text/html"
    """`text/plain` is decoded alone, everything else is HTML."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an engine finds in a page."""

    text: str
    title: str | None = None
    signals: dict[str, Any] = field(default_factory=dict)
    """What the engine says of the page beside its text; JSON values, kept in `metadata.page.extraction`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A page that was read: UTF-8 can hold all of it."""

    text: str
    charset: str
    title: str | None = None
    signals: dict[str, Any] = field(default_factory=dict)
    """What the page says of itself, `metadata.page`."""


class Engine(Protocol):
    """Turns HTML into text. One object serves one process, page after page."""

    @property
    def name(self) -> str:
        """What manifests call it."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever results do; part of the store's stage digest."""
        ...

    def extract(self, html: str, url: str | None) -> Extracted:
        """Text, title and signals of a page. Raises ValueError or RuntimeError for HTML it cannot read."""
        ...

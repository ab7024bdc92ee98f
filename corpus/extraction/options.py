"""How HTML becomes text, as manifests say it: an engine and its options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gristmill.base.manifest import Model


class _Extraction(Model):
    """How HTML becomes text: what holds for every engine."""

    timeout_seconds: float = Field(default=10, gt=0)
    """Processor time that a page may take; then it goes to the ledger as `extract:timeout`. A page that
    waits instead of computing has four times as long."""
    memory_mb: int = Field(default=1024, ge=64)
    """Memory that a page may take, MiB; beyond it the page goes to the ledger as `extract:crash`."""


class AutoExtraction(_Extraction):
    """The engine that serves best here: `gristmill` where its native library is built, else `resiliparse`.

    Which one it is, with its version, is fixed when a build is planned and is part of the store.
    """

    engine: Literal["auto"] = "auto"
    """The engine."""
    format: Literal["markdown", "plain"] = "markdown"
    """Mark headings, lists, tables, code and quotes as Markdown does, or write text alone."""


class GristmillExtraction(_Extraction):
    """Our own engine: a learned decision for every block of the page, in native code."""

    engine: Literal["gristmill"]
    """The engine."""
    format: Literal["markdown", "plain"] = "markdown"
    """Mark headings, lists, tables, code and quotes as Markdown does, or write text alone."""


class ResiliparseExtraction(_Extraction):
    """resiliparse: rules over the page's tree, in native code. Knows no quotes."""

    engine: Literal["resiliparse"]
    """The engine."""
    format: Literal["markdown", "plain"] = "markdown"
    """Mark headings, lists, tables and code as Markdown does, or write text alone."""
    main_content: bool = True
    """Keep only what looks like the page's main content; false keeps all visible text."""
    alt_texts: bool = False
    """Keep the alternative texts of images."""
    links: bool = False
    """Write the targets of links beside their text."""
    comments: bool = False
    """With `main_content`: keep what looks like readers' comments."""


class TrafilaturaExtraction(_Extraction):
    """trafilatura (extra `extractors`): rules and fallbacks over the page's tree, in Python."""

    engine: Literal["trafilatura"]
    """The engine."""
    format: Literal["markdown", "plain"] = "markdown"
    """Mark headings, lists, tables, code and quotes as Markdown does, or write text alone."""
    fast: bool = False
    """Leave out the fallback algorithms: half the time, and some pages less."""
    focus: Literal["balanced", "precision", "recall"] = "balanced"
    """Whether to err on the side of less text or of more."""
    comments: bool = True
    """Keep what looks like readers' comments."""
    tables: bool = True
    """Keep tables."""
    links: bool = False
    """Write the targets of links beside their text."""


class JustextExtraction(_Extraction):
    """jusText (extra `extractors`): paragraphs by length, links and stop words, in Python.

    The defaults are jusText's own.
    """

    engine: Literal["justext"]
    """The engine."""
    format: Literal["markdown", "plain"] = "markdown"
    """Mark headings, lists, code and quotes as Markdown does, or write text alone."""
    language: str | None = None
    """Language of the stop words (`de`, `en`, ...); by default what the page declares or is written in."""
    length_low: int = Field(default=70, ge=0)
    """Shorter paragraphs, characters, are short."""
    length_high: int = Field(default=200, ge=0)
    """Longer ones with enough stop words are good by themselves."""
    stopwords_low: float = Field(default=0.30, ge=0, le=1)
    """Share of stop words below which a paragraph is bad."""
    stopwords_high: float = Field(default=0.32, ge=0, le=1)
    """Share of stop words from which a long paragraph is good."""
    max_link_density: float = Field(default=0.2, ge=0, le=1)
    """Share of characters in links above which a paragraph is bad."""
    max_heading_distance: int = Field(default=200, ge=0)
    """Characters between a heading and a good paragraph that still keep the heading."""
    headings: bool = True
    """Keep headings before good paragraphs."""


class RsTrafilaturaExtraction(_Extraction):
    """rs-trafilatura (package `rs-trafilatura`): page types and their rules, in Rust."""

    engine: Literal["rs-trafilatura"]
    """The engine."""
    format: Literal["markdown", "plain"] = "markdown"
    """The engine's own Markdown, or text alone."""
    focus: Literal["balanced", "precision", "recall"] = "balanced"
    """Whether to err on the side of less text or of more."""
    page_type: (
        Literal["article", "forum", "product", "collection", "listing", "documentation", "service"] | None
    ) = None
    """Type of all pages; by default the engine classifies each."""
    comments: bool = False
    """Keep what looks like readers' comments."""
    tables: bool = True
    """Keep tables."""
    links: bool = False
    """Write the targets of links beside their text."""


_ENGINES: dict[str, type[_Extraction]] = {
    "auto": AutoExtraction,
    "gristmill": GristmillExtraction,
    "resiliparse": ResiliparseExtraction,
    "trafilatura": TrafilaturaExtraction,
    "justext": JustextExtraction,
    "rs-trafilatura": RsTrafilaturaExtraction,
}


def _with_engine(value: Any) -> Any:
    """An engine that is not named is `auto`; an option of another engine is told from a mistyped one."""
    if not isinstance(value, dict):
        return value
    value = {"engine": "auto", **value}
    chosen = _ENGINES.get(str(value["engine"]))
    for option in value if chosen is not None else ():
        owners = [name for name, model in _ENGINES.items() if option in model.model_fields]
        if owners and value["engine"] not in owners:
            raise ValueError(
                f"'{option}' is no option of the engine '{value['engine']}', but of {', '.join(owners)}"
            )
    return value


Extraction = Annotated[
    AutoExtraction
    | GristmillExtraction
    | ResiliparseExtraction
    | TrafilaturaExtraction
    | JustextExtraction
    | RsTrafilaturaExtraction,
    Field(discriminator="engine"),
    BeforeValidator(_with_engine),
]

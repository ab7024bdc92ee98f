"""The engines by name, and which one serves a manifest here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpus.extraction.base import Engine

if TYPE_CHECKING:
    # The child process that extracts imports this module and has no use for manifests.
    from corpus.extraction.options import Extraction

TARGETS = {
    "gristmill": "corpus.extraction.blocks.engine:BlockEngine",
    "resiliparse": "corpus.extraction.resiliparse_engine:ResiliparseEngine",
    "trafilatura": "corpus.extraction.trafilatura_engine:TrafilaturaEngine",
    "justext": "corpus.extraction.justext_engine:JustextEngine",
    "rs-trafilatura": "corpus.extraction.rs_trafilatura_engine:RsTrafilaturaEngine",
}
"""Module and class of every engine, by the name that manifests use."""
NOT_THE_ENGINES = frozenset({"engine", "timeout_seconds", "memory_mb"})
"""Fields of a manifest's `extract` that are no options of the engine."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine as a build planned it; worker processes make the engine of it."""

    name: str
    version: str
    target: str
    """`module:Class`."""
    options: Mapping[str, Any]
    """Keyword arguments of the class; JSON values."""


def native_missing() -> str | None:
    """Why our own engine cannot serve here, or None if it can. Builds its library where that is missing."""
    from corpus.extraction.blocks.library import LibraryError
    from corpus.extraction.blocks.model import shipped

    try:
        shipped()
    except LibraryError as error:
        return str(error)
    return None


def resolve(extraction: Extraction) -> Extraction:
    """The extraction with `auto` replaced by the engine that serves here."""
    if extraction.engine != "auto":
        return extraction
    from corpus.extraction.options import GristmillExtraction, ResiliparseExtraction

    options = extraction.model_dump(exclude={"engine"})
    if native_missing() is None:
        return GristmillExtraction(engine="gristmill", **options)
    return ResiliparseExtraction(engine="resiliparse", **options)


def specify(extraction: Extraction) -> EngineSpec:
    """What workers need to make the engine of an extraction.

    Raises UserError where its package or its native library is not installed, or an option means nothing to
    it.
    """
    extraction = resolve(extraction)
    options = extraction.model_dump(mode="json", exclude=set(NOT_THE_ENGINES))
    target = TARGETS[extraction.engine]
    engine = load(target, options)
    return EngineSpec(engine.name, engine.version, target, options)


def load(target: str, options: Mapping[str, Any]) -> Engine:
    """Make an engine."""
    module, _, name = target.partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)(**options)
    return engine

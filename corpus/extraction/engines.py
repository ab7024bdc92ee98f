"""The engine that a manifest names."""

from __future__ import annotations

from corpus.extraction.base import Engine
from corpus.extraction.resiliparse_engine import ResiliparseEngine
from corpus.manifest import Extraction


def build_engine(options: Extraction) -> Engine:
    """The engine that turns HTML into text."""
    return ResiliparseEngine(options)

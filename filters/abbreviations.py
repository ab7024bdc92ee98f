"""Abbreviations that a full stop follows inside a sentence, without that stop, of all languages together."""

from __future__ import annotations

ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof st vs etc
    """.split()
)

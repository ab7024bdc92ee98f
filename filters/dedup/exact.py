"""Exact duplicates: documents whose normalised text is the same (`filters.annotators.exact_hash`)."""

from __future__ import annotations

from collections.abc import Sequence

from filters.dedup.groups import KeyGroups

NAME = "exact"
HASH = "exact.hash"
PREFER = "fetched_at ASC NULLS LAST, exact.length DESC"
"""The earliest copy, then the longest; the smallest id settles what is left."""


class Exact(KeyGroups):
    """Columns `exact.cluster`, `.size`, `.keep`; the ledger gives copies a similarity of 1.

    Args:
        name: prefix of the columns.
        key: the column of the hash; `.length` stands beside it.
    """

    def __init__(self, name: str = NAME, key: str = HASH) -> None:
        super().__init__(key, name, similarity=1.0)

    @property
    def needs(self) -> Sequence[str]:
        """The hash, and the length, by which the default order chooses."""
        return (self.key, f"{self.key.rpartition('.')[0]}.length")

"""Documents of the same address (`filters.annotators.url_key`): crawls fetch a page again and again."""

from __future__ import annotations

from filters.dedup.groups import KeyGroups

NAME = "same_url"
KEY = "url.key"


class SameUrl(KeyGroups):
    """Columns `same_url.cluster`, `.size`, `.keep`; the ledger's similarity is null, as no texts are
    compared."""

    def __init__(self, name: str = NAME, key: str = KEY) -> None:
        super().__init__(key, name, similarity=None)

"""The key of exact duplicates: a hash of the text with its case and white space folded."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

import pyarrow as pa

from filters.annotators.per_text import PerText
from filters.base import TextView


def normalise(text: str) -> str:
    """What two exact duplicates share: small letters (`str.lower`), NFC, runs of white space as one space,
    none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text.lower()).split())


class ExactHash(PerText):
    """exact.hash: BLAKE2b-128 of the normalised text in UTF-8, in hex. exact.length: characters of the text
    as it is.

    `filters.dedup.exact` groups documents by the hash.
    """

    name = "exact_hash"
    version = "1"
    columns = {"exact.hash": pa.string(), "exact.length": pa.int64()}

    def measure(self, view: TextView) -> tuple[Any, ...]:
        data = normalise(view.text).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=16).hexdigest(), len(view)

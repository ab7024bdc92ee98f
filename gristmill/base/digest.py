"""Digests: the identity of files, of JSON values and of documents."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """One spelling for a JSON value: sorted keys, no spaces, UTF-8. NaN and infinities are refused."""
    options: dict[str, Any] = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}
    return json.dumps(value, ensure_ascii=False, **options).encode()


def digest_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def stable_id(kind: str, *key: str | int) -> str:
    """A document's id: 128-bit hex of source kind and native key, the same on every machine and every run.

    The parts of the key are length-prefixed, so ("ab", "c") and ("a", "bc") differ.
    """
    state = hashlib.blake2b(digest_size=16)
    for part in (kind, *map(str, key)):
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def derive_seed(*parts: str | int) -> int:
    """A 64-bit seed from names and numbers: the same on every machine, whatever was created before."""
    return int(stable_id("seed", *parts)[:16], 16)

"""The lock: all that decides which token comes when, in one file whose SHA-256 is the mixture's identity.

`mixture.lock.json` is canonical JSON. It holds the digests of the tokenizer, of every token store and of the
document stores under them, measured token counts, sequences by source and phase, sequence lengths and the
seed. Paths in it are relative to its own folder. Beside it, `mixture.lock.sha256` repeats the identity in the
format of `sha256sum`, so that a damaged lock is recognised before anything is trained with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.store import Store
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import canonical_json, sha256_file
from gristmill.base.errors import UserError
from mixtures import order
from mixtures.tokenstore import TokenStore

FORMAT = "gristmill mixture lock"
VERSION = 1
NAME = "mixture.lock.json"


@dataclass(frozen=True)
class LockedSource:
    """A source as the lock fixes it."""

    store: str
    """Folder of the token store, relative to the lock's."""
    store_digest: str
    documents: str
    """Folder of the document store, relative to the lock's."""
    documents_digest: str
    tokens: int
    document_count: int
    stated: Mapping[str, Any]
    """What the manifest says about it: address, selection, family, licence, provenance, ..."""


@dataclass(frozen=True)
class LockedPhase:
    """A phase as the lock fixes it."""

    name: str
    sequence_length: int
    batch: int
    counts: Mapping[str, int]
    """Sequences by source."""

    @property
    def sequences(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Lock:
    """A mixture, fixed."""

    folder: Path
    digest: str
    """The identity: SHA-256 of the file."""
    name: str
    seed: int
    tokenizer: str
    """Tokenizer file, relative to the lock's folder."""
    tokenizer_digest: str
    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    add_bos: bool
    add_eos: bool
    sources: Mapping[str, LockedSource]
    phases: tuple[LockedPhase, ...]

    @property
    def tokenizer_path(self) -> Path:
        return self.folder / self.tokenizer

    def store_path(self, source: str) -> Path:
        """Folder of a source's token store."""
        return self.folder / self.sources[source].store

    def documents_path(self, source: str) -> Path:
        """Folder of a source's document store."""
        return Path(os.path.normpath(self.folder / self.sources[source].documents))

    def orders(self) -> list[order.PhaseOrder]:
        """The order of every phase."""
        tokens = {name: source.tokens for name, source in self.sources.items()}
        phases = [order.Phase(phase.sequence_length, phase.counts) for phase in self.phases]
        return order.orders(self.seed, phases, tokens)


def write_lock(path: Path, content: Mapping[str, Any]) -> str:
    """Write a lock and its checksum; returns the identity."""
    data = canonical_json(content)
    digest = hashlib.sha256(data).hexdigest()
    # The checksum goes first: a kill in between leaves an old lock that does not match, which is refused.
    atomic_write(checksum_path(path), f"{digest}  {path.name}\n")
    atomic_write(path, data)
    return digest


def checksum_path(path: Path) -> Path:
    """The file beside a lock that repeats its identity."""
    return path.with_suffix(".sha256")


def read_lock(path: str | Path) -> Lock:
    """Read a lock and check it against its checksum; touches no store. Errors: UserError."""
    path = Path(path)
    again = "run `gristmill mix lock` again"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError("no such lock", where=str(path), mend="run `gristmill mix lock` first") from None
    except IsADirectoryError:
        raise UserError(f"a lock is a file, {NAME}, not a folder", where=str(path)) from None
    digest = hashlib.sha256(data).hexdigest()
    try:
        recorded = checksum_path(path).read_text("utf-8", "replace")
    except FileNotFoundError:
        raise UserError(
            "the lock's checksum is missing", where=str(checksum_path(path)), mend=again
        ) from None
    if recorded != f"{digest}  {path.name}\n":
        raise UserError(
            f"the lock changed since it was written: SHA-256 {digest}, recorded {recorded.strip()!r}",
            where=str(path),
            mend=again,
        )
    try:
        return _parse(path, digest, json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"not a mixture's lock ({error!r})", where=str(path), mend=again) from None


def _parse(path: Path, digest: str, content: Any) -> Lock:
    if content["format"] != FORMAT or content["version"] != VERSION:
        raise ValueError(f"{content['format']} version {content['version']}")
    if content["order"] != order.ALGORITHM:
        raise ValueError(
            f"order {content['order']}; this version of gristmill computes order {order.ALGORITHM}"
        )
    tokenizer = content["tokenizer"]
    return Lock(
        folder=path.parent,
        digest=digest,
        name=content["name"],
        seed=content["seed"],
        tokenizer=tokenizer["path"],
        tokenizer_digest=tokenizer["sha256"],
        vocab_size=tokenizer["vocab_size"],
        bos_id=tokenizer["bos_id"],
        eos_id=tokenizer["eos_id"],
        add_bos=tokenizer["add_bos"],
        add_eos=tokenizer["add_eos"],
        sources={
            name: LockedSource(
                store=source["store"]["path"],
                store_digest=source["store"]["sha256"],
                documents=source["documents"]["path"],
                documents_digest=source["documents"]["digest"],
                tokens=source["measured"]["tokens"],
                document_count=source["measured"]["documents"],
                stated=source["stated"],
            )
            for name, source in content["sources"].items()
        },
        phases=tuple(
            LockedPhase(phase["name"], phase["sequence_length"], phase["batch"], dict(phase["sequences"]))
            for phase in content["phases"]
        ),
    )


def open_lock(path: str | Path) -> Lock:
    """Read a lock and check cheaply that what it fixes is still there: digests of stores and tokenizer.

    Token stores and the tokenizer must be there with the digests that the lock names. A document store may be
    gone (training does not need it); one that is there must be the same. `verify` checks every byte.

    Errors: UserError naming both digests of the first thing that differs.
    """
    lock = read_lock(path)
    if not lock.tokenizer_path.is_file():
        raise UserError("the lock's tokenizer is missing", where=str(lock.tokenizer_path))
    check_digest("tokenizer", lock.tokenizer_path, lock.tokenizer_digest, sha256_file(lock.tokenizer_path))
    for name, source in lock.sources.items():
        folder = lock.store_path(name)
        store = TokenStore.open(folder)
        check_digest(f"token store of source '{name}'", folder, source.store_digest, store.digest)
        documents = lock.documents_path(name)
        if (documents / "store.json").is_file():
            select = source.stated["select"]
            found = Store.open(documents).selection_digest(select["policy"], select["where"])
            check_digest(f"document store of source '{name}'", documents, source.documents_digest, found)
    return lock


def check_digest(what: str, where: Path, locked: str, found: str) -> None:
    """Refuse a digest that differs from the locked one. Errors: UserError naming both."""
    if found != locked:
        raise UserError(
            f"the {what} changed under the lock: locked {locked}, found {found}",
            where=str(where),
            mend="run `gristmill mix tokenize` and `gristmill mix lock` for the new data, or restore the old",
        )

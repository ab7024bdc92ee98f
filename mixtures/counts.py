"""How many tokens a source has, and whether that was declared or measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gristmill.base.errors import UserError
from mixtures.manifest import MixtureManifest

if TYPE_CHECKING:
    from mixtures.documents import Documents
    from mixtures.tokenizer import TokenizerFile
    from mixtures.tokenstore import TokenStore


@dataclass(frozen=True)
class Count:
    """Tokens of a source, and how that is known."""

    tokens: int
    kind: Literal["declared", "measured"]
    note: str = ""
    """Why a count is not a measured one, where that needs saying."""

    def sequences(self, length: int) -> int:
        """Sequences of one epoch (the last target of a sequence is the first token of the next)."""
        return max(0, (self.tokens - 1) // length)


@dataclass(frozen=True)
class Measured:
    """What of a mixture is there already."""

    documents: Mapping[str, Documents]
    """Document stores, by source."""
    tokenizer: TokenizerFile | None
    stores: Mapping[str, TokenStore]
    """Token stores that fit the documents and the tokenizer, by source."""
    notes: Mapping[str, str]
    """Why a source has no token store."""


def declared(manifest: MixtureManifest) -> dict[str, Count]:
    """The counts that the manifest states. Errors: UserError for a used source that states none."""
    return {name: _declared(manifest, name) for name in manifest.used}


def known(manifest: MixtureManifest) -> dict[str, Count]:
    """Measured counts where a token store fits the source as it is now, else what the manifest declares.

    Every count says which it is. Errors: UserError for a source with neither, or with a store that is not the
    pinned one.
    """
    found = measure(manifest)
    return {
        name: Count(found.stores[name].tokens, "measured")
        if name in found.stores
        else _declared(manifest, name, found.notes.get(name, ""))
        for name in manifest.used
    }


def measure(manifest: MixtureManifest) -> Measured:
    """Look which document stores, tokenizer and token stores are there and fit one another. Reads no data."""
    names = sorted({*manifest.used, *manifest.lessons})
    local = [name for name in names if not manifest.sources[name].on_hub]
    there = [name for name in local if (Path(manifest.sources[name].address) / "store.json").is_file()]
    notes = {name: "no document store yet" for name in local if name not in there}
    if not there:
        return Measured({}, None, {}, notes)
    # Only now: what is declared can be planned without the libraries that read stores.
    from mixtures import tokenize, tokenizer
    from mixtures.documents import Documents
    from mixtures.tokenstore import TokenStore

    documents = {name: Documents.open(name, manifest.sources[name]) for name in there}
    made = tokenizer.find(manifest, documents) if set(manifest.lessons) <= set(there) else None
    stores: dict[str, TokenStore] = {}
    for name, one in documents.items():
        if made is not None:
            folder = tokenize.store_folder(
                manifest.output, name, tokenize.identity(one, made, manifest.sources[name].fim)
            )
            if (folder / "store.json").is_file():
                stores[name] = TokenStore.open(folder)
                continue
        notes[name] = "not tokenised yet"
        for other in sorted(Path(manifest.output).glob(f"stores/{name}-*/store.json")):
            earlier = TokenStore.open(other.parent).identity.documents
            if earlier != one.digest and other.parent.name.rpartition("-")[0] == name:
                notes[name] = f"its document store changed: tokenised was {earlier}, found {one.digest}"
    return Measured(documents, made, stores, notes)


def _declared(manifest: MixtureManifest, name: str, note: str = "") -> Count:
    tokens = manifest.sources[name].tokens
    if tokens is None:
        raise UserError(
            f"source '{name}' declares no tokens and has no token store" + (f" ({note})" if note else ""),
            where=f"sources.{name}",
            mend="run `gristmill mix tokenize`, or state its `tokens`",
        )
    return Count(tokens, "declared", note)

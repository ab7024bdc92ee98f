"""The documents of a source: a document store seen through a selection, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpus.store import Store
from gristmill.base.errors import UserError
from mixtures.manifest import MixtureManifest, Source


@dataclass(frozen=True)
class Documents:
    """Selected documents of a document store."""

    path: str
    digest: str
    parts: tuple[str, ...]
    policy: str | None
    where: str | None

    @classmethod
    def open(cls, name: str, source: Source) -> Documents:
        """Open a source's document store. Errors: UserError when it is not there or not the pinned one."""
        if source.on_hub:
            raise UserError(
                f"source '{name}' is declared only: {source.address} is not a local document store",
                where=f"sources.{name}.address",
                mend="build it with `gristmill corpus build` and put the store's folder here",
            )
        store = Store.open(source.address)
        if source.digest is not None and store.digest != source.digest:
            raise UserError(
                f"the document store of source '{name}' changed: the manifest pins {source.digest}, "
                f"found {store.digest}",
                where=source.address,
                mend="pin the new digest, or restore the store",
            )
        parts = tuple(part.name for part in store.parts)
        select = source.select
        digest = store.selection_digest(select.policy, select.where)
        return cls(source.address, digest, parts, select.policy, select.where)

    def batches(self, part: str) -> Iterator[tuple[list[str], list[str]]]:
        """(ids, texts) of a part's selected documents, in the store's order, a batch at a time.

        Errors: UserError for an unknown policy and for a condition that is none.
        """
        store = Store.open(self.path)
        for batch in store.documents(("id", "text"), where=self.where, policy=self.policy, parts=[part]):
            ids, texts = (batch.column(name).to_pylist() for name in ("id", "text"))
            yield ids, [text or "" for text in texts]

    def count(self, parts: Sequence[str]) -> int:
        """Selected documents of some parts; reads ids and what the selection needs, not the texts."""
        batches = Store.open(self.path).documents(("id",), where=self.where, policy=self.policy, parts=parts)
        return sum(batch.num_rows for batch in batches)


def local_documents(manifest: MixtureManifest) -> dict[str, Documents]:
    """The documents of every source that a phase uses or the tokenizer learns from, by source id."""
    names = sorted({*manifest.used, *manifest.lessons})
    return {name: Documents.open(name, manifest.sources[name]) for name in names}

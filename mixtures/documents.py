"""The documents of a source: a document store seen through a selection, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

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
        from corpus.store import Store

        store = Store.open(Path(source.address))
        if source.digest is not None and store.digest != source.digest:
            raise UserError(
                f"the document store of source '{name}' changed: the manifest pins {source.digest}, "
                f"found {store.digest}",
                where=source.address,
                mend="pin the new digest, or restore the store",
            )
        return cls(
            source.address, store.digest, tuple(store.parts()), source.select.policy, source.select.where
        )

    def batches(self, part: str, size: int = 512) -> Iterator[tuple[list[str], list[str]]]:
        """(ids, texts) of a part's selected documents, in row order, a batch at a time."""
        with duckdb.connect() as connection:
            connection.execute("SET threads = 1")
            reader = connection.sql(self._query(part, "id, text")).to_arrow_reader(size)
            for batch in reader:
                ids, texts = (batch.column(name).to_pylist() for name in ("id", "text"))
                yield ids, [text or "" for text in texts]

    def count(self, part: str) -> int:
        """Selected documents of a part."""
        with duckdb.connect() as connection:
            row = connection.execute(self._query(part, "count(*)")).fetchone()
        return int(row[0]) if row else 0

    def _query(self, part: str, what: str) -> str:
        def parquet(folder: str) -> str:
            return f"read_parquet('{Path(self.path) / folder / part}.parquet')"

        tables = [f"(SELECT * FROM {parquet('documents')})"]
        conditions = []
        if self.policy is not None:
            tables.append(f"(SELECT keep FROM {parquet('decisions/' + self.policy)})")
            conditions.append("keep")
        if self.where:
            conditions.append(f"({self.where})")
        condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {what} FROM {' POSITIONAL JOIN '.join(tables)}{condition}"


def local_documents(manifest: MixtureManifest) -> dict[str, Documents]:
    """The documents of every source that a phase uses or the tokenizer learns from, by source id."""
    names = sorted({*manifest.used, *manifest.lessons})
    return {name: Documents.open(name, manifest.sources[name]) for name in names}

"""Documents of another store: all, or those that a policy keeps, with personal data masked and repeated
pieces cut out if so wished.

A store never changes. To have masked or shortened texts, or only some of the documents, is to make another
store of it: ids stay as they are, and every document says which store it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document

from corpus.inputs import Input
from corpus.ledger import Ledger
from corpus.manifest import StoreSource
from corpus.parts import restore
from corpus.schema import DOCUMENTS
from corpus.sources.base import Meter, Task
from corpus.store import Store, file_digests
from filters.conditions import nearest_column
from filters.findings import PIECES, SPANS
from filters.masking import Masking
from filters.step import mask_document
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress


class Stored:
    """The parts of a store, one task each."""

    unit = "rows"

    def __init__(self, options: StoreSource, name: str, output: str) -> None:
        if Path(options.path).resolve() == Path(output).resolve():
            raise UserError("a store cannot be made of itself", where="source.path", mend="another `output`")
        self.options, self.name = options, name
        self.masking = Masking(options.mask.tokens if options.mask is not None else None)
        self.masks = options.mask.columns if options.mask is not None else ()
        self.spans = (*self.masks, *options.cut)

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task a part. Raises UserError where there is no finished store, and for a policy, column or
        condition that it has not."""
        store = Store.open(self.options.path)
        for name in self.spans:
            where, kind = ("source.mask.columns", SPANS) if name in self.masks else ("source.cut", PIECES)
            if name not in store.schema:
                mend = nearest_column(name, store.schema)
                raise UserError(f"the store has no column '{name}'", where=where, mend=mend)
            if store.schema[name] != kind:
                raise UserError(f"'{name}' holds no spans of this kind", where=where)
        # Checks policy and condition, and reads nothing.
        next(store.documents(["id"], self.options.where, self.options.policy, parts=[]), None)
        digests = file_digests(store.content)
        folders = self._folders(store)
        tasks = []
        for part in store.parts:
            names = [f"{folder}/{part.name}.parquet" for folder in folders]
            inputs = [self._input(store, name, digests[name]) for name in names]
            tasks.append(Task(tuple(inputs), None, part.rows, records=part.rows))
        return tasks

    def _folders(self, store: Store) -> list[str]:
        """The folders of the store whose files say which documents there are, and what is masked in them."""
        folders = ["documents"]
        for name in store.annotations if store.parts else []:
            columns = pq.read_schema(store.path / f"annotations/{name}/{store.parts[0].name}.parquet").names
            if self.options.where is not None or set(self.spans) & set(columns):
                folders.append(f"annotations/{name}")
        if self.options.policy is not None:
            folders.append(f"decisions/{self.options.policy}")
        return folders

    def _input(self, store: Store, name: str, digest: str) -> Input:
        path = store.path / name
        return Input(f"{store.name}/{name}", str(path), path.stat().st_size, digest)

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The selected documents of a part, in order."""
        documents = task.inputs[0]
        store = Store.open(self.options.path)
        (part,) = [part for part in store.parts if part.name == Path(documents.path).stem]
        parent = {"store": store.name, "documents": part.digest}
        ledger.input_bytes += sum(item.size or 0 for item in task.inputs)
        count = 0
        try:
            batches = store.documents(
                [*DOCUMENTS.names, *self.spans], self.options.where, self.options.policy, [part.name]
            )
            for batch in batches:
                for row in batch.to_pylist():
                    count += 1
                    ledger.records += 1
                    document = self._document(row, parent, ledger)
                    if self.options.cut and not document.text.strip():
                        ledger.drop(
                            documents.name, "nothing_left", stage="cut", id=document.id, offset=count - 1
                        )
                        continue
                    yield document
                meter(count)
        except (OSError, pa.ArrowException) as error:
            ledger.give_up(documents.name, "corrupt", describe(error), count)
            return
        if part.rows > count:
            ledger.ignored["not selected"] += part.rows - count
        meter(part.rows)

    def _document(self, row: dict[str, Any], parent: dict[str, str], ledger: Ledger) -> Document:
        document = restore(row)
        document.metadata |= {"source": self.name, "parent": parent}
        for name in self.spans:
            document.metadata[name] = row[name]
        ledger.masked.update(mask_document(document, self.masking, self.masks, self.options.cut))
        return document

"""Writing one part of a store: documents, annotations and ledger, whole or not at all.

A part is done when its marker exists. The marker holds the digests of the part's files and is written last,
so a kill
at any time leaves either a part that is whole or one that is made again; datatrove's own completion files
are not asked.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from corpus.inputs import content_digest, listing_digest, stamps_digest
from corpus.ledger import Ledger
from corpus.schema import (
    DOCUMENTS,
    FIELDS,
    LEDGER,
    ROW_GROUP_BYTES,
    ROW_GROUP_ROWS,
    annotation_schema,
    parquet_writer,
)
from corpus.sources.base import Task, clean
from filters.base import Annotator
from gristmill.base.atomic import atomic_path, atomic_write
from gristmill.base.digest import canonical_json, sha256_file

WORK = ".build"
"""Folder inside an unfinished store: tasks, markers, progress. Gone when the store is finished."""
STAGED = f"{WORK}/staged"
"""Annotations that were made later than their documents, until all parts have them."""
NOT_METADATA = frozenset({"tier"})
"""What a rule filter leaves in `Document.metadata`; decisions are stored apart."""


def part_name(number: int) -> str:
    """`part-00000` and so on."""
    return f"part-{number:05d}"


def annotation_folder(annotator: Annotator) -> str:
    """`annotations/<name>@<version>`."""
    return f"annotations/{annotator.name}@{annotator.version}"


class GrowingFile:
    """A Parquet file that grows by row groups, and is there, whole, when `files` closes."""

    def __init__(self, files: contextlib.ExitStack, target: Path, schema: pa.Schema) -> None:
        path = files.enter_context(atomic_path(target))
        self.writer = files.enter_context(parquet_writer(path, schema))
        self.schema = schema
        self.columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        """Rows that wait for the next row group."""

    def flush(self) -> None:
        """Write them as one."""
        arrays = [pa.array(self.columns[f.name], f.type) for f in self.schema]
        self.writer.write_table(pa.table(arrays, schema=self.schema), row_group_size=ROW_GROUP_ROWS)
        self.columns = {name: [] for name in self.schema.names}


class StoreWriter(PipelineStep):
    """Writes the documents of a rank as one part of a store, with the annotators' columns beside them.

    A datatrove step: `Document.metadata` holds the store's columns under their names
    (`corpus.schema.FIELDS`), the
    annotators' columns under their dotted names, and anything else, which goes into the column `metadata`.

    Args:
        folder: the store.
        annotators: whose columns are written.
        ledger: what the steps before have left out; written beside the documents.
        parts: number of the part that each rank writes; the rank itself by default.
        tasks: the tasks of the parts, for the marker's account of the inputs.
        keys: what the documents of a part depend on, by part, for its marker.
        digests: what the annotators' values depend on, by folder, for the marker.
    """

    type = "💾 - STORE"
    name = "document store"

    def __init__(
        self,
        folder: str | Path,
        annotators: Sequence[Annotator] = (),
        ledger: Ledger | None = None,
        *,
        parts: Sequence[int] | None = None,
        tasks: Sequence[Task] | None = None,
        keys: Mapping[int, str] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.schemas = {annotation_folder(a): annotation_schema(dict(a.columns)) for a in annotators}
        self.ledger = ledger if ledger is not None else Ledger()
        self.parts, self.tasks, self.keys = parts, tasks, keys
        self.digests = dict(digests or {})

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Write the documents, hand them on, and mark the part as done when they end."""
        number = rank if self.parts is None else self.parts[rank]
        part = part_name(number)
        rows = text_bytes = 0
        with contextlib.ExitStack() as files:
            documents, *tables = (
                GrowingFile(files, self.folder / name / f"{part}.parquet", schema)
                for name, schema in {"documents": DOCUMENTS, **self.schemas}.items()
            )
            held = 0
            seen: set[str] = set()
            for document in data or ():
                if document.id in seen:
                    self.ledger.drop(
                        origin(document),
                        "duplicate_id",
                        stage="store",
                        id=document.id,
                        detail="came before in this part",
                    )
                    continue
                seen.add(document.id)
                with self.track_time():
                    self._add(document, documents, tables)
                    size = len(documents.columns["text"][-1].encode())
                    rows, text_bytes, held = rows + 1, text_bytes + size, held + size
                    self.ledger.stored += 1
                    if len(documents.columns["id"]) >= ROW_GROUP_ROWS or held >= ROW_GROUP_BYTES:
                        for table in (documents, *tables):
                            table.flush()
                        held = 0
                    self.update_doc_stats(document)
                yield document
            for table in (documents, *tables):
                if table.columns["id"]:
                    table.flush()
                table.writer.close()
            ledger = GrowingFile(files, self.folder / "ledger" / f"{part}.parquet", LEDGER)
            ledger.writer.write_table(self.ledger.table())
            ledger.writer.close()
        self._mark(number, part, rows, text_bytes)

    def _add(self, document: Document, documents: GrowingFile, tables: Sequence[GrowingFile]) -> None:
        metadata = dict(document.metadata)
        for table in tables:
            for name, column in table.columns.items():
                column.append(document.id if name == "id" else metadata.pop(name, None))
        columns = documents.columns
        columns["id"].append(document.id)
        columns["text"].append(clean(document.text))
        for name in FIELDS:
            columns[name].append(metadata.pop(name, None))
        rest = {name: value for name, value in metadata.items() if name not in NOT_METADATA}
        columns["metadata"].append(dump(rest))

    def _mark(self, number: int, part: str, rows: int, text_bytes: int) -> None:
        names = ["documents", *self.schemas, "ledger"]
        ledger = self.ledger
        marker: dict[str, Any] = {
            "part": part,
            "key": self.keys[number] if self.keys is not None else None,
            "rows": rows,
            "text_bytes": text_bytes,
            "ledger_rows": len(ledger.rows),
            "records": ledger.records,
            "ignored": dict(sorted(ledger.ignored.items())),
            "masked": dict(sorted(ledger.masked.items())),
            "reasons": ledger.reasons(),
            "incomplete": [[lost.input, lost.reason, lost.detail] for lost in ledger.incomplete],
            "files": {name: file_facts(self.folder / name / f"{part}.parquet") for name in names},
            "annotators": self.digests,
        }
        if self.tasks is not None:
            inputs = self.tasks[number].inputs
            marker["inputs"] = {
                "files": len(inputs),
                "bytes": ledger.input_bytes,
                "listing": listing_digest(inputs),
                "content": content_digest(inputs),
            }
            marker["stamps"] = stamps_digest(inputs)
        atomic_write(marker_path(self.folder, part), canonical_json(marker))


def canonical(document: Document) -> None:
    """Bring a document into the form in which a store gives it back.

    What annotators see is then the same while a store is built and when it is read again later.
    """
    document.text = clean(document.text)
    columns = {name: document.metadata[name] for name in FIELDS if document.metadata.get(name) is not None}
    rest = {
        name: value
        for name, value in document.metadata.items()
        if name not in FIELDS and name not in NOT_METADATA
    }
    document.metadata = columns | (rest if _is_plain(rest) else json.loads(dump(rest)))


def _is_plain(value: Any) -> bool:
    """Whether JSON gives a value back as it is."""
    if isinstance(value, dict):
        return all(type(name) is str and _is_plain(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if type(value) is str:
        return clean(value) is value
    return value is None or type(value) in (bool, int)


def restore(row: Mapping[str, Any]) -> Document:
    """A document of a store as its source gave it: the inverse of what `StoreWriter` does to a canonical
    one."""
    columns = {name: row[name] for name in FIELDS if row[name] is not None}
    rest = json.loads(row["metadata"] or "{}")
    return Document(text=row["text"], id=row["id"], metadata=columns | rest)


def dump(metadata: Mapping[str, Any]) -> str:
    """The column `metadata`: JSON with sorted keys; what JSON has no form for becomes a string."""
    try:
        return canonical_json(dict(metadata)).decode()
    except (TypeError, ValueError):
        plain = json.loads(json.dumps(metadata, default=str, skipkeys=True))
        return canonical_json(_finite(plain)).decode("utf-8", "replace")


def _finite(value: Any) -> Any:
    """NaN and infinities have no form in JSON; lone surrogates none in UTF-8."""
    if isinstance(value, dict):
        return {_finite(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def origin(document: Document) -> str:
    """What the ledger calls the input of a document."""
    fields = document.metadata
    if fields.get("warc_file"):
        return str(fields["warc_file"])
    if fields.get("path"):
        return f"{fields.get('repo') or ''}/{fields['path']}".lstrip("/")
    return str(fields.get("source") or "")


def file_facts(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    return {"bytes": path.stat().st_size, "sha256": sha256_file(path)}


def marker_path(folder: str | Path, part: str) -> Path:
    """Where the marker of a part lies."""
    return Path(folder) / WORK / "done" / f"{part}.json"


def read_marker(folder: Path, part: str) -> dict[str, Any] | None:
    """A part's marker, or None if the part is not done."""
    try:
        marker: dict[str, Any] = json.loads(marker_path(folder, part).read_bytes())
    except (OSError, ValueError):
        return None
    return marker


def find_file(folder: Path, marker: Mapping[str, Any], name: str) -> Path | None:
    """A file of a part with the bytes that the part's marker states, in its place or staged; None if there is
    none."""
    facts = marker["files"].get(name)
    for root in (folder / STAGED, folder):
        path = root / name / f"{marker['part']}.parquet"
        try:
            if facts and path.stat().st_size == facts["bytes"] and sha256_file(path) == facts["sha256"]:
                return path
        except OSError:
            continue
    return None

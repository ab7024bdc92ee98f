"""The document store: immutable documents, annotations and decisions beside them, one `store.json` over all.

    store.json
    documents/part-00000.parquet                       corpus.schema.DOCUMENTS
    annotations/<name>@<version>/part-00000.parquet    id and the annotator's dotted columns; same rows,
    same order
    decisions/<policy>/part-00000.parquet              id, keep, reason, tier; same rows, same order
    duplicates/<name>@<version>.parquet                filters.dedup.base: what is there twice
    ledger/part-00000.parquet                          corpus.schema.LEDGER: what never became a document

`store.json` is written last and atomically: a folder without it is no finished store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.schema import DOCUMENTS, LEDGER
from filters.conditions import check_boolean, engine, nearest_column, parse_condition
from filters.decide import DECISION_SCHEMA, read_columns
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import canonical_json, digest_json, sha256_file
from gristmill.base.errors import UserError, did_you_mean

FORMAT = "gristmill document store"
VERSION = 1
STORE_JSON = "store.json"
LEDGERS = "duplicates"
"""Folder of the ledgers of deduplication, one file a method."""
DECISION_COLUMNS = tuple(name for name in DECISION_SCHEMA.names if name != "id")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a store."""

    name: str
    """`part-00000` and so on."""
    rows: int
    """Documents."""
    digest: str
    """SHA-256 of the documents file."""


class Store:
    """A finished document store, for reading."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self.path, self.content = path, content

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a store. Raises UserError where there is none, where it is unfinished or of another
        version."""
        path = Path(path)
        try:
            content = json.loads((path / STORE_JSON).read_bytes())
        except FileNotFoundError:
            what = "unfinished document store" if (path / "documents").is_dir() else "no document store"
            raise UserError(what, where=str(path), mend="run `gristmill corpus build`") from None
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {STORE_JSON}: {error}", where=str(path)) from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UserError("not a document store", where=str(path))
        if content.get("version") != VERSION:
            raise UserError(
                f"document store of version {content.get('version')}, this program reads {VERSION}",
                where=str(path),
            )
        return cls(path, content)

    @property
    def name(self) -> str:
        """Name of the corpus."""
        return str(self.content["name"])

    @cached_property
    def digest(self) -> str:
        """Identity of what the store says: changes with any document, annotation, decision or ledger row."""
        return content_digest(self.content)

    def selection_digest(self, policy: str | None = None, where: str | None = None) -> str:
        """Identity of what a selection of documents can depend on, which is all that a mixture may fix.

        Documents, and the decisions of the policy; with a condition, which may name any column, all
        annotations too. Decisions of another policy, or one more annotation, leave it as it is.
        """
        files = file_digests(self.content)
        kinds = ("documents/", "annotations/") if where else ("documents/",)
        relevant = {name: digest for name, digest in files.items() if name.startswith(kinds)}
        if policy is not None:
            prefix = f"decisions/{policy}/"
            relevant |= {name: digest for name, digest in files.items() if name.startswith(prefix)}
        return digest_json([FORMAT, VERSION, self.name, policy, where, relevant])

    @cached_property
    def parts(self) -> list[Part]:
        """The parts in order."""
        return [Part(p["part"], p["rows"], p["files"]["documents"]["sha256"]) for p in self.content["parts"]]

    @property
    def rows(self) -> int:
        """Documents in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def annotations(self) -> list[str]:
        """Names (`gopher@1`) of the annotations."""
        return sorted(self.content["annotations"])

    @property
    def policies(self) -> list[str]:
        """Names of the policies by which was decided."""
        return sorted(self.content["decisions"])

    @cached_property
    def schema(self) -> dict[str, pa.DataType]:
        """Types of all columns of documents and annotations, without the decisions'."""
        types = {f.name: f.type for f in DOCUMENTS}
        for name in self.annotations:
            folder = self.path / "annotations" / name
            if self.parts:
                schema = pq.read_schema(folder / f"{self.parts[0].name}.parquet")
                types.update({f.name: f.type for f in schema if f.name != "id"})
        return types

    def files(self, part: str, policy: str | None = None) -> list[Path]:
        """A part's documents file, then its annotation files, then the decisions of a policy if one is
        named."""
        names = ["documents", *(f"annotations/{name}" for name in self.annotations)]
        if policy is not None:
            self._known(policy)
            names.append(f"decisions/{policy}")
        return [self.path / name / f"{part}.parquet" for name in names]

    def decisions(self, policy: str) -> Mapping[str, Any]:
        """What `store.json` says of a policy's decisions. Raises UserError for an unknown policy."""
        self._known(policy)
        entry: Mapping[str, Any] = self.content["decisions"][policy]
        return entry

    def _known(self, policy: str) -> None:
        if policy not in self.content["decisions"]:
            mend = did_you_mean(policy, self.policies) if self.policies else "run `gristmill corpus decide`"
            raise UserError(f"no decisions of a policy '{policy}'", where=str(self.path), mend=mend)

    def documents(
        self,
        columns: Sequence[str] = ("id", "text"),
        where: str | None = None,
        policy: str | None = None,
        parts: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Documents in the store's order, a batch of the wanted columns at a time; memory is bounded.

        Args:
            columns: of documents and annotations; with a policy also `keep`, `reason`, `tier`.
            where: SQL condition over the same columns; only documents that make it true.
            policy: only documents that this policy keeps.
            parts: only these parts.

        Raises UserError for an unknown policy or column and for a condition that is none.
        """
        types = dict(self.schema)
        if policy is not None:
            self._known(policy)
            types.update({f.name: f.type for f in DECISION_SCHEMA})
        for name in columns:
            if name not in types:
                raise UserError(
                    f"unknown column '{name}'", where=str(self.path), mend=nearest_column(name, types)
                )
        needed = dict.fromkeys(columns)
        condition = None
        if where is not None:
            condition = parse_condition(where, types, "where")
            check_boolean(condition, where, types, "where")
            needed |= dict.fromkeys(condition.columns)
        if policy is not None:
            needed["keep"] = None
        for part in self.parts:
            if parts is not None and part.name not in parts:
                continue
            for table in self._tables(part.name, list(needed), policy):
                kept = table.filter(table.column("keep")) if policy is not None else table
                if condition is not None:
                    kept = _select(kept, condition.sql)
                yield from kept.select(list(columns)).to_batches()

    def _tables(self, part: str, columns: Sequence[str], policy: str | None) -> Iterator[pa.Table]:
        """The columns of a part, a row group of the documents at a time."""
        documents, *others = self.files(part, policy)
        own = [name for name in columns if name in DOCUMENTS.names]
        rest = [name for name in columns if name not in DOCUMENTS.names]
        file = pq.ParquetFile(documents)
        beside = None
        if rest:
            # Everything but the text is small: a part's columns fit in memory.
            beside = read_columns([documents, *others], rest)
        start = 0
        for group in range(file.metadata.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if own:
                table = file.read_row_group(group, columns=own)
            else:
                table = pa.table({"": pa.nulls(count)}).select([])
            if beside is not None:
                for name in rest:
                    table = table.append_column(
                        beside.schema.field(name), beside.column(name).slice(start, count)
                    )
            start += count
            yield table

    def ledger(self) -> pa.Table:
        """All rows of the ledger, in order."""
        tables = [
            pq.read_table(self.path / "ledger" / f"{part.name}.parquet", partitioning=None)
            for part in self.parts
        ]
        return pa.concat_tables([LEDGER.empty_table(), *tables])

    def relation(self, policy: str | None = None) -> tuple[duckdb.DuckDBPyConnection, str]:
        """A DuckDB connection and the SQL of a relation over documents, annotations and decisions, joined
        by id.

        For questions that go over the whole store; `documents` is the way to read it in order.
        """
        database = duckdb.connect()
        database.execute("SET TimeZone = 'UTC'")
        names = ["documents", *(f"annotations/{name}" for name in self.annotations)]
        if policy is not None:
            self._known(policy)
            names.append(f"decisions/{policy}")
        first, *others = (f"{self.scan(name)} AS t{number}" for number, name in enumerate(names))
        return database, first + "".join(f" JOIN {other} USING (id)" for other in others)

    def scan(self, name: str) -> str:
        """The SQL that reads `documents`, `annotations/…` or `decisions/…` with DuckDB; needs a part."""
        files = [str(self.path / name / f"{part.name}.parquet") for part in self.parts]
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        return f"read_parquet([{listed}], hive_partitioning = false)"

    def verify(self) -> list[str]:
        """Read every byte; returns what is missing or has another digest, empty if all is well."""
        wrong = []
        for name, digest in file_digests(self.content).items():
            file = self.path / name
            if not file.is_file():
                wrong.append(f"{name}: missing")
            elif (found := sha256_file(file)) != digest:
                wrong.append(f"{name}: expected {digest}, found {found}")
        return wrong


def _select(table: pa.Table, condition: str) -> pa.Table:
    """The rows of a table that make a condition true, in order."""
    cursor = engine()
    cursor.register("batch", table)
    try:
        mask = cursor.sql(f"SELECT coalesce({condition}, false) AS wanted FROM batch").to_arrow_table()
    except duckdb.Error as error:
        raise UserError(f"the condition fails: {str(error).splitlines()[0]}", where="where") from None
    finally:
        cursor.unregister("batch")
    return table.filter(mask.column("wanted"))


def file_digests(content: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every file of a store, by its relative path."""
    digests = {}
    for part in content["parts"]:
        for name, facts in part["files"].items():
            digests[f"{name}/{part['part']}.parquet"] = facts["sha256"]
    for kind in ("annotations", "decisions"):
        for name, entry in content[kind].items():
            for part, digest in entry.get("parts", {}).items():
                digests[f"{kind}/{name}/{part}.parquet"] = digest
    for name, entry in content["annotations"].items():
        if "ledger" in entry:
            digests[f"{LEDGERS}/{name}.parquet"] = entry["ledger"]
    return dict(sorted(digests.items()))


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 over the digests of all files: what the store says, not how it was asked for."""
    return digest_json([FORMAT, VERSION, content["name"], file_digests(content)])


def part_files(path: Path, content: Mapping[str, Any], part: str) -> list[Path]:
    """A part's documents file, then its annotation files."""
    names = ["documents", *(f"annotations/{name}" for name in sorted(content["annotations"]))]
    return [path / name / f"{part}.parquet" for name in names]


def write_store(path: Path, content: Mapping[str, Any]) -> Store:
    """Write `store.json`: from here on the store is finished."""
    atomic_write(path / STORE_JSON, canonical_json(content) + b"\n")
    return Store.open(path)


def try_open(path: Path) -> Store | None:
    """The finished store at a path, or None where there is none yet."""
    return Store.open(path) if (path / STORE_JSON).is_file() else None

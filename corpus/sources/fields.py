"""Rows of tables as documents: which fields are the text, the id, the store's columns, and what becomes of
the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from datatrove.data import Document

from corpus.ledger import Ledger
from corpus.manifest import Rows
from corpus.schema import FIELDS
from corpus.sources.base import clean, present
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError, did_you_mean


@dataclass(frozen=True, slots=True)
class RowReader:
    """Turns rows into documents."""

    kind: str
    """Kind of source: part of the ids."""
    name: str
    """Name of the corpus: the column `source`, and part of the ids where rows bring an id of their own."""
    options: Rows
    """Which fields are what."""

    def columns(self, names: Sequence[str]) -> list[str]:
        """The fields to read of a table with these ones (paths of inner fields among them), in the
        table's order.

        Raises UserError where there is no field for text or id, or none that shall be kept.
        """
        options = self.options
        required = [options.text, *(options.keep or ())] + ([options.id] if options.id else [])
        for wanted in required:
            if wanted not in names:
                raise UserError(f"no column '{wanted}'", mend=did_you_mean(wanted, names))
        if options.keep is None:
            chosen = set(names)
        else:
            chosen = {*required, *(FIELDS - {"source"})} | ({options.url} if options.url else set())
        found = [name for name in names if name in chosen]
        return [name for name in found if not any(name.startswith(f"{other}.") for other in found)]

    def document(self, row: Mapping[str, Any], input: str, number: int, ledger: Ledger) -> Document | None:
        """A row as a document; None, and a word to the ledger, where it has no text or no id."""
        ledger.records += 1
        options = self.options
        own = dig(row, options.id) if options.id else None
        if own is not None:
            key = stable_id(self.kind, self.name, str(own))
        else:
            key = stable_id(self.kind, input, number)
        if options.id and own is None:
            ledger.drop(input, "no_id", stage="read", offset=number, detail=f"no '{options.id}'")
            return None
        text = dig(row, options.text)
        if not isinstance(text, str):
            detail = f"no '{options.text}'" if text is None else f"'{options.text}' is {type(text).__name__}"
            ledger.drop(input, "no_text", stage="read", offset=number, id=key, detail=detail)
            return None
        if not text.strip():
            ledger.drop(input, "empty_text", stage="extract", offset=number, id=key)
            return None
        return Document(text=clean(text), id=key, metadata=self._fields(row, own))

    def _fields(self, row: Mapping[str, Any], own: Any) -> dict[str, Any]:
        options = self.options
        used = [name for name in (options.text, options.id, options.url) if name]
        fields: dict[str, Any] = {"language": options.language, "license": options.license}
        rest: dict[str, Any] = {}
        for name, value in row.items():
            if value is None or name in used or name in ("text", "source"):
                continue
            if name == "fetched_at":
                fields[name] = _moment(value)
            elif name == "warc_offset":
                fields[name] = value if isinstance(value, int) else None
            elif name in FIELDS:
                fields[name] = clean(str(value))
            elif options.keep is None:
                inner = [path[len(name) + 1 :] for path in used if path.startswith(f"{name}.")]
                rest |= _kept(name, without(value, inner))
        for path in options.keep or ():
            rest |= _kept(path, dig(row, path))
        url = dig(row, options.url) if options.url else None
        return present(
            **{name: value for name, value in rest.items() if name not in FIELDS},
            **fields,
            source=self.name,
            **({"url": clean(str(url))} if url is not None else {}),
            **({"native_id": clean(str(own))} if own is not None else {}),
        )


def dig(row: Any, path: str) -> Any:
    """The value of a field, which may lie within others; None where there is none. A name with dots is
    also tried as it is."""
    if not isinstance(row, Mapping):
        return None
    if path in row:
        return row[path]
    head, _, rest = path.partition(".")
    return dig(row.get(head), rest) if rest else None


def without(value: Any, paths: Sequence[str]) -> Any:
    """A field's value without some of the fields within it; None if nothing is left."""
    if not paths or not isinstance(value, Mapping):
        return value
    left = {}
    for name, inner in value.items():
        if name not in paths:
            deeper = [path[len(name) + 1 :] for path in paths if path.startswith(f"{name}.")]
            left[name] = without(inner, deeper)
    return {name: inner for name, inner in left.items() if inner is not None} or None


def _kept(name: str, value: Any) -> dict[str, Any]:
    """A field as it goes into the column `metadata`."""
    if value is None:
        return {}
    if name == "metadata" and isinstance(value, dict | str):
        return _object(value)
    # A dot would make it an annotator's column.
    return {name.replace(".", "_"): value}


def _object(value: Mapping[str, Any] | str) -> dict[str, Any]:
    """A row's own `metadata`, an object or JSON."""
    if isinstance(value, str):
        try:
            loaded = json.loads(value)
        except ValueError:
            return {"metadata": value}
        return _object(loaded) if isinstance(loaded, dict) else {"metadata": value}
    return {name.replace(".", "_"): item for name, item in value.items() if item is not None}


def _moment(value: Any) -> datetime | None:
    """A time as UTC without time zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None

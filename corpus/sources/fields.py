"""Rows of tables as documents: which fields are the text, the id, the store's columns, and what becomes of
the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from datatrove.data import Document

from corpus.ledger import Ledger
from corpus.schema import FIELDS
from corpus.sources.base import clean, present
from gristmill.base.digest import stable_id


@dataclass(frozen=True, slots=True)
class RowReader:
    """Turns rows into documents."""

    kind: str
    """Kind of source: part of the ids."""
    name: str
    """Name of the corpus: the column `source`, and part of the ids where rows bring an id of their own."""
    text: str
    id: str | None
    url: str | None
    language: str | None
    license: str | None

    def document(self, row: Mapping[str, Any], input: str, number: int, ledger: Ledger) -> Document | None:
        """A row as a document; None, and a word to the ledger, where it has no text or no id."""
        ledger.records += 1
        own = row.get(self.id) if self.id else None
        if own is not None:
            key = stable_id(self.kind, self.name, str(own))
        else:
            key = stable_id(self.kind, input, number)
        if self.id and own is None:
            ledger.drop(input, "no_id", stage="read", offset=number, detail=f"no '{self.id}'")
            return None
        text = row.get(self.text)
        if not isinstance(text, str):
            detail = f"no '{self.text}'" if text is None else f"'{self.text}' is {type(text).__name__}"
            ledger.drop(input, "no_text", stage="read", offset=number, id=key, detail=detail)
            return None
        if not text.strip():
            ledger.drop(input, "empty_text", stage="extract", offset=number, id=key)
            return None
        return Document(text=clean(text), id=key, metadata=self._fields(row))

    def _fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        used = {self.text, "text", "source"} | {name for name in (self.id, self.url) if name}
        fields: dict[str, Any] = {"language": self.language, "license": self.license}
        rest = {}
        for name, value in row.items():
            if value is None or name in used:
                continue
            if name == "fetched_at":
                fields[name] = _moment(value)
            elif name == "warc_offset":
                fields[name] = value if isinstance(value, int) else None
            elif name in FIELDS:
                fields[name] = clean(str(value))
            elif name == "metadata" and isinstance(value, dict | str):
                rest.update(_object(value))
            else:
                # A dot would make it an annotator's column.
                rest[name.replace(".", "_")] = value
        url = row.get(self.url) if self.url else None
        own = row.get(self.id) if self.id else None
        return present(
            **{name: value for name, value in rest.items() if name not in FIELDS},
            **fields,
            source=self.name,
            **({"url": clean(str(url))} if url is not None else {}),
            **({"native_id": clean(str(own))} if own is not None else {}),
        )


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

"""One document with all that is known of it, and why it is kept or dropped."""

from __future__ import annotations

import datetime
import json
from typing import Any

import duckdb
import pyarrow.parquet as pq

from corpus.store import LEDGERS, Store
from filters.decide import bind, read_columns
from filters.rules import RuleSet
from gristmill.base.errors import UserError

MIN_PREFIX = 4
SHOWN = 20
"""Most copies or pieces that are shown."""


def inspect(store: Store, key: str, rules: RuleSet | None = None) -> dict[str, Any]:
    """Everything about one document, or about a record that never became one.

    Args:
        store: the store.
        key: an id, the beginning of one (four characters or more), or a URL.
        rules: explain these rules over the document's columns: every rule with the columns it reads and
        whether it
            matches.

    Raises UserError where nothing or more than one document is meant.
    """
    found = _find(store, key, "documents")
    if not found:
        return _lost(store, key)
    if len(found) > 1:
        some = ", ".join(identity for identity, _ in found[:3])
        raise UserError(
            f"'{key}' means {len(found)} documents: {some}", where=str(store.path), mend="give an id"
        )
    identity, part = found[0]
    table = read_columns(store.files(part), list(store.schema))
    row = table.column("id").to_pylist().index(identity)
    values = {name: table.column(name)[row].as_py() for name in table.column_names}
    document = {name: values[name] for name in values if "." not in name}
    document["metadata"] = json.loads(document["metadata"] or "{}")
    if isinstance(document["fetched_at"], datetime.datetime):
        document["fetched_at"] = document["fetched_at"].isoformat() + "Z"
    result: dict[str, Any] = {
        "id": identity,
        "part": part,
        "row": row,
        "document": document,
        "annotations": {name: values[name] for name in values if "." in name},
        "copies": _copies(store, identity),
        "decisions": {},
    }
    for policy in store.policies:
        file = store.files(part, policy)[-1]
        decision = (
            read_columns([store.files(part)[0], file], ["keep", "reason", "tier"])
            .slice(row, 1)
            .to_pylist()[0]
        )
        result["decisions"][policy] = {name: decision[name] for name in ("keep", "reason", "tier")}
    if rules is not None:
        bound = bind(rules, store.schema)
        result["rules"] = []
        for rule, condition in zip(rules.rules, bound.conditions, strict=True):
            one = bind(RuleSet(rules.name, (rule,)), store.schema).decide(table.slice(row, 1)).to_pylist()[0]
            matches = one["reason"] == rule.label if rule.action == "drop" else one["tier"] == rule.label
            result["rules"].append(
                {
                    "action": rule.action,
                    "label": rule.label,
                    "condition": rule.condition,
                    "columns": {name: values[name] for name in condition.columns if name != "text"},
                    "matches": matches,
                }
            )
    return result


def _copies(store: Store, identity: str) -> dict[str, list[dict[str, Any]]]:
    """What the ledgers of deduplication say of a document, by method: its cluster, or the pieces of it that
    stand elsewhere."""
    found = {}
    for name, entry in store.content["annotations"].items():
        if "ledger" not in entry:
            continue
        file = str(store.path / LEDGERS / f"{name}.parquet")
        columns = pq.read_schema(file).names
        condition = (
            "cluster = (SELECT any_value(cluster) FROM read_parquet($file) WHERE id = $id)"
            " ORDER BY keep DESC, similarity DESC, id"
            if "cluster" in columns
            else "id = $id ORDER BY start"
        )
        with duckdb.connect() as database:
            rows = database.execute(
                f"SELECT * FROM read_parquet($file) WHERE {condition} LIMIT {SHOWN}",
                {"file": file, "id": identity},
            ).fetchall()
        if rows:
            found[name.split("@")[0]] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


def _find(store: Store, key: str, kind: str) -> list[tuple[str, str]]:
    """Ids and parts of the rows that a key means."""
    if not store.parts:
        return []
    files = [str(store.path / kind / f"{part.name}.parquet") for part in store.parts]
    if "://" in key:
        condition = "url = $key" if kind == "documents" else "false"
    elif len(key) < MIN_PREFIX:
        raise UserError(
            f"'{key}' is too short", mend=f"give at least {MIN_PREFIX} characters of an id, or a URL"
        )
    else:
        condition = "starts_with(id, $key)"
    with duckdb.connect() as database:
        rows = database.execute(
            f"SELECT id, parse_filename(filename, true) FROM read_parquet($files, filename = true, "
            f"hive_partitioning = false) WHERE {condition} ORDER BY ALL LIMIT 1000",
            {"files": files, **({"key": key} if "$key" in condition else {})},
        ).fetchall()
    return [(str(identity), str(part)) for identity, part in rows]


def _lost(store: Store, key: str) -> dict[str, Any]:
    """What the ledger says of a record that never became a document."""
    found = _find(store, key, "ledger")
    if not found:
        raise UserError(
            f"no document '{key}'", where=str(store.path), mend="give an id or a URL of this store"
        )
    ledger = store.ledger().to_pylist()
    rows = [row for row in ledger if row["id"] == found[0][0]]
    return {"id": found[0][0], "part": found[0][1], "ledger": rows}

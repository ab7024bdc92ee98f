"""Labelled texts from stores and sources."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.classifiers.manifest import ClassifierManifest, Examples
from corpus.ledger import Ledger
from corpus.manifest import CorpusManifest
from corpus.sources.registry import build_source
from corpus.store import Store
from filters.annotators.exact_hash import normalise
from filters.conditions import nearest_column
from filters.domains import registrable_domain
from filters.quality.training import Example
from filters.urls import parse_url
from gristmill.base.digest import digest_json, stable_id
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent

METADATA = "metadata."


@dataclass(frozen=True)
class Found:
    """Examples, and what was left out."""

    examples: tuple[Example, ...]
    without_label: int
    """Texts that had none."""
    repeated: int
    """Texts that had come before, with the same label."""
    contradictory: int
    """Texts that had come before with another label; the first one counts."""
    digest: str
    """SHA-256 over texts and labels, whatever their order."""


@dataclass(frozen=True)
class _Row:
    id: str
    text: str
    url: str | None
    label: Any


def collect(manifest: ClassifierManifest, progress: Progress | None = None) -> Found:
    """All examples of a manifest, sorted by a hash of their texts.

    Raises UserError for places and labels that are none.
    """
    progress = progress or Silent()
    task = progress.task("examples", total=len(manifest.examples), unit="sets")
    seen: dict[str, Example] = {}
    counts: Counter[str] = Counter()
    for number, chosen in enumerate(manifest.examples):
        where = f"examples[{number}]"
        rows = _stored(chosen, where) if chosen.store is not None else _read(chosen, manifest.name, where)
        for row in _limited(rows, chosen.limit, manifest.seed):
            label = chosen.fixed if chosen.fixed is not None else name_label(row.label)
            if label is None:
                counts["without_label"] += 1
                continue
            label = chosen.names.get(label, label)
            if not label or len(label.split()) != 1:
                raise UserError(
                    f"the label '{label}' is not one word", where=where, mend="rename it: `names`"
                )
            same = stable_id("text", normalise(row.text))
            if same in seen:
                counts["repeated" if seen[same].label == label else "contradictory"] += 1
                continue
            seen[same] = Example(same, row.text, label, _group(row, same, manifest.held_out.by), number)
        task.advance()
    task.close()
    examples = tuple(sorted(seen.values(), key=lambda example: example.id))
    if len({example.label for example in examples}) < 2:
        raise UserError(
            f"{len(examples)} examples with the same label" if examples else "there are no examples",
            where="examples",
            mend="a classifier needs at least two labels",
        )
    identity = digest_json([[example.id, example.label] for example in examples])
    return Found(examples, counts["without_label"], counts["repeated"], counts["contradictory"], identity)


def name_label(value: Any) -> str | None:
    """A value as a label: `True` is `true`, 3.0 is `3`; None for what is none."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _group(row: _Row, same: str, by: str) -> str:
    url = parse_url(row.url) if by == "domain" else None
    domain = registrable_domain(url.host) if url is not None else None
    return f"domain {domain}" if domain else same


def _limited(rows: Iterator[_Row], limit: int | None, seed: int) -> Iterator[_Row] | Sequence[_Row]:
    if limit is None:
        return rows
    return sorted(rows, key=lambda row: stable_id("limit", seed, row.id))[:limit]


def _stored(chosen: Examples, where: str) -> Iterator[_Row]:
    """Documents of a store with their labels."""
    assert chosen.store is not None
    store = Store.open(chosen.store)
    label, key = chosen.label, None
    if label is not None and label.startswith(METADATA):
        label, key = "metadata", label.removeprefix(METADATA)
    if label is not None and label not in store.schema:
        raise UserError(
            f"unknown column '{label}'", where=f"{where}.label", mend=nearest_column(label, store.schema)
        )
    columns = list(dict.fromkeys(["id", "text", "url", *([label] if label is not None else [])]))
    for batch in store.documents(columns, where=chosen.where, policy=chosen.policy):
        for row in batch.to_pylist():
            value = row[label] if label is not None else None
            if key is not None:
                value = json.loads(value or "{}").get(key)
            yield _Row(row["id"], row["text"], row["url"], value)


def _read(chosen: Examples, name: str, where: str) -> Iterator[_Row]:
    """Documents of a source with their labels. An input that cannot be read to its end is an error here."""
    fields = {"kind": "corpus", "name": name, "output": str(Path()), "source": chosen.source}
    source = build_source(CorpusManifest.model_validate(fields))
    ledger = Ledger()
    found = 0
    for task in source.tasks(None):
        for document in source.read(task, ledger, lambda _: None):
            value = document.metadata.get(chosen.label) if chosen.label is not None else None
            found += value is not None
            yield _Row(document.id, document.text, document.metadata.get("url"), value)
    if ledger.incomplete:
        lost = ledger.incomplete[0]
        raise UserError(f"cannot read '{lost.input}' to its end: {lost.reason} {lost.detail}", where=where)
    if chosen.label is not None and not found:
        raise UserError(f"no row has a field '{chosen.label}'", where=f"{where}.label")

"""What a build will do, and what a store that is already there was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpus.inputs import listing_digest, stamps_digest
from corpus.manifest import CorpusManifest
from corpus.parts import part_name
from corpus.schema import DOCUMENTS, ROW_GROUP_BYTES, ROW_GROUP_ROWS
from corpus.sources.base import Source, Task
from corpus.sources.registry import build_source
from corpus.store import VERSION
from filters.base import Annotator
from filters.decide import BoundRules, bind
from filters.dedup import exact
from filters.registry import build_annotator
from filters.rules import load_ruleset
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError

PLACES = frozenset({"paths", "roots", "path", "data_files", "storage_options"})
"""Fields of a source that say where inputs are. Their contents count, by name, size and bytes, not where
they lie."""


@dataclass(frozen=True)
class Plan:
    """A manifest, resolved: source and tasks, annotators, rules bound to the columns there will be."""

    manifest: CorpusManifest
    source: Source
    tasks: Sequence[Task]
    annotators: tuple[Annotator, ...]
    early: BoundRules | None
    policy: BoundRules | None
    columns: Mapping[str, pa.DataType]
    """Columns of the annotators and the documents."""
    stage: Mapping[str, str]
    """What the documents depend on, each with its digest; the inputs apart."""

    def key(self, number: int) -> str:
        """What a part depends on; its marker carries it."""
        task = self.tasks[number]
        return digest_json(
            [
                self.stage,
                part_name(number),
                listing_digest(task.inputs),
                stamps_digest(task.inputs),
                task.span,
            ]
        )

    def listing(self) -> list[str]:
        """What the inputs of every part are called, and how large they are."""
        return [digest_json([listing_digest(task.inputs), task.span]) for task in self.tasks]


def make_plan(manifest: CorpusManifest, *, with_tasks: bool = True) -> Plan:
    """Resolve a manifest: list the inputs, load annotators and rules, bind the rules.

    Raises UserError for whatever the user got wrong, before any work is done.
    """
    annotators = []
    for number, choice in enumerate(manifest.choices):
        try:
            annotators.append(build_annotator(choice.name, choice.options))
        except UserError as error:
            raise UserError(
                error.what, where=error.where or f"annotators[{number}]", mend=error.mend
            ) from None
    columns: dict[str, pa.DataType] = {f.name: f.type for f in DOCUMENTS}
    for annotator in annotators:
        columns |= dict(annotator.columns)
    early = None
    if manifest.early_drop is not None:
        early = bind(load_ruleset(manifest.early_drop, "early_drop"), columns)
    policy = bind_policy(manifest, columns)
    source = build_source(manifest)
    options = manifest.source.model_dump(mode="json", exclude=set(PLACES))
    stage = {
        "format": digest_json([VERSION, ROW_GROUP_ROWS, ROW_GROUP_BYTES]),
        "name": digest_json(manifest.name),
        "source": digest_json([options, _labels(manifest)]),
        "annotators": digest_json(
            [[a.name, a.version, c.options] for a, c in zip(annotators, manifest.choices, strict=True)]
        ),
        "early_drop": digest_json(early.ruleset.digest if early is not None else None),
    }
    tasks = source.tasks() if with_tasks else []
    return Plan(manifest, source, tasks, tuple(annotators), early, policy, columns, stage)


def _labels(manifest: CorpusManifest) -> Any:
    """What roots say about their documents, apart from where they are."""
    roots = getattr(manifest.source, "roots", ())
    return [
        None if isinstance(root, str) else root.model_dump(mode="json", exclude={"path"}) for root in roots
    ]


def bind_policy(manifest: CorpusManifest, columns: Mapping[str, pa.DataType]) -> BoundRules | None:
    """The manifest's policy, bound to the columns of documents, annotators and deduplication."""
    if manifest.policy is None:
        return None
    types = dict(columns)
    if manifest.dedup is not None:
        types |= {f.name: f.type for f in exact.SCHEMA if f.name != "id"}
    return bind(load_ruleset(manifest.policy.rules, "policy.rules"), types)

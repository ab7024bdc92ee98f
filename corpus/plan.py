"""What a build will do, and what a store that is already there was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.copies import bind_methods, build_methods
from corpus.derived import Buckets, Derived, add_columns, columns_after, in_order
from corpus.extraction.engines import resolve, specify
from corpus.inputs import listing_digest, stamps_digest
from corpus.manifest import CorpusManifest
from corpus.parts import annotation_folder, part_name
from corpus.schema import DOCUMENTS, ROW_GROUP_BYTES, ROW_GROUP_ROWS
from corpus.sources.base import Source, Task
from corpus.sources.registry import build_source
from corpus.store import VERSION, Store
from filters.base import Annotator
from filters.conditions import check_boolean, nearest_column, parse_condition
from filters.decide import BoundRules, bind
from filters.quality.ensemble import NAME as ENSEMBLE
from filters.quality.ensemble import VERSION as ENSEMBLE_VERSION
from filters.quality.ensemble import Ensemble, Thresholds, from_json, read_thresholds
from filters.registry import annotator_digest, build_annotator
from filters.rules import load_ruleset
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError
from gristmill.base.numbers import human_count
from gristmill.base.progress import Progress

PLACES = frozenset({"paths", "roots", "path", "data_files", "base_url", "storage_options", "transfer"})
"""Fields of a source that say where inputs are, and how they are fetched. Their contents count, by name,
size and bytes, not where they lie."""


@dataclass(frozen=True)
class Plan:
    """A manifest, resolved: source and tasks, annotators, rules bound to the columns there will be."""

    manifest: CorpusManifest
    source: Source
    tasks: Sequence[Task]
    annotators: tuple[Annotator, ...]
    early: BoundRules | None
    derived: tuple[Derived, ...]
    """Annotations that compare documents, each after those whose columns it reads."""
    policy: BoundRules | None
    columns: Mapping[str, pa.DataType]
    """Columns of the annotators and the documents."""
    stage: Mapping[str, str]
    """What the documents depend on, each with its digest; the inputs apart. Annotators count only where an
    early drop reads their columns."""
    digests: Mapping[str, str]
    """What the values of each annotator depend on, by its folder (`annotations/<name>@<version>`)."""

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


@dataclass(frozen=True, slots=True)
class Outlook:
    """How much there is to read."""

    parts: int
    inputs: int
    """Files; a look-up in an index counts as one."""
    records: int | None
    """Records, where an index has counted them."""
    bytes: int | None
    """As they lie, where that is known."""
    estimated: bool
    """Whether the bytes are reckoned from some of the inputs."""

    def __str__(self) -> str:
        counts = [f"{self.records:,} records" if self.records is not None else f"{self.inputs:,} inputs"]
        if self.bytes is not None:
            counts.append(f"{'about ' if self.estimated else ''}{human_count(self.bytes)}B")
        return f"{', '.join(counts)} to read in {self.parts:,} parts"


def outlook(plan: Plan, numbers: Sequence[int] | None = None) -> Outlook:
    """What the plan is about to read, all of it or the parts with these numbers."""
    tasks = [plan.tasks[number] for number in (range(len(plan.tasks)) if numbers is None else numbers)]
    records = [task.records for task in tasks]
    sizes = [task.size if plan.source.unit == "B" else None for task in tasks]
    return Outlook(
        parts=len(tasks),
        inputs=len({item.name for task in tasks for item in task.inputs}),
        records=None if None in records else sum(filter(None, records)),
        bytes=None if None in sizes else sum(filter(None, sizes)),
        estimated=any(task.estimated for task in tasks),
    )


def make_plan(manifest: CorpusManifest, progress: Progress | None = None, *, with_tasks: bool = True) -> Plan:
    """Resolve a manifest: list the inputs, load annotators and rules, bind the rules.

    Raises UserError for whatever the user got wrong, before any work is done.
    """
    manifest = _with_engine(manifest)
    annotators, digests = _annotators(manifest)
    columns: dict[str, pa.DataType] = {f.name: f.type for f in DOCUMENTS}
    for annotator in annotators:
        columns |= dict(annotator.columns)
    early = None
    if manifest.early_drop is not None:
        early = bind(load_ruleset(manifest.early_drop, "early_drop"), columns)
    derived = resolve_derived(manifest, annotators, digests, columns)
    policy = bind_policy(manifest, columns_after(derived, columns))
    source = build_source(manifest)
    options = manifest.source.model_dump(mode="json", exclude=set(PLACES))
    stage = {
        "format": digest_json([VERSION, ROW_GROUP_ROWS, ROW_GROUP_BYTES]),
        "name": digest_json(manifest.name),
        "source": digest_json([options, _labels(manifest)]),
        "early_drop": digest_json(_early(early, annotators, digests)),
    }
    extract = getattr(manifest.source, "extract", None)
    if extract is not None:
        engine = specify(extract)
        stage["extraction"] = f"{engine.name} {engine.version}"
    tasks = source.tasks(progress) if with_tasks else []
    return Plan(manifest, source, tasks, annotators, early, derived, policy, columns, stage, digests)


def _annotators(manifest: CorpusManifest) -> tuple[tuple[Annotator, ...], dict[str, str]]:
    """The manifest's annotators, and what each depends on."""
    annotators: list[Annotator] = []
    digests: dict[str, str] = {}
    taken: dict[str, str] = {f.name: "the documents" for f in DOCUMENTS}
    for number, choice in enumerate(manifest.choices):
        where = f"annotators[{number}]"
        try:
            annotator = build_annotator(choice.name, choice.options, choice.label)
        except UserError as error:
            raise UserError(error.what, where=error.where or where, mend=error.mend) from None
        for column in annotator.columns:
            if column in taken:
                raise UserError(
                    f"'{annotator.name}' writes the column '{column}', as {taken[column]} does",
                    where=where,
                    mend="another name: `as: …`",
                )
            taken[column] = f"'{annotator.name}'"
        annotators.append(annotator)
        digests[annotation_folder(annotator)] = annotator_digest(annotator, choice.options)
    return tuple(annotators), digests


def _early(rules: BoundRules | None, annotators: Sequence[Annotator], digests: Mapping[str, str]) -> Any:
    """What an early drop depends on: its rules, and the annotators whose columns they read."""
    if rules is None:
        return None
    read = set(rules.columns)
    used = [annotation_folder(annotator) for annotator in annotators if read & set(annotator.columns)]
    return [rules.ruleset.digest, {folder: digests[folder] for folder in used}]


def _with_engine(manifest: CorpusManifest) -> CorpusManifest:
    """The manifest with the engine that `auto` means here, so that all jobs of a build use the same."""
    extract = getattr(manifest.source, "extract", None)
    if extract is None:
        return manifest
    source = manifest.source.model_copy(update={"extract": resolve(extract)})
    return manifest.model_copy(update={"source": source})


def _labels(manifest: CorpusManifest) -> Any:
    """What roots say about their documents, apart from where they are."""
    roots = getattr(manifest.source, "roots", ())
    return [
        None if isinstance(root, str) else root.model_dump(mode="json", exclude={"path"}) for root in roots
    ]


def bind_policy(manifest: CorpusManifest, columns: Mapping[str, pa.DataType]) -> BoundRules | None:
    """The manifest's policy, bound to columns."""
    if manifest.policy is None:
        return None
    return bind(load_ruleset(manifest.policy.rules, "policy.rules"), columns)


def resolve_derived(
    manifest: CorpusManifest,
    annotators: Sequence[Annotator],
    digests: Mapping[str, str],
    columns: Mapping[str, pa.DataType],
) -> tuple[Derived, ...]:
    """The methods of deduplication and the ensemble, in order.

    Raises UserError for columns that there will not be, and for columns that two of them write.
    """
    methods = build_methods(manifest.deduplication, annotators)
    types = dict(columns)
    for method in methods:
        types = add_columns(types, method.columns)
    ensemble = resolve_ensemble(manifest, types)
    buckets = (Buckets(ensemble),) if ensemble is not None else ()
    for bucket in buckets:
        types = add_columns(types, bucket.columns)
    copies = bind_methods(manifest, methods, types, annotators, digests)
    return in_order([*copies, *buckets])


def resolve_ensemble(manifest: CorpusManifest, types: Mapping[str, pa.DataType]) -> Ensemble | None:
    """The manifest's ensemble over the columns that there will be, with the thresholds that it names.

    Raises UserError for a column that there is not or that is no number, and for thresholds that cannot be
    read.
    """
    wanted = manifest.ensemble
    if wanted is None:
        return None
    chosen: dict[str, str] = {}
    for number, name in enumerate(wanted.classifiers):
        where = f"ensemble.classifiers[{number}]"
        column = name if "." in name else f"quality.{name}"
        if column not in types:
            raise UserError(f"unknown column '{column}'", where=where, mend=nearest_column(column, types))
        if not (pa.types.is_floating(types[column]) or pa.types.is_integer(types[column])):
            raise UserError(f"'{column}' is no number", where=where)
        chosen[name.replace(".", "_")] = column
    condition = None
    if wanted.where is not None:
        condition = parse_condition(wanted.where, types, "ensemble.where")
        check_boolean(condition, wanted.where, types, "ensemble.where")
    thresholds = _thresholds(wanted.thresholds, list(chosen)) if wanted.thresholds is not None else None
    return Ensemble(chosen, wanted.sample, wanted.seed, condition, thresholds, dict(wanted.tiers))


def _thresholds(place: str, names: Sequence[str]) -> Thresholds:
    """Thresholds from a JSON file, or those of another store's ensemble."""
    if not Path(place).is_dir():
        return read_thresholds(place, names)
    entry = Store.open(place).content["annotations"].get(f"{ENSEMBLE}@{ENSEMBLE_VERSION}")
    if entry is None:
        raise UserError("this store has no ensemble", where=f"ensemble.thresholds: {place}")
    return from_json(entry["thresholds"], names, place)

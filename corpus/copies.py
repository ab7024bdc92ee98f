"""Methods of deduplication over a store: what a manifest asks for, run over the store's parts.

A method's stages run in worker processes of this machine and leave their files in the store's work folder, so
that a build that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.deduplication import (
    Choice,
    Deduplication,
    ExactChoice,
    NearChoice,
    RepeatedChoice,
    SubstringChoice,
    UrlChoice,
    minhash_label,
    name_of,
)
from corpus.derived import Runner
from corpus.executors import cores
from corpus.manifest import CorpusManifest
from corpus.parts import WORK, annotation_folder
from corpus.store import LEDGERS, Store, part_files
from filters.base import Annotator
from filters.conditions import Condition, check_boolean, parse_condition, parse_order
from filters.decide import bind
from filters.dedup import exact, same_url
from filters.dedup.base import Job, Method, Part
from filters.dedup.numbering import number_stage
from filters.rules import load_ruleset
from gristmill.base.atomic import atomic_folder, atomic_path, atomic_write, sweep
from gristmill.base.digest import canonical_json, digest_json, sha256_file
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent

EARLIEST, LATEST = "fetched_at ASC NULLS LAST", "fetched_at DESC NULLS LAST"
"""Orders of documents by default."""


SIMILAR: Mapping[str, float] = {"fineweb": 0.75, "nemotron-cc": 0.8}
"""Least similarity of near duplicates. FineWeb (arXiv 2406.17557, section 3.3) aims at documents that are at
least 75 % similar; NeMo Curator's fuzzy deduplication, with which Nemotron-CC was made, at 0.8
(`jaccard_threshold`)."""


@dataclass(frozen=True)
class Copies:
    """A method with what it compares: a derived annotation."""

    method: Method
    prefer: str
    where: str | None
    by: str | None
    reads: frozenset[str]
    against: tuple[str, ...] = ()
    """Older stores."""
    memory_mb: int = 2000
    tasks: int = 1
    needed: Mapping[str, str] = field(default_factory=dict)
    """Annotators that the method reads, with what their values depend on: older stores need the same."""

    @property
    def folder(self) -> str:
        """`<name>@<version>`."""
        return f"{self.method.name}@{self.method.version}"

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """What it writes, beside `id`."""
        return self.method.columns

    def settings(self) -> Any:
        """Method, order, selection, and the documents and columns of older stores."""
        return [
            self.method.meaning(),
            self.prefer,
            self.where,
            self.by,
            [self._content(s) for s in self._older()],
        ]

    def write(
        self, path: Path, content: Mapping[str, Any], key: str, run: Runner, progress: Progress | None
    ) -> dict[str, Any]:
        """Compare, and write annotation and ledger; returns the method's facts."""
        job = self.begin(path, content, key)
        run([number_stage(job), *self.method.stages(job)])
        ledger = path / LEDGERS / f"{self.folder}.parquet"
        with atomic_folder(path / "annotations" / self.folder) as target, atomic_path(ledger) as rows:
            facts = self.method.conclude(job, target, rows, progress or Silent())
        shutil.rmtree(job.work, ignore_errors=True)
        return {**facts, "ledger": sha256_file(ledger)}

    def begin(self, path: Path, content: Mapping[str, Any], key: str) -> Job:
        """The job, its work folder empty or holding what an interrupted run has left that was the same."""
        job = self.job(path, content)
        work = Path(job.work)
        mark = work / "key.json"
        if not mark.is_file() or json.loads(mark.read_bytes()) != key:
            shutil.rmtree(work, ignore_errors=True)
            atomic_write(mark, canonical_json(key))
        sweep(work)
        return job

    def job(self, path: Path, content: Mapping[str, Any]) -> Job:
        """Over the parts and annotations that `content` names; they need not be there yet."""
        return Job(
            self._parts(path, content),
            str(path / WORK / "dedup" / self.folder),
            self.prefer,
            self.where,
            self.by,
            memory_mb=self.memory_mb,
            tasks=self.tasks,
        )

    def _parts(self, path: Path, content: Mapping[str, Any]) -> tuple[Part, ...]:
        own = [
            Part(part["part"], tuple(map(str, part_files(path, content, part["part"]))))
            for part in content["parts"]
        ]
        older = [
            Part(part.name, tuple(map(str, store.files(part.name))), known=True)
            for store in self._older()
            for part in store.parts
        ]
        return (*own, *older)

    def _older(self) -> list[Store]:
        """The older stores. Raises UserError where one lacks a column."""
        stores = [Store.open(place) for place in self.against]
        for store in stores:
            for name, digest in self.needed.items():
                entry = store.content["annotations"].get(name)
                if entry is None or entry.get("digest") != digest:
                    raise UserError(
                        f"the older store has no annotation '{name}' of the same options",
                        where=f"dedup.against: {store.path}",
                        mend="add the same `dedup` to its manifest and build it again",
                    )
            for column in sorted(self.reads - set(store.schema)):
                raise UserError(
                    f"the older store has no column '{column}'", where=f"dedup.against: {store.path}"
                )
        return stores

    def _content(self, store: Store) -> Any:
        """What an older store says of documents and the columns that are read."""
        digests: list[Any] = [part.digest for part in store.parts]
        for name, entry in sorted(store.content["annotations"].items()):
            if self.reads & set(entry.get("columns", ())):
                files = [part["files"].get(f"annotations/{name}") for part in store.content["parts"]]
                digests.append([name, entry.get("parts") or files])
        return digest_json(digests)


def build_methods(dedup: Deduplication | None, annotators: Sequence[Annotator]) -> list[Method]:
    """The methods that a manifest names, in its order."""
    return [_method(choice, annotators) for choice in dedup.choices] if dedup is not None else []


def _method(choice: Choice, annotators: Sequence[Annotator]) -> Method:
    name = name_of(choice)
    match choice:
        case ExactChoice():
            return exact.Exact(name)
        case UrlChoice():
            return same_url.SameUrl(name)
        case NearChoice():
            from filters.annotators.minhash import MinHash
            from filters.dedup.near.method import Near

            label = minhash_label(choice) or "minhash"
            found = [one for one in annotators if f"{label}.digest" in one.columns]
            assert isinstance(found[0], MinHash)
            threshold = choice.threshold or SIMILAR[choice.recipe]
            return Near(found[0].recipe, threshold, label, name)
        case SubstringChoice():
            from filters.dedup.substring.method import Substring

            options = choice.model_dump(exclude={"method", *ExactChoice.model_fields})
            return Substring(name=name, **options)
        case RepeatedChoice():
            from filters.dedup.pieces import Repeated

            options = choice.model_dump(exclude={"method", *ExactChoice.model_fields})
            return Repeated(name=name, **options)


def bind_methods(
    manifest: CorpusManifest,
    methods: Sequence[Method],
    columns: Mapping[str, pa.DataType],
    annotators: Sequence[Annotator],
    digests: Mapping[str, str],
) -> list[Copies]:
    """Methods with their order and selection, checked against the columns that there will be.

    Args:
        manifest: whose field `dedup` names the methods.
        methods: as many.
        columns: of documents, annotators and all derived annotations.
        annotators: of the manifest.
        digests: what their values depend on, by folder.

    Raises UserError for columns that there will not be, and for SQL that is none.
    """
    dedup = manifest.deduplication
    if dedup is None:
        return []
    workers = (manifest.executor.workers if manifest.executor.type == "local" else None) or cores()
    found = []
    for number, (choice, method) in enumerate(zip(dedup.choices, methods, strict=True)):
        at = f"dedup.methods[{number}]"
        prefer = choice.prefer or dedup.prefer or _default_order(choice)
        order = parse_order(prefer, columns, f"{at}.prefer" if choice.prefer else "dedup.prefer")
        reads = {*method.needs, *order.columns}
        conditions = _conditions(choice, columns, at)
        for condition in conditions:
            reads |= set(condition.columns)
        if choice.by is not None:
            reads |= set(parse_condition(choice.by, columns, f"{at}.by").columns)
        needed = {
            annotation_folder(one).split("/")[1]: digests[annotation_folder(one)]
            for one in annotators
            if set(method.needs) & set(one.columns)
        }
        found.append(
            Copies(
                method,
                prefer,
                " AND ".join(f"coalesce({condition.sql}, false)" for condition in conditions) or None,
                choice.by,
                frozenset(reads),
                dedup.against,
                dedup.memory_mb,
                dedup.tasks or workers,
                needed,
            )
        )
    return found


def _conditions(choice: Choice, columns: Mapping[str, pa.DataType], at: str) -> list[Condition]:
    """Which documents a method compares: all that make these conditions true."""
    found = []
    if choice.where is not None:
        found.append(parse_condition(choice.where, columns, f"{at}.where"))
        check_boolean(found[0], choice.where, columns, f"{at}.where")
    if choice.kept_by is not None:
        bound = bind(load_ruleset(choice.kept_by, f"{at}.kept_by"), columns)
        for rule, condition in zip(bound.ruleset.rules, bound.conditions, strict=True):
            if rule.action == "drop":
                found.append(Condition(f"NOT coalesce({condition.sql}, false)", condition.columns))
    return found


def _default_order(choice: Choice) -> str:
    """Of exact copies and near duplicates the earliest, then the longest; of pages of one address the
    latest."""
    match choice:
        case ExactChoice():
            return exact.PREFER
        case UrlChoice():
            return LATEST
        case NearChoice():
            return f"{EARLIEST}, {minhash_label(choice) or 'minhash'}.shingles DESC"
        case _:
            return EARLIEST

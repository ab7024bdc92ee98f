"""Building a document store: from a manifest to a finished `store.json`.

The work is cut into parts by the inputs and the manifest alone. A datatrove pipeline (source, annotators,
early drop, store writer) makes each part whole or not at all, under the executor that the manifest names;
duplicates, decisions and `store.json` follow when all parts are there (`corpus.finish`). The same command
again goes on where it was interrupted, and the store's bytes are the same however often it was, and whatever
the number of workers.

What a finished store was made of is compared with the manifest first: nothing to do, only decisions or
duplicates to make again, annotators to add or remove (`corpus.annotate`: the documents stay as they are,
and the inputs are not read), or a refusal that says what changed. Inputs count as unchanged when their
names, sizes and modification times (or what a server says of the version) are; where a local file was
merely touched, its bytes are compared.

Under Slurm the command submits a job array over the parts, arrays for what compares documents, and a job that
finishes the store, and returns at once; it may be repeated when the jobs are done, and then says what was
made, or submits what failed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from datatrove.pipeline.base import PipelineStep

from corpus import derived, executors
from corpus.annotate import Annotate, missing_annotators
from corpus.copies import Copies
from corpus.finish import (
    STAMPS,
    FinishStep,
    check_done,
    conclude,
    derive_stages,
    gather,
    has_annotations,
    is_decided,
    sweep_store,
)
from corpus.inputs import content_digest, is_remote, stamps_digest
from corpus.ledger import TRANSIENT, Ledger
from corpus.lock import lock
from corpus.manifest import CorpusManifest, LocalExecutor, RayExecutor, SlurmExecutor
from corpus.parts import WORK, StoreWriter, annotation_folder, find_file, marker_path, part_name, read_marker
from corpus.plan import Plan, make_plan, outlook
from corpus.sources.base import Task
from corpus.steps import SourceStep, StoredTasks, early_drop_step
from corpus.store import STORE_JSON, Store, try_open
from corpus.transfer import CHANGED
from corpus.watch import Watch
from filters.step import AnnotatorStep
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import canonical_json
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent
from gristmill.base.workers import main_log

PARTS, ANNOTATIONS = "parts", "annotations"
"""Stages of a build: making parts, and annotating the documents of parts that are there."""
RESTARTS = 3
"""How often a build begins anew with inputs that change while they are read."""
JOBS = "jobs.json"
"""Among the logs: ids of the cluster's jobs."""


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did, or what the store holds that was there already."""

    name: str
    output: str
    digest: str | None
    """Digest of the store; None while jobs of a cluster are at work."""
    parts: int
    records: int
    """Records that could have become documents ("pages in")."""
    documents: int
    """Documents in the store."""
    kept: int | None
    """Documents that the policy keeps; None without a policy."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Whatever was lost on the way, by `stage:reason`, decisions included."""
    masked: dict[str, int] = field(default_factory=dict)
    """What was replaced in the texts, by kind."""
    incomplete: list[list[str]] = field(default_factory=list)
    """Inputs that could not be read to their end: name, reason, detail."""
    reused: bool = False
    """Nothing was to do."""
    reused_parts: int = 0
    """Parts that an interrupted build had finished."""
    submitted: list[str] = field(default_factory=list)
    """Job ids of a cluster that are at work."""

    @property
    def exit_code(self) -> int:
        """1 if an input could not be read to its end, else 0."""
        return 1 if self.incomplete else 0


def build(
    manifest: CorpusManifest, progress: Progress | None = None, *, rebuild: bool = False, retry: bool = False
) -> BuildSummary:
    """Make the manifest's store, or as much of it as is missing.

    Args:
        manifest: what to make.
        progress: where to show it.
        rebuild: replace a store that was made from another manifest or other inputs.
        retry: read those inputs again that could not be read to their end.

    Raises UserError for mistakes in the manifest, and for a store that is there and was made from something
    else.
    """
    progress = progress or Silent()
    path = Path(manifest.output)
    plan = make_plan(manifest, progress)
    with lock(path):
        store = try_open(path)
        if store is not None:
            sweep_store(path)
            again = _again(store, retry)
            changed = _changes(plan, store, again)
            if changed and not rebuild:
                raise UserError(
                    f"the store was built from something else (changed: {', '.join(changed)})",
                    where=str(path),
                    mend="--rebuild builds it again, or give another `output`",
                )
            if not changed and not again and _annotated(plan, store) and not _jobs_compare(plan, store):
                if _up_to_date(plan, store):
                    return _summary(manifest, store, reused=True)
                done = conclude(plan, store.content, progress)
                return _summary(manifest, done, reused_parts=len(store.parts))
        submitted = _jobs(path)
        if executors.at_work(submitted):
            return _at_work(plan, submitted)
        if store is not None:
            _reopen(plan, store, keep=not changed, again=again)
        markers = _prepare(plan)
        reused_parts = len(markers)
        for attempt in range(RESTARTS + 1):
            pending = [number for number in range(len(plan.tasks)) if number not in markers]
            if pending:
                # Documents will be written: from here on there is no finished store.
                (path / STORE_JSON).unlink(missing_ok=True)
                _tell_outlook(plan, pending, progress)
            missing = missing_annotators(path, markers, plan.digests)
            compare = bool(pending) or _jobs_compare(plan, store, missing)
            if pending or missing or compare:
                submitted = _run(plan, pending, missing, progress, compare=compare)
                if submitted:
                    atomic_write(path / executors.LOGS / JOBS, canonical_json(submitted))
                    return _at_work(plan, submitted)
                check_done(plan, [*pending, *missing])
            if attempt == RESTARTS or not _forget_changed(path, pending):
                break
            plan = make_plan(manifest, progress)
            markers = _prepare(plan)
        return _summary(manifest, conclude(plan, gather(plan), progress), reused_parts=reused_parts)


def _tell_outlook(plan: Plan, pending: Sequence[int], progress: Progress) -> None:
    """Say how much there is to fetch before anything is fetched."""
    tasks = [plan.tasks[number] for number in pending]
    if any(task.records or any(is_remote(item.path) for item in task.inputs[:1]) for task in tasks):
        progress.note(f"{plan.manifest.name}: {outlook(plan, pending)}")


def _forget_changed(path: Path, numbers: Iterable[int]) -> bool:
    """Drop the parts of which an input became another one while it was read, so that they are made from
    one version; returns whether there are any."""
    found = False
    for number in numbers:
        marker = read_marker(path, part_name(number)) or {"incomplete": []}
        if any(reason == CHANGED for _, reason, _ in marker["incomplete"]):
            marker_path(path, part_name(number)).unlink()
            found = True
    return found


def _again(store: Store, retry: bool) -> set[int]:
    """The parts to make again, for an input that could not be read to its end may be there now: with
    `retry` all such, else those whose reason passes."""
    return {
        number
        for number, part in enumerate(store.content["parts"])
        if any(retry or reason in TRANSIENT for _, reason, _ in part["incomplete"])
    }


def _changes(plan: Plan, store: Store, again: Collection[int]) -> list[str]:
    """What the store's documents were made of and the manifest no longer says, by name; parts that are
    made again apart."""
    stage = store.content["stage"]
    changed = [name for name, digest in plan.stage.items() if stage.get(name) != digest]
    if not changed and not _same_inputs(plan, store, again):
        changed.append("inputs")
    return changed


def _same_inputs(plan: Plan, store: Store, again: Collection[int]) -> bool:
    parts, listing = store.content["parts"], plan.listing()
    if len(parts) != len(listing):
        return False
    kept = [number for number in range(len(parts)) if number not in again]
    if any(parts[number]["inputs"]["listing"] != listing[number] for number in kept):
        return False
    stamps = {part_name(number): stamps_digest(task.inputs) for number, task in enumerate(plan.tasks)}
    file = store.path / executors.LOGS / STAMPS
    known: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(file.read_bytes())
    for part, task in ((parts[number], plan.tasks[number]) for number in kept):
        if known.get(part["part"]) != stamps[part["part"]]:
            digest = part["inputs"]["content"]
            if digest is None or content_digest(task.inputs) != digest:
                return False
    if known != stamps:
        atomic_write(file, canonical_json(stamps))
    return True


def _annotated(plan: Plan, store: Store) -> bool:
    """Whether the store has the annotations of the manifest's annotators and no others."""
    entries = store.content["annotations"].items()
    digests = {
        f"annotations/{name}": entry.get("digest") for name, entry in entries if not derived.is_derived(entry)
    }
    return digests == dict(plan.digests)


def _jobs_compare(
    plan: Plan, store: Store | None, missing: Mapping[int, Sequence[str]] = MappingProxyType({})
) -> bool:
    """Whether jobs of a cluster have documents to compare, which the command itself should not do.

    Args:
        plan: what is wanted.
        store: the store that there was, if it was finished.
        missing: folders of annotators that parts lack.
    """
    copies = [one for one in plan.derived if isinstance(one, Copies)]
    if not copies or not isinstance(plan.manifest.executor, SlurmExecutor):
        return False
    new = {name for folders in missing.values() for name in folders}
    columns = {name for one in plan.annotators if annotation_folder(one) in new for name in one.columns}
    return (
        store is None
        or any(columns & one.reads for one in copies)
        or not derived.up_to_date(plan.derived, store.content)
    )


def _up_to_date(plan: Plan, store: Store) -> bool:
    """Whether derived annotations and decisions are as the manifest wants them."""
    policy = plan.manifest.policy
    return derived.up_to_date(plan.derived, store.content) and (
        policy is None or is_decided(store.content, policy.name, plan)
    )


def _reopen(plan: Plan, store: Store, keep: bool, again: Collection[int]) -> None:
    """Make ready to build again into a finished store.

    With `keep` its parts stay but for those in `again`; it stays finished until something in it has to
    change. Markers of annotations that an interrupted build has already added are kept.
    """
    path, content = store.path, store.content
    if not keep:
        (path / STORE_JSON).unlink()
        for name in ("documents", "annotations", "decisions", "ledger", WORK):
            shutil.rmtree(path / name, ignore_errors=True)
        return
    annotators = {}
    for name, entry in content["annotations"].items():
        if derived.is_derived(entry):
            derived.remember(path, name, entry)
        else:
            annotators[f"annotations/{name}"] = entry["digest"]
    for number, part in enumerate(content["parts"]):
        marker = read_marker(path, part["part"])
        key = plan.key(number)
        if number in again:
            marker_path(path, part["part"]).unlink(missing_ok=True)
        elif (
            marker is None
            or marker["key"] != key
            or marker["files"]["documents"] != part["files"]["documents"]
        ):
            stamps = stamps_digest(plan.tasks[number].inputs)
            marker = {**part, "key": key, "stamps": stamps, "annotators": annotators}
            atomic_write(marker_path(path, part["part"]), canonical_json(marker))


def _prepare(plan: Plan) -> dict[int, dict[str, Any]]:
    """Clear what a killed build left; returns the markers of the parts whose documents are there."""
    path = Path(plan.manifest.output)
    if not isinstance(plan.manifest.executor, SlurmExecutor):
        # Jobs of a cluster may still be at work; here the lock says that nobody is.
        sweep_store(path)
    shutil.rmtree(path / WORK / "progress", ignore_errors=True)
    done = {}
    for number in range(len(plan.tasks)):
        marker = read_marker(path, part_name(number))
        if marker is None:
            continue
        whole = (find_file(path, marker, name) is not None for name in ("documents", "ledger"))
        if marker["key"] == plan.key(number) and all(whole):
            done[number] = marker
        else:
            marker_path(path, part_name(number)).unlink(missing_ok=True)
    return done


def pipeline(plan: Plan, pending: Sequence[int], tasks: StoredTasks) -> list[PipelineStep]:
    """The datatrove pipeline that makes parts: rank r makes the part `pending[r]`."""
    path = Path(plan.manifest.output)
    ledger = Ledger()
    steps: list[PipelineStep] = [
        SourceStep(plan.source, tasks, ledger, parts=pending, progress=path / WORK / "progress")
    ]
    if plan.annotators:
        steps.append(AnnotatorStep(plan.annotators))
    if plan.early is not None:
        steps.append(early_drop_step(plan.early, plan.columns, ledger))
    keys = {number: plan.key(number) for number in pending}
    steps.append(
        StoreWriter(
            path, plan.annotators, ledger, parts=pending, tasks=tasks, keys=keys, digests=plan.digests
        )
    )
    return steps


def _run(
    plan: Plan,
    pending: Sequence[int],
    missing: Mapping[int, Sequence[str]],
    progress: Progress,
    *,
    compare: bool,
) -> list[str]:
    """Make parts, and annotations of stored ones, under the manifest's executor; jobs of a cluster also
    compare documents.

    Returns the ids of jobs that will do it later.
    """
    manifest = plan.manifest
    path = Path(manifest.output)
    logs = (path / executors.LOGS).absolute()
    stages = []
    if pending:
        steps = pipeline(plan, pending, StoredTasks.store(path / WORK / "tasks", plan.tasks, pending))
        stages.append(executors.Stage(PARTS, steps, len(pending)))
    if missing:
        step = Annotate(path, plan.annotators, plan.digests, missing, path / WORK / "progress")
        stages.append(executors.Stage(ANNOTATIONS, [step], len(missing)))
    with main_log(logs):
        match manifest.executor:
            case SlurmExecutor() as options:
                stages += derive_stages(plan) if compare else []
                jobs = executors.slurm(options, manifest, stages, logs=logs, finish=[FinishStep(manifest)])
                jobs[-1].run()
                return [str(job.job_id) for job in jobs]
            case RayExecutor() as ray_options:
                make: Any = partial(executors.ray, ray_options)
            case LocalExecutor() as local_options:
                make = partial(executors.local, local_options)
        for stage in stages:
            with _watch(plan, stage, pending, missing, progress):
                make(stage, logs).run()
    return []


def _watch(
    plan: Plan,
    stage: executors.Stage,
    pending: Sequence[int],
    missing: Mapping[int, Sequence[str]],
    progress: Progress,
) -> Watch:
    """What shows how far a stage is."""
    path = Path(plan.manifest.output)
    if stage.name == PARTS:
        return Watch(path, plan.tasks, pending, unit=plan.source.unit, progress=progress)
    markers = {number: read_marker(path, part_name(number)) or {} for number in missing}
    tasks = {number: Task((), None, marker.get("rows")) for number, marker in markers.items()}

    def finished(number: int) -> bool:
        marker = read_marker(path, part_name(number))
        return marker is not None and has_annotations(marker, plan, missing[number])

    return Watch(path, tasks, list(missing), unit="rows", progress=progress, name="annotate", done=finished)


def _jobs(path: Path) -> list[str]:
    """Ids of the jobs that an earlier call submitted."""
    with contextlib.suppress(OSError, ValueError):
        return [str(job) for job in json.loads((path / executors.LOGS / JOBS).read_bytes())]
    return []


def _at_work(plan: Plan, submitted: list[str]) -> BuildSummary:
    return BuildSummary(
        plan.manifest.name, plan.manifest.output, None, len(plan.tasks), 0, 0, None, submitted=submitted
    )


def _summary(
    manifest: CorpusManifest, store: Store, *, reused: bool = False, reused_parts: int = 0
) -> BuildSummary:
    """The store as a summary."""
    parts = store.content["parts"]
    dropped: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    for part in parts:
        dropped.update(part["reasons"])
        masked.update(part["masked"])
    policy = manifest.policy.name if manifest.policy else None
    entry = store.content["decisions"].get(policy)
    if entry is not None:
        dropped.update({f"{policy}:{reason}": count for reason, count in entry["reasons"].items()})
    return BuildSummary(
        name=store.name,
        output=str(store.path),
        digest=store.digest,
        parts=len(parts),
        records=sum(part["records"] for part in parts),
        documents=store.rows,
        kept=entry["kept"] if entry is not None else None,
        dropped=dict(sorted(dropped.items())),
        masked=dict(sorted(masked.items())),
        incomplete=[list(lost[:3]) for lost in store.content["incomplete"]],
        reused=reused,
        reused_parts=len(parts) if reused else reused_parts,
    )

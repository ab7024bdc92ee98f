"""Finishing a build: when all parts are there, what compares their documents, decisions and `store.json`.

On a cluster the last job does it, and jobs between the arrays prepare and end each method of deduplication.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from corpus import decide, derived, executors
from corpus.annotate import settle
from corpus.copies import Copies
from corpus.lock import lock
from corpus.manifest import CorpusManifest, LocalExecutor, RayExecutor
from corpus.parts import WORK, annotation_folder, part_name, read_marker
from corpus.plan import Plan, make_plan
from corpus.store import FORMAT, STORE_JSON, VERSION, Store, write_store
from filters.dedup import base as dedup
from filters.dedup.base import run_stages
from filters.dedup.numbering import number_stage
from gristmill.base.atomic import atomic_write, sweep
from gristmill.base.digest import canonical_json, digest_json
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent

STAMPS = "inputs.json"
"""Among the logs: modification times of the inputs, which the store itself may not hold."""


def gather(plan: Plan) -> dict[str, Any]:
    """The store's contents, of the markers of all parts; staged annotations take their places."""
    path = Path(plan.manifest.output)
    (path / STORE_JSON).unlink(missing_ok=True)
    folders = [*plan.digests, *(f"annotations/{one.folder}" for one in plan.derived)]
    settle(path, folders, [part_name(number) for number in range(len(plan.tasks))])
    files = {"documents", "ledger", *plan.digests}
    parts, stamps = [], {}
    for number, listing in enumerate(plan.listing()):
        marker = read_marker(path, part_name(number))
        assert marker is not None
        stamps[marker["part"]] = marker.pop("stamps")
        marker.pop("key")
        marker.pop("annotators")
        marker["files"] = {name: facts for name, facts in marker["files"].items() if name in files}
        marker["inputs"]["listing"] = listing
        parts.append(marker)
    _unique_ids(plan, parts)
    atomic_write(path / executors.LOGS / STAMPS, canonical_json(stamps))
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": plan.manifest.name,
        "description": plan.manifest.description,
        "stage": dict(plan.stage),
        "manifest": digest_json([plan.stage, plan.listing()]),
        "parts": parts,
        "annotations": {
            f"{a.name}@{a.version}": {
                "columns": {name: str(kind) for name, kind in a.columns.items()},
                "digest": plan.digests[annotation_folder(a)],
            }
            for a in plan.annotators
        },
        "decisions": {},
        "incomplete": [[*lost, part["part"]] for part in parts for lost in part["incomplete"]],
    }


def _stage_runner(plan: Plan, progress: Progress) -> derived.Runner:
    """What runs the stages of methods of deduplication: this machine, or Ray. (Under Slurm the jobs that do
    it ran before; whatever they left undone is done here.)"""
    executor = plan.manifest.executor
    if not isinstance(executor, RayExecutor):
        workers = executor.workers if isinstance(executor, LocalExecutor) else 1
        return partial(run_stages, workers=workers or executors.cores(), progress=progress)
    logs = (Path(plan.manifest.output) / executors.LOGS).absolute()

    def run(stages: Sequence[dedup.Stage]) -> None:
        for stage in stages:
            executors.ray(executor, executors.Stage(stage.name, [stage.step], stage.tasks), logs).run()

    return run


def conclude(plan: Plan, content: Mapping[str, Any], progress: Progress) -> Store:
    """Derive annotations, decide, write `store.json`, clear the work folder.

    Where a store is already finished, it says that it lacks whatever is about to be written again.
    """
    path = Path(plan.manifest.output)
    finished = (path / STORE_JSON).is_file()
    if not derived.up_to_date(plan.derived, content):
        if finished:
            write_store(path, {**derived.without_derived(content), "decisions": {}})
        run = _stage_runner(plan, progress)
        content = {**derived.derive(path, plan.derived, content, run, progress), "decisions": {}}
    derived.remove_others(path, content)
    decisions = dict(content["decisions"])
    policy = plan.manifest.policy
    if policy is not None and plan.policy is not None and not is_decided(content, policy.name, plan):
        if decisions.pop(policy.name, None) is not None and finished:
            write_store(path, {**content, "decisions": decisions})
        decisions[policy.name] = decide.write_decisions(path, content, policy.name, plan.policy, progress)
    content = {**content, "decisions": dict(sorted(decisions.items()))}
    stale = [folder.name for folder in (path / "decisions").glob("*") if folder.name not in decisions]
    decide.drop_folder(path, [f"decisions/{name}" for name in stale])
    store = write_store(path, content)
    shutil.rmtree(path / WORK, ignore_errors=True)
    return store


def is_decided(content: Mapping[str, Any], policy: str, plan: Plan) -> bool:
    assert plan.policy is not None
    entry = content["decisions"].get(policy)
    return entry is not None and entry["key"] == decide.decision_key(content, plan.policy)


def _unique_ids(plan: Plan, parts: Sequence[Mapping[str, Any]]) -> None:
    """Ids that come with the rows of a table may come twice; everything else is keyed by where it lies."""
    if getattr(plan.manifest.source, "id", None) is None or len(parts) < 2:
        return
    path = Path(plan.manifest.output)
    files = [str(path / "documents" / f"{part['part']}.parquet") for part in parts]
    with duckdb.connect() as database:
        row = database.execute(
            "SELECT count(*), min(id) FROM"
            " (SELECT id FROM read_parquet($files) GROUP BY id HAVING count(*) > 1)",
            {"files": files},
        ).fetchone()
    if row and row[0]:
        raise UserError(
            f"{row[0]} ids occur in more than one part, {row[1]} for instance",
            where="source.id",
            mend="name a field that identifies documents, or leave `id` out",
        )


def check_done(plan: Plan, numbers: Sequence[int]) -> None:
    """Raises UserError unless these parts have their documents and all annotations."""
    path = Path(plan.manifest.output)
    missing = []
    for number in numbers:
        marker = read_marker(path, part_name(number))
        if marker is None or not has_annotations(marker, plan, plan.digests):
            missing.append(part_name(number))
    if missing:
        raise UserError(
            f"{len(missing)} of {len(plan.tasks)} parts could not be made, {missing[0]} first",
            where=str(path),
            mend=f"see {path / executors.LOGS}; the same command makes what is missing",
        )


def has_annotations(marker: Mapping[str, Any], plan: Plan, folders: Iterable[str]) -> bool:
    """Whether a part has these annotations as the plan wants them."""
    return all(marker["annotators"].get(name) == plan.digests[name] for name in folders)


def sweep_store(path: Path) -> None:
    sweep(path)
    for scratch in (path / WORK).glob("gristmill-*"):
        shutil.rmtree(scratch, ignore_errors=True)


class DeriveStep(PipelineStep):
    """A job of a build on a cluster, between the arrays: finishes what the arrays before it have prepared,
    and makes the next method of deduplication ready for its own.

    Args:
        manifest: of the store.
        count: how many derived annotations are made when it ends.
    """

    type = "👯 - DERIVE"
    name = "derive annotations"

    def __init__(self, manifest: CorpusManifest, count: int) -> None:
        super().__init__()
        self.manifest, self.count = manifest, count

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Do so on rank 0."""
        if data:
            yield from data
        if rank == 0:
            plan, path = make_plan(self.manifest), Path(self.manifest.output)
            with lock(path, wait=True):
                check_done(plan, range(len(plan.tasks)))
                run = _stage_runner(plan, Silent())
                content = derived.derive(path, plan.derived[: self.count], gather(plan), run)
                following = plan.derived[self.count]
                if isinstance(following, Copies):
                    job = following.begin(path, content, derived.key(following, content))
                    run([number_stage(job)])


def derive_stages(plan: Plan) -> list[executors.Stage]:
    """What jobs of a cluster do for the methods of deduplication, the end of the last one apart."""
    path = Path(plan.manifest.output)
    parts = [{"part": part_name(number)} for number in range(len(plan.tasks))]
    names = [folder.split("/")[1] for folder in plan.digests]
    stages = []
    for count, one in enumerate(plan.derived):
        if isinstance(one, Copies):
            before = [*names, *(other.folder for other in plan.derived[:count])]
            job = one.job(path, {"parts": parts, "annotations": dict.fromkeys(before)})
            name = f"{one.method.name}-begin"
            stages.append(executors.Stage(name, [DeriveStep(plan.manifest, count)], 1))
            for stage in one.method.stages(job):
                name = f"{one.method.name}-{stage.name}"
                stages.append(executors.Stage(name, [stage.step], stage.tasks))
    return stages


class FinishStep(PipelineStep):
    """The last job of a build on a cluster: duplicates, decisions, `store.json`."""

    type = "🏁 - FINISH"
    name = "finish store"

    def __init__(self, manifest: CorpusManifest) -> None:
        super().__init__()
        self.manifest = manifest

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Finish the store on rank 0."""
        if data:
            yield from data
        if rank == 0:
            plan = make_plan(self.manifest)
            # The command that submitted this job may still be at it.
            with lock(Path(self.manifest.output), wait=True):
                check_done(plan, range(len(plan.tasks)))
                sweep_store(Path(self.manifest.output))
                conclude(plan, gather(plan), Silent())

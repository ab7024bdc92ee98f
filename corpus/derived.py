"""Annotations that compare the documents of a finished store: exact duplicates, the ensemble of classifiers.

They are computed over columns, when all parts are there, and again when a column or their settings change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.parts import WORK
from corpus.plan import Plan
from corpus.store import content_digest, part_files
from filters.dedup import exact
from filters.quality import ensemble
from gristmill.base.digest import digest_json, sha256_file
from gristmill.base.progress import Progress

EXACT = f"{exact.NAME}@{exact.VERSION}"
ENSEMBLE = f"{ensemble.NAME}@{ensemble.VERSION}"
DERIVED = (EXACT, ENSEMBLE)
"""In the order in which they are made: a later one may read the columns of an earlier one."""


def wanted(plan: Plan) -> list[str]:
    """Which of them a manifest asks for, in order."""
    asked = {EXACT: plan.manifest.dedup == "exact", ENSEMBLE: plan.ensemble is not None}
    return [name for name in DERIVED if asked[name]]


def key(name: str, plan: Plan, content: Mapping[str, Any]) -> str:
    """What a derived annotation depends on: documents, the annotations before it, its settings."""
    before = DERIVED[: DERIVED.index(name)]
    others = {n: entry for n, entry in content["annotations"].items() if n not in DERIVED or n in before}
    if name == EXACT:
        settings: Any = plan.manifest.prefer or exact.PREFER
    else:
        assert plan.ensemble is not None
        settings = plan.ensemble.meaning()
    return digest_json([content_digest({**content, "annotations": others, "decisions": {}}), settings])


def up_to_date(plan: Plan, content: Mapping[str, Any]) -> bool:
    """Whether a store has the derived annotations that the manifest asks for, made of what there is."""
    names = wanted(plan)
    present = [name for name in DERIVED if name in content["annotations"]]
    return present == names and all(
        content["annotations"][name]["key"] == key(name, plan, content) for name in names
    )


def derive(
    path: Path, plan: Plan, content: Mapping[str, Any], progress: Progress | None = None
) -> dict[str, Any]:
    """Make what is missing or out of date; returns the contents with the entries of all that is wanted."""
    annotations = {n: entry for n, entry in content["annotations"].items() if n not in DERIVED}
    for name in wanted(plan):
        current = {**content, "annotations": annotations}
        entry = content["annotations"].get(name)
        if entry is None or entry["key"] != key(name, plan, current):
            entry = _write(name, path, plan, current, progress)
        annotations = {**annotations, name: entry}
    return {**content, "annotations": dict(sorted(annotations.items()))}


def _write(
    name: str, path: Path, plan: Plan, content: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Make one of them; returns its entry for `store.json`."""
    parts = [part_files(path, content, part["part"]) for part in content["parts"]]
    target, scratch = path / "annotations" / name, path / WORK
    scratch.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any]
    if name == EXACT:
        copies = exact.annotate_exact(
            parts,
            target,
            prefer=plan.manifest.prefer or exact.PREFER,
            temp_directory=scratch,
            progress=progress,
            where="prefer",
        )
        facts = {"clusters": copies.clusters, "duplicates": copies.duplicates}
    else:
        assert plan.ensemble is not None
        found = ensemble.annotate_ensemble(
            parts, target, plan.ensemble, temp_directory=scratch, progress=progress
        )
        facts = {
            "thresholds": ensemble.as_json(found.thresholds),
            "sampled": found.sampled,
            "buckets": {str(bucket): count for bucket, count in found.buckets.items()},
            "tiers": found.tiers,
        }
    digests = {part["part"]: sha256_file(target / f"{part['part']}.parquet") for part in content["parts"]}
    return {"key": key(name, plan, content), **facts, "parts": digests}

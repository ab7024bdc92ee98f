"""Decisions over a finished store: which documents are kept, by rules over the columns, without reading the
text."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.lock import lock
from corpus.manifest import CorpusManifest
from corpus.plan import bind_policy
from corpus.store import Store, content_digest, part_files, write_store
from filters.decide import BoundRules, decide_part
from gristmill.base.atomic import atomic_folder, sweep
from gristmill.base.digest import digest_json, sha256_file
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a policy decides about a store."""

    policy: str
    documents: int
    kept: int
    reasons: dict[str, int]
    """Dropped documents by reason."""
    tiers: dict[str, int]
    """Kept documents by tier."""
    digest: str
    """Digest of the store with these decisions."""
    reused: bool = False
    """Whether they were there already."""


def decide(manifest: CorpusManifest, progress: Progress | None = None) -> Decisions:
    """Apply the manifest's policy to its store; does nothing where the same rules have decided already.

    Raises UserError where there is no finished store or no policy, and for rules over columns that the
    store has not.
    """
    if manifest.policy is None:
        raise UserError("the manifest has no policy", where="policy", mend="name one: {name: …, rules: …}")
    path = Path(manifest.output)
    Store.open(path)
    with lock(path):
        sweep(path / "decisions")
        return _decide(manifest, manifest.policy.name, Store.open(path), progress)


def _decide(manifest: CorpusManifest, policy: str, store: Store, progress: Progress | None) -> Decisions:
    path, content = store.path, {**store.content, "decisions": dict(store.content["decisions"])}
    rules = bind_policy(manifest, store.schema)
    assert rules is not None
    key = decision_key(content, rules)
    before = content["decisions"].get(policy)
    if before is not None and before["key"] == key and _whole(path, policy, before["parts"]):
        return summary(policy, before, store.digest, reused=True)
    if before is not None:
        # From here until the end the store says that it has no such decisions: half-written ones are never
        # believed.
        del content["decisions"][policy]
        write_store(path, content)
    entry = write_decisions(path, content, policy, rules, progress)
    content["decisions"] = {**content["decisions"], policy: entry}
    store = write_store(path, content)
    return summary(policy, entry, store.digest)


def decision_key(content: Mapping[str, Any], rules: BoundRules) -> str:
    """What decisions depend on: documents, annotations and rules."""
    return digest_json([content_digest({**content, "decisions": {}}), rules.ruleset.digest])


def write_decisions(
    path: Path, content: Mapping[str, Any], policy: str, rules: BoundRules, progress: Progress | None = None
) -> dict[str, Any]:
    """Decide every part; returns the entry for `store.json`."""
    task = (progress or Silent()).task(f"decide {policy}", total=len(content["parts"]), unit="parts")
    rows = kept = 0
    reasons: Counter[str] = Counter()
    tiers: Counter[str] = Counter()
    digests = {}
    target = path / "decisions" / policy
    with atomic_folder(target) as folder:
        for part in content["parts"]:
            name = f"{part['part']}.parquet"
            counts = decide_part(rules, part_files(path, content, part["part"]), folder / name)
            rows, kept = rows + counts.rows, kept + counts.kept
            reasons.update(counts.reasons)
            tiers.update(counts.tiers)
            digests[part["part"]] = sha256_file(folder / name)
            task.advance()
    task.close()
    return {
        "key": decision_key(content, rules),
        "rules": rules.ruleset.digest,
        "ruleset": f"{rules.ruleset.name}@{rules.ruleset.version}",
        "documents": rows,
        "kept": kept,
        "reasons": dict(sorted(reasons.items())),
        "tiers": dict(sorted(tiers.items())),
        "parts": digests,
    }


def _whole(path: Path, policy: str, parts: Mapping[str, str]) -> bool:
    folder = path / "decisions" / policy
    return all(
        (folder / f"{part}.parquet").is_file() and sha256_file(folder / f"{part}.parquet") == digest
        for part, digest in parts.items()
    )


def summary(policy: str, entry: Mapping[str, Any], digest: str, reused: bool = False) -> Decisions:
    """An entry of `store.json` as a summary."""
    return Decisions(
        policy,
        entry["documents"],
        entry["kept"],
        dict(entry["reasons"]),
        dict(entry["tiers"]),
        digest,
        reused,
    )


def drop_folder(path: Path, names: Sequence[str]) -> None:
    """Remove folders of a store that it no longer speaks of."""
    for name in names:
        shutil.rmtree(path / name, ignore_errors=True)

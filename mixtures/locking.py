"""From a manifest and its token stores to the lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gristmill.base.errors import UserError
from mixtures import counts, order
from mixtures.counts import Count, Measured
from mixtures.lock import FORMAT, NAME, VERSION, write_lock
from mixtures.manifest import MixtureManifest
from mixtures.plan import Plan, plan


def lock_path(manifest: MixtureManifest) -> Path:
    """Where a mixture's lock is or will be."""
    return Path(manifest.output) / NAME


def make_lock(manifest: MixtureManifest) -> tuple[Plan, str]:
    """Plan on measured counts and write the lock; returns the plan and the mixture's identity.

    Errors: UserError when a source has no token store, or one of other documents (naming both digests).
    """
    found = counts.measure(manifest)
    for name in manifest.used:
        if name not in found.stores:
            raise UserError(
                f"source '{name}' has no token store: {found.notes.get(name, 'it is on the Hub')}",
                where=f"sources.{name}",
                mend="run `gristmill mix tokenize`",
            )
    planned = plan(manifest, {name: Count(store.tokens, "measured") for name, store in found.stores.items()})
    return planned, write_lock(lock_path(manifest), content(planned, found))


def content(planned: Plan, found: Measured) -> dict[str, Any]:
    """What the lock says, as plain JSON values."""
    manifest, made = planned.manifest, found.tokenizer
    assert made is not None
    folder = Path(manifest.output)

    def beside(path: str | Path) -> str:
        return Path(os.path.relpath(path, folder)).as_posix()

    sources = {}
    for name in manifest.used:
        source, store, documents = manifest.sources[name], found.stores[name], found.documents[name]
        sources[name] = {
            "store": {"path": beside(store.folder), "sha256": store.digest},
            "documents": {"path": beside(documents.path), "digest": documents.digest},
            "measured": {"tokens": store.tokens, "documents": store.documents},
            "stated": source.model_dump(
                mode="json", exclude={"address", "digest", *(() if source.fim else ("fim",))}
            ),
        }
    return {
        "format": FORMAT,
        "version": VERSION,
        "order": order.ALGORITHM,
        "name": manifest.name,
        "seed": manifest.seed,
        "tokenizer": {
            "path": beside(made.path),
            "sha256": made.digest,
            "vocab_size": made.vocab_size,
            "bos_id": made.bos_id,
            "eos_id": made.eos_id,
            "add_bos": made.add_bos,
            "add_eos": made.add_eos,
        },
        "sources": sources,
        "phases": [
            {
                "name": phase.name,
                "sequence_length": phase.sequence_length,
                "batch": phase.batch,
                "sequences": dict(phase.counts),
            }
            for phase in planned.phases
        ],
        "policy": manifest.policy.model_dump(mode="json"),
    }

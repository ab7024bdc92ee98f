"""Annotations that compare the documents of a finished store: what is there twice, the classifiers' ensemble.

They are computed when all parts are there, one after the other: whatever reads the columns of another comes
after it. Each is made again when a column that it reads, the documents or its settings change.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from corpus.parts import WORK
from corpus.store import LEDGERS, part_files
from filters.dedup.base import Stage
from filters.quality import ensemble
from filters.quality.ensemble import Ensemble
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import canonical_json, digest_json, sha256_file
from gristmill.base.errors import UserError
from gristmill.base.progress import Progress

Runner = Callable[[Sequence[Stage]], None]
"""Runs stages one after the other."""


class Derived(Protocol):
    """An annotation that is derived from columns of the whole store, and perhaps from its texts."""

    @property
    def folder(self) -> str:
        """`<name>@<version>`."""
        ...

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """What it writes, beside `id`."""
        ...

    @property
    def reads(self) -> frozenset[str]:
        """Columns that it reads, of documents, annotators and other derived annotations."""
        ...

    def settings(self) -> Any:
        """What its values depend on beside documents and columns, as JSON has it."""
        ...

    def write(
        self, path: Path, content: Mapping[str, Any], key: str, run: Runner, progress: Progress | None
    ) -> dict[str, Any]:
        """Make it, for the parts and annotations that `content` names; returns facts for `store.json`.

        Args:
            path: the store.
            content: what `store.json` will say of what there is.
            key: what the annotation depends on; a write that was interrupted goes on under the same key.
            run: what runs stages of independent tasks.
            progress: where to show it.
        """
        ...


class Buckets:
    """The ensemble of classifiers (`filters.quality.ensemble`) as a derived annotation."""

    folder = f"{ensemble.NAME}@{ensemble.VERSION}"

    def __init__(self, wanted: Ensemble) -> None:
        self.ensemble = wanted
        self.columns: Mapping[str, pa.DataType] = {f.name: f.type for f in wanted.schema if f.name != "id"}
        condition = wanted.where.columns if wanted.where is not None else ()
        self.reads = frozenset({*wanted.columns.values(), *condition})

    def settings(self) -> Any:
        """The ensemble's meaning."""
        return self.ensemble.meaning()

    def write(
        self, path: Path, content: Mapping[str, Any], key: str, run: Runner, progress: Progress | None
    ) -> dict[str, Any]:
        """Make it; returns thresholds and counts."""
        scratch = path / WORK
        scratch.mkdir(parents=True, exist_ok=True)
        found = ensemble.annotate_ensemble(
            [part_files(path, content, part["part"]) for part in content["parts"]],
            path / "annotations" / self.folder,
            self.ensemble,
            temp_directory=scratch,
            progress=progress,
        )
        return {
            "thresholds": ensemble.as_json(found.thresholds),
            "sampled": found.sampled,
            "buckets": {str(bucket): count for bucket, count in found.buckets.items()},
            "tiers": found.tiers,
        }


def in_order(wanted: Sequence[Derived]) -> tuple[Derived, ...]:
    """Each after those whose columns it reads, else as they come.

    Raises UserError where some read each other's columns in a circle.
    """
    waiting, ordered = list(wanted), []
    while waiting:
        made = {name for other in waiting for name in other.columns}
        ready = [one for one in waiting if not one.reads & (made - set(one.columns))]
        if not ready:
            names = ", ".join(f"'{one.folder.split('@')[0]}'" for one in waiting)
            raise UserError(f"{names} read each other's columns", where="dedup")
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return tuple(ordered)


def is_derived(entry: Mapping[str, Any]) -> bool:
    """Whether an annotation of a store is one of these."""
    return "key" in entry


def key(one: Derived, content: Mapping[str, Any]) -> str:
    """What a derived annotation of a store depends on."""
    digests: dict[str, Any] = {}
    for part in content["parts"]:
        digests[part["part"]] = [part["files"]["documents"]["sha256"]]
    for name, entry in sorted(content["annotations"].items()):
        if one.reads & set(entry.get("columns", ())):
            for part in content["parts"]:
                files = part["files"]
                digest = (
                    entry["parts"][part["part"]]
                    if is_derived(entry)
                    else files[f"annotations/{name}"]["sha256"]
                )
                digests[part["part"]].append([name, digest])
    return digest_json([one.folder, digests, one.settings()])


def up_to_date(wanted: Sequence[Derived], content: Mapping[str, Any]) -> bool:
    """Whether a store has the derived annotations that are wanted and no others, made of what there is."""
    present = {name: entry for name, entry in content["annotations"].items() if is_derived(entry)}
    return set(present) == {one.folder for one in wanted} and all(
        present[one.folder]["key"] == key(one, content) for one in wanted
    )


def derive(
    path: Path,
    wanted: Sequence[Derived],
    content: Mapping[str, Any],
    run: Runner,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make what is missing or out of date; returns the contents with the entries of all that is wanted."""
    before, content = content["annotations"], without_derived(content)
    for one in wanted:
        wanted_key = key(one, content)
        entry = before.get(one.folder)
        if entry is None or entry.get("key") != wanted_key:
            entry = _made(path, one.folder, wanted_key)
        if entry is None:
            facts = one.write(path, content, wanted_key, run, progress)
            columns = {name: str(kind) for name, kind in one.columns.items()}
            names = [part["part"] for part in content["parts"]]
            digests = {name: sha256_file(_file(path, one.folder, name)) for name in names}
            entry = {"key": wanted_key, "columns": columns, **facts, "parts": digests}
        remember(path, one.folder, entry)
        annotations = {**content["annotations"], one.folder: entry}
        content = {**content, "annotations": dict(sorted(annotations.items()))}
    return dict(content)


def without_derived(content: Mapping[str, Any]) -> dict[str, Any]:
    """A store's contents as if nothing had been compared."""
    annotations = {n: entry for n, entry in content["annotations"].items() if not is_derived(entry)}
    return {**content, "annotations": annotations}


def remember(path: Path, folder: str, entry: Mapping[str, Any]) -> None:
    """Note in the work folder that an annotation is made: it is not made again for the same key."""
    atomic_write(_made_file(path, folder), canonical_json(dict(entry)))


def _made_file(path: Path, folder: str) -> Path:
    return path / WORK / "derived" / f"{folder}.json"


def _made(path: Path, folder: str, wanted_key: str) -> dict[str, Any] | None:
    """The entry of an annotation that an interrupted build has made for this key, if its files are there."""
    try:
        entry: dict[str, Any] = json.loads(_made_file(path, folder).read_bytes())
        whole = all(
            sha256_file(_file(path, folder, name)) == digest for name, digest in entry["parts"].items()
        )
        if "ledger" in entry:
            whole = whole and sha256_file(path / LEDGERS / f"{folder}.parquet") == entry["ledger"]
    except (OSError, ValueError):
        return None
    return entry if whole and entry["key"] == wanted_key else None


def _file(path: Path, folder: str, part: str) -> Path:
    return path / "annotations" / folder / f"{part}.parquet"


def add_columns(
    types: Mapping[str, pa.DataType], columns: Mapping[str, pa.DataType]
) -> dict[str, pa.DataType]:
    """Columns, with those of one more annotation. Raises UserError where two are called the same."""
    for name in columns:
        if name in types:
            raise UserError(
                f"two annotations write the column '{name}'", where="dedup", mend="another name: `as: …`"
            )
    return {**types, **columns}


def columns_after(wanted: Iterable[Derived], columns: Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    """All columns that there will be."""
    types = dict(columns)
    for one in wanted:
        types = add_columns(types, one.columns)
    return types


def remove_others(path: Path, content: Mapping[str, Any]) -> None:
    """Remove the files of annotations that a store no longer has."""
    known = content["annotations"]
    for folder in (path / "annotations").glob("*"):
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)
    for ledger in (path / LEDGERS).glob("*.parquet"):
        if ledger.stem not in known:
            ledger.unlink()

"""Annotating documents that a store already has: a later classifier does not read the crawl again.

Part by part, the documents are read from the store, and the files of the missing annotators are written
beside it (`.build/staged/`), whole or not at all; a part's marker says which ones it has. Until every part
has all of them the store stays as it was, and can be read. Then `settle` moves the files into place. They
have the bytes that a build from the inputs would have given them: the same rows, the same row groups.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from corpus.parts import (
    STAGED,
    GrowingFile,
    annotation_folder,
    file_facts,
    find_file,
    marker_path,
    part_name,
    read_marker,
    restore,
)
from corpus.schema import DOCUMENTS, annotation_schema
from corpus.steps import Report
from filters.base import Annotator
from filters.step import AnnotatorStep
from gristmill.base.atomic import atomic_write, move
from gristmill.base.digest import canonical_json


class Annotate(PipelineStep):
    """Annotates the stored documents of a part: rank r those of the part `parts[r]`.

    Args:
        folder: the store.
        annotators: all annotators of the manifest.
        digests: what their values depend on, by folder.
        missing: which of their folders each part needs.
        progress: folder in which the rank tells how far it is.
    """

    type = "🔎 - ANNOTATOR"
    name = "annotate stored documents"

    def __init__(
        self,
        folder: str | Path,
        annotators: Sequence[Annotator],
        digests: Mapping[str, str],
        missing: Mapping[int, Sequence[str]],
        progress: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.annotators = {annotation_folder(annotator): annotator for annotator in annotators}
        self.digests, self.missing, self.parts = dict(digests), dict(missing), list(missing)
        self.progress = Path(progress) if progress is not None else None

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Hand on what comes in; annotate the rank's part, and hand on its documents."""
        if data:
            yield from data
        number = self.parts[rank]
        part, folders = part_name(number), self.missing[number]
        documents = self.folder / "documents" / f"{part}.parquet"
        groups = row_groups(documents)
        step = AnnotatorStep([self.annotators[folder] for folder in folders])
        report = Report(self.progress / part if self.progress is not None else None)
        report.write()
        with contextlib.ExitStack() as files:
            tables = [
                GrowingFile(
                    files,
                    self.folder / STAGED / folder / f"{part}.parquet",
                    annotation_schema(dict(self.annotators[folder].columns)),
                )
                for folder in folders
            ]
            pending = iter(groups)
            room = next(pending, 0)
            for document in step.run(stored_documents(documents), rank, world_size):
                with self.track_time():
                    for table in tables:
                        for name, column in table.columns.items():
                            column.append(document.id if name == "id" else document.metadata[name])
                    room -= 1
                    if not room:
                        for table in tables:
                            table.flush()
                        room = next(pending, 0)
                report.documents += 1
                report.at(float(report.documents))
                self.update_doc_stats(document)
                yield document
        self._mark(part, folders)
        report.write()

    def _mark(self, part: str, folders: Sequence[str]) -> None:
        marker = read_marker(self.folder, part)
        assert marker is not None
        for folder in folders:
            marker["files"][folder] = file_facts(self.folder / STAGED / folder / f"{part}.parquet")
            marker["annotators"][folder] = self.digests[folder]
        atomic_write(marker_path(self.folder, part), canonical_json(marker))


def row_groups(documents: Path) -> list[int]:
    """How many documents each row group of a part has."""
    metadata = pq.read_metadata(documents)
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def stored_documents(documents: Path) -> Iterator[Document]:
    """The documents of a part as their source gave them, a row group in memory at a time."""
    with pq.ParquetFile(documents) as file:
        for group in range(file.metadata.num_row_groups):
            for row in file.read_row_group(group, columns=DOCUMENTS.names).to_pylist():
                yield restore(row)


def missing_annotators(
    folder: Path, markers: Mapping[int, Mapping[str, object]], digests: Mapping[str, str]
) -> dict[int, list[str]]:
    """Which annotators' folders the parts lack that have their documents: by part, parts that lack none left
    out."""
    missing = {}
    for number, marker in markers.items():
        known = marker["annotators"]
        assert isinstance(known, dict)
        lacking = [
            name
            for name, digest in digests.items()
            if known.get(name) != digest or find_file(folder, marker, name) is None
        ]
        if lacking:
            missing[number] = lacking
    return missing


def settle(folder: Path, wanted: Sequence[str], parts: Sequence[str]) -> None:
    """Move staged annotations into place, and remove what the store will not speak of.

    A kill in between does no harm: `find_file` looks in both places.

    Args:
        folder: the store, which has no `store.json` now.
        wanted: the annotators' folders.
        parts: names of the parts.
    """
    for name in wanted:
        for part in parts:
            staged = folder / STAGED / name / f"{part}.parquet"
            if staged.is_file():
                move(staged, folder / name / f"{part}.parquet")
    shutil.rmtree(folder / STAGED, ignore_errors=True)
    for other in (folder / "annotations").glob("*"):
        if f"annotations/{other.name}" not in wanted:
            shutil.rmtree(other, ignore_errors=True)
    known = set(parts)
    for file in folder.glob("*/**/part-*.parquet"):
        if file.stem not in known:
            file.unlink()

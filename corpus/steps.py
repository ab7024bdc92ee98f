"""The first steps of the pipeline: reading a source, and dropping early what nobody will want."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from corpus.inputs import Input
from corpus.ledger import Ledger
from corpus.parts import canonical, origin, part_name
from corpus.sources.base import Source, Task
from filters.decide import BoundRules
from filters.step import RuleFilterStep

REPORT_EVERY_SECONDS = 0.25


class SourceStep(PipelineStep):
    """Reads documents from a source, as the first step of a datatrove pipeline.

    Args:
        source: where from.
        tasks: the source's tasks; rank r of w reads tasks r, r + w, r + 2w, ...
        ledger: where records go that become no document; cleared when a rank begins.
        parts: with it, rank r reads task `parts[r]` alone.
        progress: folder in which the rank tells how far it is.
    """

    type = "📖 - READER"
    name = "source"

    def __init__(
        self,
        source: Source,
        tasks: Sequence[Task],
        ledger: Ledger | None = None,
        parts: Sequence[int] | None = None,
        progress: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.source, self.tasks, self.parts = source, tasks, parts
        self.ledger = ledger if ledger is not None else Ledger()
        self.progress = Path(progress) if progress is not None else None

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Hand on what comes in, then the documents of the rank's tasks."""
        if data:
            yield from data
        self.ledger.clear()
        numbers = range(rank, len(self.tasks), world_size) if self.parts is None else [self.parts[rank]]
        for number in numbers:
            path = self.progress / part_name(number) if self.progress is not None else None
            report = Report(path, self.ledger)
            report.write()
            for document in self.source.read(self.tasks[number], self.ledger, report.at):
                report.documents += 1
                canonical(document)
                self.stat_update("documents")
                self.update_doc_stats(document)
                yield document
            report.write()
        for reason, count in self.ledger.reasons().items():
            self.stat_update(f"dropped_{reason}", value=count)


class Report:
    """How far a task is, in a small file that the main process polls."""

    def __init__(self, path: Path | None, ledger: Ledger | None = None) -> None:
        self.path, self.ledger = path, ledger
        self.done = 0.0
        self.documents = 0
        self.next = 0.0

    def at(self, done: float) -> None:
        """So much of the task's size is done."""
        self.done = done
        if self.path is not None and time.monotonic() >= self.next:
            self.write()

    def write(self) -> None:
        """Tell it, whatever happens: a full disk will be told by those who need it."""
        if self.path is None:
            return
        self.next = time.monotonic() + REPORT_EVERY_SECONDS
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            report = {"done": self.done, "documents": self.documents}
            if self.ledger is not None:
                report |= {"stored": self.ledger.stored, "dropped": self.ledger.dropped}
            self.path.write_text(json.dumps(report))


class EarlyDrop:
    """Writes what rules drop inside the pipeline into the ledger: id and reason, no text."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def __call__(self, document: Document, reason: str) -> None:
        """Called with every dropped document."""
        offset = document.metadata.get("warc_offset")
        self.ledger.drop(origin(document), reason, stage="early_drop", offset=offset, id=document.id)


def early_drop_step(rules: BoundRules, columns: Mapping[str, pa.DataType], ledger: Ledger) -> RuleFilterStep:
    """The datatrove filter that drops by rules and tells the ledger."""
    return RuleFilterStep(rules, columns, on_drop=EarlyDrop(ledger))


class StoredTasks(Sequence[Task]):
    """Tasks that lie in files, so that a worker reads only its own."""

    def __init__(self, folder: str | Path, count: int) -> None:
        self.folder, self.length = Path(folder), count

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number):  # type: ignore[no-untyped-def]
        raw = json.loads((self.folder / f"{part_name(number)}.json").read_bytes())
        span = tuple(raw["span"]) if raw["span"] is not None else None
        return Task(tuple(Input(**item) for item in raw["inputs"]), span, raw["size"])

    def __iter__(self) -> Iterator[Task]:
        return (self[number] for number in range(self.length))

    @classmethod
    def store(cls, folder: str | Path, tasks: Sequence[Task], numbers: Sequence[int]) -> StoredTasks:
        """Write the tasks with these numbers."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            task = tasks[number]
            raw = {"inputs": [asdict(item) for item in task.inputs], "span": task.span, "size": task.size}
            (folder / f"{part_name(number)}.json").write_text(json.dumps(raw))
        return cls(folder, len(tasks))

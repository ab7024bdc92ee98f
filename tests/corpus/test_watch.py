"""Progress of a build: how far, how many documents, which share was kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpus.build import build
from corpus.ledger import Ledger
from corpus.parts import WORK, part_name
from corpus.sources.base import Task
from corpus.steps import Report
from corpus.watch import Watch
from tests.corpus.stores import crawl, manifest


class Recorder:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.tasks: dict[str, RecordedTask] = {}
        self.notes: list[str] = []

    def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> RecordedTask:
        self.tasks[name] = RecordedTask(total, unit)
        return self.tasks[name]

    def note(self, message: str) -> None:
        self.notes.append(message)


class RecordedTask:
    def __init__(self, total: float | None, unit: str) -> None:
        self.total, self.unit = total, unit
        self.done = 0.0
        self.fields: dict[str, object] = {}

    def advance(self, count: float = 1, **fields: object) -> None:
        self.done += count
        self.fields.update(fields)

    def close(self) -> None:
        pass


def test_a_build_shows_what_it_keeps(tmp_path: Path) -> None:
    archives = crawl(tmp_path / "in", 3, 30)
    progress = Recorder()
    rules = [{"drop": "gopher.words < 100", "reason": "short"}]
    summary = build(manifest(tmp_path / "s", [archives], early_drop=rules), progress)
    shown = progress.tasks["documents"]
    assert (shown.done, shown.total, shown.unit) == (shown.total, shown.total, "B")
    assert summary.documents < summary.records
    assert shown.fields["kept"] == f"{summary.documents / summary.records:.0%}"


def test_records_on_their_way_count_neither_way(tmp_path: Path) -> None:
    """A batch that waits for its annotations is neither kept nor dropped."""
    progress: Any = Recorder()
    ledger = Ledger()
    report = Report(tmp_path / WORK / "progress" / part_name(0), ledger)
    report.documents, ledger.records, ledger.stored = 500, 700, 150
    for number in range(50):
        ledger.drop("a", "http_status", stage="read", offset=number)
    ledger.give_up("a", "truncated")
    report.done = 30.0
    report.write()
    with Watch(tmp_path, [Task((), size=100)], [0], unit="B", progress=progress):
        pass
    shown = progress.tasks["documents"]
    assert (shown.done, shown.fields) == (30, {"documents": "500", "kept": "75%"})

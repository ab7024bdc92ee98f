"""Two ways to show progress on standard error: live bars on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text

from gristmill.base.numbers import human_count, human_seconds

LINE_EVERY_SECONDS = 10.0


def _fields_text(fields: dict[str, object]) -> str:
    return "  ".join(f"{name} {value}" for name, value in fields.items())


class _Meter:
    """Counts what is done and how fast; the base of both kinds of task."""

    def __init__(self, name: str, total: float | None, unit: str, done: float) -> None:
        self.name, self.total, self.unit, self.before, self.done = name, total, unit, done, done
        self.fields: dict[str, object] = {}
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def rate(self) -> float:
        return (self.done - self.before) / self.seconds if self.seconds > 0 else 0.0

    def line(self) -> str:
        parts = [f"{self.name}: {human_count(self.done)}"]
        if self.total is not None:
            parts[0] += f"/{human_count(self.total)}"
        parts[0] += f" {self.unit}".rstrip()
        parts.append(f"{human_count(self.rate)} {self.unit}/s".replace(" /s", "/s"))
        if self.total is not None and self.rate > 0 and self.done < self.total:
            parts.append(f"ETA {human_seconds((self.total - self.done) / self.rate)}")
        if self.fields:
            parts.append(_fields_text(self.fields))
        return "  ".join(parts)


class _LineTask(_Meter):
    def __init__(self, owner: LineProgress, name: str, total: float | None, unit: str, done: float) -> None:
        super().__init__(name, total, unit, done)
        self.owner = owner
        self.spoken = self.started

    def advance(self, count: float = 1, **fields: object) -> None:
        self.done += count
        self.fields.update(fields)
        now = time.monotonic()
        if now - self.spoken >= LINE_EVERY_SECONDS:
            self.spoken = now
            self.owner.note(self.line())

    def close(self) -> None:
        if self.spoken > self.started:
            self.owner.note(f"{self.line()}  in {human_seconds(self.seconds)}")


class LineProgress:
    """For logs: a line every ten seconds a task, and a closing line for tasks that took longer than that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        pass

    def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> _LineTask:
        return _LineTask(self, name, total, unit, done)

    def note(self, message: str) -> None:
        with self._lock:
            print(message, file=sys.stderr, flush=True)


class _RateColumn(ProgressColumn):
    """done/total unit, rate."""

    def render(self, task: RichTask) -> Text:
        meter: _Meter = task.fields["meter"]
        total = f"/{human_count(meter.total)}" if meter.total is not None else ""
        count = f"{human_count(meter.done)}{total} {meter.unit}".rstrip()
        return Text(f"{count}  {human_count(meter.rate)}/s")


class _FieldsColumn(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        return Text(_fields_text(task.fields["meter"].fields), style="dim")


class _BarTask(_Meter):
    def __init__(self, owner: BarProgress, name: str, total: float | None, unit: str, done: float) -> None:
        super().__init__(name, total, unit, done)
        self.owner = owner
        self.id: TaskID = owner.bars.add_task(name, total=total, completed=int(done), meter=self)

    def advance(self, count: float = 1, **fields: object) -> None:
        self.done += count
        self.fields.update(fields)
        self.owner.bars.update(self.id, completed=self.done)

    def close(self) -> None:
        self.owner.bars.remove_task(self.id)
        if self.seconds > 2:
            self.owner.note(f"[dim]{self.line()}  in {human_seconds(self.seconds)}[/dim]")


class BarProgress:
    """For a terminal: one live bar a task, gone when the task ends; tasks over two seconds leave a line."""

    def __init__(self) -> None:
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            _RateColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            _FieldsColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> _BarTask:
        return _BarTask(self, name, total, unit, done)

    def note(self, message: str) -> None:
        self.bars.console.print(message)

"""Watching workers from the main process: how far they are."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from corpus.parts import WORK, marker_path, part_name, read_marker
from corpus.sources.base import Task
from gristmill.base.progress import Progress

EVERY_SECONDS = 0.5


class Watch:
    """A thread that polls the workers' small progress files and shows them as one task.

    Args:
        folder: the store.
        tasks: the tasks of the parts, for their sizes.
        pending: numbers of the parts that are watched.
        unit: what sizes count.
        progress: where to show it.
        name: what it is called there.
        done: whether a part is finished; by default, whether it has a marker.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Sequence[Task] | Mapping[int, Task],
        pending: Sequence[int],
        *,
        unit: str,
        progress: Progress,
        name: str = "documents",
        done: Callable[[int], bool] | None = None,
    ) -> None:
        self.folder, self.pending = folder, set(pending)
        self.done = done or (lambda number: marker_path(folder, part_name(number)).is_file())
        self.sizes = {number: float(tasks[number].size or 0) for number in pending}
        total = sum(self.sizes.values())
        if not total:
            # Nothing is known of the sizes: count parts.
            self.sizes = dict.fromkeys(pending, 1.0)
            total, unit = float(len(pending)), "parts"
        self.by_part = unit == "parts"
        self.finished = self.shown = 0.0
        self.task = progress.task(name, total=total, unit=unit)
        self.documents: dict[int, int] = {}
        self.stored: dict[int, int] = {}
        self.dropped: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._poll()
        self.task.close()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self._poll()

    def _poll(self) -> None:
        """Look once."""
        running = 0.0
        for number in list(self.pending):
            finished = self.done(number)
            with contextlib.suppress(OSError, ValueError):
                report = json.loads((self.folder / WORK / "progress" / part_name(number)).read_bytes())
                self.documents[number] = report["documents"]
                self.stored[number] = report.get("stored", 0)
                self.dropped[number] = report.get("dropped", 0)
                if not finished and not self.by_part:
                    running += min(report["done"], self.sizes[number])
            if finished:
                marker = read_marker(self.folder, part_name(number)) or {}
                self.stored[number] = marker.get("rows", 0)
                self.dropped[number] = sum(marker.get("reasons", {}).values())
                self.pending.discard(number)
                self.finished += self.sizes[number]
        done = self.finished + running
        if done > self.shown:
            self.task.advance(done - self.shown, **self._fields())
            self.shown = done

    def _fields(self) -> dict[str, str]:
        """Documents so far, and which share of the records was kept: neither unusable nor dropped early.
        Records that are still on their way through the pipeline count neither way."""
        fields = {"documents": f"{sum(self.documents.values()):,}"}
        stored, dropped = sum(self.stored.values()), sum(self.dropped.values())
        if stored + dropped:
            fields["kept"] = f"{stored / (stored + dropped):.0%}"
        return fields

"""Watching workers from the main process: how far they are, and whether they live."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from corpus.parts import WORK, marker_path, part_name
from corpus.sources.base import Task
from gristmill.base.progress import Progress

EVERY_SECONDS = 0.5


class Watch:
    """A thread that polls the workers' small progress files and shows them as one task.

    If a worker of this machine is gone while its part is unfinished (killed for memory, as a rule), `died`
    names the part and the main thread is interrupted: multiprocessing's pools would wait for it for ever.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Sequence[Task],
        pending: Sequence[int],
        *,
        unit: str,
        progress: Progress,
        here: bool,
    ) -> None:
        self.folder, self.pending, self.here = folder, list(pending), here
        self.sizes = {number: float(tasks[number].size or 0) for number in pending}
        total = sum(self.sizes.values())
        if not total:
            # Nothing is known of the sizes: count parts.
            self.sizes = dict.fromkeys(pending, 1.0)
            total, unit = float(len(pending)), "parts"
        self.counted = 0.0
        self.task = progress.task("documents", total=total, unit=unit)
        self.by_part = unit == "parts"
        self.documents: dict[int, int] = {}
        self.died: str | None = None
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
            if self._poll() and self.here:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return

    def _poll(self) -> bool:
        """Look once; returns whether a worker died."""
        done = 0.0
        for number in list(self.pending):
            if marker_path(self.folder, part_name(number)).is_file():
                done += self.sizes[number]
                continue
            with contextlib.suppress(OSError, ValueError):
                report = json.loads((self.folder / WORK / "progress" / part_name(number)).read_text())
                self.documents[number] = report["documents"]
                done += 0 if self.by_part else min(report["done"], self.sizes[number])
                if (
                    self.here
                    and not _alive(report["pid"])
                    and not marker_path(self.folder, part_name(number)).is_file()
                ):
                    self.died = part_name(number)
                    return True
        if done > self.counted:
            self.task.advance(done - self.counted, documents=f"{sum(self.documents.values()):,}")
            self.counted = done
        return False


def _alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True

"""What a running loop tells the world: metrics file, TensorBoard and progress, a line a step."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Any, Self

from gristmill.base.progress import Progress
from trainer.folder import RunFolder
from trainer.metrics import MetricsFile, TensorBoard


class Journal:
    """Takes the metrics of each step.

    Args:
        run: the run folder.
        step, total: steps done before, and steps of the whole run.
        main: whether this process writes; the others only keep time.
        progress: where to show the steps.
    """

    def __init__(self, run: RunFolder, step: int, total: int, main: bool, progress: Progress) -> None:
        self._closing = contextlib.ExitStack()
        self._every, self._total = run.manifest.log_every, total
        self._lines: MetricsFile | None = None
        self._board: TensorBoard | None = None
        if main:
            run.describe()
            self._lines = MetricsFile(run.metrics, step)
            self._closing.callback(self._lines.close)
            if run.manifest.tensorboard:
                self._board = TensorBoard(run.tensorboard, step)
                self._closing.callback(self._board.close)
        self._task = progress.task("train", total=total, unit="steps", done=step)
        self._closing.callback(self._task.close)
        self._began = self._last = time.perf_counter()
        self._tokens = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def seconds(self) -> float:
        """From the first step of this start to the newest one."""
        return self._last - self._began

    @property
    def rate(self) -> float:
        """Input tokens a second of this start, checkpoints and validation included."""
        return self._tokens / self.seconds if self.seconds else 0.0

    def write(self, line: dict[str, Any], waited: float) -> None:
        """Take a step's metrics; `waited` is the time in seconds that the loop waited for its data."""
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        self._tokens += line["tokens"]
        line = line | {
            "tokens_per_second": round(line["tokens"] / seconds, 1),
            "seconds": round(seconds, 4),
            "data_wait": round(waited, 4),
        }
        if self._lines is not None:
            self._lines.write(line)
        if self._board is not None and (line["step"] % self._every == 0 or line["step"] == self._total):
            self._board.write(line)
        self._task.advance(1, loss=f"{line['loss']:.3f}", **{"tokens/s": f"{self.rate:,.0f}"})

    def sync(self) -> None:
        """Make the lines so far durable."""
        if self._lines is not None:
            self._lines.sync()

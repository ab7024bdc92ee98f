"""Metrics of a run: one JSON line a step, TensorBoard beside it, and the loss curve for the summary."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gristmill.base.errors import missing_extra

BARS = "▁▂▃▄▅▆▇█"


class MetricsFile:
    """`metrics.jsonl`: exactly one line a step, also after kills.

    Opening it cuts off what lies beyond the checkpoint that training goes on from, and a torn last line.
    A line is
    written whole or, by a kill or a full disk, torn; `sync` makes lines durable before a checkpoint that
    counts
    on them.

    Args:
        path: the file; made if missing.
        step: steps done by the checkpoint; lines of later steps are removed.
    """

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut(path, step)
        self._file = path.open("ab", buffering=0)

    def write(self, line: dict[str, Any]) -> None:
        """Append a line. Non-finite numbers become null, as JSON has none."""
        data = json.dumps({key: _finite(value) for key, value in line.items()}).encode() + b"\n"
        view = memoryview(data)
        while view:  # an unbuffered file may write less than it was given
            view = view[self._file.write(view) :]

    def sync(self) -> None:
        """Flush to disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def cut(path: Path, step: int) -> None:
    """Keep the lines of steps up to `step`; remove what follows, and anything that is not a whole line."""
    if not path.exists():
        return
    good = 0
    with path.open("rb") as file:
        for raw in file:
            line = _parse(raw)
            if line is None or line["step"] > step:
                break
            good += len(raw)
    if good < path.stat().st_size:
        os.truncate(path, good)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a metrics file, as far as they are whole."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            line = _parse(raw)
            if line is None:
                return
            yield line


def sparkline(values: Sequence[float], width: int = 32) -> str:
    """A curve in one line of block characters: means of equal stretches, lowest to highest value."""
    if not values:
        return ""
    means = [float(part.mean()) for part in np.array_split(np.asarray(values), min(width, len(values)))]
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((mean - low) * scale)] for mean in means)


class TensorBoard:
    """Scalars for TensorBoard, written as they come.

    Points of steps after `step`, left by an earlier and killed process, are hidden by TensorBoard's own mark
    of a restart. The file is named after `step`, not after host, hour and process as
    `torch.utils.tensorboard` names it, and it is written in this thread: a full disk stops the run instead
    of a thread beside it.

    Errors: UserError when the package is not installed; OSError.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2  # type: ignore[import-untyped]
            from tensorboard.summary.writer.record_writer import (  # type: ignore[import-untyped]
                RecordWriter,
            )
        except ImportError:
            raise missing_extra("tensorboard", "train", "writing TensorBoard files") from None
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        folder.mkdir(parents=True, exist_ok=True)
        # A file of this name holds only steps that are about to be done again.
        self._file = (folder / f"events.out.tfevents.{step:010d}").open("wb", buffering=0)
        self._records = RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(step=step + 1, session_log=start)

    def write(self, line: dict[str, Any]) -> None:
        """Add the numbers of a metrics line at its step."""
        values = [
            self._summary.Value(tag=name, simple_value=float(value))
            for name, value in line.items()
            if isinstance(value, int | float) and name != "step" and math.isfinite(value)
        ]
        self._add(step=line["step"], summary=self._summary(value=values))

    def close(self) -> None:
        self._file.close()

    def _add(self, **fields: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())


def _parse(raw: bytes) -> dict[str, Any] | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Metrics of a run: one JSON line a step, TensorBoard beside it, and the loss curve for the summary."""

from __future__ import annotations

import json
import math
import os
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
    """Scalars for TensorBoard. Points of steps after `step` by an earlier, killed process are hidden.

    Errors: UserError when the package is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise missing_extra("tensorboard", "train", "writing TensorBoard files") from None
        self._writer = SummaryWriter(log_dir=str(folder), purge_step=step + 1 if step else None)

    def write(self, line: dict[str, Any]) -> None:
        """Add the numbers of a metrics line at its step."""
        for name, value in line.items():
            if isinstance(value, int | float) and name != "step" and math.isfinite(value):
                self._writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        self._writer.close()


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

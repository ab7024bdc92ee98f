"""The surroundings of a run: device, numerics that repeat bit by bit, and signals that ask it to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

import torch

from gristmill.base.errors import UserError
from trainer.manifest import RunManifest


def pick_device(wanted: str) -> torch.device:
    """The device of a manifest's `device`. Errors: UserError when CUDA is asked for and not there."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise UserError("no CUDA device is available", where="device", mend="use device: auto or cpu")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def describe(manifest: RunManifest, device: torch.device, ranks: int) -> dict[str, Any]:
    """What bit-identical repetition depends on, besides the settings."""
    return {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "precision": manifest.precision,
        "threads": torch.get_num_threads(),
        "ranks": ranks,
    }


@contextmanager
def numerics(manifest: RunManifest, device: torch.device) -> Iterator[None]:
    """Threads and determinism as the manifest says; what was set before comes back afterwards."""
    threads = torch.get_num_threads()
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    deterministic = device.type == "cpu" if manifest.deterministic is None else manifest.deterministic
    if deterministic and device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS's condition for determinism
    if manifest.threads is not None:
        torch.set_num_threads(manifest.threads)
    torch.use_deterministic_algorithms(deterministic)
    # Filling fresh memory with NaN finds bugs and costs time; no result of ours depends on fresh memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(threads)


class StopRequest:
    """Turns SIGTERM and SIGINT into a wish that the loop asks about; a second one acts at once, as usual."""

    signals = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        return self.name is not None

    def __enter__(self) -> Self:
        try:
            for number in self.signals:
                self._before[number] = signal.signal(number, self._ask)
        except ValueError:  # not in the main thread: whoever runs us there handles signals
            self._before.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

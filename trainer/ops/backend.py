"""Which backends an operation has, which of them run here, and which one "auto" takes.

A backend is a function in a module that is imported on first use, so that an absent library costs nothing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gristmill.base.errors import UserError, did_you_mean


def _always(device: str) -> str | None:
    return None


def _mamba_ssm(device: str) -> str | None:
    for package in ("triton", "einops", "mamba_ssm"):
        if importlib.util.find_spec(package) is None:
            return f"the package '{package}' is not installed (pip install 'gristmill[gpu]')"
    return None if device == "cuda" else "its Triton kernels need a CUDA device"


def _blocks(device: str) -> str | None:
    from trainer.ops.attention_blocks import blocks_missing

    return blocks_missing(device)


def _onednn(device: str) -> str | None:
    from trainer.ops.linear import onednn_missing

    return onednn_missing(device)


@dataclass(frozen=True)
class Backend:
    """One implementation of an operation."""

    module: str
    function: str
    missing: Callable[[str], str | None]
    """Given a device type ("cpu", "cuda"): None when it runs there, else why not."""

    def load(self) -> Callable[..., object]:
        """Import it."""
        function: Callable[..., object] = getattr(importlib.import_module(self.module), self.function)
        return function


OPERATIONS: dict[str, dict[str, Backend]] = {
    "attention": {
        "blocks": Backend("trainer.ops.attention_blocks", "packed_blocks", _blocks),
        "sdpa": Backend("trainer.ops.attention_blocks", "packed_sdpa", _always),
    },
    "linear": {
        "onednn": Backend("trainer.ops.linear", "onednn_linear", _onednn),
        "torch": Backend("trainer.ops.linear", "torch_linear", _always),
    },
    "ssd": {
        "mamba_ssm": Backend("trainer.ops.ssd_mamba_ssm", "scan", _mamba_ssm),
        "reference": Backend("trainer.ops.ssd_reference", "scan", _always),
    },
}
"""Of each operation, its backends in the order in which "auto" tries them."""


def availability(operation: str, device: str) -> dict[str, str | None]:
    """Of each backend: None when it runs on this type of device, else the reason why not."""
    return {name: backend.missing(device) for name, backend in OPERATIONS[operation].items()}


def available(device: str | None = None) -> Iterator[tuple[str, str, bool, str]]:
    """(operation, backend, whether it runs on this type of device, why not); None is the best device here."""
    if device is None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    for operation in OPERATIONS:
        for name, reason in availability(operation, device).items():
            yield operation, name, reason is None, reason or ""


_preferred: dict[str, str] = {}


def prefer(operation: str, name: str) -> None:
    """What "auto" means for an operation from now on, in this process; "auto" undoes it."""
    _check(operation, name)
    _preferred[operation] = name
    choose.cache_clear()


def _check(operation: str, name: str) -> None:
    if name != "auto" and name not in OPERATIONS[operation]:
        valid = ["auto", *OPERATIONS[operation]]
        raise UserError(f"unknown backend '{name}' of {operation}", mend=did_you_mean(name, valid))


@functools.cache
def choose(operation: str, name: str, device: str) -> Callable[..., object]:
    """The function of a named backend, or, for "auto", of the first that runs on this type of device.

    Raises:
        UserError: unknown name, or a named backend that does not run here.
    """
    _check(operation, name)
    backends = OPERATIONS[operation]
    if name == "auto":
        name = _preferred.get(operation, "auto")
    if name == "auto":
        name = next(each for each, reason in availability(operation, device).items() if reason is None)
    reason = backends[name].missing(device)
    if reason is not None:
        raise UserError(f"backend '{name}' of {operation} does not run here: {reason}")
    return backends[name].load()

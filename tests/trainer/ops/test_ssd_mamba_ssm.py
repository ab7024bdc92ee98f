"""The scan by `mamba_ssm`'s Triton kernels against the reference: on a GPU, or interpreted on a CPU.

On a CPU Triton interprets its kernels (TRITON_INTERPRET=1), and PyTorch's CUDA calls around them are stubbed,
in this file only. `docs/model.md` says how to install the package without a CUDA toolkit.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainer.model.examples import relative
from tests.trainer.ops.test_ssd import boundaries, example, outcome
from trainer.ops.backend import availability, choose
from trainer.ops.ssd import ssd

MISSING = [name for name in ("triton", "einops", "mamba_ssm") if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

Scan = Callable[..., tuple[Tensor, Tensor]]


@contextlib.contextmanager
def _interpreted() -> Iterator[None]:
    """Triton's interpreter in place of a GPU, one configuration of each kernel in place of two hundred."""
    patch = pytest.MonkeyPatch()
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("Triton was imported before its interpreter could be chosen; run this file alone")
    patch.setenv("TRITON_INTERPRET", "1")
    import triton

    def first_configuration(configs: list[Any], **options: Any) -> Any:
        return autotune(configs=configs[:1], **{**options, "key": options["key"]})

    autotune = triton.autotune
    patch.setattr(triton, "autotune", first_configuration)
    patch.setattr(torch.cuda, "device", lambda *_: contextlib.nullcontext())
    patch.setattr(
        torch.cuda, "get_device_properties", lambda *_: types.SimpleNamespace(multi_processor_count=1)
    )
    try:
        yield
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def scan() -> Iterator[Scan]:
    """The backend's function."""
    if torch.cuda.is_available():
        yield choose("ssd", "mamba_ssm", "cuda")  # type: ignore[misc]
        return
    with _interpreted():
        yield importlib.import_module("trainer.ops.ssd_mamba_ssm").scan


def _inputs(length: int, heads: int, groups: int) -> dict[str, Tensor]:
    inputs = example(2, length, groups, heads // groups, width=16, states=16, dtype=torch.float32)
    inputs["dt"] = inputs["dt"] / 4
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {name: tensor.to(device) for name, tensor in inputs.items()}


@pytest.mark.parametrize(("length", "heads", "groups"), [(64, 2, 1), (50, 4, 2)])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("continued", [False, True])
def test_kernels_agree_with_the_reference(
    scan: Scan, *, length: int, heads: int, groups: int, packed: bool, continued: bool
) -> None:
    inputs = _inputs(length, heads, groups)
    segments = boundaries(2, length, 0.1, seed=1).to(inputs["x"].device) if packed else None
    if packed:
        assert segments is not None
        segments = segments - segments[:, :1]
    if not continued:
        del inputs["initial_state"]
    options = {"segments": segments, "chunk_size": 16}
    expected = outcome(ssd, inputs, backend="reference", **options)

    def kernels(**values: Any) -> tuple[Tensor, Tensor]:
        return scan(**{"initial_state": None, "D": None, **values})

    found = outcome(kernels, inputs, **options)
    for name, tensor in expected.items():
        assert relative(found[name], tensor, least=1e-3) < 1e-4, name


def test_it_is_chosen_on_a_gpu_and_not_on_a_cpu() -> None:
    assert availability("ssd", "cuda")["mamba_ssm"] is None
    assert availability("ssd", "cpu")["mamba_ssm"] == "its Triton kernels need a CUDA device"

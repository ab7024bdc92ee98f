"""Both products give the same, forward and backward, for every shape and dtype the model asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from gristmill.base.errors import UserError
from tests.trainer.model.examples import relative
from trainer.ops.backend import OPERATIONS, availability, available, choose, prefer
from trainer.ops.linear import linear, matmul_t, onednn_linear

HAS_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    yield
    for operation in OPERATIONS:
        prefer(operation, "auto")


@pytest.mark.skipif(not HAS_ONEDNN, reason="this PyTorch has no oneDNN product")
@pytest.mark.parametrize("shape", [(40, 8), (3, 17, 8), (2, 1, 8), (1, 8)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_onednn_agrees_with_pytorch(shape: tuple[int, ...], bias: bool, dtype: torch.dtype) -> None:
    x, weight = torch.randn(shape).to(dtype), torch.randn(21, 8).to(dtype)
    offset = torch.randn(21).to(dtype) if bias else None
    functional = torch.randn(*shape[:-1], 21).to(dtype)
    results = []
    for function in (onednn_linear, torch.nn.functional.linear):
        leaves = [each.clone().requires_grad_() for each in (x, weight, offset) if each is not None]
        out = function(leaves[0], leaves[1], leaves[2] if bias else None)
        (out * functional).sum().backward()
        results.append([out, *(leaf.grad for leaf in leaves)])
        with torch.no_grad():
            assert relative(function(x, weight, offset), out) < 1e-5
    for found, expected in zip(*results, strict=True):
        assert relative(found, expected) < (1e-2 if dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("name", ["torch", "onednn"])
def test_matmul_t_takes_transposed_views(name: str) -> None:
    reason = availability("linear", "cpu")[name]
    if reason is not None:
        pytest.skip(f"{name}: {reason}")
    prefer("linear", name)
    a, b = torch.randn(30, 20), torch.randn(40, 30)
    assert relative(matmul_t(a.T, b), a.T @ b.T) < 1e-5
    assert relative(linear(b, a.T), b @ a) < 1e-5


def test_choice_of_backends() -> None:
    assert choose("ssd", "auto", "cpu").__module__ == "trainer.ops.ssd_reference"
    assert ("ssd", "reference", True, "") in set(available("cpu"))
    with pytest.raises(UserError, match="did you mean 'reference'"):
        choose("ssd", "referense", "cpu")
    with pytest.raises(UserError, match="backend 'mamba_ssm' of ssd does not run here"):
        choose("ssd", "mamba_ssm", "cpu")
    prefer("linear", "torch")
    assert choose("linear", "auto", "cpu").__name__ == "torch_linear"
    with pytest.raises(UserError, match="unknown backend"):
        prefer("linear", "numpy")

"""The two norms against their formulas, values and gradients; the gate comes before the norm."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from trainer.ops.activation import squared_relu
from trainer.ops.norm import gated_group_norm, rms_norm


def test_rms_norm_is_pytorch_s() -> None:
    x, weight = torch.randn(3, 5, 12, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    assert torch.allclose(rms_norm(x, weight, 1e-5), F.rms_norm(x, (12,), weight, 1e-5))
    leaves = [each.clone().requires_grad_() for each in (x, weight)]
    assert torch.autograd.gradcheck(lambda a, b: rms_norm(a, b, 1e-3), leaves)


def test_rms_norm_computes_in_float32_and_casts_last() -> None:
    x = torch.randn(7, 64).bfloat16()
    weight = 1 + torch.randn(64) / 4
    expected = F.rms_norm(x.float(), (64,), weight, 1e-5)
    assert torch.allclose(rms_norm(x, weight, 1e-5).float(), expected.bfloat16().float(), rtol=2**-7)
    assert torch.allclose(rms_norm(x, weight, 1e-5, torch.float32), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_gated_norm_gates_first_and_norms_each_group(groups: int) -> None:
    y, gate = torch.randn(2, 4, 12, dtype=torch.float64), torch.randn(2, 4, 12, dtype=torch.float64)
    weight = torch.randn(12, dtype=torch.float64)
    gated = y * gate * torch.sigmoid(gate)
    expected = torch.empty_like(y)
    for group in range(groups):
        part = slice(group * 12 // groups, (group + 1) * 12 // groups)
        rms = (gated[..., part].square().mean(-1, keepdim=True) + 1e-5).sqrt()
        expected[..., part] = weight[part] * gated[..., part] / rms
    assert torch.allclose(gated_group_norm(y, gate, weight, groups, 1e-5), expected)
    gate_last = F.rms_norm(y, (12,), weight, 1e-5) * F.silu(gate)
    assert not torch.allclose(expected, gate_last, rtol=0.1)
    leaves = [each.clone().requires_grad_() for each in (y, gate, weight)]
    assert torch.autograd.gradcheck(lambda *all_: gated_group_norm(*all_, groups, 1e-3), leaves)


def test_gated_norm_returns_the_gate_s_dtype() -> None:
    y, gate, weight = torch.randn(3, 8), torch.randn(3, 8).bfloat16(), torch.ones(8)
    assert gated_group_norm(y, gate, weight, 2, 1e-5).dtype == torch.bfloat16


def test_squared_relu() -> None:
    x = torch.randn(4, 9, dtype=torch.float64)
    assert torch.equal(squared_relu(x), torch.where(x > 0, x * x, torch.zeros_like(x)))
    assert torch.autograd.gradcheck(squared_relu, [x.requires_grad_()])

"""Root-mean-square norms: the plain one before every mixer, and Mamba-2's gated one.

Both compute in float32 at least and have their backward pass written out, which on a CPU halves the passes
over memory that autograd would make. Gradients of gradients are not available.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype | None = None) -> Tensor:
    """`weight * x / rms(x)` over the last axis: arithmetic in float32, result in `dtype` (None: x's)."""
    if not torch.is_grad_enabled():
        return _rms_forward(x, weight, epsilon, dtype or x.dtype)[0]
    out: Tensor = _RMSNorm.apply(x, weight, epsilon, dtype or x.dtype)  # type: ignore[no-untyped-call]
    return out


def gated_group_norm(y: Tensor, gate: Tensor, weight: Tensor, groups: int, epsilon: float) -> Tensor:
    """`weight * v / rms_g(v)` with `v = y * silu(gate)`: the gate comes first, then the norm of each group.

    Args:
        y: [..., d].
        gate: [..., d], z of the Mamba-2 mixer.
        weight: [d].
        groups: number of groups G; each run of d / G channels has its own mean square.

    Returns:
        [..., d] in gate's dtype; the arithmetic is float32.
    """
    if not torch.is_grad_enabled():
        return _gated_forward(y, gate, weight, groups, epsilon)[0]
    out: Tensor = _GatedGroupNorm.apply(y, gate, weight, groups, epsilon)  # type: ignore[no-untyped-call]
    return out


def _inverse_rms(x: Tensor, epsilon: float) -> Tensor:
    """[..., d] -> [..., 1]."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    inverse: Tensor = length.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
    return inverse


def _rms_forward(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The norm, and 1 / rms [..., 1]."""
    wide = torch.promote_types(x.dtype, torch.float32)
    values = x.to(wide)
    inverse = _inverse_rms(values, epsilon)
    return (values * inverse).mul_(weight.to(wide)).to(dtype), inverse


def _gated_forward(
    y: Tensor, gate: Tensor, weight: Tensor, groups: int, epsilon: float
) -> tuple[Tensor, Tensor]:
    """The gated norm, and 1 / rms [..., G, 1]."""
    wide = torch.promote_types(gate.dtype, torch.float32)
    gated = F.silu(gate.to(wide)).mul_(y)
    grouped = gated.view(*gated.shape[:-1], groups, -1)
    inverse = _inverse_rms(grouped, epsilon)
    out = grouped.mul_(inverse).flatten(-2).mul_(weight.to(wide))
    return out.to(gate.dtype), inverse


def _norm_backward(grad: Tensor, x: Tensor, inverse: Tensor) -> Tensor:
    """Gradient of x * inverse, given that of the product; `grad` is overwritten."""
    share = (grad * x).sum(-1, keepdim=True).mul_(inverse.pow(3)).div_(x.shape[-1])
    return grad.mul_(inverse).addcmul_(x, share, value=-1)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        out, inverse = _rms_forward(x, weight, epsilon, dtype)
        ctx.save_for_backward(x, weight, inverse)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, weight, inverse = ctx.saved_tensors
        values, grad = x.to(inverse.dtype), grads[0].to(inverse.dtype)
        dweight = (values * grad).mul_(inverse).flatten(0, -2).sum(0).to(weight.dtype)
        dx = _norm_backward(grad * weight.to(inverse.dtype), values, inverse)
        return dx.to(x.dtype), dweight, None, None


class _GatedGroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        y, gate, weight, groups, epsilon = inputs
        out, inverse = _gated_forward(y, gate, weight, groups, epsilon)
        ctx.save_for_backward(y, gate, weight, inverse)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        y, gate, weight, inverse = ctx.saved_tensors
        wide = inverse.dtype
        split = (*inverse.shape[:-1], -1)
        gate_wide, y_wide, grad = gate.to(wide), y.to(wide), grads[0].to(wide)
        opened = F.silu(gate_wide)
        gated = (opened * y_wide).view(split)
        normed = (grad.reshape(split) * gated).mul_(inverse).flatten(-2)
        dweight = normed.flatten(0, -2).sum(0).to(weight.dtype)
        dgated = _norm_backward((grad * weight.to(wide)).view(split), gated, inverse).flatten(-2)
        dgate = torch.ops.aten.silu_backward(dgated * y_wide, gate_wide)
        dy = dgated.mul_(opened)
        return dy.to(y.dtype), dgate.to(gate.dtype), dweight, None, None

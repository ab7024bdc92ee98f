"""Root-mean-square norms: the plain one before every mixer, and Mamba-2's gated one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype | None = None) -> Tensor:
    """`weight * x / rms(x)` over the last axis: arithmetic in float32, result in `dtype` (None: x's)."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return F.rms_norm(wide, wide.shape[-1:], weight.to(wide.dtype), epsilon).to(dtype or x.dtype)


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
    wide = torch.promote_types(gate.dtype, torch.float32)
    gated = y.to(wide) * F.silu(gate.to(wide))
    grouped = gated.view(*gated.shape[:-1], groups, -1)
    normed = F.rms_norm(grouped, grouped.shape[-1:], None, epsilon)
    return (normed.flatten(-2) * weight.to(wide)).to(gate.dtype)

"""The squared rectifier of the MLP."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def squared_relu(x: Tensor) -> Tensor:
    """`relu(x)^2` (So et al., arXiv 2109.08668), the Hub's `relu2`.

    Keeps relu(x), which is all that backward needs, and not x. Gradients of gradients are not available.
    """
    if not torch.is_grad_enabled():
        return x.relu().square_()
    out: Tensor = _SquaredReLU.apply(x)  # type: ignore[no-untyped-call]
    return out


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive.square()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (positive,) = ctx.saved_tensors
        return (grads[0] * positive).mul_(2)

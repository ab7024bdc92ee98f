"""Depthwise causal convolution with SiLU, as the Mamba-2 mixer uses it; documents do not see each other."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def causal_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    segments: Tensor | None = None,
    state: Tensor | None = None,
) -> Tensor:
    """`silu(conv(x))` with conv(x)[t] = bias + sum_k weight[:, k] * x[t - (W-1) + k].

    Args:
        x: [B, L, C].
        weight: [C, W], the last tap is the current token (the Hub's `conv1d.weight` without its middle axis).
        bias: [C] or None.
        segments: int [B, L], monotone in a row: taps that would reach into another document count as zero.
        state: [B, W-1, C], the inputs before x (zeros where there were none, or where they belong to
            another document than x[:, 0]); None is all zeros.

    Returns:
        [B, L, C] in x's dtype. Gradients of gradients are not available.
    """
    taps, length = weight.shape[1], x.shape[1]
    weight = weight.to(x.dtype)
    if bias is not None:
        bias = bias.to(x.dtype)
    if state is not None:
        x = torch.cat([state.to(x.dtype), x], dim=1)
        if segments is not None:
            segments = torch.cat([segments[:, :1].expand(-1, taps - 1), segments], dim=1)
    strays = [] if segments is None else [_strays(segments, back) for back in range(1, taps)]
    out: Tensor = _CausalConvSilu.apply(x, weight, bias, strays)  # type: ignore[no-untyped-call]
    return out[:, out.shape[1] - length :]


def causal_conv_step(x: Tensor, state: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One token of `causal_conv`: x is [B, 1, C], `state` [B, W-1, C] is shifted in place to include x."""
    window = torch.cat([state, x.to(state.dtype)], dim=1)
    out = (window.to(x.dtype) * weight.to(x.dtype).T).sum(1, keepdim=True)
    if bias is not None:
        out = out + bias.to(x.dtype)
    state.copy_(window[:, 1:])
    return F.silu(out)


def _strays(segments: Tensor, back: int) -> tuple[Tensor, Tensor]:
    """Row and place of the tokens whose tap `back` places earlier lies in the row but in another document."""
    rows, places = torch.nonzero(segments[:, back:] != segments[:, :-back], as_tuple=True)
    return rows, places + back


def _shifted_sum(x: Tensor, weight: Tensor, bias: Tensor | None, before: int) -> Tensor:
    """sum_k weight[:, k] * x[t - before + k] (zeros outside), [B, L, C].

    As a two-dimensional convolution in the channels-last layout that [B, L, C] already has: PyTorch's
    one-dimensional one would copy to channels-first, and shifted multiply-adds pass over memory W times
    (4 x 512 x 640, one core: 0.4 ms, 1.4 ms and 2.8 ms).
    """
    length, taps = x.shape[1], weight.shape[1]
    image = x.transpose(1, 2)[:, :, None]
    out = F.conv2d(image, weight[:, None, None], bias, padding=(0, taps - 1), groups=weight.shape[0])
    start = taps - 1 - before
    return out[:, :, 0, start : start + length].transpose(1, 2)


class _CausalConvSilu(torch.autograd.Function):
    """x [B, L, C], weight [C, W], bias [C] or None, strays of taps 1 .. W-1 back (empty: one document a
    row)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, strays: list[tuple[Tensor, Tensor]]
    ) -> Tensor:
        taps = weight.shape[1]
        out = _shifted_sum(x, weight, bias, taps - 1)
        for back, (rows, places) in enumerate(strays, 1):
            # Boundaries are few: take out what crossed them rather than mask every tap.
            out[rows, places] -= x[rows, places - back] * weight[:, taps - 1 - back]
        ctx.save_for_backward(x, weight, out)
        ctx.has_bias, ctx.strays = bias is not None, strays
        return F.silu(out)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, weight, out = ctx.saved_tensors
        grad = torch.ops.aten.silu_backward(grads[0], out)
        taps, length = weight.shape[1], x.shape[1]
        dx = dweight = None
        if ctx.needs_input_grad[0]:
            dx = _shifted_sum(grad, weight.flip(1), None, 0)
            for back, (rows, places) in enumerate(ctx.strays, 1):
                dx[rows, places - back] -= grad[rows, places] * weight[:, taps - 1 - back]
        if ctx.needs_input_grad[1]:
            dweight = torch.empty_like(weight)
            for back in range(min(taps, length)):
                products = grad[:, back:] * x[:, : length - back]
                dweight[:, taps - 1 - back] = products.sum((0, 1))
            for back in range(length, taps):
                dweight[:, taps - 1 - back] = 0
            for back, (rows, places) in enumerate(ctx.strays, 1):
                dweight[:, taps - 1 - back] -= (grad[rows, places] * x[rows, places - back]).sum(0)
        dbias = grad.sum((0, 1)) if ctx.has_bias else None
        return dx, dweight, dbias, None

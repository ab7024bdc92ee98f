"""Depthwise causal convolution with SiLU, as the Mamba-2 mixer uses it; documents do not see each other."""

from __future__ import annotations

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
    """`silu(conv(x))`: y[t] = silu(bias + sum_k weight[:, k] * x[t - (W-1) + k]).

    Args:
        x: [B, L, C].
        weight: [C, W], the last tap is the current token (the Hub's `conv1d.weight` without its middle axis).
        bias: [C] or None.
        segments: int [B, L], monotone in a row: taps that would reach into another document count as zero.
        state: [B, W-1, C], the inputs before x (zeros where there were none, or where they belong to
            another document than x[:, 0]); None is all zeros.

    Returns:
        [B, L, C] in x's dtype.
    """
    length, taps = x.shape[1], weight.shape[1]
    weight = weight.to(x.dtype)
    if state is None:
        padded = F.pad(x, (0, 0, taps - 1, 0))
    else:
        padded = torch.cat([state.to(x.dtype), x], dim=1)
    out = padded[:, taps - 1 :] * weight[:, taps - 1]
    if bias is not None:
        out = out + bias.to(x.dtype)
    for back in range(1, taps):
        tap = padded[:, taps - 1 - back : taps - 1 - back + length]
        if segments is not None:
            tap = tap * same_document(segments, back, keep_start=state is not None)[..., None].to(x.dtype)
        out = out + tap * weight[:, taps - 1 - back]
    return F.silu(out)


def same_document(segments: Tensor, back: int, keep_start: bool) -> Tensor:
    """bool [B, L]: whether the token `back` places before t is of t's document.

    Places before the row's start count as the document of its first token if `keep_start`, else as none.
    """
    first = segments[:, :1].expand(-1, min(back, segments.shape[1]))
    before = first if keep_start else first - 1
    return segments == torch.cat([before, segments[:, : segments.shape[1] - back]], dim=1)


def causal_conv_step(x: Tensor, state: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One token of `causal_conv`: x is [B, 1, C], `state` [B, W-1, C] is shifted in place to include x."""
    window = torch.cat([state, x.to(state.dtype)], dim=1)
    out = torch.einsum("bwc,cw->bc", window.to(x.dtype), weight.to(x.dtype))
    if bias is not None:
        out = out + bias.to(x.dtype)
    state.copy_(window[:, 1:])
    return F.silu(out)[:, None]

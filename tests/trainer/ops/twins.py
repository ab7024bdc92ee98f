"""Slow, readable twins of the operations: the definitions, token by token."""

from __future__ import annotations

import torch
from torch import Tensor


def recurrence(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    segments: Tensor | None = None,
    initial_state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """S_t = exp(dt_t A) S_{t-1} + dt_t x_t B_t^T; y_t = S_t C_t + D x_t; a document begins with S = 0."""
    batch, length, heads, width = x.shape
    per_group = heads // B.shape[2]
    rows = []
    states = []
    for row in range(batch):
        outputs = []
        last = []
        for head in range(heads):
            group = head // per_group
            state = torch.zeros(width, B.shape[3], dtype=x.dtype)
            if initial_state is not None:
                state = initial_state[row, head]
            y = []
            for t in range(length):
                if segments is not None and t > 0 and segments[row, t] != segments[row, t - 1]:
                    state = torch.zeros_like(state)
                step = dt[row, t, head]
                added = step * torch.outer(x[row, t, head], B[row, t, group])
                state = torch.exp(step * A[head]) * state + added
                out = state @ C[row, t, group]
                y.append(out if D is None else out + D[head] * x[row, t, head])
            outputs.append(torch.stack(y))
            last.append(state)
        rows.append(torch.stack(outputs, dim=1))
        states.append(torch.stack(last))
    return torch.stack(rows), torch.stack(states)


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, segments: Tensor | None, state: Tensor | None
) -> Tensor:
    """silu(bias + sum over the last W tokens of the same document)."""
    batch, length, channels = x.shape
    taps = weight.shape[1]
    rows = []
    for row in range(batch):
        outputs = []
        for t in range(length):
            total = torch.zeros(channels, dtype=x.dtype) if bias is None else bias
            for back in range(taps):
                source = t - back
                if source >= 0:
                    if segments is not None and segments[row, source] != segments[row, t]:
                        continue
                    total = total + weight[:, taps - 1 - back] * x[row, source]
                elif state is not None:
                    if segments is not None and segments[row, t] != segments[row, 0]:
                        continue
                    total = total + weight[:, taps - 1 - back] * state[row, source]
            outputs.append(total * torch.sigmoid(total))
        rows.append(torch.stack(outputs))
    return torch.stack(rows)


def attention(query: Tensor, key: Tensor, value: Tensor, segments: Tensor | None) -> Tensor:
    """Softmax over the earlier tokens of the same document, one query at a time."""
    batch, length, heads, size = query.shape
    per_key = heads // key.shape[2]
    rows = []
    for row in range(batch):
        outputs = []
        for head in range(heads):
            for t in range(length):
                seen = [s for s in range(t + 1) if segments is None or segments[row, s] == segments[row, t]]
                scores = key[row, seen, head // per_key] @ query[row, t, head] / size**0.5
                outputs.append(torch.softmax(scores, 0) @ value[row, seen, head // per_key])
        rows.append(torch.stack(outputs).view(heads, length, size).transpose(0, 1))
    return torch.stack(rows)

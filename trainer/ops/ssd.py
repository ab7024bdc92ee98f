"""The state space dual (SSD) scan of Mamba-2 in chunks: the reference backend, and the front of all backends.

Recurrence, per head h with group g(h) = h // (H / G), from S = initial state (or 0 at a document's start):

    S_t = exp(dt_t * A_h) * S_{t-1} + dt_t * x_t ⊗ B_t
    y_t = S_t C_t + D_h * x_t

Source: Dao and Gu, "Transformers are SSMs" (arXiv 2405.21060), section 6, listing 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ssd_reference(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None,
    chunk_size: int,
    segments: Tensor | None,
    initial_state: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """`ssd` in plain PyTorch; see there."""
    batch, length, heads, _ = x.shape
    groups = B.shape[2]
    per_group = heads // groups
    wide = torch.promote_types(x.dtype, torch.float32)
    chunk = min(chunk_size, length)
    pad = -length % chunk
    chunks = (length + pad) // chunk

    def split(tensor: Tensor) -> Tensor:
        padded = F.pad(tensor.to(wide), (0, 0) * (tensor.dim() - 2) + (0, pad))
        return padded.view(batch, chunks, chunk, *tensor.shape[2:])

    # [b, c, g, r, q] for what is per head; heads of a group stand side by side.
    step = split(dt).view(batch, chunks, chunk, groups, per_group).permute(0, 1, 3, 4, 2)
    value = (
        split(x).view(batch, chunks, chunk, groups, per_group, -1).permute(0, 1, 3, 4, 2, 5) * step[..., None]
    )
    key, query = split(B).transpose(2, 3), split(C).transpose(2, 3)  # [b, c, g, q, n]
    log_decay = step * A.to(wide).view(groups, per_group, 1)
    total = log_decay.cumsum(-1)

    lower = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).tril()
    visible = lower.expand(batch, chunks, chunk, chunk)
    arrives = leaves = torch.ones(batch, chunks, chunk, dtype=torch.bool, device=x.device)
    if segments is not None:
        ids = F.pad(segments[:, None].float(), (0, pad), mode="replicate")[:, 0].to(segments.dtype)
        ids = ids.view(batch, chunks, chunk)
        visible = visible & (ids[..., :, None] == ids[..., None, :])
        before = torch.cat([ids[:, :1, 0], ids[:, :-1, -1]], dim=1)
        arrives = ids == before[..., None]
        leaves = ids == ids[..., -1:]
    segsum = log_decay[..., None].expand(*log_decay.shape, chunk).masked_fill(~lower.tril(-1), 0).cumsum(-2)
    decay = segsum.masked_fill(~visible[:, :, None, None], -torch.inf).exp()
    scores = query @ key.transpose(-1, -2)
    out = (scores[:, :, :, None] * decay) @ value

    to_end = (total[..., -1:] - total).exp() * leaves[:, :, None, None]
    added = (value * to_end[..., None]).transpose(-1, -2) @ key[:, :, :, None]  # [b, c, g, r, p, n]
    from_start = total.exp() * arrives[:, :, None, None]
    if initial_state is None:
        state = torch.zeros_like(added[:, 0])
    else:
        state = initial_state.to(wide).view(batch, groups, per_group, *initial_state.shape[2:])
    entering = []
    for index in range(chunks):
        entering.append(state)
        state = state * from_start[:, index, ..., -1, None, None] + added[:, index]
    carried = query[:, :, :, None] @ torch.stack(entering, dim=1).transpose(-1, -2)
    out = out + carried * from_start[..., None]
    out = out.permute(0, 1, 4, 2, 3, 5).reshape(batch, length + pad, heads, -1)[:, :length]
    if D is not None:
        out = out + D.to(wide)[:, None] * x
    return out.to(x.dtype), state.flatten(1, 2)


def ssd(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    *,
    D: Tensor | None = None,
    chunk_size: int = 128,
    segments: Tensor | None = None,
    initial_state: Tensor | None = None,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """The SSD scan.

    Args:
        x: [B, L, H, P].
        dt: [B, L, H], step sizes after softplus and clamping; float32.
        A: [H], negative; float32.
        B, C: [B, L, G, N], H a multiple of G.
        D: [H] or None; float32.
        chunk_size: Q; the result does not depend on it. L need not be a multiple of it.
        segments: int32 [B, L], monotone in a row: the state restarts from zero where the number changes.
        initial_state: [B, H, P, N], the state before the first token, of the same document as it.
        backend: a name from `trainer.ops.backend`, or "auto".

    Returns:
        y [B, L, H, P] in x's dtype, and the state after the last token, [B, H, P, N] in float32.
        All sums are float32 at least.
    """
    return ssd_reference(
        x, dt, A, B, C, D=D, chunk_size=chunk_size, segments=segments, initial_state=initial_state
    )


def ssd_step(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, *, D: Tensor | None, state: Tensor
) -> Tensor:
    """One token of the recurrence; `state` [B, H, P, N] is advanced in place.

    x is [B, H, P], dt [B, H], B and C [B, G, N]; returns y [B, H, P] in x's dtype.
    """
    per_group = x.shape[1] // B.shape[1]
    key = B.to(state.dtype).repeat_interleave(per_group, dim=1)
    query = C.to(state.dtype).repeat_interleave(per_group, dim=1)
    value = x.to(state.dtype) * dt.to(state.dtype)[..., None]
    state.mul_((dt.to(state.dtype) * A.to(state.dtype)).exp()[..., None, None])
    state.add_(value[..., None] * key[..., None, :])
    out = (state @ query[..., None])[..., 0]
    if D is not None:
        out = out + D.to(state.dtype)[:, None] * x
    return out.to(x.dtype)

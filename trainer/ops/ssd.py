"""The state space dual (SSD) scan of Mamba-2: the front of all backends, and the one-token step.

Recurrence, per head h with group g(h) = h // (H / G), from S = initial state (or 0 at a document's start):

    S_t = exp(dt_t * A_h) * S_{t-1} + dt_t * x_t ⊗ B_t
    y_t = S_t C_t + D_h * x_t

Source: Dao and Gu, "Transformers are SSMs" (arXiv 2405.21060), section 6, listing 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor

from trainer.ops.backend import choose


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
    scan = cast(Callable[..., tuple[Tensor, Tensor]], choose("ssd", backend, x.device.type))
    return scan(x, dt, A, B, C, D=D, chunk_size=chunk_size, segments=segments, initial_state=initial_state)


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

"""The SSD scan in plain PyTorch, forward and backward by hand: the reference backend, quick on a CPU.

For one head and one chunk of Q tokens (Dao and Gu, arXiv 2405.21060, section 6): with a_t = dt_t * A and
c_t its running sum in the chunk, L[l, s] = exp(c_l - c_s) for l >= s and 0 above, u_s = dt_s * x_s,

    y_l   = sum_s (C_l . B_s) L[l, s] u_s  +  exp(c_l) S_in C_l  +  D x_l
    S_out = exp(c_Q) S_in + sum_s exp(c_Q - c_s) u_s B_s^T

A document's start zeroes L across it, exp(c_l) behind it and exp(c_Q - c_s) before it.

A token's own term, (C_l . B_l) u_l, needs no decay and is kept apart: it joins D x_l, and in the code L is
strictly lower.

What makes it quick without a kernel of ours: the [Q, Q] matrices exist for a few chunks at a time, in the
processor's cache, and are recomputed in backward; B and C are multiplied once a group, not once a head;
states are formed and applied for all heads of a group in one product; and the gradient of the decays needs
no [Q, Q] matrix at all, because row sums of dM * M (with M = C B^T * L) are dy_l . y_l and its column sums
are u_s . du_s, so that

    da_t = sum over l >= t in the chunk of (dy_l . y_l - u_l . du_l)  +  <dS_out, S_out>,

with y and du without the token's own term, which would only cancel, and take digits with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CPU_CHUNK = 64
"""Longest chunk on a CPU: above it the [Q, Q] matrices cost more than fewer states save (measured with
benchmarks/train_cpu.py); the result does not depend on it."""

CACHE_BYTES = 512 * 1024
"""Size of one [Q, Q] workspace on a CPU, so that the two of backward fit a core's second-level cache."""


@dataclass(frozen=True)
class _Shape:
    """Sizes of one call: batch, chunks, chunk length, groups, heads of a group, head width, state size."""

    batch: int
    chunks: int
    chunk: int
    groups: int
    per_group: int
    width: int
    states: int

    @property
    def heads(self) -> int:
        return self.groups * self.per_group

    @property
    def cells(self) -> int:
        """Chunks of all rows."""
        return self.batch * self.chunks

    def block(self, element_bytes: int, on_cpu: bool) -> int:
        """Chunks whose [Q, Q] matrices exist at one time."""
        if not on_cpu:
            return self.cells
        return max(1, CACHE_BYTES // (self.heads * self.chunk * self.chunk * element_bytes))

    def by_head(self, tensor: Tensor) -> Tensor:
        """[B, L, H, P] seen as [cells, H, Q, P]; no copy."""
        return tensor.view(self.cells, self.chunk, self.heads, -1).transpose(1, 2)

    def by_group(self, tensor: Tensor) -> Tensor:
        """[B, L, G * k] (heads or states of a group side by side) seen as [cells, G, Q, k]; no copy."""
        return tensor.view(self.cells, self.chunk, self.groups, -1).transpose(1, 2)


@dataclass(frozen=True)
class _Decays:
    """Everything that follows from dt, A and the segments."""

    high: Tensor
    """[cells, H, Q], running sum of a in the chunk, rounded."""
    low: Tensor
    """[cells, H, Q], what rounding took away: without it, c_l - c_s of a long decay would lose its digits."""
    arriving: Tensor
    """[B, L, H, 1], exp(c_l), zero for tokens of a document that began in the chunk."""
    leaving: Tensor
    """[B, L, H, 1], exp(c_Q - c_s), zero for tokens of a document that ended in the chunk."""
    through: Tensor
    """[B, chunks, H], exp(c_Q), zero where a document begins in the chunk."""
    visible: Tensor | None
    """bool [cells, 1, Q, Q], strictly lower, or None when every row is one document."""

    def fill(self, workspace: Tensor, start: int) -> None:
        """Write the strictly lower L of the chunks from `start` on into a [n, H, Q, Q] workspace."""
        rows = slice(start, start + len(workspace))
        high, low = self.high[rows], self.low[rows]
        torch.sub(high[..., :, None], high[..., None, :], out=workspace)
        workspace.add_(low[..., :, None]).sub_(low[..., None, :]).exp_()
        if self.visible is None:
            workspace.tril_(-1)
        else:
            workspace.masked_fill_(~self.visible[rows], 0)


def _decays(dt: Tensor, A: Tensor, segments: Tensor | None, shape: _Shape) -> _Decays:
    batch, chunks, chunk, heads = shape.batch, shape.chunks, shape.chunk, shape.heads
    exact = (dt * A).view(batch, chunks, chunk, heads).double().cumsum(2)
    high = exact.to(dt.dtype)
    low = (exact - high).to(dt.dtype)
    arriving = high.exp()
    leaving = (exact[:, :, -1:] - exact).to(dt.dtype).exp()
    visible = None
    if segments is not None:
        ids = segments.view(batch, chunks, chunk)
        before = torch.cat([ids[:, :1, 0], ids[:, :-1, -1]], dim=1)
        arriving = arriving * (ids == before[..., None])[..., None]
        leaving = leaving * (ids == ids[..., -1:])[..., None]
        lower = torch.ones(chunk, chunk, dtype=torch.bool, device=dt.device).tril(-1)
        visible = ((ids[..., :, None] == ids[..., None, :]) & lower).view(-1, 1, chunk, chunk)
    return _Decays(
        high=high.view(-1, chunk, heads).transpose(1, 2).contiguous(),
        low=low.view(-1, chunk, heads).transpose(1, 2).contiguous(),
        arriving=arriving.view(batch, -1, heads, 1),
        leaving=leaving.view(batch, -1, heads, 1),
        through=arriving[:, :, -1],
        visible=visible,
    )


def _scores(keys: Tensor, queries: Tensor) -> Tensor:
    """C B^T of each group: two [cells, G, Q, N] -> [cells, G, 1, Q, Q]."""
    return (queries @ keys.transpose(-1, -2))[:, :, None]


def _own_weight(dt: Tensor, B: Tensor, C: Tensor, D: Tensor | None, shape: _Shape) -> Tensor:
    """What a token adds to its own output, as a multiple of x: dt (C . B) + D, [B, L, H]."""
    own = dt * (B * C).sum(-1).repeat_interleave(shape.per_group, dim=2)
    return own if D is None else own.add_(D)


class _ChunkedScan(torch.autograd.Function):
    """x [B, L, H, P], dt [B, L, H], A [H], B, C [B, L, G, N], D [H], state [B, G, N, R*P]; Q divides L."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        x, dt, A, B, C, D, state, segments, chunk = inputs
        batch, length, heads, width = x.shape
        groups, states = B.shape[2:]
        shape = _Shape(batch, length // chunk, chunk, groups, heads // groups, width, states)
        decays = _decays(dt, A, segments, shape)
        keys = shape.by_group(B.contiguous()).contiguous()
        queries = shape.by_group(C.contiguous()).contiguous()
        values = x * dt[..., None]

        # States: all heads of a group in one product, [N, Q] @ [Q, R * P].
        added = keys.transpose(-1, -2) @ shape.by_group(values * decays.leaving)
        added = added.view(batch, shape.chunks, groups, states, shape.per_group, width)
        through = decays.through.view(batch, shape.chunks, groups, 1, shape.per_group, 1)
        entering = x.new_empty(batch, shape.chunks + 1, groups, states, shape.per_group, width)
        if state is None:
            entering[:, 0].zero_()
        else:
            entering[:, 0] = state.view(entering[:, 0].shape)
        for index in range(shape.chunks):
            torch.addcmul(added[:, index], entering[:, index], through[:, index], out=entering[:, index + 1])
        inside = entering[:, :-1].flatten(4).flatten(0, 1)

        out = (queries @ inside).transpose(1, 2).reshape(x.shape).mul_(decays.arriving)
        by_head, values_by_head = shape.by_head(out), shape.by_head(values)
        block = shape.block(x.element_size(), x.device.type == "cpu")
        workspace = x.new_empty(min(block, shape.cells), heads, chunk, chunk)
        for start in range(0, shape.cells, block):
            part = workspace[: min(block, shape.cells - start)]
            rows = slice(start, start + len(part))
            decays.fill(part, start)
            grouped = part.view(len(part), groups, shape.per_group, chunk, chunk)
            grouped.mul_(_scores(keys[rows], queries[rows]))
            by_head[rows] += part @ values_by_head[rows]

        ctx.save_for_backward(x, dt, A, B, C, D, segments, entering, out)
        ctx.shape, ctx.has_state = shape, state is not None
        y = torch.addcmul(out, x, _own_weight(dt, B, C, D, shape)[..., None])
        final = entering[:, -1].flatten(3)
        return y, final

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        dy, dfinal = grads
        x, dt, A, B, C, D, segments, entering, out = ctx.saved_tensors
        shape: _Shape = ctx.shape
        batch, chunks, chunk, groups, heads = (
            shape.batch,
            shape.chunks,
            shape.chunk,
            shape.groups,
            shape.heads,
        )
        decays = _decays(dt, A, segments, shape)
        dy = dy.contiguous()
        keys = shape.by_group(B.contiguous()).contiguous()
        queries = shape.by_group(C.contiguous()).contiguous()
        values = x * dt[..., None]

        # Through the states, natural layout.
        inside = entering[:, :-1].flatten(4).flatten(0, 1)
        arriving = shape.by_group(dy * decays.arriving)
        dqueries = arriving @ inside.transpose(-1, -2)
        dentering = (queries.transpose(-1, -2) @ arriving).view(entering[:, 1:].shape)
        dleaving = torch.empty_like(dentering)
        through = decays.through.view(batch, chunks, groups, 1, shape.per_group, 1)
        flow = torch.zeros_like(entering[:, 0]) if dfinal is None else dfinal.reshape(entering[:, 0].shape)
        for index in reversed(range(chunks)):
            dleaving[:, index] = flow
            flow = torch.addcmul(dentering[:, index], flow, through[:, index])
        dstate = flow.flatten(3) if ctx.has_state else None
        flat = dleaving.flatten(4).flatten(0, 1)
        dkeys = shape.by_group(values * decays.leaving) @ flat.transpose(-1, -2)
        dvalues = (keys @ flat).transpose(1, 2).reshape(x.shape).mul_(decays.leaving)

        # Inside the chunks, a few at a time.
        dy_by_head, values_by_head, dvalues_by_head = map(shape.by_head, (dy, values, dvalues))
        block = shape.block(x.element_size(), x.device.type == "cpu")
        size = min(block, shape.cells)
        first = x.new_empty(size, heads, chunk, chunk)
        for start in range(0, shape.cells, block):
            lower = first[: min(block, shape.cells - start)]
            rows = slice(start, start + len(lower))
            split = (len(lower), groups, shape.per_group, chunk, chunk)
            decays.fill(lower, start)
            upstream = dy_by_head[rows].contiguous()
            dscores = (upstream @ values_by_head[rows].transpose(-1, -2)).mul_(lower).view(split).sum(2)
            dqueries[rows] += dscores @ keys[rows]
            dkeys[rows] += dscores.transpose(-1, -2) @ queries[rows]
            lower.view(split).mul_(_scores(keys[rows], queries[rows]))
            dvalues_by_head[rows] += lower.transpose(-1, -2) @ upstream

        # Step sizes and decays.
        moved = (x * dvalues).sum(-1)
        pushed = (dy * out).sum(-1).sub_(moved * dt).view(batch, chunks, chunk, heads)
        stored = (dleaving * entering[:, 1:]).sum((3, 5)).view(batch, chunks, 1, heads)
        dlog = pushed.flip(2).cumsum(2).flip(2).add_(stored).view(dt.shape)
        ddt = torch.addcmul(moved, dlog, A)
        dA = (dlog * dt).sum((0, 1))
        dx = dvalues.mul_(dt[..., None])

        # The token's own term.
        own = (dy * x).sum(-1)
        dx.addcmul_(dy, _own_weight(dt, B, C, D, shape)[..., None])
        dD = None if D is None else own.sum((0, 1))
        ddt.addcmul_(own, (B * C).sum(-1).repeat_interleave(shape.per_group, dim=2))
        dpairs = (own * dt).view(*B.shape[:3], -1).sum(-1, keepdim=True)
        dB = dkeys.transpose(1, 2).reshape(B.shape).addcmul_(dpairs, C)
        dC = dqueries.transpose(1, 2).reshape(C.shape).addcmul_(dpairs, B)
        return dx, ddt, dA, dB, dC, dD, dstate, None, None


def scan(
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
    """`trainer.ops.ssd.ssd` in plain PyTorch; see there. Gradients of gradients are not available."""
    batch, length, heads, width = x.shape
    groups, states = B.shape[2:]
    wide = torch.promote_types(x.dtype, torch.float32)
    chunk = min(chunk_size, length)
    if x.device.type == "cpu":
        chunk = min(chunk, CPU_CHUNK)
    pad = -length % chunk

    def prepared(tensor: Tensor) -> Tensor:
        tensor = tensor.to(wide)
        return F.pad(tensor, (0, 0) * (tensor.dim() - 2) + (0, pad)) if pad else tensor

    ids = segments
    if segments is not None and pad:
        ids = torch.cat([segments, segments[:, -1:].expand(-1, pad)], dim=1)
    state = None
    if initial_state is not None:
        # [B, H, P, N] -> [B, G, N, R * P]
        state = initial_state.to(wide).reshape(batch, groups, -1, states).transpose(-1, -2)
    y, final = _ChunkedScan.apply(  # type: ignore[no-untyped-call]
        prepared(x),
        prepared(dt),
        A.to(wide),
        prepared(B),
        prepared(C),
        None if D is None else D.to(wide),
        state,
        ids,
        chunk,
    )
    last = final.transpose(-1, -2).reshape(batch, heads, width, states)
    return y[:, :length].to(x.dtype), last

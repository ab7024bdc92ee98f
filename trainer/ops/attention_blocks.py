"""Causal attention of packed documents on a few CPU cores: one document and one block of queries at a time.

PyTorch's CPU kernel multiplies out the whole L x L square, masked or not. Here a block of queries meets
only the keys of its document up to itself, in products of the same backend as all others
(`trainer.ops.linear`); the block's probabilities stay in the cache and are computed again in backward (Dao
et al., arXiv 2205.14135).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from trainer.ops.attention import attention, attention_mask
from trainer.ops.linear import matmul_t

QUERY_ROWS = 256
"""Rows of a block: query places times the heads that share a key head."""

SHORT = 16
"""With documents shorter than this on average, calls cost more than the square."""

MANY_THREADS = 4
"""Above this many threads PyTorch's kernel, which spreads heads over them, is the faster one."""


def blocks_missing(device: str) -> str | None:
    """Why this backend is not used on this type of device; None when it is."""
    if device != "cpu":
        return "it is for CPUs"
    if torch.get_num_threads() > MANY_THREADS:
        return f"with more than {MANY_THREADS} threads PyTorch's own is faster"
    return None


def packed_blocks(query: Tensor, key: Tensor, value: Tensor, segments: Tensor | None) -> Tensor:
    """`trainer.ops.attention.packed_attention`; see there. Gradients of gradients are not available."""
    spans = _documents(segments, query.shape[0], query.shape[1])
    wide = query.dtype in (torch.float32, torch.float64)
    if not wide or query.shape[0] * query.shape[1] < SHORT * len(spans):
        return packed_sdpa(query, key, value, segments)
    out: Tensor = _BlockAttention.apply(query, key, value, spans)  # type: ignore[no-untyped-call]
    return out


def packed_sdpa(query: Tensor, key: Tensor, value: Tensor, segments: Tensor | None) -> Tensor:
    """The same by PyTorch's `scaled_dot_product_attention` with a mask."""
    return attention(query, key, value, None if segments is None else attention_mask(segments, segments))


def _documents(segments: Tensor | None, rows: int, length: int) -> list[tuple[int, int, int]]:
    """(row, start, end) of every document."""
    if segments is None:
        return [(row, 0, length) for row in range(rows)]
    spans: list[tuple[int, int, int]] = []
    changes = (segments[:, 1:] != segments[:, :-1]).tolist()
    for row, flags in enumerate(changes):
        cuts = [0, *(place for place, changed in enumerate(flags, 1) if changed), length]
        spans.extend((row, start, end) for start, end in pairwise(cuts))
    return spans


@dataclass(frozen=True)
class _Block:
    """One block of queries of one document and one key head."""

    row: int
    head: int
    queries: slice
    """In the axis [L * R] of queries, the R heads of a place side by side."""
    keys: slice
    """In the axis [L] of keys: the document's, up to the block's last place."""


def _blocks(spans: list[tuple[int, int, int]], heads: int, shared: int) -> Iterator[_Block]:
    places = max(1, QUERY_ROWS // shared)
    for row, start, end in spans:
        for head in range(heads):
            for first in range(start, end, places):
                last = min(end, first + places)
                yield _Block(row, head, slice(first * shared, last * shared), slice(start, last))


def _scores(query: Tensor, key: Tensor, shared: int) -> Tensor:
    """[n * R, D], [m, D] -> [n * R, m]; the last n keys stand at the queries' own places."""
    scores = matmul_t(query, key)
    places = len(query) // shared
    own = scores.view(places, shared, -1)[..., -places:]
    future = torch.ones(places, places, dtype=torch.bool, device=query.device).triu_(1)
    own.masked_fill_(future[:, None], -torch.inf)
    return scores


class _BlockAttention(torch.autograd.Function):
    """query [B, L, Hk * R, D], key and value [B, L, Hk, D], documents."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        query, key, value, spans = inputs
        batch, length, heads, size = key.shape
        shared = query.shape[2] // heads
        grouped = query.view(batch, length, heads, shared, size).transpose(1, 2)
        queries = (grouped * size**-0.5).reshape(batch, heads, length * shared, size)
        keys, values = key.transpose(1, 2).contiguous(), value.transpose(1, 2).contiguous()
        out = torch.empty_like(queries)
        log_sums = queries.new_empty(batch, heads, length * shared, 1)
        for block in _blocks(spans, heads, shared):
            mine = (block.row, block.head, block.queries)
            theirs = (block.row, block.head, block.keys)
            scores = _scores(queries[mine], keys[theirs], shared)
            largest = scores.amax(1, keepdim=True)
            total = scores.sub_(largest).exp_().sum(1, keepdim=True)
            torch.div(matmul_t(scores, values[theirs].t()), total, out=out[mine])
            log_sums[mine] = total.log_().add_(largest)
        ctx.save_for_backward(queries, keys, values, out, log_sums)
        ctx.spans = spans
        return out.view(batch, heads, length, shared, size).transpose(1, 2).reshape(query.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        queries, keys, values, out, log_sums = ctx.saved_tensors
        batch, heads, length, size = keys.shape
        shared = queries.shape[2] // length
        grouped = grads[0].view(batch, length, heads, shared, size).transpose(1, 2)
        upstream = grouped.reshape(queries.shape)
        offset = (upstream * out).sum(-1, keepdim=True)
        dqueries = torch.empty_like(queries)
        dkeys, dvalues = (keys.new_zeros(batch, heads, size, length) for _ in range(2))
        for block in _blocks(ctx.spans, heads, shared):
            mine = (block.row, block.head, block.queries)
            theirs = (block.row, block.head, block.keys)
            across = (block.row, block.head, slice(None), block.keys)
            above = upstream[mine]
            chances = _scores(queries[mine], keys[theirs], shared).sub_(log_sums[mine]).exp_()
            dvalues[across] += matmul_t(above.t().contiguous(), chances.t())
            dscores = matmul_t(above, values[theirs]).sub_(offset[mine]).mul_(chances)
            dqueries[mine] = matmul_t(dscores, keys[theirs].t())
            dkeys[across] += matmul_t(queries[mine].t().contiguous(), dscores.t())
        split = dqueries.mul_(size**-0.5).view(batch, heads, length, shared, size)
        dquery = split.transpose(1, 2).reshape(batch, length, heads * shared, size)
        return dquery, dkeys.permute(0, 3, 1, 2), dvalues.permute(0, 3, 1, 2), None

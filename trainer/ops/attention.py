"""Grouped-query causal attention without positions; documents do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.ops.backend import choose


def packed_attention(
    query: Tensor, key: Tensor, value: Tensor, segments: Tensor | None = None, backend: str = "auto"
) -> Tensor:
    """Causal softmax attention of whole sequences, scale D^-0.5, each document for itself.

    Args:
        query: [B, L, Hq, D].
        key, value: [B, L, Hk, D]; query head h reads key head h // (Hq / Hk).
        segments: int [B, L], monotone in a row, the number of each token's document; None: one a row.
        backend: a name from `trainer.ops.backend`, or "auto".

    Returns:
        [B, L, Hq, D].
    """
    run = cast(Callable[..., Tensor], choose("attention", backend, query.device.type))
    return run(query, key, value, segments)


def attention_mask(query_segments: Tensor, key_segments: Tensor) -> Tensor:
    """bool [B, 1, Lq, Lk], true where a query may look: not ahead, and only into its own document.

    The queries are the last Lq of the Lk positions. Segments are int [B, Lq] and [B, Lk].
    """
    queries, keys = query_segments.shape[1], key_segments.shape[1]
    positions = torch.arange(keys, device=key_segments.device)
    causal = positions[None, :] <= positions[keys - queries :, None]
    return (causal & (query_segments[:, :, None] == key_segments[:, None, :]))[:, None]


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax attention with a mask, as for queries that follow a cache; scale D^-0.5.

    Args:
        query: [B, Lq, Hq, D].
        key, value: [B, Lk, Hk, D]; query head h reads key head h // (Hq / Hk).
        mask: bool [B, 1, Lq, Lk] from `attention_mask`; None is plain causal with Lq == Lk, or a single query
            that may look at every key.

    Returns:
        [B, Lq, Hq, D].
    """
    grouped = query.shape[2] != key.shape[2]
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=mask,
        is_causal=mask is None and query.shape[1] > 1,
        enable_gqa=grouped,
    )
    return out.transpose(1, 2)

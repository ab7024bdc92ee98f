"""Attention against one query at a time: grouped heads, causality, documents, a cache before the queries."""

from __future__ import annotations

import pytest
import torch

from tests.trainer.model.examples import relative
from tests.trainer.ops.test_ssd import boundaries
from tests.trainer.ops.twins import attention as twin
from trainer.ops import attention_blocks
from trainer.ops.attention import attention, attention_mask, packed_attention


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("backend", ["blocks", "sdpa"])
def test_attention_is_its_definition(
    *, heads: int, key_heads: int, packed: bool, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention_blocks, "QUERY_ROWS", 12)
    monkeypatch.setattr(attention_blocks, "SHORT", 0)
    query = torch.randn(2, 23, heads, 8, dtype=torch.float64)
    key, value = torch.randn(2, 2, 23, key_heads, 8, dtype=torch.float64)
    segments = boundaries(2, 23, 0.15) if packed else None
    functional = torch.randn(2, 23, heads, 8, dtype=torch.float64)
    leaves = [each.clone().requires_grad_() for each in (query, key, value)]
    twins = [each.clone().requires_grad_() for each in (query, key, value)]
    found = packed_attention(*leaves, segments, backend=backend)
    expected = twin(*twins, segments)
    assert relative(found, expected) < 1e-10
    (found * functional).sum().backward()
    (expected * functional).sum().backward()
    for leaf, other in zip(leaves, twins, strict=True):
        assert leaf.grad is not None
        assert other.grad is not None
        assert relative(leaf.grad, other.grad) < 1e-10


def test_many_short_documents_go_to_the_masked_square() -> None:
    query, key, value = torch.randn(3, 1, 40, 2, 8)
    segments = torch.arange(40, dtype=torch.int32)[None] // 2
    expected = packed_attention(query, key, value, segments, backend="sdpa")
    assert torch.equal(packed_attention(query, key, value, segments, backend="blocks"), expected)
    long = segments // 10
    expected = packed_attention(query, key, value, long, backend="sdpa")
    assert relative(packed_attention(query, key, value, long, backend="blocks"), expected) < 1e-5


@pytest.mark.parametrize("queries", [1, 4])
def test_queries_after_a_cache_see_all_of_it(queries: int) -> None:
    query = torch.randn(2, 13, 4, 8, dtype=torch.float64)
    key, value = torch.randn(2, 2, 13, 2, 8, dtype=torch.float64)
    segments = boundaries(2, 13, 0.1, seed=3)
    whole = attention(query, key, value, attention_mask(segments, segments))
    tail = attention(query[:, -queries:], key, value, attention_mask(segments[:, -queries:], segments))
    assert relative(tail, whole[:, -queries:]) < 1e-10
    if queries == 1:
        whole = attention(query, key, value)
        assert relative(attention(query[:, -1:], key, value), whole[:, -1:]) < 1e-10

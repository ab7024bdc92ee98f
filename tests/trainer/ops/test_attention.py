"""Attention against one query at a time: grouped heads, causality, documents, a cache before the queries."""

from __future__ import annotations

import pytest
import torch

from tests.trainer.model.examples import relative
from tests.trainer.ops.test_ssd import boundaries
from tests.trainer.ops.twins import attention as twin
from trainer.ops.attention import attention, attention_mask


@pytest.mark.parametrize(("heads", "key_heads"), [(4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("packed", [False, True])
def test_attention_is_its_definition(heads: int, key_heads: int, packed: bool) -> None:
    query = torch.randn(2, 13, heads, 8, dtype=torch.float64)
    key, value = torch.randn(2, 2, 13, key_heads, 8, dtype=torch.float64)
    segments = boundaries(2, 13, 0.3) if packed else None
    mask = None if segments is None else attention_mask(segments, segments)
    expected = twin(query, key, value, segments)
    assert relative(attention(query, key, value, mask), expected) < 1e-10


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

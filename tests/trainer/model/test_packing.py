"""Documents packed in a sequence never see each other: packed logits and gradients are those of each one
alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.model.examples import relative, shaken, small, tokens
from trainer.model.hybrid import HybridModel


def _numbers(lengths: list[int]) -> torch.Tensor:
    """Segment numbers [L] of documents of these lengths."""
    return torch.repeat_interleave(torch.arange(len(lengths), dtype=torch.int32), torch.tensor(lengths))


def _alone(model: HybridModel, row: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    return torch.cat([model(part[None])[0] for part in row.split(lengths)])


@pytest.fixture(scope="module")
def model() -> HybridModel:
    return shaken(small(hybrid_override_pattern="M-*MM", chunk_size=8)).requires_grad_(False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_packed_logits_are_those_of_the_documents_alone(model: HybridModel, lengths: list[int]) -> None:
    row = tokens(model.config, 1, sum(lengths), seed=len(lengths))
    packed = model(row, _numbers(lengths)[None])
    assert relative(packed[0], _alone(model, row[0], lengths)) < 1e-4


@pytest.mark.parametrize("pattern", ["M", "*", "M-*M"])
def test_first_token_of_a_document_sees_no_earlier_state(pattern: str) -> None:
    """The trap of numbering documents one token late: the first token would continue the previous state."""
    model = shaken(small(hybrid_override_pattern=pattern)).requires_grad_(False)
    lengths = [5, 1, 11, 16, 4]  # one token alone; a document that begins where a chunk does
    row = tokens(model.config, 1, sum(lengths))
    packed = model(row, _numbers(lengths)[None])[0]
    start = 0
    for length in lengths:
        alone = model(row[:, start : start + 1])[0, 0]
        assert relative(packed[start], alone) < 1e-4
        start += length


def test_rows_of_a_micro_batch_have_their_own_boundaries(model: HybridModel) -> None:
    """The trap of one list of boundaries for a batch: row 2 would be cut where row 1 is."""
    cuts = [[7, 13, 12], [32], [1, 30, 1]]
    rows = tokens(model.config, 3, 32)
    packed = model(rows, torch.stack([_numbers(lengths) for lengths in cuts]))
    for row, lengths, found in zip(rows, cuts, packed, strict=True):
        assert relative(found, _alone(model, row, lengths)) < 1e-4


def test_packed_gradients_are_those_of_the_documents_alone() -> None:
    lengths = [9, 1, 20, 7]
    packed, apart = (shaken(small(chunk_size=8)) for _ in range(2))
    row = tokens(packed.config, 1, sum(lengths))
    labels = tokens(packed.config, 1, sum(lengths), seed=5)
    packed.loss(row, labels, _numbers(lengths)[None])[0].backward()
    parts = zip(row[0].split(lengths), labels[0].split(lengths), strict=True)
    sum(apart.loss(part[None], label[None])[0] for part, label in parts).backward()  # type: ignore[union-attr]
    for (name, found), expected in zip(packed.named_parameters(), apart.parameters(), strict=True):
        assert found.grad is not None
        assert expected.grad is not None
        assert relative(found.grad, expected.grad) < 1e-4, name


def test_segment_numbers_matter_only_by_where_they_change(model: HybridModel) -> None:
    row = tokens(model.config, 1, 30)
    plain = _numbers([10, 5, 15])[None]
    assert torch.equal(model(row, plain), model(row, plain * 3 + 7))
    assert torch.equal(model(row), model(row, torch.full((1, 30), 4, dtype=torch.int32)))

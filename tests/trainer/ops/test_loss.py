"""The chunked cross entropy against the plain one: value, count, gradients; nothing changes with the
chunk."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.trainer.model.examples import relative
from trainer.ops.loss import IGNORE, chunk_tokens, cross_entropy_sum


def _plain(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = hidden @ weight.T
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORE, reduction="sum")


@pytest.mark.parametrize("chunk", [None, 1, 7, 1000])
@pytest.mark.parametrize("ignored", [0.0, 0.4])
def test_value_and_gradients_are_the_plain_ones(chunk: int | None, ignored: float) -> None:
    hidden = torch.randn(3, 11, 8, dtype=torch.float64)
    weight = torch.randn(29, 8, dtype=torch.float64)
    labels = torch.randint(29, (3, 11))
    labels[torch.rand(3, 11) < ignored] = IGNORE
    results = []
    for function in (lambda *args: cross_entropy_sum(*args, chunk=chunk)[0], _plain):
        leaves = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
        total = function(*leaves, labels)
        (total * 0.3).backward()
        results.append([total, *(leaf.grad for leaf in leaves)])
    for found, expected in zip(*results, strict=True):
        assert relative(found, expected) < 1e-12
    assert int(cross_entropy_sum(hidden, weight, labels)[1]) == int((labels != IGNORE).sum())


def test_no_target_at_all_costs_nothing_and_has_zero_gradient() -> None:
    hidden, weight = torch.randn(2, 5, 4, requires_grad=True), torch.randn(7, 4, requires_grad=True)
    total, count = cross_entropy_sum(hidden, weight, torch.full((2, 5), IGNORE))
    total.backward()
    assert (float(total.detach()), int(count)) == (0.0, 0)
    assert hidden.grad is not None
    assert weight.grad is not None
    assert not hidden.grad.any()
    assert not weight.grad.any()


def test_large_logits_stay_finite() -> None:
    hidden = torch.tensor([[1000.0, 0.0], [0.0, 1000.0]], requires_grad=True)
    weight = torch.eye(2)
    total, _ = cross_entropy_sum(hidden, weight, torch.tensor([0, 0]))
    total.backward()
    assert float(total.detach()) == 1000.0
    assert hidden.grad is not None
    assert torch.equal(hidden.grad, torch.tensor([[0.0, 0.0], [-1.0, 1.0]]))


def test_frozen_weight_and_no_grad_mode() -> None:
    hidden, weight = torch.randn(6, 4, requires_grad=True), torch.randn(9, 4)
    labels = torch.randint(9, (6,))
    cross_entropy_sum(hidden, weight, labels)[0].backward()
    expected = hidden.detach().clone().requires_grad_()
    _plain(expected, weight, labels).backward()
    assert hidden.grad is not None
    assert expected.grad is not None
    assert relative(hidden.grad, expected.grad) < 1e-5
    with torch.no_grad():
        assert relative(cross_entropy_sum(hidden, weight, labels)[0], _plain(hidden, weight, labels)) < 1e-6


def test_bfloat16_hidden_states_give_a_float32_sum() -> None:
    hidden, weight = torch.randn(40, 16).bfloat16().requires_grad_(), torch.randn(50, 16, requires_grad=True)
    labels = torch.randint(50, (40,))
    total, _ = cross_entropy_sum(hidden, weight, labels)
    total.backward()
    assert total.dtype == torch.float32
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    assert relative(total, _plain(hidden.float(), weight, labels)) < 1e-2


def test_chunks_stay_small_on_a_cpu() -> None:
    assert chunk_tokens(8192, "cpu") * 8192 * 4 <= 16 * 2**20
    assert chunk_tokens(131072, "cpu") == 64

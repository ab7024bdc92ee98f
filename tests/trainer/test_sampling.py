"""Sampling: what top-k and top-p keep; draws follow the probabilities; each row has its own stream."""

from __future__ import annotations

import pytest
import torch

from gristmill.base.errors import UserError
from trainer.sampling import Sampling, draw, kept_probabilities, row_generators

LOGITS = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = torch.randn(5, 30)
    found = draw(logits, Sampling(temperature=0), row_generators(0, 5))
    assert torch.equal(found, logits.argmax(1))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.5, 0.25, 0.125, 0.125]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 3}, [4 / 7, 2 / 7, 1 / 7, 0]),
        ({"top_k": 9}, [0.5, 0.25, 0.125, 0.125]),
        ({"top_p": 0.4}, [1, 0, 0, 0]),
        ({"top_p": 0.5}, [1, 0, 0, 0]),
        ({"top_p": 0.6}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_p": 0.8}, [4 / 7, 2 / 7, 1 / 7, 0]),
        ({"top_k": 2, "top_p": 0.66}, [1, 0, 0, 0]),
        ({"temperature": 0.5}, [0.25 / 0.34375, 0.0625 / 0.34375, 0.015625 / 0.34375, 0.015625 / 0.34375]),
    ],
)
def test_what_is_kept(options: dict[str, float], expected: list[float]) -> None:
    found = kept_probabilities(LOGITS, Sampling(**options))  # type: ignore[arg-type]
    assert torch.allclose(found[0], torch.tensor(expected, dtype=torch.float32), atol=1e-6)


def test_draws_follow_the_probabilities_and_never_leave_what_is_kept() -> None:
    generators = row_generators(7, 1)
    counts = torch.zeros(4)
    for _ in range(2000):
        counts[draw(LOGITS, Sampling(top_k=3), generators)] += 1
    assert counts[3] == 0
    expected = torch.tensor([4 / 7, 2 / 7, 1 / 7]) * 2000
    chi_square = ((counts[:3] - expected) ** 2 / expected).sum()
    assert chi_square < 13.8  # two degrees of freedom, one in a thousand; the seed is fixed


def test_a_row_draws_the_same_in_any_batch() -> None:
    logits = torch.randn(3, 50)
    together = [
        draw(logits, Sampling(), generators) for generators in [row_generators(5, 3)] for _ in range(9)
    ]
    streams = row_generators(5, 3)
    for row in range(3):
        alone = [int(draw(logits[row : row + 1], Sampling(), streams[row : row + 1])) for _ in range(9)]
        assert alone == [int(step[row]) for step in together]


def test_equal_rows_draw_differently_and_seeds_matter() -> None:
    logits = torch.zeros(2, 1000)
    first = [draw(logits, Sampling(), row_generators(1, 2)).tolist() for _ in range(2)]
    assert first[0] == first[1]
    assert first[0][0] != first[0][1]
    assert draw(logits, Sampling(), row_generators(2, 2)).tolist() != first[0]


@pytest.mark.parametrize("options", [{"temperature": -1}, {"top_k": -2}, {"top_p": 0}, {"top_p": 1.1}])
def test_nonsense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        Sampling(**options)  # type: ignore[arg-type]

"""The causal convolution against its definition, with document boundaries, a state before it, and its
gradients."""

from __future__ import annotations

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.trainer.model.examples import relative
from tests.trainer.ops.test_ssd import boundaries
from tests.trainer.ops.twins import convolution
from trainer.ops.conv import causal_conv, causal_conv_step


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    length=st.integers(1, 20),
    taps=st.integers(2, 5),
    biased=st.booleans(),
    packed=st.booleans(),
    continued=st.booleans(),
    seed=st.integers(0, 5),
)
@example(batch=1, length=3, taps=5, biased=False, packed=True, continued=False, seed=0)
def test_convolution_is_its_definition(
    *, batch: int, length: int, taps: int, biased: bool, packed: bool, continued: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, weight = normal(batch, length, 6), normal(6, taps)
    bias = normal(6) if biased else None
    segments = boundaries(batch, length, 0.3, seed) if packed else None
    state = normal(batch, taps - 1, 6) if continued else None
    functional = normal(batch, length, 6)
    results = []
    for function in (causal_conv, convolution):
        leaves = [each.clone().requires_grad_() for each in (x, weight, bias, state) if each is not None]
        values = iter(leaves)
        args = [None if each is None else next(values) for each in (x, weight, bias, state)]
        out = function(args[0], args[1], args[2], segments, args[3])
        (out * functional).sum().backward()
        results.append([out, *(leaf.grad for leaf in leaves)])
    for found, expected in zip(*results, strict=True):
        assert relative(found, expected) < 1e-10


def test_a_strided_view_gives_the_same() -> None:
    """The mixer passes a slice of a wider projection."""
    wide = torch.randn(2, 30, 50)
    weight, bias = torch.randn(20, 4), torch.randn(20)
    part = wide[..., 7:27]
    assert torch.allclose(
        causal_conv(part, weight, bias), causal_conv(part.contiguous(), weight, bias), atol=1e-6
    )


def test_steps_continue_a_convolution() -> None:
    x, weight, bias = torch.randn(2, 9, 6), torch.randn(6, 4), torch.randn(6)
    whole = causal_conv(x, weight, bias)
    state = torch.zeros(2, 3, 6)
    for t in range(9):
        assert torch.allclose(
            causal_conv_step(x[:, t : t + 1], state, weight, bias)[:, 0], whole[:, t], atol=1e-6
        )
    assert torch.equal(state, x[:, -3:])

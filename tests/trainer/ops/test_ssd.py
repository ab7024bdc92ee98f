"""The scan against the literal recurrence: values, states and gradients; and its behaviour at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainer.model.examples import relative
from tests.trainer.ops.twins import recurrence
from trainer.ops import ssd_reference
from trainer.ops.ssd import ssd, ssd_step


def example(
    batch: int,
    length: int,
    groups: int,
    per_group: int,
    *,
    width: int,
    states: int,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> dict[str, Tensor]:
    """Random inputs of one call; decays from gentle to harsh."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    heads = groups * per_group
    return {
        "x": normal(batch, length, heads, width),
        "dt": torch.nn.functional.softplus(normal(batch, length, heads) - 1),
        "A": -torch.exp(normal(heads) + 0.5),
        "B": normal(batch, length, groups, states),
        "C": normal(batch, length, groups, states),
        "D": normal(heads),
        "initial_state": normal(batch, heads, width, states),
    }


def boundaries(batch: int, length: int, share: float, seed: int = 0) -> Tensor:
    """Monotone segment numbers int32 [B, L]; a boundary before a token with probability `share`."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, length, generator=generator) < share).cumsum(1).to(torch.int32)


def outcome(
    scan: Callable[..., tuple[Tensor, Tensor]], inputs: dict[str, Tensor], **options: Any
) -> dict[str, Tensor]:
    """Values, final state, and the gradients of a random functional of both."""
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items()}
    y, state = scan(**leaves, **options)
    generator = torch.Generator().manual_seed(9)
    weights = [
        torch.randn(each.shape, generator=generator, dtype=torch.float64).to(each.dtype)
        for each in (y, state)
    ]
    ((y * weights[0]).sum() + (state * weights[1]).sum()).backward()
    grads = {f"d{name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    assert len(grads) == len(leaves)
    return {"y": y.detach(), "state": state.detach(), **grads}


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 2),
    length=st.integers(1, 40),
    chunk=st.integers(1, 20),
    groups=st.integers(1, 2),
    per_group=st.integers(1, 3),
    packed=st.booleans(),
    continued=st.booleans(),
    seed=st.integers(0, 10),
)
def test_scan_is_the_recurrence(
    *,
    batch: int,
    length: int,
    chunk: int,
    groups: int,
    per_group: int,
    packed: bool,
    continued: bool,
    seed: int,
) -> None:
    inputs = example(batch, length, groups, per_group, width=3, states=4, seed=seed)
    if not continued:
        del inputs["initial_state"]
    segments = boundaries(batch, length, 0.2, seed) if packed else None
    expected = outcome(recurrence, inputs, segments=segments)
    found = outcome(ssd, inputs, segments=segments, chunk_size=chunk, backend="reference")
    for name, tensor in expected.items():
        # A decay that nothing passes has gradient zero, which we get as a difference of equal numbers.
        assert relative(found[name], tensor, least=1e-3) < 1e-10, name


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("packed", [False, True])
def test_float32_is_close_to_the_recurrence_in_float64(length: int, packed: bool) -> None:
    inputs = example(2, length, 2, 4, width=8, states=16, seed=length)
    segments = boundaries(2, length, 0.05) if packed else None
    expected = outcome(recurrence, inputs, segments=segments)
    narrow = {name: tensor.float() for name, tensor in inputs.items()}
    found = outcome(ssd, narrow, segments=segments, chunk_size=128, backend="reference")
    for name, tensor in expected.items():
        assert relative(found[name].double(), tensor, least=1e-3) < 2e-5, name


def test_result_does_not_depend_on_the_chunk_or_on_how_many_are_done_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = example(2, 90, 1, 3, width=4, states=5)
    segments = boundaries(2, 90, 0.1)
    expected = outcome(ssd, inputs, segments=segments, chunk_size=7, backend="reference")
    for chunk, cache in ((7, 1), (16, 10**9), (64, 4000), (90, 1)):
        monkeypatch.setattr(ssd_reference, "CACHE_BYTES", cache)
        found = outcome(ssd, inputs, segments=segments, chunk_size=chunk, backend="reference")
        for name, tensor in expected.items():
            assert relative(found[name], tensor) < 1e-10, (name, chunk)


def test_long_decays_keep_their_digits() -> None:
    """Running sums of thousands lose digits in float32; differences of them must not."""
    inputs = example(1, 128, 1, 2, width=4, states=4)
    inputs["A"] = torch.tensor([-100.0, -100.0], dtype=torch.float64)
    inputs["dt"][:, :64] = 4.0  # the sum reaches -25,600 half way
    inputs["dt"][:, 64:] = 1e-4
    expected = outcome(recurrence, inputs)
    found = outcome(ssd, {name: tensor.float() for name, tensor in inputs.items()}, chunk_size=128)
    assert relative(found["y"][:, 64:].double(), expected["y"][:, 64:]) < 1e-5
    assert relative(found["dx"].double(), expected["dx"]) < 1e-5


def test_extreme_steps_stay_finite() -> None:
    inputs = example(1, 70, 1, 2, width=4, states=4, dtype=torch.float32)
    inputs["dt"] = torch.where(torch.rand(1, 70, 2) < 0.5, 1e4, 0.0)
    for name, tensor in outcome(ssd, inputs, chunk_size=32).items():
        assert torch.isfinite(tensor).all(), name


def test_gradients_by_finite_differences() -> None:
    inputs = example(1, 11, 1, 2, width=2, states=3)
    names = list(inputs)
    segments = boundaries(1, 11, 0.2)

    def call(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        return ssd(**dict(zip(names, tensors, strict=True)), segments=segments, chunk_size=4)

    leaves = [tensor.requires_grad_() for tensor in inputs.values()]
    assert torch.autograd.gradcheck(call, leaves, fast_mode=True)


def test_bfloat16_inputs_are_summed_in_float32() -> None:
    inputs = example(1, 100, 1, 2, width=8, states=8, dtype=torch.float32)
    for name in ("x", "B", "C"):
        inputs[name] = inputs[name].bfloat16()
    y, state = ssd(**inputs, chunk_size=32)
    assert (y.dtype, state.dtype) == (torch.bfloat16, torch.float32)
    exact, last = ssd(**{name: tensor.float() for name, tensor in inputs.items()}, chunk_size=32)
    assert torch.equal(y, exact.bfloat16())
    assert torch.equal(state, last)


def test_steps_continue_a_scan() -> None:
    inputs = example(2, 20, 2, 2, width=3, states=4)
    del inputs["initial_state"]
    whole, last = ssd(**inputs, chunk_size=8)
    cut = {
        name: tensor[:, :12] if name in ("x", "dt", "B", "C") else tensor for name, tensor in inputs.items()
    }
    _, state = ssd(**cut, chunk_size=8)
    for t in range(12, 20):
        y = ssd_step(
            inputs["x"][:, t],
            inputs["dt"][:, t],
            inputs["A"],
            inputs["B"][:, t],
            inputs["C"][:, t],
            D=inputs["D"],
            state=state,
        )
        assert relative(y, whole[:, t]) < 1e-10
    assert relative(state, last) < 1e-10

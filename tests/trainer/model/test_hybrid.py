"""The model as a whole: initial weights, precision, loss, learning."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.model.examples import relative, shaken, small, tokens
from trainer.model.hybrid import HybridModel, stays_float32
from trainer.model.presets import preset


def test_initial_weights_follow_the_rules() -> None:
    config = preset("tiny", vocab_size=500, time_step_floor=0.002)
    model = HybridModel(config, seed=3)
    mixer = model.backbone.layers[0].mixer
    assert torch.allclose(mixer.A_log.exp(), torch.arange(1.0, 9))
    assert torch.equal(mixer.D, torch.ones(8))
    steps = F.softplus(mixer.dt_bias)
    assert steps.min() > 0.002 - 1e-6
    assert steps.max() < config.time_step_max
    state = model.state_dict()
    spread = {name: float(tensor.std()) for name, tensor in state.items() if tensor.numel() > 1000}
    shrink = math.sqrt(config.num_hidden_layers)
    for name, found in spread.items():
        if "conv1d" in name:
            expected = 1 / math.sqrt(config.conv_kernel) / math.sqrt(3)
        elif name.endswith(("out_proj.weight", "down_proj.weight", "o_proj.weight")):
            expected = 0.02 / shrink
        else:
            expected = 0.02
        assert found == pytest.approx(expected, rel=0.06), name
    even = HybridModel(preset("tiny", vocab_size=500, rescale_prenorm_residual=False))
    assert float(even.state_dict()["backbone.layers.1.mixer.down_proj.weight"].std()) == pytest.approx(
        0.02, rel=0.05
    )


def test_initial_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = HybridModel(small(), seed=5)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = HybridModel(small(), seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    other = HybridModel(small(), seed=6)
    for (name, a), b, c in zip(
        first.state_dict().items(), second.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
        if a.dim() > 1 or name.endswith("dt_bias"):
            assert not torch.equal(a, c), name
    meta = HybridModel(small(), device="meta").to_empty(device="cpu")
    meta.reset_parameters(5)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), meta.parameters(), strict=True))


@pytest.mark.parametrize("changes", [{}, {"residual_in_fp32": True}])
def test_bfloat16_compute_keeps_float32_parameters_and_gradients(changes: dict[str, Any]) -> None:
    config = small(**changes)
    exact, half = shaken(config), shaken(config)
    half.compute_dtype = torch.bfloat16
    inputs, labels = tokens(config, 2, 40), tokens(config, 2, 40, seed=1)
    assert half(inputs).dtype == torch.bfloat16
    for model in (exact, half):
        total, count = model.loss(inputs, labels)
        assert total.dtype == torch.float32
        (total / count).backward()
    for (name, a), b in zip(exact.named_parameters(), half.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert b.dtype == b.grad.dtype == torch.float32
        assert F.cosine_similarity(a.grad.flatten(), b.grad.flatten(), dim=0) > 0.98, name


def test_cast_weights_leaves_the_delicate_parameters() -> None:
    model = shaken(small()).cast_weights(torch.bfloat16)
    kept = {name for name, p in model.named_parameters() if p.dtype == torch.float32}
    assert kept == {name for name, _ in model.named_parameters() if stays_float32(name)}
    assert {name.rsplit(".", 1)[-1] for name in kept} == {"A_log", "D", "dt_bias", "weight"}
    assert all("norm" in name for name in kept if name.endswith("weight"))


def test_loss_is_the_cross_entropy_of_the_logits() -> None:
    model = shaken(small())
    inputs, labels = tokens(model.config, 3, 20), tokens(model.config, 3, 20, seed=1)
    labels[0, 3:9] = -100
    total, count = model.loss(inputs, labels)
    expected = F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten(), reduction="sum")
    assert relative(total, expected) < 1e-5
    assert int(count) == 54


@settings(max_examples=15, deadline=None)
@given(place=st.integers(0, 39), pattern=st.sampled_from(["M", "*", "M-*M"]))
def test_no_token_sees_the_future(place: int, pattern: str) -> None:
    model = shaken(small(hybrid_override_pattern=pattern)).requires_grad_(False)
    row = tokens(model.config, 1, 40)
    changed = row.clone()
    changed[0, place] = (changed[0, place] + 1) % model.config.vocab_size
    before, after = model(row)[0], model(changed)[0]
    assert torch.allclose(before[:place], after[:place], atol=1e-5)
    assert not torch.allclose(before[place], after[place], atol=1e-3)


def test_two_backward_passes_give_the_same_bytes() -> None:
    grads = []
    for _ in range(2):
        model = shaken(small())
        segments = torch.zeros(2, 50, dtype=torch.int32)
        segments[:, 20:] = 1
        model.loss(tokens(model.config, 2, 50), tokens(model.config, 2, 50, seed=1), segments)[0].backward()
        grads.append([p.grad for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))  # type: ignore[arg-type]


def test_it_learns_a_repeated_pattern_to_near_zero() -> None:
    config = preset("tiny", vocab_size=32)
    model = HybridModel(config, seed=0)
    row = torch.randint(32, (1, 17), generator=torch.Generator().manual_seed(0)).repeat(2, 5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        total, count = model.loss(row[:, :-1], row[:, 1:])
        (total / count).backward()
        optimizer.step()
        losses.append(float((total / count).detach()))
    assert losses[0] == pytest.approx(math.log(32), abs=0.3)
    assert losses[-1] < 0.1

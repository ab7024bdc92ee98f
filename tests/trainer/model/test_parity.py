"""Our model against transformers' own `nemotron_h`: logits and every gradient, float32, on many small
shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.trainer.model.examples import peer, relative, shaken, small, tokens

INF = float("inf")

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "one mamba layer": ({"hybrid_override_pattern": "M"}, 16),
    "all types, odd length": ({"hybrid_override_pattern": "M-*M-"}, 37),
    "shorter than a chunk": ({"hybrid_override_pattern": "MM*"}, 5),
    "one group": ({"hybrid_override_pattern": "M-M*", "n_groups": 1, "chunk_size": 8}, 33),
    "a group a head": ({"hybrid_override_pattern": "M*M-", "n_groups": 6, "chunk_size": 32}, 45),
    "wide head, small state": ({"mamba_head_dim": 20, "ssm_state_size": 4, "mamba_num_heads": 4}, 21),
    "one key head": ({"hybrid_override_pattern": "**-M", "num_key_value_heads": 1, "head_dim": 12}, 19),
    "no attention": ({"hybrid_override_pattern": "M-M-M-", "chunk_size": 64}, 130),
    "no mamba": ({"hybrid_override_pattern": "-*-*", "mamba_num_heads": 0, "n_groups": 1}, 17),
    "biases": ({"use_bias": True, "mlp_bias": True, "hybrid_override_pattern": "M-"}, 23),
    "no convolution bias": ({"use_conv_bias": False, "hybrid_override_pattern": "MM"}, 23),
    "other convolution width": ({"conv_kernel": 3, "hybrid_override_pattern": "M-M"}, 20),
    "the floor transformers has": ({"time_step_limit": (0.001, INF)}, 29),
    "a high floor": ({"time_step_limit": (0.4, INF)}, 29),
    "many chunks on the longest kernel chunk": ({"hybrid_override_pattern": "M*M", "chunk_size": 128}, 300),
}


@pytest.mark.parametrize(("changes", "length"), list(CASES.values()), ids=list(CASES))
def test_logits_and_gradients_agree_with_transformers(
    changes: dict[str, Any], length: int, tmp_path: Path
) -> None:
    config = small(**changes)
    ours = shaken(config, seed=length)
    theirs = peer(ours, tmp_path / "hub").train()
    inputs = tokens(config, 2, length + 1)

    logits = theirs(inputs[:, :-1], use_cache=False).logits
    assert relative(ours(inputs[:, :-1]), logits) < 1e-4

    F.cross_entropy(logits.flatten(0, 1), inputs[:, 1:].flatten(), reduction="sum").backward()
    total, count = ours.loss(inputs[:, :-1], inputs[:, 1:])
    total.backward()
    assert int(count) == 2 * length
    expected = {name.replace("model.", "backbone.", 1): p.grad for name, p in theirs.named_parameters()}
    assert {name for name, _ in ours.named_parameters()} == set(expected)
    worst = max((relative(p.grad, expected[name]), name) for name, p in ours.named_parameters())
    assert worst[0] < 1e-4, worst


def test_transformers_alone_clamps_steps_to_the_initial_minimum(tmp_path: Path) -> None:
    """Why an exported config.json moves `time_step_min`: transformers clamps to it in every pass."""
    config = small(hybrid_override_pattern="M-M-", time_step_min=0.5, time_step_max=0.9)
    ours = shaken(config)
    theirs = peer(ours, tmp_path / "hub")
    inputs = tokens(config, 1, 40)
    expected = ours(inputs)
    assert relative(theirs(inputs, use_cache=False).logits, expected) < 1e-4
    for block in theirs.model.layers:
        if block.block_type == "linear_attention":
            assert block.mixer.time_step_limit[0] < 1e-9
            block.mixer.time_step_limit = (config.time_step_min, INF)
    assert relative(theirs(inputs, use_cache=False).logits, expected) > 1e-2


def test_every_parameter_is_used_and_has_a_gradient() -> None:
    config = small(use_bias=True, mlp_bias=True)
    model = shaken(config)
    model.loss(tokens(config, 2, 9), tokens(config, 2, 9, seed=1))[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name

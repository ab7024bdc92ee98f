"""The configuration: what it refuses, how many parameters it means, and the published models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gristmill.base.errors import UserError
from tests.trainer.model.examples import SMALL, small
from trainer.model.config import HybridConfig
from trainer.model.hub_config import from_hub_dict, to_hub_dict
from trainer.model.hybrid import HybridModel
from trainer.model.presets import PRESETS, preset


@pytest.mark.parametrize(
    ("name", "parameters", "layers"),
    [
        ("nemotron-nano-9b-v2", 8_888_227_328, (27, 25, 4)),
        ("nemotron-nano-12b-v2", 12_310_001_152, (28, 28, 6)),
    ],
)
def test_published_models_have_their_published_size(
    name: str, parameters: int, layers: tuple[int, int, int]
) -> None:
    config = preset(name)
    assert config.parameter_count() == parameters
    assert tuple(config.hybrid_override_pattern.count(kind) for kind in "M-*") == layers
    assert sum(p.numel() for p in HybridModel(config, device="meta").parameters()) == parameters


@settings(max_examples=40, deadline=None)
@given(
    pattern=st.text("M-*", min_size=1, max_size=6),
    groups=st.integers(1, 3),
    per_group=st.integers(1, 3),
    key_heads=st.integers(1, 3),
    sizes=st.tuples(*[st.integers(1, 9)] * 5),
    kernel=st.integers(2, 5),
    flags=st.tuples(*[st.booleans()] * 4),
)
def test_parameter_count_is_the_meta_model_s(
    *,
    pattern: str,
    groups: int,
    per_group: int,
    key_heads: int,
    sizes: tuple[int, ...],
    kernel: int,
    flags: tuple[bool, ...],
) -> None:
    config = HybridConfig(
        vocab_size=11,
        hidden_size=sizes[0],
        hybrid_override_pattern=pattern,
        mamba_num_heads=groups * per_group,
        n_groups=groups,
        mamba_head_dim=sizes[1],
        ssm_state_size=sizes[2],
        conv_kernel=kernel,
        num_attention_heads=key_heads * per_group,
        num_key_value_heads=key_heads,
        head_dim=sizes[3],
        intermediate_size=sizes[4],
        use_bias=flags[0],
        mlp_bias=flags[1],
        use_conv_bias=flags[2],
        tie_word_embeddings=flags[3],
    )
    model = HybridModel(config, device="meta")
    assert config.parameter_count() == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hybrid_override_pattern": ""}, "the pattern is empty"),
        ({"hybrid_override_pattern": "MxM"}, "unknown layer 'x'"),
        ({"hybrid_override_pattern": "ME"}, "mixture-of-experts layers (E)"),
        ({"mamba_num_heads": 0}, "the pattern has mamba layers (M), so mamba_num_heads must be set"),
        ({"intermediate_size": 0}, "so intermediate_size must be set"),
        ({"num_attention_heads": 0}, "so num_attention_heads must be set"),
        ({"mamba_num_heads": 5}, "mamba_num_heads (5) must be a multiple of n_groups (2)"),
        ({"num_key_value_heads": 3}, "num_attention_heads (4) must be a multiple of num_key_value_heads (3)"),
        ({"time_step_min": 0.5}, "time_step_min (0.5) must not be above time_step_max (0.1)"),
        ({"time_step_limit": (0.2, 0.1)}, "time_step_limit (0.2, 0.1)"),
        ({"eos_token_id": 61}, "eos_token_id (61) is outside the vocabulary of 61"),
        ({"hiden_size": 3}, "hiden_size"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HybridConfig(**{**SMALL, **changes})
    assert message in str(caught.value)


def test_key_value_heads_default_to_the_query_heads() -> None:
    fields = {name: value for name, value in SMALL.items() if name != "num_key_value_heads"}
    assert HybridConfig(**fields).num_key_value_heads == 4


def test_presets_are_valid_and_a_typo_is_answered_with_the_nearest() -> None:
    for name in PRESETS:
        assert preset(name).parameter_count() > 0
    assert preset("demo", vocab_size=300).vocab_size == 300
    with pytest.raises(UserError, match="did you mean 'nemotron-nano-9b-v2'"):
        preset("nemotron-nano-9b")


def test_hub_fields_survive_the_round_trip() -> None:
    config = small(time_step_min=0.01, time_step_limit=(0.002, 5.0), rescale_prenorm_residual=False)
    assert from_hub_dict(json.loads(json.dumps(to_hub_dict(config)))) == config
    unbounded = small()
    assert from_hub_dict(json.loads(json.dumps(to_hub_dict(unbounded)))) == unbounded


def test_config_of_transformers_is_read(tmp_path: Path) -> None:
    """A config.json that transformers itself wrote: layer lists, tagged infinity, no pattern."""
    from transformers.models.nemotron_h import NemotronHConfig

    config = small(eos_token_id=2, bos_token_id=1, pad_token_id=0)
    fields = {**config.model_dump(), "time_step_limit": list(config.time_step_limit)}
    NemotronHConfig(**fields).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert "hybrid_override_pattern" not in written
    assert from_hub_dict(written) == config


def test_older_spellings_are_read() -> None:
    fields = to_hub_dict(small())
    for name in ("hybrid_override_pattern", "head_dim", "initial_time_step_min"):
        del fields[name]
    fields |= {"layers_block_type": ["mamba", "mlp", "attention", "mamba", "mlp"], "attention_head_dim": 8}
    fields |= {"time_step_limit": [0.0, {"__float__": "Infinity"}], "eos_token_id": [3, 4]}
    config = from_hub_dict(fields)
    assert config.hybrid_override_pattern == "M-*M-"
    assert (config.head_dim, config.eos_token_id) == (8, 3)
    assert config.time_step_limit == (0.0, float("inf"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama', expected 'nemotron_h'"),
        ({"mlp_hidden_act": "silu"}, "mlp_hidden_act is 'silu'; this model has only 'relu2'"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"hybrid_override_pattern": "ME*E"}, "mixture-of-experts"),
        ({"n_groups": 4}, "must be a multiple of n_groups"),
    ],
)
def test_a_config_this_model_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_hub_dict({**to_hub_dict(small()), **changes}, where="there/config.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("there/config.json: ")

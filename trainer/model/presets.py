"""Named model shapes: the published Nemotron Nano 2 models, and small ones of the same family.

Published shapes: the `config.json` of `nvidia/NVIDIA-Nemotron-Nano-9B-v2` and `-12B-v2` on the Hub.
"""

from __future__ import annotations

from typing import Any

from gristmill.base.errors import UserError, did_you_mean
from trainer.model.config import HybridConfig

_NANO_V2: dict[str, Any] = {
    "vocab_size": 131072,
    "mamba_num_heads": 128,
    "mamba_head_dim": 80,
    "ssm_state_size": 128,
    "n_groups": 8,
    "chunk_size": 128,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "bos_token_id": 1,
    "eos_token_id": 12,
    "pad_token_id": 0,
}

_SMALL: dict[str, Any] = {"mamba_head_dim": 64, "n_groups": 1, "head_dim": 64}

PRESETS: dict[str, dict[str, Any]] = {
    "nemotron-nano-9b-v2": {
        **_NANO_V2,
        "hidden_size": 4480,
        "intermediate_size": 15680,
        "hybrid_override_pattern": "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-",
    },
    "nemotron-nano-12b-v2": {
        **_NANO_V2,
        "hidden_size": 5120,
        "intermediate_size": 20480,
        "hybrid_override_pattern": "M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M-",
    },
    # Small members of the family; their vocabulary is meant to be overridden by the tokenizer's.
    "tiny": {
        **_SMALL,
        "vocab_size": 4096,
        "hidden_size": 128,
        "intermediate_size": 384,
        "hybrid_override_pattern": "M-M*-M-",
        "mamba_num_heads": 8,
        "mamba_head_dim": 32,
        "ssm_state_size": 32,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 1024,
    },
    "demo": {
        **_SMALL,
        "vocab_size": 4096,
        "hidden_size": 256,
        "intermediate_size": 768,
        "hybrid_override_pattern": "M-M-*-M-",
        "mamba_num_heads": 8,
        "ssm_state_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
    },
    "0.1b": {
        **_SMALL,
        "vocab_size": 32768,
        "hidden_size": 768,
        "intermediate_size": 2688,
        "hybrid_override_pattern": "M-M-M-*-M-M-M-*-M-M-",
        "mamba_num_heads": 24,
        "n_groups": 8,
        "ssm_state_size": 128,
        "num_attention_heads": 12,
        "num_key_value_heads": 4,
    },
    "0.4b": {
        **_SMALL,
        "vocab_size": 32768,
        "hidden_size": 1024,
        "intermediate_size": 3584,
        "hybrid_override_pattern": "M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-",
        "mamba_num_heads": 32,
        "n_groups": 8,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
    },
    "1.5b": {
        **_SMALL,
        "vocab_size": 32768,
        "hidden_size": 2048,
        "intermediate_size": 7168,
        "hybrid_override_pattern": "M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-M-M*-M-M-",
        "mamba_num_heads": 64,
        "n_groups": 8,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
    },
}
"""Fields of each preset; `preset(name)` makes the configuration."""


def preset(name: str, **overrides: Any) -> HybridConfig:
    """The named configuration, with single fields replaced.

    Raises:
        UserError: no preset has this name.
    """
    if name not in PRESETS:
        raise UserError(f"unknown model preset '{name}'", mend=did_you_mean(name, PRESETS))
    return HybridConfig(**{**PRESETS[name], **overrides})

"""Small configurations, weights that are not at their gentle initial values, and transformers' model beside
ours."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.hub import save_hub
from trainer.model.config import HybridConfig
from trainer.model.hybrid import HybridModel

SMALL: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 24,
    "hybrid_override_pattern": "M-*M-",
    "mamba_num_heads": 6,
    "mamba_head_dim": 8,
    "ssm_state_size": 16,
    "n_groups": 2,
    "chunk_size": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 40,
}


def small(**changes: Any) -> HybridConfig:
    """A configuration of all layer types; single fields replaced."""
    return HybridConfig(**{**SMALL, **changes})


def shaken(config: HybridConfig, seed: int = 0) -> HybridModel:
    """A model whose every parameter matters: with small initial values mistakes hide in rounding."""
    model = HybridModel(config, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.empty_like(parameter).normal_(generator=generator)
            if name.endswith(("A_log", "dt_bias")):
                parameter.add_(noise / 2)
            elif "norm" in name or name.endswith(".D"):
                parameter.add_(noise / 3)
            elif parameter.dim() == 1:
                parameter.copy_(noise / 3)
            else:
                scale = 1 if "embeddings" in name else 1 / math.sqrt(parameter.shape[-1])
                parameter.copy_(noise * scale)
    return model


def tokens(config: HybridConfig, batch: int, length: int, seed: int = 0) -> Tensor:
    """Random tokens [B, L]."""
    return torch.randint(config.vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


def peer(model: HybridModel, folder: Path) -> Any:
    """The same weights in transformers' `nemotron_h` (plain PyTorch), by way of a Hub folder."""
    from transformers.models.nemotron_h import NemotronHForCausalLM

    save_hub(model, folder)
    return NemotronHForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def relative(found: Tensor, expected: Tensor, least: float = 1e-12) -> float:
    """Largest difference, as a share of the largest expected value (or of `least`, if that is larger)."""
    found, expected = found.detach(), expected.detach()
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=least))

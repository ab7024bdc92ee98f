"""The shape of a hybrid model, in the field names of the `nemotron_h` Hub format.

Light on purpose (pydantic only): run manifests embed it. Constants and defaults are those of
`NemotronHConfig` in transformers 5.23 (`models/nemotron_h/configuration_nemotron_h.py`).
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from gristmill.base.manifest import Model

LAYER_NAMES = {"M": "mamba", "-": "mlp", "*": "attention"}
"""Pattern characters; `hybrid_override_pattern` spells one layer a character."""


class HybridConfig(Model):
    """A hybrid model: layer i is `h + mixer_i(norm_i(h))`, with one mixer a layer chosen by the pattern."""

    vocab_size: int = Field(gt=0)
    """Rows of the embedding and of the output matrix."""
    hidden_size: int = Field(gt=0)
    """Width of the residual stream."""
    hybrid_override_pattern: str
    """One character a layer: M is Mamba-2, - is a squared-ReLU MLP, * is attention."""

    mamba_num_heads: int = Field(default=0, ge=0)
    """Heads H of the Mamba-2 mixer; needed when the pattern has an M."""
    mamba_head_dim: int = Field(default=64, gt=0)
    """Width P of a Mamba-2 head; the mixer's inner width is H * P, whatever `expand` says."""
    ssm_state_size: int = Field(default=128, gt=0)
    """State size N of a Mamba-2 head."""
    n_groups: int = Field(default=8, gt=0)
    """Groups G that share B and C; also the groups of the gated norm."""
    conv_kernel: int = Field(default=4, ge=2)
    """Taps of the depthwise causal convolution."""
    chunk_size: int = Field(default=128, gt=0)
    """Chunk length of the scan. It changes speed, not the result; a backend may choose its own."""
    use_conv_bias: bool = True
    """Whether the convolution has a bias."""
    use_bias: bool = False
    """Whether the Mamba-2 mixer's two projections have a bias."""
    time_step_min: float = Field(default=1e-3, gt=0)
    """Smallest step size at initialisation."""
    time_step_max: float = Field(default=1e-1, gt=0)
    """Largest step size at initialisation."""
    time_step_floor: float = Field(default=1e-4, gt=0)
    """Step sizes below this are raised to it at initialisation."""
    time_step_limit: tuple[float, float] = (0.0, math.inf)
    """Bounds to which step sizes are clamped in every forward pass."""

    num_attention_heads: int = Field(default=0, ge=0)
    """Query heads; needed when the pattern has a *."""
    num_key_value_heads: int = Field(default=0, ge=0)
    """Key and value heads; 0 takes the number of query heads."""
    head_dim: int = Field(default=128, gt=0)
    """Width of an attention head; heads * head_dim need not equal hidden_size."""

    intermediate_size: int = Field(default=0, ge=0)
    """Inner width of the MLP; needed when the pattern has a -."""
    mlp_bias: bool = False
    """Whether the MLP's two projections have a bias."""

    layer_norm_epsilon: float = Field(default=1e-5, gt=0)
    """Epsilon of every RMS norm."""
    initializer_range: float = Field(default=0.02, gt=0)
    """Standard deviation of the linear and embedding weights at initialisation."""
    rescale_prenorm_residual: bool = True
    """Whether projections that write into the residual stream start smaller, by 1 / sqrt(layers)."""
    residual_in_fp32: bool = False
    """Whether the residual stream stays in float32 under bfloat16 compute."""
    tie_word_embeddings: bool = False
    """Whether the output matrix is the embedding."""
    max_position_embeddings: int = Field(default=8192, gt=0)
    """Longest sequence the model was trained for. A record only: the model has no position embedding."""

    bos_token_id: int | None = None
    """Token that begins a document."""
    eos_token_id: int | None = None
    """Token that ends a document."""
    pad_token_id: int | None = None
    """Token for padding; never read by the model."""

    @field_validator("hybrid_override_pattern")
    @classmethod
    def _known_layers(cls, pattern: str) -> str:
        if not pattern:
            raise ValueError(
                "the pattern is empty: write one character a layer (M mamba, - mlp, * attention)"
            )
        unknown = sorted(set(pattern) - set(LAYER_NAMES))
        if "E" in unknown:
            raise ValueError("the pattern has mixture-of-experts layers (E), which this model does not have")
        if unknown:
            raise ValueError(
                f"unknown layer {unknown[0]!r} in the pattern: M is mamba, - is mlp, * is attention"
            )
        return pattern

    @model_validator(mode="before")
    @classmethod
    def _fill_key_value_heads(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("num_key_value_heads"):
            data = {**data, "num_key_value_heads": data.get("num_attention_heads", 0)}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> HybridConfig:
        for character, field in (
            ("M", "mamba_num_heads"),
            ("-", "intermediate_size"),
            ("*", "num_attention_heads"),
        ):
            if character in self.hybrid_override_pattern and not getattr(self, field):
                raise ValueError(
                    f"the pattern has {LAYER_NAMES[character]} layers ({character}), so {field} must be set"
                )
        if self.mamba_num_heads % self.n_groups:
            raise ValueError(
                f"mamba_num_heads ({self.mamba_num_heads}) must be a multiple of n_groups ({self.n_groups})"
            )
        if self.num_key_value_heads and self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"num_key_value_heads ({self.num_key_value_heads})"
            )
        if self.time_step_min > self.time_step_max:
            raise ValueError(
                f"time_step_min ({self.time_step_min}) must not be above time_step_max ({self.time_step_max})"
            )
        low, high = self.time_step_limit
        if not 0 <= low < high:
            raise ValueError(
                f"time_step_limit ({low}, {high}) must be two rising numbers, the first not negative"
            )
        for field in ("bos_token_id", "eos_token_id", "pad_token_id"):
            token = getattr(self, field)
            if token is not None and not 0 <= token < self.vocab_size:
                raise ValueError(f"{field} ({token}) is outside the vocabulary of {self.vocab_size}")
        return self

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers: the pattern's length."""
        return len(self.hybrid_override_pattern)

    @property
    def mamba_inner_size(self) -> int:
        """Inner width d = H * P of the Mamba-2 mixer."""
        return self.mamba_num_heads * self.mamba_head_dim

    @property
    def conv_size(self) -> int:
        """Channels d + 2 * G * N that the convolution mixes: x, B and C."""
        return self.mamba_inner_size + 2 * self.n_groups * self.ssm_state_size

    def layer_parameter_count(self, kind: Literal["M", "-", "*"]) -> int:
        """Parameters of one layer of a kind, its norm included."""
        width = self.hidden_size
        if kind == "M":
            inner, heads, channels = self.mamba_inner_size, self.mamba_num_heads, self.conv_size
            projected = inner + channels + heads
            biases = (channels if self.use_conv_bias else 0) + (projected + width if self.use_bias else 0)
            mixer = (
                width * projected + channels * self.conv_kernel + 3 * heads + inner + inner * width + biases
            )
        elif kind == "-":
            mixer = 2 * width * self.intermediate_size
            mixer += (self.intermediate_size + width) if self.mlp_bias else 0
        else:
            mixer = 2 * width * self.head_dim * (self.num_attention_heads + self.num_key_value_heads)
        return mixer + width

    def parameter_count(self) -> int:
        """Number of parameters, in closed form."""
        kinds: tuple[Literal["M", "-", "*"], ...] = ("M", "-", "*")
        layers = sum(
            self.hybrid_override_pattern.count(kind) * self.layer_parameter_count(kind) for kind in kinds
        )
        matrices = 1 if self.tie_word_embeddings else 2
        return layers + matrices * self.vocab_size * self.hidden_size + self.hidden_size

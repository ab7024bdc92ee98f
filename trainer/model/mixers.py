"""The three mixers of a hybrid layer: Mamba-2, squared-ReLU MLP, attention without positions.

Parameter names and shapes are those of the `nemotron_h` Hub format, so a state dict needs no renaming.
Every module computes in the dtype of its input and casts its matrices to it; `A_log`, `D`, `dt_bias` and the
norms are never cast below float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.model.cache import KeyValues, MambaState
from trainer.model.config import HybridConfig
from trainer.ops.activation import squared_relu
from trainer.ops.attention import attention, packed_attention
from trainer.ops.conv import causal_conv, causal_conv_step
from trainer.ops.linear import linear
from trainer.ops.norm import gated_group_norm, rms_norm
from trainer.ops.ssd import ssd, ssd_step


@dataclass
class Context:
    """What all layers of one forward pass share."""

    segments: Tensor | None = None
    """int32 [B, L], or None when every row is one document."""
    mask: Tensor | None = None
    """With a cache: the attention mask, or None where causality alone decides."""
    past: int = 0
    """Tokens in the cache before this call."""
    restarts: Tensor | None = None
    """bool [B]: rows whose first token belongs to another document than the cache's last; None: no row."""


class Projection(nn.Module):
    """A linear map whose weight [out, in] is cast to the input's dtype when used."""

    def __init__(
        self, inputs: int, outputs: int, bias: bool = False, device: torch.device | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, device=device))
        self.bias = nn.Parameter(torch.empty(outputs, device=device)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias
        return linear(x, self.weight.to(x.dtype), None if bias is None else bias.to(x.dtype))


class Norm(nn.Module):
    """RMS norm with a weight; `dtype` is what it returns."""

    def __init__(self, size: int, epsilon: float, device: torch.device | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, device=device))
        self.epsilon = epsilon

    def forward(self, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        return rms_norm(x, self.weight, self.epsilon, dtype)


class ConvWeights(nn.Module):
    """Weight [C, 1, W] and bias [C] of the depthwise convolution, named as in the Hub format."""

    def __init__(self, channels: int, taps: int, bias: bool, device: torch.device | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, taps, device=device))
        self.bias = nn.Parameter(torch.empty(channels, device=device)) if bias else None


class MambaMixer(nn.Module):
    """Mamba-2: projection, convolution, scan, gated norm, projection."""

    def __init__(self, config: HybridConfig, device: torch.device | None = None) -> None:
        super().__init__()
        self.config = config
        inner, heads = config.mamba_inner_size, config.mamba_num_heads
        self.in_proj = Projection(
            config.hidden_size, inner + config.conv_size + heads, config.use_bias, device
        )
        self.conv1d = ConvWeights(config.conv_size, config.conv_kernel, config.use_conv_bias, device)
        self.dt_bias = nn.Parameter(torch.empty(heads, device=device))
        self.A_log = nn.Parameter(torch.empty(heads, device=device))
        self.D = nn.Parameter(torch.empty(heads, device=device))
        self.norm = Norm(inner, config.layer_norm_epsilon, device)
        self.out_proj = Projection(inner, config.hidden_size, config.use_bias, device)

    def forward(self, u: Tensor, context: Context, state: MambaState | None = None) -> Tensor:
        """[B, L, hidden] -> [B, L, hidden]; advances `state` in place."""
        config = self.config
        length = u.shape[1]
        inner, heads = config.mamba_inner_size, config.mamba_num_heads
        z, mixed, raw_step = torch.split(self.in_proj(u), [inner, config.conv_size, heads], dim=-1)
        if state is not None and context.restarts is not None:
            state.conv.masked_fill_(context.restarts[:, None, None], 0)
            state.ssm.masked_fill_(context.restarts[:, None, None, None], 0)

        weight, bias = self.conv1d.weight[:, 0], self.conv1d.bias
        single = state is not None and length == 1
        if state is not None and single:
            mixed = causal_conv_step(mixed, state.conv, weight, bias)
        elif state is not None:
            inputs = torch.cat([state.conv.to(mixed.dtype), mixed], dim=1)[:, -state.conv.shape[1] :]
            mixed = causal_conv(mixed, weight, bias, context.segments, state.conv if context.past else None)
            state.conv.copy_(_only_last_document(inputs, context.segments))
        else:
            mixed = causal_conv(mixed, weight, bias, context.segments)

        shared = config.n_groups * config.ssm_state_size
        x, key, query = torch.split(mixed, [inner, shared, shared], dim=-1)
        x = x.view(*x.shape[:2], heads, config.mamba_head_dim)
        key = key.view(*key.shape[:2], config.n_groups, config.ssm_state_size)
        query = query.view(*key.shape)
        wide = torch.promote_types(u.dtype, torch.float32)
        step = F.softplus(raw_step.to(wide) + self.dt_bias.to(wide))
        low, high = config.time_step_limit
        if low > 0 or high != float("inf"):
            step = step.clamp(low, high)
        decay = -self.A_log.to(wide).exp()
        if state is not None and single:
            y = ssd_step(x[:, 0], step[:, 0], decay, key[:, 0], query[:, 0], D=self.D, state=state.ssm)[
                :, None
            ]
        else:
            y, last = ssd(
                x,
                step,
                decay,
                key,
                query,
                D=self.D,
                chunk_size=config.chunk_size,
                segments=context.segments,
                initial_state=state.ssm if state is not None and context.past else None,
            )
            if state is not None:
                state.ssm.copy_(last)
        y = gated_group_norm(y.flatten(2), z, self.norm.weight, config.n_groups, config.layer_norm_epsilon)
        out: Tensor = self.out_proj(y)
        return out


def _only_last_document(inputs: Tensor, segments: Tensor | None) -> Tensor:
    """Zero the convolution inputs [B, W-1, C] that belong to another document than the last token."""
    if segments is None:
        return inputs
    taps = inputs.shape[1]
    tail = segments[:, -taps:]
    missing = taps - tail.shape[1]
    # Inputs from before this call belong to the document of its first token, or have been zeroed.
    tail = torch.cat([segments[:, :1].expand(-1, missing), tail], dim=1)
    return inputs * (tail == segments[:, -1:])[..., None].to(inputs.dtype)


class MLPMixer(nn.Module):
    """`down(relu(up(x))^2)`."""

    def __init__(self, config: HybridConfig, device: torch.device | None = None) -> None:
        super().__init__()
        self.up_proj = Projection(config.hidden_size, config.intermediate_size, config.mlp_bias, device)
        self.down_proj = Projection(config.intermediate_size, config.hidden_size, config.mlp_bias, device)

    def forward(self, u: Tensor, context: Context, state: None = None) -> Tensor:
        """[B, L, hidden] -> [B, L, hidden]."""
        out: Tensor = self.down_proj(squared_relu(self.up_proj(u)))
        return out


class AttentionMixer(nn.Module):
    """Grouped-query causal attention; no bias, no position embedding."""

    def __init__(self, config: HybridConfig, device: torch.device | None = None) -> None:
        super().__init__()
        self.config = config
        width, size = config.hidden_size, config.head_dim
        self.q_proj = Projection(width, config.num_attention_heads * size, device=device)
        self.k_proj = Projection(width, config.num_key_value_heads * size, device=device)
        self.v_proj = Projection(width, config.num_key_value_heads * size, device=device)
        self.o_proj = Projection(config.num_attention_heads * size, width, device=device)

    def forward(self, u: Tensor, context: Context, state: KeyValues | None = None) -> Tensor:
        """[B, L, hidden] -> [B, L, hidden]; appends to `state`."""
        size = self.config.head_dim
        query = self.q_proj(u).view(*u.shape[:2], -1, size)
        key = self.k_proj(u).view(*u.shape[:2], -1, size)
        value = self.v_proj(u).view(*u.shape[:2], -1, size)
        if state is None:
            seen = packed_attention(query, key, value, context.segments)
        else:
            seen = attention(query, *state.append(key, value, context.past), context.mask)
        out: Tensor = self.o_proj(seen.flatten(2))
        return out

"""What a model remembers between calls while it generates: convolution inputs, states, keys and values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.model.config import HybridConfig


@dataclass
class MambaState:
    """Of one Mamba-2 layer: `conv` [B, W-1, C] inputs of the convolution, `ssm` float32 [B, H, P, N]."""

    conv: Tensor
    ssm: Tensor


@dataclass
class KeyValues:
    """Of one attention layer: `key` and `value` [B, capacity, Hk, D], of which `length` are in use."""

    key: Tensor
    value: Tensor

    def append(self, key: Tensor, value: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Write after `length` used places, growing by doubling; returns views of everything in use."""
        end = length + key.shape[1]
        if end > self.key.shape[1]:
            capacity = max(end, 2 * self.key.shape[1])
            self.key, self.value = _grown(self.key, length, capacity), _grown(self.value, length, capacity)
        self.key[:, length:end] = key
        self.value[:, length:end] = value
        return self.key[:, :end], self.value[:, :end]


def _grown(tensor: Tensor, length: int, capacity: int) -> Tensor:
    grown = tensor.new_empty(tensor.shape[0], capacity, *tensor.shape[2:])
    grown[:, :length] = tensor[:, :length]
    return grown


@dataclass
class HybridCache:
    """State of a batch of rows after `length` tokens each; `HybridModel.hidden` advances it in place.

    `segments` int32 [B, length] numbers the documents seen so far. Rows of different lengths are batched by
    padding on the left with another segment: with no positions in the model, that equals running them alone.
    """

    layers: list[MambaState | KeyValues | None]
    segments: Tensor
    length: int = 0
    one_document: bool = True
    """Whether every token so far belongs to one document in every row (then no mask is needed)."""

    @classmethod
    def empty(
        cls,
        config: HybridConfig,
        batch: int,
        capacity: int = 256,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> HybridCache:
        """A cache that has seen nothing; `capacity` tokens fit before the first growth."""
        layers: list[MambaState | KeyValues | None] = []
        for kind in config.hybrid_override_pattern:
            if kind == "M":
                conv = torch.zeros(
                    batch, config.conv_kernel - 1, config.conv_size, device=device, dtype=dtype
                )
                shape = (batch, config.mamba_num_heads, config.mamba_head_dim, config.ssm_state_size)
                layers.append(MambaState(conv, torch.zeros(shape, device=device, dtype=torch.float32)))
            elif kind == "*":
                shape = (batch, capacity, config.num_key_value_heads, config.head_dim)
                key = torch.empty(shape, device=device, dtype=dtype)
                layers.append(KeyValues(key, torch.empty_like(key)))
            else:
                layers.append(None)
        return cls(layers, torch.zeros(batch, 0, device=device, dtype=torch.int32))

    def begin(self, segments: Tensor | None, batch: int, length: int) -> tuple[Tensor, Tensor | None]:
        """Take in the segments of the next tokens (None: the last document goes on).

        Returns their numbers [B, length], and which rows start another document with the first of them
        (bool [B]; None when none does or nothing was seen before).
        """
        if segments is None:
            last = self.segments[:, -1:] if self.length else self.segments.new_zeros(batch, 1)
            new, changed = last.expand(-1, length), None
        else:
            new = segments.to(torch.int32)
            changed = new[:, 0] != self.segments[:, -1] if self.length else None
            if changed is not None and not bool(changed.any()):
                changed = None
            if changed is not None or bool((new != new[:, :1]).any()):
                self.one_document = False
        self.segments = torch.cat([self.segments, new], dim=1)
        return new, changed

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these (int64 [n]), in this order."""
        for layer in self.layers:
            if isinstance(layer, MambaState):
                layer.conv, layer.ssm = layer.conv[rows], layer.ssm[rows]
            elif isinstance(layer, KeyValues):
                layer.key, layer.value = layer.key[rows], layer.value[rows]
        self.segments = self.segments[rows]

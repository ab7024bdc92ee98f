"""From logits to the next token: temperature, top-k, top-p, and draws that belong to a row, not its batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gristmill.base.digest import derive_seed
from gristmill.base.errors import UserError


@dataclass(frozen=True)
class Sampling:
    """How to choose the next token."""

    temperature: float = 1.0
    """Logits are divided by it; 0 always takes the likeliest token."""
    top_k: int = 0
    """Keep only so many of the likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the likeliest tokens that together reach this probability (Holtzman et al., arXiv 1904.09751)."""
    seed: int = 0
    """Row i draws from a stream of its own, made from (seed, i)."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise UserError(f"temperature is {self.temperature}", mend="give 0 (greedy) or a positive number")
        if self.top_k < 0:
            raise UserError(f"top_k is {self.top_k}", mend="give 0 (all tokens) or a positive number")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p is {self.top_p}", mend="give a number above 0 and at most 1")


def row_generators(seed: int, rows: int) -> list[torch.Generator]:
    """One generator a row, on the CPU, so that a row's draws do not depend on device or batch."""
    return [torch.Generator().manual_seed(derive_seed("sampling", seed, row)) for row in range(rows)]


def kept_probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """[B, V] logits -> float32 probabilities to draw from, zero where top-k or top-p dropped the token.

    Top-k comes first, then top-p over what it left; a token joins the nucleus while the probability before it
    is below top_p, so at least one always stays. Equal logits at the edge are kept or dropped by token id.
    """
    probabilities = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    vocabulary = probabilities.shape[-1]
    if sampling.top_k in range(1, vocabulary):
        values, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        values[:, sampling.top_k :] = 0
        probabilities = torch.zeros_like(probabilities).scatter_(1, tokens, values)
        probabilities /= probabilities.sum(-1, keepdim=True)
    if sampling.top_p < 1:
        values, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        values[values.cumsum(-1) - values >= sampling.top_p] = 0
        probabilities = torch.zeros_like(probabilities).scatter_(1, tokens, values)
    return probabilities / probabilities.sum(-1, keepdim=True)


def draw(logits: Tensor, sampling: Sampling, generators: list[torch.Generator]) -> Tensor:
    """The next token of each row: [B, V] logits -> int64 [B]."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    cumulative = kept_probabilities(logits, sampling).double().cumsum(-1)
    uniform = torch.cat([torch.rand(1, 1, generator=each, dtype=torch.float64) for each in generators])
    # Scaled by the sum, for rounding must not leave a gap at the end that no token owns.
    targets = uniform.to(cumulative.device) * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, targets, right=True)[:, 0]
    return found.clamp(max=logits.shape[-1] - 1)

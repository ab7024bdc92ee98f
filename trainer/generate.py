"""Generation: prompts are read with the chunked scan, then one token a step from cached states."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gristmill.base.errors import UserError
from trainer.model.cache import HybridCache
from trainer.model.hybrid import HybridModel
from trainer.sampling import Sampling, draw, row_generators

PREFILL_TOKENS = 4096
"""Longest piece of a prompt that is read at once; memory for activations grows with it."""


@dataclass(frozen=True)
class Completion:
    """What followed one prompt."""

    tokens: list[int]
    """New tokens; a stop token, if one came, is the last."""
    ended_by: Literal["stop", "length"]
    """Whether a stop token or the limit ended it."""


def generate(
    model: HybridModel,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    sampling: Sampling = Sampling(temperature=0),
    stop: Collection[int] = (),
) -> list[Completion]:
    """Continue a batch of prompts of any lengths; each comes out as if it ran alone.

    Args:
        model: on any device; computes in its compute dtype.
        prompts: token ids, at least one a prompt (begin with BOS where the model was trained so).
        max_tokens: most new tokens a prompt gets.
        sampling: how tokens are chosen.
        stop: tokens that end a completion.

    Raises:
        UserError: an empty prompt, or a token outside the vocabulary.
    """
    written: list[list[int]] = [[] for _ in prompts]
    ended: list[Literal["stop", "length"]] = ["length" for _ in prompts]
    for row, token in stream(model, prompts, max_tokens, sampling, stop):
        written[row].append(token)
        if token in stop:
            ended[row] = "stop"
    return [Completion(tokens, end) for tokens, end in zip(written, ended, strict=True)]


@torch.inference_mode()
def stream(
    model: HybridModel,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    sampling: Sampling = Sampling(temperature=0),
    stop: Collection[int] = (),
) -> Iterator[tuple[int, int]]:
    """(prompt's number, new token) as they come, step by step; arguments as in `generate`."""
    _check(prompts, model.config.vocab_size)
    if not prompts or max_tokens < 1:
        return
    device = model.output_weight.device
    generators = row_generators(sampling.seed, len(prompts))
    stops = torch.tensor(sorted(stop), device=device, dtype=torch.int64)
    rows = list(range(len(prompts)))
    cache, logits = read_prompts(model, prompts, spare=max_tokens)
    for step in range(max_tokens):
        tokens = draw(logits, sampling, [generators[row] for row in rows])
        yield from zip(rows, tokens.tolist(), strict=True)
        going = (~torch.isin(tokens, stops)).nonzero()[:, 0]
        if step == max_tokens - 1 or not len(going):
            return
        if len(going) < len(rows):
            cache.keep(going)
            tokens, rows = tokens[going], [rows[place] for place in going.tolist()]
        logits = model(tokens[:, None], cache=cache)[:, -1]


@torch.no_grad()
def read_prompts(
    model: HybridModel, prompts: Sequence[Sequence[int]], spare: int = 0
) -> tuple[HybridCache, Tensor]:
    """The cache after all prompts, with room for `spare` more tokens, and the next token's logits [B, V].

    Shorter prompts are padded on the left with a document of its own, which nothing of the prompt can see.
    """
    longest = max(map(len, prompts))
    device = model.output_weight.device
    tokens = torch.zeros(len(prompts), longest, dtype=torch.int64)
    segments = torch.ones(len(prompts), longest, dtype=torch.int32)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt) :] = torch.tensor(prompt)
        segments[row, : longest - len(prompt)] = 0
    tokens, segments = tokens.to(device), segments.to(device)
    cache = model.new_cache(len(prompts), longest + spare)
    hidden = torch.empty(0)
    for start in range(0, longest, PREFILL_TOKENS):
        piece = slice(start, start + PREFILL_TOKENS)
        hidden = model.hidden(tokens[:, piece], segments[:, piece], cache)
    return cache, model.logits(hidden[:, -1])


def _check(prompts: Sequence[Sequence[int]], vocabulary: int) -> None:
    for number, prompt in enumerate(prompts):
        if not prompt:
            raise UserError(f"prompt {number} is empty", mend="give at least one token, such as BOS")
        outside = [token for token in prompt if not 0 <= token < vocabulary]
        if outside:
            raise UserError(f"prompt {number} has token {outside[0]}, outside the vocabulary of {vocabulary}")

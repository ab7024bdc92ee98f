"""Text in, text out: find a run's weights and its tokenizer, and go on from a prompt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from gristmill.base.errors import UserError
from trainer import checkpoint, tokens
from trainer.generate import generate
from trainer.hub import load_hub
from trainer.model.config import HybridConfig
from trainer.model.hybrid import HybridModel
from trainer.runtime import pick_device
from trainer.sampling import Sampling


@dataclass(frozen=True)
class Weights:
    """Where a model and its tokenizer lie.

    Attributes:
        model: a folder in the Hub's format, or a checkpoint.
        tokenizer: folder of `tokenizer.json`.
        is_checkpoint: whether `model` is a checkpoint of a run that is not finished.
    """

    model: Path
    tokenizer: Path
    is_checkpoint: bool = False


@dataclass(frozen=True)
class Completion:
    """A prompt and what a model wrote after it.

    Attributes:
        prompt_tokens, tokens: how many each has; a stop token is not counted.
        ended_by: "stop" when the model ended the document, "length" when the limit was reached.
        weights: what wrote it.
    """

    prompt: str
    completion: str
    prompt_tokens: int
    tokens: int
    ended_by: str
    seconds: float
    tokens_per_second: float
    weights: Path


def find_weights(folder: Path) -> Weights:
    """The weights of a run folder, or of a folder in the Hub's format.

    A run that is not finished gives its newest checkpoint. Errors: UserError when there are no weights.
    """
    if (folder / "config.json").is_file():
        return Weights(folder, folder)
    if (folder / "finished.json").is_file():
        return Weights(folder / "model", folder / "model")
    newest = checkpoint.newest(folder / "checkpoints")
    if newest is not None:
        return Weights(newest, folder / "tokenizer", is_checkpoint=True)
    raise UserError("no weights here yet", where=str(folder), mend="gristmill train writes them")


def load_model(weights: Weights, device: torch.device | str = "cpu") -> HybridModel:
    """The model with its weights, in float32. Errors: UserError when they are damaged."""
    if not weights.is_checkpoint:
        return load_hub(weights.model, device)
    try:
        record = checkpoint.check(weights.model)
    except ValueError as error:
        raise UserError(
            f"the checkpoint is damaged ({error})",
            where=str(weights.model),
            mend="gristmill train goes on from the one before",
        ) from None
    model = HybridModel(HybridConfig(**record.model), device="meta").to_empty(device=device)
    checkpoint.load(weights.model, {"model": model.state_dict()})
    return model


def complete(
    weights: Weights,
    prompt: str,
    *,
    max_tokens: int = 128,
    temperature: float = 0.8,
    top_p: float = 0.95,
    seed: int = 0,
) -> Completion:
    """Go on from a prompt, which the model reads as the beginning of a document.

    Args:
        weights: as `find_weights` returns them.
        prompt: the text.
        max_tokens: most tokens to write.
        temperature: 0 always takes the likeliest token.
        top_p: draw from the likeliest tokens that together hold this probability.
        seed: seed of the draws; the same seed gives the same text on the same machine.

    Errors: UserError for an empty prompt that the tokenizer has no beginning for, or a setting out of
    its range.
    """
    sampling = Sampling(temperature=temperature, top_p=top_p, seed=seed)
    codec = tokens.read(weights.tokenizer)
    ids = codec.encode(prompt)
    if not ids:
        raise UserError("the prompt is empty", mend="give the beginning of a text")
    model = load_model(weights, pick_device("auto"))
    stop = [] if codec.eos is None else [codec.eos]
    began = time.perf_counter()
    written = generate(model, [ids], max_tokens, sampling, stop)[0]
    seconds = time.perf_counter() - began
    new = [token for token in written.tokens if token not in stop]
    before, after = codec.decode(ids), codec.decode([*ids, *new])
    return Completion(
        prompt=prompt,
        # Decoded together: a character may be spread over the last token of the prompt and the first new one.
        completion=after[len(before) :] if after.startswith(before) else codec.decode(new),
        prompt_tokens=len(ids),
        tokens=len(new),
        ended_by=written.ended_by,
        seconds=round(seconds, 3),
        tokens_per_second=round(len(new) / seconds, 1) if seconds else 0.0,
        weights=weights.model,
    )

"""Encoder-only transformers: loading, tokens, and forward passes whose results do not depend on company.

Floating-point sums depend on the shapes of the matrices. So a text is computed in a matrix whose shape
depends on that text alone: on a CPU by itself (a matrix of one long text keeps a core busy, and several rows
would be summed otherwise at the edges of a library's tiles), on a GPU among `batch` rows (padded with copies
where texts run out) of the same padded length. A score is then the same in whatever batch a text comes, and a
store's bytes do not depend on how its documents were grouped.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gristmill.base.errors import UserError, missing_extra

EXTRA = "classifiers"
"""The extra that brings what transformers need."""
DType = Literal["float32", "bfloat16", "float16"]
Batch = Literal[8, 16, 32, 64, 128, 256]
GPU_BATCH: Batch = 64
"""Texts that a GPU computes together: a power of two, so that every tile of a matrix is full."""
GPU_MULTIPLE = 64
"""On a GPU lengths are padded to a multiple of so many tokens, so that few shapes occur."""
CHARACTERS_PER_TOKEN = 16
"""How much of a long text is tokenised at first; twice as much while tokens are missing."""
MARGIN_CHARACTERS = 512
"""A text that was cut may be tokenised otherwise near the cut: tokens that end there are not trusted."""

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """A transformer and how it is computed. Small: it is loaded where it is used, once a process."""

    path: Path
    head: bool
    """With its classification head (`AutoModelForSequenceClassification`), or as it gives embeddings."""
    max_tokens: int = 512
    dtype: DType = "float32"
    device: str = "auto"
    batch: Batch = GPU_BATCH
    """On a GPU."""
    threads: int = 1
    """Threads of a forward pass on a CPU: workers are processes."""

    def check(self) -> None:
        """Raises UserError where a package is missing."""
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                raise missing_extra(package, EXTRA, "a transformer classifier")

    @property
    def config(self) -> Any:
        """The model's configuration, without its weights."""
        self.check()
        return _config(self.path)

    def run(self, texts: Sequence[str], pooling: str | None = None) -> Scores:
        """Logits, or pooled embeddings: float32[texts, outputs].

        Args:
            texts: any strings.
            pooling: `mean` or `cls`, for embeddings.
        """
        import torch

        self.check()
        tokenizer, model, device = _load(self.path, self.head, self.dtype, self.device)
        tokens = [self._tokens(tokenizer, text) for text in texts]
        results: list[Scores | None] = [None] * len(texts)
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                for numbers, length in self._batches([len(item) for item in tokens], device.type):
                    ids, mask = _matrix(tokens, numbers, length, tokenizer.pad_token_id)
                    ids, mask = ids.to(device), mask.to(device)
                    found = model(input_ids=ids, attention_mask=mask)
                    rows = found.logits if self.head else _pool(found.last_hidden_state, mask, pooling)
                    values = rows.float().cpu().numpy()
                    for row, number in enumerate(dict.fromkeys(numbers)):
                        results[number] = values[row]
        finally:
            torch.set_num_threads(before)
        return (
            np.stack([row for row in results if row is not None]) if texts else np.zeros((0, 0), np.float32)
        )

    def _tokens(self, tokenizer: Any, text: str) -> list[int]:
        """A text's ids with the special ones, cut to `max_tokens`, without reading all of a long text."""
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        size = self.max_tokens * CHARACTERS_PER_TOKEN
        while True:
            found = tokenizer(
                text[:size], truncation=True, max_length=self.max_tokens, return_offsets_mapping=True
            )
            last = max((end for _, end in found["offset_mapping"]), default=0)
            enough = len(found["input_ids"]) >= self.max_tokens and last <= size - MARGIN_CHARACTERS
            if size >= len(text) or enough:
                return list(found["input_ids"])
            size *= 2

    def _batches(self, lengths: Sequence[int], device: str) -> Iterator[tuple[list[int], int]]:
        """Which texts are computed together, and the length of their rows; numbers repeat to fill a batch."""
        rows = self.batch
        if device == "cpu":
            yield from (([number], length) for number, length in enumerate(lengths))
            return
        groups: dict[int, list[int]] = {}
        for number, length in enumerate(lengths):
            padded = min(-(-length // GPU_MULTIPLE) * GPU_MULTIPLE, self.max_tokens)
            groups.setdefault(padded, []).append(number)
        for length, members in sorted(groups.items()):
            for start in range(0, len(members), rows):
                chosen = members[start : start + rows]
                yield chosen + [chosen[-1]] * (rows - len(chosen)), length


def _matrix(
    tokens: Sequence[Sequence[int]], numbers: Sequence[int], length: int, pad: int
) -> tuple[Any, Any]:
    import torch

    ids = torch.full((len(numbers), length), pad, dtype=torch.long)
    mask = torch.zeros((len(numbers), length), dtype=torch.long)
    for row, number in enumerate(numbers):
        size = len(tokens[number])
        ids[row, :size] = torch.tensor(tokens[number], dtype=torch.long)
        mask[row, :size] = 1
    return ids, mask


def _pool(hidden: Any, mask: Any, pooling: str | None) -> Any:
    """One vector a text: the first token's, or the mean over its tokens."""
    hidden = hidden.float()
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask.unsqueeze(-1).float()
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)


@functools.lru_cache(maxsize=16)
def _config(path: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cannot read the model's configuration: {_first(error)}", where=str(path)) from None


@functools.lru_cache(maxsize=8)
def _load(path: Path, head: bool, dtype: str, device: str) -> tuple[Any, Any, Any]:
    """Tokenizer, model and device: one copy a process, however many classifiers share them."""
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    kind = AutoModelForSequenceClassification if head else AutoModel
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model, info = kind.from_pretrained(
            path, dtype=getattr(torch, dtype), use_safetensors=True, output_loading_info=True
        )
        model = model.to(where).eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"cannot load the classifier: {_first(error)}", where=str(path)) from None
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    missing = sorted(name for name in info["missing_keys"] if head or "pooler" not in name)
    if missing:
        # transformers would fill them with random numbers.
        raise UserError(
            f"the model has no weights for {missing[0]}",
            where=str(path),
            mend="it is an encoder without a head: train one (`gristmill classifier train`)"
            if head
            else None,
        )
    if not tokenizer.is_fast:
        raise UserError("the tokenizer has no fast form", where=str(path), mend="save a tokenizer.json")
    if tokenizer.pad_token_id is None:
        raise UserError("the tokenizer has no padding token", where=str(path))
    return tokenizer, model, where


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

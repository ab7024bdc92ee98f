"""Training a classifier: labelled texts in, a folder out, the same bytes for the same examples."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from filters.annotators.fasttext_file import PREFIX, labels
from filters.quality.encoder import EXTRA, Encoder
from filters.quality.folder import (
    HEAD,
    MODEL,
    Description,
    EncoderDescription,
    describe_encoder,
)
from filters.quality.preparation import line
from gristmill.base.digest import derive_seed, stable_id
from gristmill.base.errors import UserError, missing_extra


@dataclass(frozen=True)
class Example:
    """A labelled text."""

    id: str
    """A hash of the text."""
    text: str
    label: str
    group: str
    """Examples of one group are never on both sides of a split."""
    set: int = 0
    """Which of the manifest's sets it comes from."""


def held_out(examples: Sequence[Example], fraction: float, seed: int) -> np.ndarray:
    """Which examples are held out, by a hash of their groups: bool[examples]."""
    return np.array([_place(example, seed) < fraction for example in examples], np.bool_)


def folds(examples: Sequence[Example], count: int, seed: int) -> np.ndarray:
    """In which of `count` folds each example lies: int64[examples]."""
    return np.array([int(_place(example, seed) * count) for example in examples], np.int64)


def _place(example: Example, seed: int) -> float:
    """Where a group lies between 0 and 1."""
    return int(stable_id("held out", seed, example.group)[:13], 16) / 16**13


def in_order(examples: Sequence[Example], seed: int) -> list[Example]:
    """Examples in an order that is random but does not depend on how they came."""
    return sorted(examples, key=lambda example: (stable_id("order", seed, example.id), example.label))


def train_fasttext(
    examples: Sequence[Example],
    folder: Path,
    settings: Mapping[str, Any],
    *,
    seed: int,
    positive: str | None,
    values: Mapping[str, float] | None,
) -> Description:
    """Train a supervised fastText model into a folder.

    Args:
        examples: in the order in which they are seen.
        folder: an empty folder.
        settings: the fields of `FastTextModel`.
        seed: of the first weights.
        positive, values: see `Description`.
    """
    import fasttext

    cut, preparation = settings["max_characters"], settings["preparation"]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        for example in examples:
            # A text may not bring labels of its own.
            text = line(example.text[:cut], preparation).replace(PREFIX, " ")
            file.write(f"{PREFIX}{example.label} {text}")
        file.flush()
        model = fasttext.train_supervised(
            file.name,
            dim=settings["dim"],
            epoch=settings["epochs"],
            lr=settings["lr"],
            wordNgrams=settings["word_ngrams"],
            minCount=settings["min_count"],
            bucket=settings["buckets"],
            minn=settings["minn"],
            maxn=settings["maxn"],
            loss="softmax",
            thread=1,
            seed=derive_seed("fasttext", seed) % 2**31,
            verbose=0,
        )
    model.save_model(str(folder / MODEL))
    return Description(
        kind="fasttext",
        labels=tuple(labels(folder / MODEL)),
        positive=positive,
        values=values,
        preparation=preparation,
        max_characters=cut,
    )


def encoder_of(settings: Mapping[str, Any]) -> tuple[Encoder, EncoderDescription]:
    """The encoder of the fields of `HeadModel`."""
    path, about = describe_encoder(
        settings["encoder"],
        pooling=settings["pooling"],
        normalise=settings["normalise"],
        prefix=settings["prefix"],
        max_tokens=settings["max_tokens"],
    )
    return Encoder(path, False, about.max_tokens, device=settings["device"]), about


def train_head(
    examples: Sequence[Example],
    vectors: np.ndarray,
    folder: Path,
    settings: Mapping[str, Any],
    *,
    about: EncoderDescription,
    positive: str | None,
    values: Mapping[str, float] | None,
) -> Description:
    """Train a linear head on embeddings into a folder.

    Args:
        examples, vectors: as many of each: float64[examples, width].
        folder: an empty folder.
        settings: the fields of `HeadModel`.
        about: what made the embeddings.
        positive, values: see `Description`.
    """
    try:
        from safetensors.numpy import save_file
    except ImportError:
        raise missing_extra("safetensors", EXTRA, "a classifier with a linear head") from None
    names: list[str] = []
    if settings["target"] == "number":
        weight, bias = ridge(vectors, numbers(examples), settings["penalty"])
    else:
        names = sorted({example.label for example in examples})
        truth = np.array([names.index(example.label) for example in examples])
        weight, bias = logistic(vectors, truth, len(names), settings["penalty"])
    arrays = {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
    save_file(arrays, folder / HEAD)
    classes = bool(names)
    return Description(
        kind="head",
        labels=tuple(names),
        positive=positive if classes else None,
        values=values if classes else None,
        encoder=about,
    )


def numbers(examples: Sequence[Example]) -> np.ndarray:
    """Labels as numbers. Raises UserError for one that is none."""
    try:
        return np.array([float(example.label) for example in examples])
    except ValueError as error:
        raise UserError(f"a label is no number: {error}", where="model.target: number") from None


def ridge(vectors: np.ndarray, truth: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with a penalty, the intercept free: weight float64[1, width], bias float64[1]."""
    center, mean = vectors.mean(axis=0), truth.mean()
    shifted = vectors - center
    gram = shifted.T @ shifted + penalty * np.eye(vectors.shape[1])
    weight = np.linalg.solve(gram, shifted.T @ (truth - mean))
    return weight[None, :], np.array([mean - center @ weight])


def logistic(
    vectors: np.ndarray, truth: np.ndarray, classes: int, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression with a penalty, intercepts free: weight float64[classes, width], bias
    float64[classes].

    Minimises the sum of cross-entropies plus `penalty / 2 · |weight|²` by L-BFGS in double precision.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data, target = torch.from_numpy(vectors), torch.from_numpy(truth)
        weight = torch.zeros((classes, vectors.shape[1]), dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS(
            [weight, bias],
            max_iter=1000,
            tolerance_grad=1e-8,
            tolerance_change=1e-12,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def loss() -> torch.Tensor:
            solver.zero_grad()
            logits = data @ weight.T + bias
            total = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
            total = total + penalty / 2 * (weight**2).sum()
            total.backward()  # type: ignore[no-untyped-call]
            return total

        solver.step(loss)  # type: ignore[no-untyped-call]
        return weight.detach().numpy().copy(), bias.detach().numpy().copy()
    finally:
        torch.set_num_threads(before)

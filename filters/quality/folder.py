"""The folder of a classifier that this project trained: `classifier.json` beside the weights.

    classifier.json      what it is: kind, labels, how a text is read, where the encoder comes from
    model.bin            kind `fasttext`
    head.safetensors     kind `head`: `weight` float32[labels, width], `bias` float32[labels]
    encoder/             kind `head`, where the encoder was copied
    card.json, README.md data, settings and measures of the training (`filters.quality.card`)

A head is a linear layer over a frozen sentence embedding: logits = weight · embedding + bias. One label is a
regression (or, with `sigmoid`, a probability), several are classes (softmax).
"""

from __future__ import annotations

import functools
import importlib.util
import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from filters.base import TextView
from filters.quality.encoder import EXTRA, GPU_BATCH, Batch, Encoder, Scores
from filters.quality.fasttext_model import FastTextScorer
from filters.quality.files import file_digest, folder_digest, transformer_folder
from filters.quality.outputs import label_weights
from filters.quality.transformer_model import softmax
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError, missing_extra

FORMAT, VERSION = "gristmill classifier", 1
DESCRIPTION, MODEL, HEAD, ENCODER = "classifier.json", "model.bin", "head.safetensors", "encoder"


@dataclass(frozen=True)
class EncoderDescription:
    """Which encoder a head belongs to, and how its embeddings are made."""

    source: str
    """Its address on the Hub, or its folder's name."""
    digest: str
    """SHA-256 over its files (`files.folder_digest`): a head on another encoder says nothing."""
    pooling: str
    """`mean` over the tokens, or `cls`: the first one."""
    normalise: bool
    """Whether embeddings are brought to length 1."""
    prefix: str = ""
    """Put before every text (`query: ` for E5)."""
    max_tokens: int = 512
    dtype: str = "float32"


@dataclass(frozen=True)
class Description:
    """The contents of `classifier.json`."""

    kind: str
    """`fasttext` or `head`."""
    labels: tuple[str, ...]
    """In the order of the outputs; empty for a regression."""
    positive: str | None = None
    """Whose probability is the score, for classes without values."""
    values: Mapping[str, float] | None = None
    """What each label is worth, for a score that is an expectation."""
    preparation: str = "spaces"
    """Of a text for fastText."""
    max_characters: int | None = None
    encoder: EncoderDescription | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write `classifier.json`: from here on the folder is a classifier."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        atomic_write(folder / DESCRIPTION, json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_description(folder: Path) -> Description:
    """The description of a classifier's folder. Raises UserError where it is none, or of another version."""
    where = str(folder)
    try:
        content = json.loads((folder / DESCRIPTION).read_bytes())
        if content.pop("format") != FORMAT:
            raise UserError("not a classifier of this program", where=where)
        version = content.pop("version")
        if version != VERSION:
            raise UserError(f"classifier of version {version}, this program reads {VERSION}", where=where)
        encoder = content.pop("encoder")
        return Description(
            **{**content, "labels": tuple(content["labels"])},
            encoder=EncoderDescription(**encoder) if encoder is not None else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot read {DESCRIPTION}: {error}", where=where) from None


def folder_scorer(
    folder: Path, encoder: str | Path | None = None, device: str = "auto", batch: Batch = GPU_BATCH
) -> FastTextScorer | HeadScorer:
    """The scorer of a classifier's folder.

    Args:
        folder: where `classifier.json` lies.
        encoder: where a head's encoder lies, if it was not copied into the folder and is not on the Hub.
        device, batch: see `Encoder`.

    Raises UserError for a folder that is not whole, and for an encoder that is not the head's.
    """
    about = read_description(folder)
    if about.kind == "fasttext":
        return FastTextScorer(
            folder / MODEL,
            about.positive,
            about.values,
            preparation=about.preparation,
            max_characters=about.max_characters,
        )
    if about.encoder is None:
        raise UserError(f"{DESCRIPTION} names no encoder", where=str(folder))
    place = encoder or (folder / ENCODER if (folder / ENCODER).is_dir() else None)
    if place is None and about.encoder.source.startswith("hf://"):
        place = about.encoder.source
    if place is None:
        raise UserError(
            f"the encoder '{about.encoder.source}' is not in the folder",
            where=str(folder),
            mend="say where it lies: `encoder: …`",
        )
    path = transformer_folder(place)
    if folder_digest(path) != about.encoder.digest:
        raise UserError(
            f"not the encoder that the head was trained on ('{about.encoder.source}')", where=str(path)
        )
    if importlib.util.find_spec("safetensors") is None:
        raise missing_extra("safetensors", EXTRA, "a classifier with a linear head")
    run = Encoder(path, False, about.encoder.max_tokens, about.encoder.dtype, device, batch)  # type: ignore[arg-type]
    return HeadScorer(folder, about, run)


@dataclass(frozen=True)
class HeadScorer:
    """A linear head on a frozen encoder. Heads on the same encoder share its copy and a text's embedding."""

    folder: Path
    about: Description
    encoder: Encoder

    @property
    def digest(self) -> str:
        """SHA-256 over the head's and the encoder's files."""
        assert self.about.encoder is not None
        return digest_json([file_digest(self.folder / HEAD), self.about.encoder.digest])

    def settings(self) -> dict[str, object]:
        """What else the scores depend on."""
        return asdict(self.about)

    def check(self) -> None:
        """Raises UserError where a package is missing or the head does not fit."""
        self.encoder.check()
        self._weights()

    def score(self, views: Sequence[TextView]) -> list[float | None]:
        """A score for each text; None for a blank one."""
        weight, bias = _head(self.folder / HEAD)
        worth = self._weights()
        assert self.about.encoder is not None
        filled = [number for number, view in enumerate(views) if view.text and not view.text.isspace()]
        scores: list[float | None] = [None] * len(views)
        found = embed([views[number] for number in filled], self.encoder, self.about.encoder)
        for number, row in zip(filled, found, strict=True):
            # By itself: a product over all rows would sum in an order that depends on their number.
            logits = (weight * row.astype(np.float64)).sum(axis=1) + bias
            scores[number] = float(logits[0]) if worth is None else float(softmax(logits) @ worth)
        return scores

    def _weights(self) -> np.ndarray | None:
        labels = list(self.about.labels)
        if not labels:
            return None
        return np.array(label_weights(labels, self.about.positive, self.about.values, str(self.folder)))


_EMBEDDINGS: weakref.WeakKeyDictionary[TextView, dict[str, Scores]] = weakref.WeakKeyDictionary()


def embed(views: Sequence[TextView], encoder: Encoder, about: EncoderDescription) -> list[Scores]:
    """Embeddings of texts, float32[width] each, computed once for a text however many heads ask for them."""
    key = digest_json(asdict(about))
    lacking = [view for view in views if key not in _EMBEDDINGS.get(view, {})]
    rows = encoder.run([about.prefix + view.text for view in lacking], about.pooling)
    for view, row in zip(lacking, rows, strict=True):
        length = float(np.sqrt((row.astype(np.float64) ** 2).sum())) if about.normalise else 1.0
        _EMBEDDINGS.setdefault(view, {})[key] = (row / max(length, 1e-12)).astype(np.float32)
    return [_EMBEDDINGS[view][key] for view in views]


@functools.lru_cache(maxsize=64)
def _head(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Weight float64[labels, width] and bias float64[labels]."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        return found["weight"].astype(np.float64), found["bias"].astype(np.float64)
    except (OSError, KeyError, SafetensorError) as error:
        raise UserError(f"cannot read the head: {error}", where=str(path)) from None


def describe_encoder(
    source: str | Path,
    *,
    pooling: str | None = None,
    normalise: bool | None = None,
    prefix: str = "",
    max_tokens: int | None = None,
) -> tuple[Path, EncoderDescription]:
    """The folder and description of a sentence encoder.

    Pooling and normalisation are those of its `modules.json` (sentence-transformers) unless they are given;
    without either, the mean and length 1.

    Raises UserError for an encoder with other modules than pooling and normalisation.
    """
    path = transformer_folder(source)
    found_pooling, found_normalise = _modules(path)
    limit = int(getattr(Encoder(path, False).config, "max_position_embeddings", 512))
    about = EncoderDescription(
        source=str(source) if str(source).startswith("hf://") else path.name,
        digest=folder_digest(path),
        pooling=pooling or found_pooling or "mean",
        normalise=found_normalise if normalise is None else normalise,
        prefix=prefix,
        max_tokens=max_tokens or min(512, limit),
    )
    return path, about


def _modules(path: Path) -> tuple[str | None, bool]:
    """Pooling and normalisation as sentence-transformers describes them."""
    if not (path / "modules.json").is_file():
        return None, True
    pooling, normalise = None, False
    for module in json.loads((path / "modules.json").read_bytes()):
        kind = str(module["type"]).rpartition(".")[2]
        if kind == "Pooling":
            settings = json.loads((path / module["path"] / "config.json").read_bytes())
            pooling = "cls" if settings.get("pooling_mode_cls_token") else "mean"
            other = [k for k, v in settings.items() if k.startswith("pooling_mode_") and v is True]
            if other not in (["pooling_mode_cls_token"], ["pooling_mode_mean_tokens"]):
                raise UserError(f"unknown pooling: {', '.join(other) or 'none'}", where=str(path))
        elif kind == "Normalize":
            normalise = True
        elif kind != "Transformer":
            raise UserError(f"an encoder with a module '{kind}'", where=str(path))
    return pooling, normalise

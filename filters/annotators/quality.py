"""Quality classifiers, each a column: fastText models, published transformers, and heads trained here."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import pyarrow as pa
from pydantic import Field

from filters.annotators.per_text import Positive
from filters.base import TextView
from filters.hub import SCHEME, model_file
from filters.quality.encoder import GPU_BATCH, Batch, DType, Encoder
from filters.quality.fasttext_model import FastTextScorer, Rule
from filters.quality.files import transformer_folder
from filters.quality.folder import DESCRIPTION, folder_scorer
from filters.quality.preparation import Preparation
from filters.quality.published import PUBLISHED
from filters.quality.transformer_model import TransformerScorer
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError, did_you_mean

Range = Annotated[tuple[float, float], Field(description="least, greatest")]
RESERVED = ("bucket", "tier")
"""Columns of the ensemble."""


class Scorer(Protocol):
    """A model that gives a text a score."""

    @property
    def digest(self) -> str: ...

    def settings(self) -> dict[str, object]: ...

    def check(self) -> None: ...

    def score(self, views: Sequence[TextView]) -> list[float | None]: ...


class Quality:
    """The score of one classifier: `quality.score`, or `quality.<label>` with `as: <label>`.

    Null for a blank text. With `integer`, `quality.<label>_int` is the rounded score. The version is "1-" and
    the beginning of a digest of the model's files: another model is another column.

    Args:
        model: a fastText file; the folder of a transformer with a classification head; a folder that
            `gristmill classifier train` wrote; or one of these on the Hub, at a pinned commit
            (`hf://org/name@commit`, with `/file` for fastText).
        published: take the settings of a known classifier (`filters.quality.published`); those that are given
            here go before them.
        label: whose probability is the score.
        values: what each label is worth; the score is the expectation. Labels that are numbers need none.
        rule: of fastText models of two labels: `top` reads the most probable label alone, as DCLM does.
        preparation: how a text becomes fastText's line (`filters.quality.preparation`).
        max_characters: fastText reads so much of a text's beginning; all of it by default.
        max_tokens: a transformer reads so many tokens.
        center_characters: a transformer reads so many characters on either side of the middle.
        clip: the score's least and greatest value.
        integer: write the rounded score too.
        dtype: a transformer's numbers.
        device: `cpu`, `cuda`, or `auto`.
        batch: texts that a GPU computes together.
        encoder: where a head's encoder lies.
    """

    name = "quality"
    columns: Mapping[str, pa.DataType] = {"quality.score": pa.float64()}
    places = frozenset(
        {
            *("model", "published", "label", "values", "rule", "preparation", "max_characters"),
            *("max_tokens", "center_characters", "clip", "integer", "dtype", "device", "batch", "encoder"),
        }
    )
    """All options: what they mean, with the published settings, is in `identity`."""

    def __init__(
        self,
        model: str | Path,
        *,
        published: str | None = None,
        label: str | None = None,
        values: dict[str, float] | None = None,
        rule: Rule | None = None,
        preparation: Preparation | None = None,
        max_characters: Positive | None = None,
        max_tokens: Annotated[int, Field(ge=8)] | None = None,
        center_characters: Positive | None = None,
        clip: Range | None = None,
        integer: bool = False,
        dtype: DType | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        batch: Batch = GPU_BATCH,
        encoder: str | Path | None = None,
    ) -> None:
        given = {
            "label": label,
            "values": values,
            "rule": rule,
            "preparation": preparation,
            "max_characters": max_characters,
            "max_tokens": max_tokens,
            "center_characters": center_characters,
            "clip": clip,
            "dtype": dtype,
        }
        settings = _published(published) | {name: value for name, value in given.items() if value is not None}
        self.clip: tuple[float, float] | None = settings.pop("clip", None)
        if self.clip is not None and self.clip[0] >= self.clip[1]:
            raise UserError("option 'clip' of annotator 'quality': the least value comes first")
        self.integer = integer
        self.scorer: Scorer = _scorer(str(model), settings, device, batch, encoder)
        self.scorer.check()
        digest = self.scorer.digest
        self.version = f"1-{digest[:8]}"
        self.identity = digest_json([digest, self.scorer.settings(), self.clip, integer])
        self._name("score")

    def named(self, label: str) -> Quality:
        """The annotator with the columns `quality.<label>` and the folder `quality.<label>`."""
        if label in RESERVED or label.startswith(tuple(f"{name}_" for name in RESERVED)):
            raise UserError(f"'quality.{label}' is a column of the ensemble", mend="another name: `as: …`")
        other = copy.copy(self)
        other.name = f"quality.{label}"
        other._name(label)
        return other

    def _name(self, label: str) -> None:
        self.column = f"quality.{label}"
        self.columns = {self.column: pa.float64()}
        if self.integer:
            self.columns = {**self.columns, f"{self.column}_int": pa.int64()}

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        scores = self.scorer.score(views) if views else []
        if self.clip is not None:
            least, greatest = self.clip
            scores = [None if score is None else min(greatest, max(least, score)) for score in scores]
        arrays = {self.column: pa.array(scores, pa.float64())}
        if self.integer:
            whole = [None if score is None else round(score) for score in scores]
            arrays[f"{self.column}_int"] = pa.array(whole, pa.int64())
        return arrays


def _published(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in PUBLISHED:
        raise UserError(f"no published classifier '{name}' is known", mend=did_you_mean(name, PUBLISHED))
    return dict(PUBLISHED[name].settings)


def _scorer(
    model: str, settings: dict[str, Any], device: str, batch: Batch, encoder: str | Path | None
) -> Scorer:
    """The scorer of a model, by what the model is."""
    file_on_hub = model.startswith(SCHEME) and model.count("/") > SCHEME.count("/") + 1
    if file_on_hub or Path(model).is_file():
        _only(model, settings, ("label", "values", "rule", "preparation", "max_characters"), "fastText model")
        return FastTextScorer(model_file(model, "classifier"), **settings)
    if (Path(model) / DESCRIPTION).is_file():
        _only(model, settings, (), "classifier that says all this itself")
        return folder_scorer(Path(model), encoder, device, batch)
    if not model.startswith(SCHEME) and not Path(model).is_dir():
        raise UserError(
            "no such file or folder", where=model, mend="a model of the Hub is hf://org/name@commit"
        )
    _only(model, settings, ("label", "values", "max_tokens", "center_characters", "dtype"), "transformer")
    crop = settings.get("center_characters")
    kind: DType = settings.get("dtype") or "float32"
    run = Encoder(transformer_folder(model), True, settings.get("max_tokens") or 512, kind, device, batch)
    return TransformerScorer(run, settings.get("label"), settings.get("values"), crop)


def _only(model: str, settings: Mapping[str, Any], known: Sequence[str], kind: str) -> None:
    for name in settings:
        if name not in known:
            raise UserError(f"option '{name}' means nothing to a {kind}", where=model)

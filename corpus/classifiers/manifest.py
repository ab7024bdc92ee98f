"""The classifier manifest: labelled examples, what is trained on them, and how it is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from corpus.manifest import Source
from gristmill.base.manifest import Manifest, Model


class Examples(Model):
    """Where labelled texts come from: a store or a source, with a label for each text or one for all."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    store: str | None = None
    """Folder of a document store."""
    source: Source | None = None
    """Files, tables or a data set, described as in a corpus manifest."""
    label: str | None = None
    """Where the label is: a column of the store (`quality.edu_int`) or a field of its metadata
    (`metadata.grade`); a field of the source's rows. Texts without one are left out."""
    fixed: str | None = Field(default=None, alias="is")
    """One label for all of these texts."""
    names: dict[str, str] = {}
    """Labels by another name (`{"1": good, "0": bad}`); those that are not listed stay."""
    policy: str | None = None
    """Of a store: only documents that this policy keeps."""
    where: str | None = None
    """Of a store: SQL condition over its columns."""
    limit: int | None = Field(default=None, ge=1)
    """So many at most, chosen by a hash of their ids."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Examples:
        if (self.store is None) == (self.source is None):
            raise ValueError("give `store` or `source`")
        if (self.label is None) == (self.fixed is None):
            raise ValueError("give `label` (where it is) or `is` (the same for all)")
        if self.source is not None and (self.policy is not None or self.where is not None):
            raise ValueError("`policy` and `where` select from a store")
        return self


class FastTextModel(Model):
    """A supervised fastText model. It is trained on one thread: the same examples give the same bytes."""

    type: Literal["fasttext"]
    preparation: Literal["spaces", "dclm", "curator", "newlines", "words"] = "spaces"
    """How a text becomes one line, then and later."""
    max_characters: int | None = Field(default=None, ge=1)
    """Read so much of a text's beginning."""
    dim: int = Field(default=100, ge=1)
    """Size of the vectors."""
    epochs: int = Field(default=5, ge=1)
    """Passes over the examples."""
    lr: float = Field(default=0.1, gt=0)
    """Learning rate."""
    word_ngrams: int = Field(default=2, ge=1)
    """Longest run of words that has a vector."""
    min_count: int = Field(default=1, ge=1)
    """Rarer words have none."""
    buckets: int = Field(default=200_000, ge=1)
    """Vectors that runs of words share; 4 · `dim` bytes each."""
    minn: int = Field(default=0, ge=0)
    """Shortest piece of a word that has a vector; 0 for none."""
    maxn: int = Field(default=0, ge=0)
    """Longest piece."""


class HeadModel(Model):
    """A linear head on a frozen sentence encoder (extra `classifiers`)."""

    type: Literal["head"]
    encoder: str
    """Folder of the encoder, or `hf://org/name@commit`."""
    copy_encoder: bool = False
    """Keep a copy of the encoder beside the head."""
    pooling: Literal["mean", "cls"] | None = None
    """How an embedding is made; what the encoder says by default."""
    normalise: bool | None = None
    """Bring embeddings to length 1; what the encoder says by default."""
    prefix: str = ""
    """Put before every text."""
    max_tokens: int | None = Field(default=None, ge=8)
    """Read so many tokens."""
    target: Literal["classes", "number"] = "classes"
    """Logistic regression over the labels, or ridge regression to labels that are numbers."""
    penalty: float = Field(default=1.0, gt=0)
    """Weight of the squared coefficients, as in `sum of losses + penalty / 2 · |w|²`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where embeddings are computed."""


class HeldOut(Model):
    """Which examples measure the classifier."""

    by: Literal["text", "domain"] = "text"
    """What must not be on both sides: the same text, or the same registrable domain."""
    fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share that is held out."""
    folds: int | None = Field(default=None, ge=2)
    """With it, every example is judged by a model that has not seen it, in so many rounds, and the final
    model is trained on all."""


class ClassifierManifest(Manifest):
    """What `gristmill classifier train` makes: a classifier's folder."""

    kind: Literal["classifier"]
    output: str
    """Folder of the classifier."""
    examples: tuple[Examples, ...] = Field(min_length=1)
    """Labelled texts."""
    positive: str | None = None
    """The label whose probability is the score; not needed where labels are numbers."""
    values: dict[str, float] | None = None
    """What each label is worth, for a score that is an expectation."""
    model: Annotated[FastTextModel | HeadModel, Field(discriminator="type")]
    """What is trained."""
    held_out: HeldOut = HeldOut()
    """What it is measured on."""
    seed: int = Field(default=0, ge=0)
    """Of the split, the order of the examples and the training."""

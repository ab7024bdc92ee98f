"""The mixture manifest: which sources, how much of each in which phase, cut how, for which tokenizer.

A manifest is intent. `plan` turns it into exact integers, `tokenize` into token stores, `lock` into a file
that fixes both.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gristmill.base.errors import did_you_mean
from gristmill.base.manifest import Manifest, Model
from mixtures.amounts import Amount

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

HUB = re.compile(r"hf://(?P<repo>[^/@\s]+/[^/@\s]+)@(?P<revision>[^@\s]+)")


class _Ends(Model):
    """What marks the beginning and the end of a document."""

    bos: str | None = None
    """The begin-of-document token, a token of the vocabulary; null when there is none."""
    eos: str | None = None
    """The end-of-document token; null when there is none."""
    add_bos: bool = False
    """Put the begin-of-document token before every document."""
    add_eos: bool = True
    """Put the end-of-document token after every document."""

    @model_validator(mode="after")
    def _named(self) -> _Ends:
        for end in ("bos", "eos"):
            if getattr(self, f"add_{end}") and getattr(self, end) is None:
                raise ValueError(f"add_{end} needs the token: set '{end}' (or add_{end}: false)")
        return self


class TrainedTokenizer(_Ends):
    """A byte-level BPE tokenizer trained on the mixture's own documents."""

    type: Literal["train"]
    vocab_size: int = Field(ge=257, le=1 << 24)
    """Size of the vocabulary: 256 bytes, the special tokens, and merges for the rest."""
    special_tokens: tuple[str, ...] = ("<pad>", "<s>", "</s>")
    """Tokens that text never produces, in the order of their ids from 0. `bos` and `eos` must be among them.
    """
    bos: str | None = "<s>"
    eos: str | None = "</s>"
    sources: tuple[str, ...] | None = None
    """Sources to learn from; all of the mixture's when left out."""
    limit_bytes: Amount = 1_000_000_000
    """Learn from at most this much text (UTF-8 bytes), spread evenly over the sources and their parts."""

    @model_validator(mode="after")
    def _special(self) -> TrainedTokenizer:
        for end in (self.bos, self.eos):
            if end is not None and end not in self.special_tokens:
                raise ValueError(f"'{end}' is not among special_tokens {list(self.special_tokens)}")
        if len(set(self.special_tokens)) < len(self.special_tokens):
            raise ValueError("special_tokens names a token twice")
        if self.vocab_size < 256 + len(self.special_tokens):
            raise ValueError(f"vocab_size must be at least {256 + len(self.special_tokens)}")
        return self


class FileTokenizer(_Ends):
    """Any tokenizer in the format of the library `tokenizers` (`tokenizer.json`)."""

    type: Literal["file"]
    path: str
    """The file."""


class Selection(Model):
    """Which rows of an address are meant."""

    config: str | tuple[str, ...] | None = None
    """Config (subset) of a Hub repository, or several."""
    split: str | None = None
    """Split of a Hub repository."""
    policy: str | None = None
    """A decision policy of a document store: only documents that it keeps. Without one, all documents."""
    where: str | None = None
    """An SQL condition (DuckDB) over a document store's columns: documents, annotations, decisions."""


class Format(Model):
    """How a Hub repository spells a document; a document store needs none of this."""

    text: str = "text"
    """Column of the text."""
    id: str = "id"
    """Column of the id."""


class Provenance(Model):
    """Where a source comes from."""

    teacher: str | None = None
    """The model that wrote it, if a model did."""
    prompt: str | None = None
    """Name or digest of the prompt that it was written with."""
    parents: tuple[str, ...] = ()
    """What it was made from: source ids or addresses."""
    note: str | None = None
    """Whatever else a reader should know: where the figures come from, known gaps."""


class FillInTheMiddle(Model):
    """Cut documents in three and put the middle last, with sentinels between (arXiv 2207.14255)."""

    rate: float = Field(default=0.5, gt=0, le=1)
    """Share of the documents that are rearranged; the paper recommends 0.5 to 0.9."""
    spm_rate: float = Field(default=0.5, ge=0, le=1)
    """Share of suffix-prefix-middle among them; the others are prefix-suffix-middle."""
    level: Literal["character", "token"] = "character"
    """Cut the text anywhere, also within a token (the paper's choice), or between tokens."""
    prefix: str = "<fim_prefix>"
    """The sentinels: tokens of the vocabulary. These are StarCoder's (arXiv 2305.06161)."""
    middle: str = "<fim_middle>"
    suffix: str = "<fim_suffix>"
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """Other cuts."""

    @model_validator(mode="after")
    def _three(self) -> FillInTheMiddle:
        if len({self.prefix, self.middle, self.suffix}) < 3:
            raise ValueError("prefix, middle and suffix need three different tokens")
        return self


class Source(Model):
    """One immutable slice of data."""

    address: str
    """Folder of a document store, or `hf://org/repo@revision`."""
    digest: Digest | None = None
    """The document store must have this digest (64 hex digits); a store that changed is refused."""
    select: Selection = Selection()
    format: Format = Format()
    fim: FillInTheMiddle | None = None
    """Fill in the middle, when documents are tokenised; none when left out. The end-of-document token must be
    added (`tokenizer.add_eos`): it says that the middle is complete."""
    kind: Literal["natural", "rephrased", "synthetic", "translated", "sft"] = "natural"
    """How the text came about."""
    family: str = "web"
    """Field: web, code, math, qa, ..."""
    language: str | None = None
    """Language code, or `multi`."""
    tier: str | None = None
    """Quality tier."""
    licence: str | None = None
    """SPDX expression or the name of another licence; the policy checks it."""
    provenance: Provenance = Provenance()
    tokens: Amount | None = None
    """Declared tokens: what somebody says it holds. Used only until the source is tokenised here."""
    max_epochs: float | None = Field(default=None, gt=0)
    """At most this many passes over the whole run, all phases together."""

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        if value.startswith("hf://") and HUB.fullmatch(value) is None:
            raise ValueError(f"'{value}' is not hf://org/repo@revision (the revision is needed: data moves)")
        return value

    @property
    def on_hub(self) -> bool:
        """Whether the address is a repository of the Hub."""
        return self.address.startswith("hf://")


class Entry(Model):
    """One source's part in a phase: exactly one of weight, tokens, epochs."""

    source: str
    """Id of a source."""
    weight: float | None = Field(default=None, gt=0)
    """Share of what the phase has left after entries with tokens or epochs, relative to the other weights."""
    tokens: Amount | None = None
    """This many tokens of the phase."""
    epochs: float | None = Field(default=None, gt=0)
    """This many passes over the source within the phase."""
    max_epochs: float | None = Field(default=None, gt=0)
    """At most this many passes over the source within the phase."""

    @model_validator(mode="after")
    def _one_amount(self) -> Entry:
        given = [name for name in ("weight", "tokens", "epochs") if getattr(self, name) is not None]
        if len(given) != 1:
            stated = " and ".join(given) or "none"
            raise ValueError(
                f"entry '{self.source}' needs exactly one of weight, tokens, epochs; it has {stated}"
            )
        return self


class PhaseBudget(Model):
    """How long a phase is; rounded down to whole batches."""

    tokens: Amount | None = None
    """Tokens of the phase."""
    fraction: float | None = Field(default=None, gt=0, le=1)
    """Fraction of the mixture's `budget.tokens`."""

    @model_validator(mode="after")
    def _one(self) -> PhaseBudget:
        if (self.tokens is None) == (self.fraction is None):
            raise ValueError("a phase's budget is either tokens or fraction")
        return self


class Phase(Model):
    """A stretch of training with one blend and one sequence length."""

    name: Name
    budget: PhaseBudget | None = None
    """Length of the phase; may be left out when every entry says tokens or epochs."""
    sequence_length: int = Field(ge=2, le=1 << 24)
    """Inputs of a sequence, in tokens."""
    batch: int = Field(ge=1)
    """Sequences of one optimizer step. Phases are whole batches."""
    entries: tuple[Entry, ...] = Field(min_length=1)
    max_epochs: float | None = Field(default=None, gt=0)
    """At most this many passes over a source within the phase, for entries that do not say."""
    on_shortfall: Literal["fail", "redistribute"] = "fail"
    """When a cap binds: `fail` and say what is reachable, or give the rest to the other weights."""

    @model_validator(mode="after")
    def _sources_once(self) -> Phase:
        seen: set[str] = set()
        for entry in self.entries:
            if entry.source in seen:
                raise ValueError(f"phase '{self.name}' has source '{entry.source}' twice; add the amounts up")
            seen.add(entry.source)
        if self.budget is None and any(entry.weight is not None for entry in self.entries):
            raise ValueError(f"phase '{self.name}' has weights, so it needs a budget")
        return self


class Budget(Model):
    """The whole run."""

    tokens: Amount
    """Tokens of all phases; what phases' fractions refer to."""


class Licences(Model):
    """Licences by name; `*` stands for any letters (`CC-BY-*`). What is denied is refused even if allowed."""

    allowed: tuple[str, ...] | None = None
    """Only these; a source that states none is refused. Everything when left out."""
    denied: tuple[str, ...] = ()
    """None of these."""


class ShareLimit(Model):
    """Bounds for a kind of source's share of the whole run's tokens."""

    family: str | None = None
    kind: str | None = None
    language: str | None = None
    tier: str | None = None
    min: float = Field(default=0.0, ge=0, le=1)
    max: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _says_which(self) -> ShareLimit:
        if not self.fields:
            raise ValueError("a share limit needs at least one of family, kind, language, tier")
        return self

    @property
    def fields(self) -> dict[str, str]:
        """The fields that a source must match."""
        names = ("family", "kind", "language", "tier")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Policy(Model):
    """What must hold of every source that is used."""

    licences: Licences = Licences()
    shares: tuple[ShareLimit, ...] = ()
    require: tuple[Literal["licence", "language", "tier", "tokens", "teacher", "prompt"], ...] = ()
    """Fields that every used source must state; teacher and prompt are asked of rephrased, synthetic and
    translated sources only."""


class MixtureManifest(Manifest):
    """`kind: mixture`."""

    kind: Literal["mixture"] = "mixture"
    output: str
    """Folder for the tokenizer, the token stores and the lock."""
    tokenizer: TrainedTokenizer | FileTokenizer = Field(discriminator="type")
    sources: dict[Name, Source] = Field(min_length=1)
    """Sources by id. The id is part of the order of training: renaming a source reshuffles it."""
    budget: Budget | None = None
    phases: tuple[Phase, ...] = Field(min_length=1)
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """Seed of the order."""
    policy: Policy = Policy()

    @model_validator(mode="after")
    def _names_resolve(self) -> MixtureManifest:
        for phase in self.phases:
            for entry in phase.entries:
                if entry.source not in self.sources:
                    hint = did_you_mean(entry.source, self.sources)
                    raise ValueError(
                        f"phase '{phase.name}' names the unknown source '{entry.source}'; {hint}"
                    )
            if phase.budget is not None and phase.budget.fraction is not None and self.budget is None:
                raise ValueError(f"phase '{phase.name}' is a fraction of budget.tokens, which is not given")
        for name, source in self.sources.items():
            if source.fim is not None and not self.tokenizer.add_eos:
                raise ValueError(f"source '{name}' has `fim`, which needs tokenizer.add_eos")
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError("two phases have the same name")
        for name in (isinstance(self.tokenizer, TrainedTokenizer) and self.tokenizer.sources) or ():
            if name not in self.sources:
                hint = did_you_mean(name, self.sources)
                raise ValueError(f"tokenizer.sources names the unknown source '{name}'; {hint}")
        return self

    @property
    def used(self) -> tuple[str, ...]:
        """Ids of the sources that some phase uses, sorted."""
        return tuple(sorted({entry.source for phase in self.phases for entry in phase.entries}))

    @property
    def lessons(self) -> tuple[str, ...]:
        """Ids of the sources that a tokenizer is trained on, sorted; none when it comes from a file."""
        if not isinstance(self.tokenizer, TrainedTokenizer):
            return ()
        return self.used if self.tokenizer.sources is None else tuple(sorted(self.tokenizer.sources))

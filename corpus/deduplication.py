"""What a corpus manifest says about deduplication: methods, which copy is better, what to compare with.

Every method writes annotations; the policy's rules decide what is dropped, and a store made of this one can
have pieces cut out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from gristmill.base.manifest import Model


class _Choice(Model):
    """A method with its options."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    label: str | None = Field(default=None, alias="as", pattern=r"^[a-z][a-z0-9_]*$")
    """Another name for its folder and columns, so that a method can run several times."""
    where: str | None = None
    """SQL condition: only documents that make it true are compared (`exact.keep`: each text once). May name
    the columns of other methods."""
    kept_by: str | None = None
    """Rule set, by name or file: only documents that it keeps are compared, so that a text that filters drop
    is no better copy than one that they keep."""
    by: str | None = None
    """SQL expression: only documents with the same value are compared (`language`)."""
    prefer: str | None = None
    """SQL order of this method, instead of the common one."""


class ExactChoice(_Choice):
    """Documents whose text is the same but for case and white space: `exact.keep`, …"""

    method: Literal["exact"]


class UrlChoice(_Choice):
    """Documents with the same normalised URL: `same_url.keep`, … The latest is kept by default. List the
    annotator `url_key` to choose what counts as the same."""

    method: Literal["url"]


class NearChoice(_Choice):
    """Near duplicates: MinHash-LSH, every pair verified: `near.keep`, `near.similarity`, …"""

    method: Literal["near"]
    recipe: Literal["fineweb", "nemotron-cc"] = "fineweb"
    """Published parameters: `fineweb` (5 words, 14 bands of 8) or `nemotron-cc` (24 characters, 20 bands of
    13). What is given beside it replaces its values."""
    unit: Literal["word", "character"] | None = None
    """Of what shingles consist."""
    n: int | None = Field(default=None, ge=1)
    """Words or characters a shingle."""
    bands: int | None = Field(default=None, ge=1, le=256)
    """Bands; documents that share one are compared."""
    rows: int | None = Field(default=None, ge=1, le=256)
    """Hashes a band."""
    seed: int | None = Field(default=None, ge=0)
    """Chooses the hash functions."""
    normalisation: Literal["simplified", "none"] | None = None
    """Whether case, accents, punctuation, white space and the values of numbers count."""
    threshold: float | None = Field(default=None, gt=0, le=1)
    """Least Jaccard similarity of a near duplicate and the kept copy; 0.75 with `fineweb`, 0.8 with
    `nemotron-cc` by default."""

    def recipe_options(self) -> dict[str, Any]:
        """What the annotator `minhash` is told."""
        given = self.model_dump(include={"recipe", "unit", "n", "normalisation", "bands", "rows", "seed"})
        return {name: value for name, value in given.items() if value is not None}


class SubstringChoice(_Choice):
    """Exact substrings that stand elsewhere too, to cut: `substring.spans`, …"""

    method: Literal["substring"]
    length: int = Field(default=100, ge=2)
    """Least length of a repeat."""
    unit: Literal["bytes", "characters", "words", "tokens"] = "bytes"
    """Of what the length is counted."""
    tokenizer: str | None = None
    """With `unit: tokens`: a file of the library `tokenizers`."""
    within: bool = True
    """Whether repeats inside one document count."""
    fragment: int = Field(default=0, ge=0)
    """What is left between cuts and has fewer units than this is cut as well."""


class RepeatedChoice(_Choice):
    """Lines, paragraphs or sentences that other documents have too, to cut: `repeated.spans`, …"""

    method: Literal["repeated"]
    unit: Literal["line", "paragraph", "sentence"] = "line"
    """What is compared."""
    window: int | None = Field(default=None, ge=1)
    """Consecutive units that are compared as one; 3 sentences (C4), 1 line, 1 paragraph by default."""
    fold: tuple[Literal["case", "accents", "numbers", "punctuation", "space"], ...] = (
        "case",
        "accents",
        "numbers",
        "punctuation",
        "space",
    )
    """What does not count."""
    least_documents: int = Field(default=2, ge=1)
    """In how many documents a piece must stand; with 1, twice in one document suffices."""
    least_words: int = Field(default=0, ge=0)
    """Pieces with fewer words are left alone."""
    keep: Literal["first", "none"] = "first"
    """Whether the occurrence in the preferred document stays, or none: right for boilerplate."""
    fragment: int = Field(default=0, ge=0)
    """What is left between cuts and has fewer characters than this is cut as well."""
    least_remaining: int = Field(default=0, ge=0)
    """Where fewer characters than this would be left of a text, all of it is cut."""


Choice = Annotated[
    ExactChoice | UrlChoice | NearChoice | SubstringChoice | RepeatedChoice, Field(discriminator="method")
]
MethodName = Literal["exact", "url", "near", "substring", "repeated"]
NAMES: dict[str, str] = {
    "exact": "exact",
    "url": "same_url",
    "near": "near",
    "substring": "substring",
    "repeated": "repeated",
}
"""What a method's columns begin with."""


def _form(value: Any) -> str:
    """How a thing is written that may be written in several ways."""
    if isinstance(value, str):
        return "name"
    return "list" if isinstance(value, list | tuple) else "mapping"


MethodItem = Annotated[
    Annotated[MethodName, Tag("name")] | Annotated[Choice, Tag("mapping")], Discriminator(_form)
]


def _distinct(methods: tuple[MethodName | Choice, ...]) -> tuple[MethodName | Choice, ...]:
    names = [NAMES[method] if isinstance(method, str) else name_of(method) for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two methods are called '{name}'; `as:` gives one another name")
    return methods


Methods = Annotated[tuple[MethodItem, ...], Field(min_length=1), AfterValidator(_distinct)]


class Deduplication(Model):
    """Which methods, and what is common to them."""

    methods: Methods
    """Names, or objects with options. One that reads the columns of another comes after it."""
    prefer: str | None = None
    """SQL order of documents (`quality.tier`, `fetched_at ASC NULLS LAST`, `source`, …): of copies the first
    is kept; by default the earliest, then the longest. The id settles ties."""
    against: tuple[str, ...] = ()
    """Stores of older crawls whose documents count as well, with annotators of the same options."""
    memory_mb: int = Field(default=2000, ge=600)
    """Memory that a worker process may use, MiB; beyond it, it works on disk."""
    tasks: int | None = Field(default=None, ge=1)
    """Into how many tasks a stage is cut, for each band or by itself; as many as there are workers by
    default. No result depends on it."""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All methods with their options."""
        return tuple(map(_choice, self.methods))


def _choice(method: MethodName | Choice) -> Choice:
    if not isinstance(method, str):
        return method
    return CHOICES[method].model_validate({"method": method})


CHOICES: dict[str, type[ExactChoice | UrlChoice | NearChoice | SubstringChoice | RepeatedChoice]] = {
    "exact": ExactChoice,
    "url": UrlChoice,
    "near": NearChoice,
    "substring": SubstringChoice,
    "repeated": RepeatedChoice,
}


def name_of(choice: Choice) -> str:
    """What a method's columns begin with."""
    return choice.label or NAMES[choice.method]


def annotators_of(dedup: Deduplication) -> list[tuple[str, str | None, dict[str, Any]]]:
    """The annotators whose columns the methods compare: name, label, options."""
    found: list[tuple[str, str | None, dict[str, Any]]] = []
    for choice in dedup.choices:
        match choice:
            case ExactChoice():
                found.append(("exact_hash", None, {}))
            case UrlChoice():
                found.append(("url_key", None, {}))
            case NearChoice():
                found.append(("minhash", minhash_label(choice), choice.recipe_options()))
    return found


def minhash_label(choice: NearChoice) -> str | None:
    """What the annotator is called that makes a method's signatures."""
    return None if choice.label is None else f"{choice.label}_minhash"


def normalised(
    dedup: Deduplication | Iterable[MethodName | Choice] | MethodName | None,
) -> Deduplication | None:
    """A manifest's field `dedup`, whichever way it is written."""
    if dedup is None or isinstance(dedup, Deduplication):
        return dedup
    return Deduplication(methods=(dedup,) if isinstance(dedup, str) else tuple(dedup))


Written = Annotated[
    Annotated[MethodName, Tag("name")]
    | Annotated[Methods, Tag("list")]
    | Annotated[Deduplication, Tag("mapping")],
    Discriminator(_form),
]
"""The field `dedup`: a method's name, a list of methods, or an object that says more."""

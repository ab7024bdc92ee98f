"""Annotators by name, as manifests ask for them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from filters.annotators.c4 import C4
from filters.annotators.code_language import CodeLanguage
from filters.annotators.code_origin import CodeOrigin
from filters.annotators.contamination import Contamination
from filters.annotators.exact_hash import ExactHash
from filters.annotators.file_license import FileLicense
from filters.annotators.fineweb import FineWeb
from filters.annotators.gopher import Gopher
from filters.annotators.gopher_repetition import GopherRepetition
from filters.annotators.language import Language
from filters.annotators.license import License
from filters.annotators.markup import Markup
from filters.annotators.minhash import MinHash
from filters.annotators.nemotron_cc import NemotronCC
from filters.annotators.opencoder import OpenCoder
from filters.annotators.opt_out import OptOut
from filters.annotators.perplexity import Perplexity
from filters.annotators.pii import Pii
from filters.annotators.quality import Quality
from filters.annotators.secrets import Secrets
from filters.annotators.stats import Stats
from filters.annotators.stop_words import StopWords
from filters.annotators.syntax import SyntaxAnnotator
from filters.annotators.url import UrlAnnotator
from filters.annotators.url_key import UrlKey
from filters.base import Annotator
from filters.dedup.exact import Exact
from filters.naming import renamed
from filters.quality.ensemble import Ensemble
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError, did_you_mean

ANNOTATORS: dict[str, type[Any]] = {
    "c4": C4,
    "code_language": CodeLanguage,
    "code_origin": CodeOrigin,
    "contamination": Contamination,
    "exact_hash": ExactHash,
    "file_license": FileLicense,
    "fineweb": FineWeb,
    "gopher": Gopher,
    "gopher_repetition": GopherRepetition,
    "language": Language,
    "license": License,
    "markup": Markup,
    "minhash": MinHash,
    "nemotron_cc": NemotronCC,
    "opencoder": OpenCoder,
    "perplexity": Perplexity,
    "pii": Pii,
    "quality": Quality,
    "secrets": Secrets,
    "opt_out": OptOut,
    "stats": Stats,
    "stop_words": StopWords,
    "syntax": SyntaxAnnotator,
    "url": UrlAnnotator,
    "url_key": UrlKey,
}


def annotator_names() -> list[str]:
    """All names that `build_annotator` knows, in order."""
    return sorted(ANNOTATORS)


def known_columns() -> dict[str, pa.DataType]:
    """Names and types of the columns of all annotators, of exact deduplication and of the ensemble: the same
    whatever their options and labels."""
    columns: dict[str, pa.DataType] = {}
    for build in ANNOTATORS.values():
        columns |= build.columns
    columns |= Exact().columns
    return columns | {field.name: field.type for field in Ensemble({}).schema if field.name != "id"}


def required_options(name: str) -> list[str]:
    """Options without which an annotator cannot be built."""
    parameters = inspect.signature(ANNOTATORS[name]).parameters.items()
    return [option for option, item in parameters if item.default is item.empty]


def build_annotator(
    name: str, options: Mapping[str, Any] | None = None, label: str | None = None
) -> Annotator:
    """The annotator of that name with its options.

    Args:
        name: as in `annotator_names`.
        options: its options.
        label: with it, folder and columns are named after the label (`filters.naming`), so that the same
            annotator can run several times with different options.

    Raises UserError for an unknown name or option, naming the nearest valid one.
    """
    if name not in ANNOTATORS:
        raise UserError(f"unknown annotator '{name}'", mend=did_you_mean(name, ANNOTATORS))
    build = ANNOTATORS[name]
    kinds = get_type_hints(build.__init__, include_extras=True) if inspect.signature(build).parameters else {}
    checked = {}
    for option, value in (options or {}).items():
        if option not in kinds or option == "return":
            known = [known for known in kinds if known != "return"]
            mend = did_you_mean(option, known) if known else f"'{name}' has no options"
            raise UserError(f"unknown option '{option}' of annotator '{name}'", mend=mend)
        try:
            checked[option] = TypeAdapter(kinds[option]).validate_python(value)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise UserError(f"option '{option}' of annotator '{name}': {message}") from None
    for option in required_options(name):
        if option not in checked:
            raise UserError(f"annotator '{name}' needs the option '{option}'")
    annotator: Annotator = build(**checked)
    return annotator if label is None else renamed(annotator, label)


def annotator_digest(annotator: Annotator, options: Mapping[str, Any]) -> str:
    """What an annotator's values depend on, apart from the documents.

    Options that only say where files lie (`places` of the class) do not count; the files' contents do, as
    part of the version or as `identity`.
    """
    places: frozenset[str] = getattr(annotator, "places", frozenset())
    counted = {option: value for option, value in options.items() if option not in places}
    return digest_json([annotator.name, annotator.version, counted, getattr(annotator, "identity", None)])

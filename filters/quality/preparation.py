"""How a text becomes the one line that a fastText model reads: as the authors of each model do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Preparation = Literal["spaces", "dclm", "curator", "newlines", "words"]
_NEWLINES = re.compile(r"\n+")
_WORDS = re.compile(r"\w+")


def _spaces(text: str) -> str:
    return " ".join(text.split())


def _dclm(text: str) -> str:
    return " ".join(text.strip().splitlines())


def _curator(text: str) -> str:
    return text.replace("\n", " ").replace("__label__", " ")


def _newlines(text: str) -> str:
    return _NEWLINES.sub(" ", text)


def _words(text: str) -> str:
    return " ".join(_WORDS.findall(text)).lower()


PREPARATIONS: dict[str, Callable[[str], str]] = {
    "spaces": _spaces,
    "dclm": _dclm,
    "curator": _curator,
    "newlines": _newlines,
    "words": _words,
}
"""spaces: every run of white space, of any script, is one space; what this project trains with.
dclm: lines joined by spaces (mlfoundations/dclm, quality_prediction_enrichers_calc_fasttext.py).
curator: line feeds become spaces, the mark of labels too (NVIDIA-NeMo/Curator, FastTextQualityFilter).
newlines: runs of line feeds become a space (model card of kenhktsui/llm-data-textbook-quality-fasttext-…-v2).
words: small letters, words alone (huggingface/cosmopedia, math_classifier)."""


def line(text: str, preparation: str) -> str:
    """The line for fastText, with the line feed that ends it.

    Whatever the preparation leaves, no line feed stays inside, and a lone surrogate, which cannot be handed
    over, becomes `?`.
    """
    prepared = PREPARATIONS[preparation](text)
    if "\n" in prepared:
        prepared = prepared.replace("\n", " ")
    if not prepared.isascii():
        prepared = prepared.encode("utf-8", "replace").decode()
    return prepared + "\n"

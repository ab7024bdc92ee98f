"""How many frequent words of each language a text has: Gopher's test for prose, in sixteen languages at
once."""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml

from filters.annotators.per_text import PerText
from filters.base import Hashes, TextView
from filters.jit import kernel

LISTS = "data/stop_words.yaml"
LANGUAGES = ("ar", "da", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "th", "zh")


class StopWords(PerText):
    """stop_words.<language>: how many different words of the language's list occur, with their case.

    The lists are FineWeb-2's (filters/data/stop_words.yaml); a rule takes the column of the language that was
    found."""

    name = "stop_words"
    version = "1"
    columns = {f"stop_words.{language}": pa.int64() for language in LANGUAGES}

    def measure(self, view: TextView) -> tuple[Any, ...]:
        hashes, lists = _lists()
        seen = np.zeros(len(hashes), np.bool_)
        _find(view.word_hashes, hashes, seen)
        return tuple((lists @ seen.astype(np.int64)).tolist())


@functools.cache
def stop_words() -> dict[str, list[str]]:
    """The lists by language."""
    content: dict[str, list[str]] = yaml.safe_load(
        (importlib.resources.files("filters") / LISTS).read_text(encoding="utf-8")
    )
    return content


@functools.cache
def _lists() -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of all listed words in order, and which language lists them: uint64[words], int64[languages,
    words]."""
    found = {
        (language, int(view.word_hashes[0]))
        for language, words in stop_words().items()
        for view in map(TextView, words)
        if len(view.words) == 1
    }
    hashes = np.array(sorted({value for _, value in found}), np.uint64)
    lists = np.array(
        [[(language, value) in found for value in hashes.tolist()] for language in LANGUAGES], np.int64
    )
    return hashes, lists


@kernel
def _find(words: Hashes, listed: Hashes, seen: npt.NDArray[np.bool_]) -> None:
    """Mark the listed hashes that are among a text's words."""
    for word in words:
        place = np.searchsorted(listed, word)
        if place < len(listed) and listed[place] == word:
            seen[place] = True

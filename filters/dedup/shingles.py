"""Shingles: the overlapping runs of n words or characters that a text is the set of, as 64-bit hashes.

The similarity of two texts is the Jaccard index of their sets. A recipe says what a shingle is, and how a
signature is made of the set (`filters.dedup.minhash`); two texts can be compared only by the same recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from filters.base import TextView
from filters.dedup.simplified import simplified
from filters.hashing import BASE, Hashes, power, scramble
from filters.jit import kernel

Unit = Literal["word", "character"]
Normalisation = Literal["simplified", "none"]

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)
_SPACE = ord(" ")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a shingle is, and how many bands of how many rows a signature has."""

    unit: Unit = "word"
    n: int = 5
    """Words or characters a shingle."""
    normalisation: Normalisation = "simplified"
    """`simplified`: without case, accents, punctuation, white space and the values of numbers
    (`filters.dedup.simplified`). `none`: the characters as they are; words and marks as `TextView.words` cuts
    them."""
    bands: int = 14
    rows: int = 8
    """Permutations a band."""
    seed: int = 1
    """Of the hash functions that stand for permutations."""

    def __post_init__(self) -> None:
        if min(self.n, self.bands, self.rows) < 1:
            raise ValueError("n, bands and rows are at least 1")

    @property
    def threshold(self) -> float:
        """The similarity around which the chance to be found rises most steeply: (1/bands)^(1/rows), after
        Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.2."""
        return float((1 / self.bands) ** (1 / self.rows))


RECIPES: Mapping[str, Recipe] = {
    "fineweb": Recipe("word", 5, "simplified", 14, 8, 1),
    "nemotron-cc": Recipe("character", 24, "none", 20, 13, 42),
}
"""Published recipes.

fineweb: FineWeb (arXiv 2406.17557: word 5-grams, 112 hash functions in 14 buckets of 8), as datatrove's
MinhashConfig and examples/fineweb.py have it, over simplified text. datatrove has spaCy cut words then; here
the simplified text's words are what spaces separate, apart from what `simplified` says, so that contractions
and units, which spaCy also cuts ("cannot", "10km"), stay whole. The threshold is 0.72.

nemotron-cc: Nemotron-CC (arXiv 2412.02595) by NeMo Curator's fuzzy deduplication
(stages/deduplication/fuzzy/minhash.py and workflow.py: 24 characters, 260 hash functions in 20 bands of 13,
seed 42), which takes the text as it is (`normalize_text=False`). The threshold is 0.79.
"""


def shingles(view: TextView, recipe: Recipe) -> Hashes:
    """The set of a text's shingles: 64-bit hashes, ascending, each once, uint64[k].

    A text that is shorter than a shingle is one shingle itself. A text without a word has none: nothing is
    left of it when it is simplified, or it is blank.
    """
    found = _windows(_running(view, recipe), recipe.n)
    found.sort()
    return found[: _distinct(found)]


def _running(view: TextView, recipe: Recipe) -> Hashes:
    """Running hash over the words or characters, as `filters.hashing.scan` has it over characters:
    uint64[units + 1]."""
    if recipe.normalisation == "simplified":
        if recipe.unit == "word":
            return _over_words(simplified(view, words=True))
        return _over_characters(simplified(view, words=False))
    if recipe.unit == "word":
        return _over_hashes(view.word_hashes)
    return view.prefix_hashes if view.text and not view.text.isspace() else np.zeros(1, np.uint64)


@kernel
def _over_characters(code_points: npt.NDArray[np.uint32]) -> Hashes:
    """Running hash over characters."""
    running = np.empty(len(code_points) + 1, np.uint64)
    running[0] = total = np.uint64(0)
    for at in range(len(code_points)):
        total = total * _BASE + scramble(np.uint64(code_points[at]) + _ONE)
        running[at + 1] = total
    return running


@kernel
def _over_hashes(hashes: Hashes) -> Hashes:
    """Running hash over words that have hashes."""
    running = np.empty(len(hashes) + 1, np.uint64)
    running[0] = total = np.uint64(0)
    for at in range(len(hashes)):
        total = total * _BASE + hashes[at]
        running[at + 1] = total
    return running


@kernel
def _over_words(code_points: npt.NDArray[np.uint32]) -> Hashes:
    """Running hash over the words that single spaces separate; the hash of a word is that of
    `filters.hashing.piece`."""
    running = np.empty(len(code_points) // 2 + 2, np.uint64)
    running[0] = total = word = np.uint64(0)
    count = 0
    for at in range(len(code_points)):
        if code_points[at] == _SPACE:
            total = total * _BASE + scramble(word)
            count += 1
            running[count] = total
            word = np.uint64(0)
        else:
            word = word * _BASE + scramble(np.uint64(code_points[at]) + _ONE)
    if len(code_points):
        count += 1
        running[count] = total * _BASE + scramble(word)
    return running[: count + 1]


@kernel
def _windows(running: Hashes, n: int) -> Hashes:
    """Hash of every run of n units; of all of them where there are fewer; of none where there is none."""
    units = len(running) - 1
    n = min(n, units)
    count = units - n + 1 if units else 0
    found = np.empty(count, np.uint64)
    factor = power(n)
    for at in range(count):
        found[at] = scramble(running[at + n] - running[at] * factor)
    return found


@kernel
def _distinct(found: Hashes) -> int:
    """Bring the different ones of sorted hashes to the front; returns how many there are."""
    count = 0
    for at in range(len(found)):
        if at == 0 or found[at] != found[at - 1]:
            found[count] = found[at]
            count += 1
    return count

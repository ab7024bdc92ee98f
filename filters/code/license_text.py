"""Which licences a text holds, by the pairs of words that it shares with the references.

A reference is in a text when nearly all of its pairs are (containment). Of references that share pairs,
such as BSD with two, three and four clauses, that one is taken which explains most of the text for what of
itself is missing; its pairs are then gone, and the next one must do with the rest. A licence text that
somebody changed (a clause more, another condition) is told from the licence by what of the text remains
unexplained.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.code.fingerprints import BITS, Fingerprints, Keys, load_fingerprints, pairs, words

MIN_CONTAINMENT = 0.85
"""Share of a reference's pairs that a text must have. licensee (github.com/licensee/licensee) asks for a
Dice coefficient of 0.98 of single words in a file that holds nothing else; licenseclassifier
(github.com/google/licenseclassifier, v2) for 0.8 of the words in order. Pairs are stricter than words: one
changed word is two changed pairs."""
MISSING = 1.0
"""How many pairs of the text a reference must explain for each of its own that is missing: with 1 the
choice is that of the Dice coefficient. On the texts of licenseclassifier 0.7 to 1.5 choose alike, 3 worse."""
MIN_NEW = 0.5
"""Share of a reference's pairs that no licence found before may have: BSD-2-Clause is no second licence of
a text of BSD-3-Clause."""
VARIANT = re.compile(r"(?:BSD-[234]-Clause|MIT|X11|ISC)-(?!0$|CMU$)\S+")
VARIANT_COST = 0.04
"""Part of its pairs that a rare variant of a common licence must explain more than that licence: a name in
a blank makes the common one resemble some variant."""
MIN_WORDS = 15
MAX_WORDS = 60_000
"""Words of the longest text that is looked at: collections of licences have up to 40,000."""
MAX_LICENSES = 12
MAX_PARTS = 60
MAX_PARTS_CHARACTERS = 400_000
_RULE = re.compile(r"(?m)^[^\w\n]{0,4}[-=*#_~]{10,}[^\w\n]*$")
_SPREAD = np.uint32(1 << (32 - BITS)) - np.uint32(1)


@dataclass(frozen=True, slots=True)
class Match:
    """A licence in a text. `score`: share of the reference's pairs that the text has. `unexplained`: share of
    the text's pairs that no licence found in it has."""

    name: str
    score: float
    unexplained: float


def match_texts(text: str) -> list[Match]:
    """The licences whose texts stand in a text, the one that explains most of it first.

    A collection of licences is also looked at piece by piece, where lines of dashes and the like divide
    it: of two licences that share their words, such as BSD with two clauses and with three, the whole
    shows only one.
    """
    found = words(text)
    if len(found) < MIN_WORDS:
        return []
    matches = match_pairs(pairs(found[:MAX_WORDS]))
    parts = _RULE.split(text[:MAX_PARTS_CHARACTERS])
    if 1 < len(parts) <= MAX_PARTS:
        for part in parts:
            found = words(part)
            if len(found) >= MIN_WORDS:
                matches += match_pairs(pairs(found))
    return list({match.name: match for match in reversed(matches)}.values())[::-1]


def match_pairs(text: Keys) -> list[Match]:
    """`match_texts` of the hashes of a text's pairs, each once, in order."""
    references = load_fingerprints()
    slots = np.searchsorted(references.keys, text)
    slots[slots == len(references.keys)] = 0
    slots = slots[references.keys[slots] == text]
    left = len(text)
    shared = _shared(references, slots)
    score = shared / references.sizes
    missing = MISSING * (references.sizes - shared) + VARIANT_COST * references.sizes * _variants()
    matches: list[tuple[str, float]] = []
    while len(matches) < MAX_LICENSES:
        new = shared if not matches else _shared(references, slots)
        worth = (new - missing) * references.scales
        worth[(score < MIN_CONTAINMENT) | (new < MIN_NEW * references.sizes)] = -1
        best = int(np.argmax(worth))
        if worth[best] <= 0:
            break
        matches.append((references.names[best], float(score[best])))
        owned = _owned(references, slots, best)
        left -= int(owned.sum()) * int(references.scales[best])
        slots = slots[~owned]
    unexplained = max(0.0, left / len(text)) if len(text) else 0.0
    return [Match(name, score, unexplained) for name, score in matches]


@functools.cache
def _variants() -> npt.NDArray[np.bool_]:
    return np.array([VARIANT.fullmatch(name) is not None for name in load_fingerprints().names])


def _shared(references: Fingerprints, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many of the pairs each licence has."""
    starts, ends = references.bounds[slots], references.bounds[slots + 1]
    counts = ends - starts
    offsets = (
        np.repeat(starts - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) if len(slots) else starts
    )
    return np.bincount(references.owners[offsets + np.arange(len(offsets))], minlength=len(references.names))


def _owned(references: Fingerprints, slots: npt.NDArray[np.int64], licence: int) -> npt.NDArray[np.bool_]:
    """Which of the pairs a licence has."""
    starts, ends = references.bounds[slots], references.bounds[slots + 1]
    owned = np.zeros(len(slots) + 1, np.int64)
    hits = references.owners == licence
    running = np.concatenate(([0], np.cumsum(hits)))
    owned[:-1] = running[ends] - running[starts]
    return owned[:-1] > 0

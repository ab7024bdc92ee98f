"""Items said in other words: how many of a question's words stand close together in a document.

A question is the set of its words, long ones by their first letters (`sells` and `selling` are one),
weighted by inverse document frequency among all items; numbers weigh little, but half of them have to be
there. The similarity of a place is the weight of the question's words in a window about as long as the
question over the weight of all. Candidates are the questions of which several of the rarest words stand in
the document.

This finds paraphrases, and translations to other programming languages, at a rate of false hits that exact
sequences do not have.
"""
# ruff: noqa: PLR0912, PLR0915, PLR0917 (one loop over a text; kernels take arrays one by one)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.decontaminate.fingerprint import BASIS, fed
from filters.decontaminate.folding import KIND_SHIFT, LETTER, VALUE_MASK, folding
from filters.decontaminate.items import Item
from filters.decontaminate.matching import fill_table
from filters.decontaminate.words import CodePoints, Words, words
from filters.hashing import find, slots
from filters.jit import kernel, loop

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

ROOT = 5
"""Letters of a word that count. Like the other constants here chosen on rephrased GSM8K and HumanEval against
Wikipedia, novels and web pages (benchmarks/decontamination.py)."""
ANCHORS, CANDIDATE = 10, 4
"""Rarest words of a question that are looked for, and how many of them make it a candidate."""
FREQUENT = 300
"""A word in more questions is no anchor."""
NUMBER_WEIGHT = 2.0
"""A number weighs this at the most: years and tables have rare ones."""
NUMBERS_FOUND = 0.5
"""The share of a question's numbers that have to stand in the window."""
LEAST_NAMES = 8
"""A question with fewer different words that are no numbers is not looked for."""
WINDOW, SLACK = 1.2, 10
"""A window has WINDOW times as many words as the question, and SLACK more."""
ARRAYS = (
    *("similar_keys", "similar_numbers", "similar_anchors", "similar_anchor_items", "similar_offsets"),
    *("similar_words", "similar_weights", "similar_totals", "similar_lengths", "similar_digits"),
)
"""Names of the arrays of `similar_arrays`."""

_SHIFT, _VALUE, _LETTER = np.uint32(KIND_SHIFT), np.uint32(VALUE_MASK), np.uint32(LETTER)
_ONE = np.uint64(1)
_EVEN = ~_ONE


@kernel
def _roots(
    code_points: CodePoints,
    hashes: Hashes,
    starts: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int32],
    table: npt.NDArray[np.uint32],
) -> Hashes:
    """The words with those that begin with ROOT plain letters by these alone."""
    roots = hashes.copy()
    for index in range(len(hashes)):
        if hashes[index] & _ONE or ends[index] - starts[index] < ROOT:
            continue
        raw = BASIS
        plain = True
        for place in range(starts[index], starts[index] + ROOT):
            entry = table[code_points[place]]
            plain = plain and entry >> _SHIFT == _LETTER
            raw = fed(raw, np.uint64(entry & _VALUE))
        if plain:
            roots[index] = raw & _EVEN
    return roots


def roots(code_points: CodePoints) -> tuple[Hashes, Words]:
    """The words of a text as they are compared here, and where they stand."""
    found = words(code_points)
    return _roots(code_points, found.hashes, found.starts, found.ends, folding().table), found


def similar_arrays(items: Sequence[Item]) -> dict[str, npt.NDArray[Any]]:
    """What the search needs, by name: a table of words, in which questions each is an anchor, and words,
    weights, lengths and numbers of all questions."""
    cut = [
        roots(np.frombuffer(item.question.encode("utf-32-le", "surrogatepass"), np.uint32))[0]
        for item in items
    ]
    bags = [np.unique(found) for found in cut]
    offsets = np.cumsum([0, *map(len, bags)]).astype(np.int64)
    vocabulary, word, frequency = np.unique(np.concatenate(bags), return_inverse=True, return_counts=True)
    number = (vocabulary & _ONE).astype(np.bool_)
    rarity = np.log(len(items) / frequency)
    weight = np.where(number, np.minimum(rarity, NUMBER_WEIGHT), rarity)
    anchors: list[tuple[int, int]] = []
    for item in range(len(items)):
        own = word[offsets[item] : offsets[item + 1]]
        if np.count_nonzero(~number[own]) >= LEAST_NAMES:
            rare = [
                one
                for one in own[np.argsort(-weight[own], kind="stable")].tolist()
                if frequency[one] <= FREQUENT
            ]
            anchors += [(one, item) for one in rare[:ANCHORS]]
    pairs = np.array(sorted(anchors), np.int64).reshape(-1, 2)
    keys, numbers = fill_table(vocabulary, slots(len(vocabulary)))
    weights = weight[word].astype(np.float32)
    owner = np.repeat(np.arange(len(items)), np.diff(offsets))
    return {
        "similar_keys": keys,
        "similar_numbers": numbers,
        "similar_anchors": np.searchsorted(pairs[:, 0], np.arange(len(vocabulary) + 1)).astype(np.int64),
        "similar_anchor_items": pairs[:, 1].astype(np.uint32),
        "similar_offsets": offsets,
        "similar_words": word.astype(np.uint32),
        "similar_weights": weights,
        "similar_totals": np.bincount(owner, weights.astype(np.float64), minlength=len(items)),
        "similar_lengths": np.array([len(found) for found in cut], np.uint32),
        "similar_digits": np.bincount(owner, number[word], minlength=len(items)).astype(np.uint32),
    }


def find_similar(
    code_points: CodePoints, arrays: Mapping[str, npt.NDArray[Any]], least: float
) -> list[tuple[int, int, int, float]]:
    """The questions that a text says in other words, in the order of their starts: item, start and end of the
    best place in code points, and its similarity.

    Args:
        code_points: the text.
        arrays: those of the index.
        least: similarities below it are not returned.
    """
    compared, found = roots(code_points)
    searched: tuple[Any, ...] = (*(arrays[name] for name in ARRAYS), least)
    items, firsts, lasts, similarities = _search(compared, *searched)
    rows = [
        (item, int(found.starts[first]), int(found.ends[last]), similarity)
        for item, first, last, similarity in zip(
            items.tolist(), firsts.tolist(), lasts.tolist(), similarities.tolist(), strict=True
        )
    ]
    return sorted(rows, key=lambda row: (row[1], row[2], row[0]))


@loop
def _place(own: npt.NDArray[np.uint32], word: int) -> int:
    """Where a word stands among the sorted ones of a question, -1 where it does not."""
    low, high = 0, len(own)
    while low < high:
        middle = (low + high) >> 1
        if own[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low if low < len(own) and own[low] == word else -1


@kernel
def _search(
    compared: Hashes,
    keys: Hashes,
    numbers: npt.NDArray[np.uint32],
    anchors: Numbers,
    anchor_items: npt.NDArray[np.uint32],
    offsets: Numbers,
    own_words: npt.NDArray[np.uint32],
    weights: npt.NDArray[np.float32],
    totals: npt.NDArray[np.float64],
    lengths: npt.NDArray[np.uint32],
    digits: npt.NDArray[np.uint32],
    least: float,
) -> tuple[Numbers, Numbers, Numbers, npt.NDArray[np.float64]]:
    """Items, first and last word of the best window, similarity."""
    ids = np.empty(len(compared), np.int64)
    places = np.empty(len(compared), np.int64)
    count = 0
    seen = np.zeros(len(anchors), np.bool_)
    votes = np.zeros(len(totals), np.uint8)
    touched = np.empty(len(totals), np.int64)
    many = 0
    for index in range(len(compared)):
        slot = find(keys, compared[index])
        if keys[slot] != compared[index]:
            continue
        word = np.int64(numbers[slot])
        ids[count], places[count] = word, index
        count += 1
        if not seen[word]:
            seen[word] = True
            for at in range(anchors[word], anchors[word + 1]):
                item = np.int64(anchor_items[at])
                if votes[item] == 0:
                    touched[many] = item
                    many += 1
                votes[item] += np.uint8(1)
    room = 0
    for index in range(many):
        room += votes[touched[index]] >= CANDIDATE
    items = np.empty(room, np.int64)
    firsts = np.empty(room, np.int64)
    lasts = np.empty(room, np.int64)
    best = np.empty(room, np.float64)
    found = 0
    ring = np.empty((2, count), np.int64)
    for index in range(many):
        item = touched[index]
        if votes[item] < CANDIDATE:
            continue
        low = offsets[item]
        own = own_words[low : offsets[item + 1]]
        longest = int(lengths[item] * WINDOW) + SLACK
        standing = np.zeros(len(own), np.int64)
        head, tail, figures = 0, 0, 0
        total, most = 0.0, 0.0
        for at in range(count):
            place = _place(own, ids[at])
            if place < 0:
                continue
            ring[0, head], ring[1, head] = places[at], place
            head += 1
            number = int(compared[places[at]] & _ONE)
            if standing[place] == 0:
                total += weights[low + place]
                figures += number
            standing[place] += 1
            while places[at] - ring[0, tail] >= longest:
                gone = ring[1, tail]
                standing[gone] -= 1
                if standing[gone] == 0:
                    total -= weights[low + gone]
                    figures -= int(compared[ring[0, tail]] & _ONE)
                tail += 1
            if total > most and figures >= NUMBERS_FOUND * digits[item]:
                most = total
                firsts[found], lasts[found] = ring[0, tail], places[at]
        similarity = min(1.0, most / totals[item])
        if most > 0 and similarity >= least:
            items[found], best[found] = item, similarity
            found += 1
    return items[:found], firsts[:found], lasts[:found], best[:found]

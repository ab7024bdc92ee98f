"""How much of a text repeats itself: counts over arrays of hashes, exactly as the published filters count."""

from __future__ import annotations

import numpy as np

from filters.base import Hashes, Offsets
from filters.hashing import BASE, raw_pieces, scramble


def duplicates(hashes: Hashes, lengths: Offsets) -> tuple[int, int]:
    """How many elements occurred before, and the sum of their lengths."""
    in_order = np.sort(hashes)
    if not (in_order[1:] == in_order[:-1]).any():
        return 0, 0
    _, first = np.unique(hashes, return_index=True)
    return len(hashes) - len(first), int(lengths.sum() - lengths[first].sum())


def top_ngrams_characters(word_hashes: Hashes, bounds: Offsets, sizes: range) -> list[int]:
    """For each n of `sizes` (from 2): characters of the most frequent n-gram, joined by single spaces, times
    its frequency; the first one wins a tie.

    Word i takes bounds[i] to bounds[i + 1] where the words are put together without spaces.
    """
    characters = []
    state = word_hashes
    for n in range(2, sizes.stop):
        count = max(0, len(word_hashes) - n + 1)
        state = scramble(state[:count] * np.uint64(BASE) + word_hashes[n - 1 :])
        if n in sizes:
            start, most = _most_frequent(state) if count else (0, 0)
            characters.append((int(bounds[start + n] - bounds[start]) + n - 1) * most if most else 0)
    return characters


def _most_frequent(hashes: Hashes) -> tuple[int, int]:
    """Where the most frequent value stands first (of several the one that does earliest), and how often it
    does."""
    in_order = np.sort(hashes)
    edges = np.flatnonzero(in_order[1:] != in_order[:-1]) + 1
    starts = np.concatenate(([0], edges))
    counts = np.diff(starts, append=len(in_order))
    most = int(counts.max())
    if most == 1:
        return 0, 1
    best = in_order[starts[counts == most]]
    places = np.minimum(np.searchsorted(best, hashes), len(best) - 1)
    return int((best[places] == hashes).argmax()), most


def repeated_ngram_characters(running: Hashes, bounds: Offsets, n: int) -> int:
    """Characters inside n-grams that occurred before, left to right, no character counted twice.

    `running` is the running hash of the words' characters put together without spaces; word i takes
    bounds[i] to bounds[i + 1] there. After a repeated n-gram the count goes on behind it; n-grams inside it
    are not remembered.
    """
    count = len(bounds) - n
    if count < 2:
        return 0
    starts, ends = bounds[:count], bounds[n:]
    hashes = raw_pieces(running, starts, ends)
    in_order = np.sort(hashes)
    twice = in_order[1:][in_order[1:] == in_order[:-1]]
    if not len(twice):
        return 0
    # Only n-grams that occur twice matter; `rank` says which of those comes next at or after a word.
    places = np.minimum(np.searchsorted(twice, hashes), len(twice) - 1)
    where = np.flatnonzero(twice[places] == hashes)
    rank = np.searchsorted(where, where + n).tolist()
    groups = places[where].tolist()
    lengths = (ends[where] - starts[where]).tolist()
    seen = bytearray(len(twice))
    total = index = 0
    while index < len(groups):
        if seen[groups[index]]:
            total += lengths[index]
            index = rank[index]
        else:
            seen[groups[index]] = 1
            index += 1
    return total

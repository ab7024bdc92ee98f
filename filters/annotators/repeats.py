"""How much of a text repeats itself: counts over arrays of hashes, exactly as the published filters count."""

from __future__ import annotations

import numpy as np

from filters.base import Hashes, Offsets
from filters.hashing import pieces, sequences


def duplicates(hashes: Hashes, lengths: Offsets) -> tuple[int, int]:
    """How many elements occurred before, and the sum of their lengths."""
    _, first = np.unique(hashes, return_index=True)
    return len(hashes) - len(first), int(lengths.sum() - lengths[first].sum())


def top_ngram_characters(word_hashes: Hashes, lengths: Offsets, n: int) -> int:
    """Characters (joined by single spaces) of the most frequent n-gram, times its frequency; the first one
    wins a tie."""
    if len(word_hashes) < n:
        return 0
    _, first, counts = np.unique(sequences(word_hashes, n), return_index=True, return_counts=True)
    most = int(counts.max())
    start = int(first[counts == most].min())
    return (int(lengths[start : start + n].sum()) + n - 1) * most


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
    hashes = pieces(running, starts, ends)
    in_order = np.sort(hashes)
    if not (in_order[1:] == in_order[:-1]).any():
        return 0
    _, group, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    again = sizes[group] > 1
    # Only n-grams that occur twice matter; `rank` says which of those comes next at or after a word.
    where = np.flatnonzero(again)
    rank = np.searchsorted(where, where + n).tolist()
    groups = group[where].tolist()
    lengths = (ends - starts)[where].tolist()
    seen = bytearray(len(sizes))
    total = index = 0
    while index < len(groups):
        if seen[groups[index]]:
            total += lengths[index]
            index = rank[index]
        else:
            seen[groups[index]] = 1
            index += 1
    return total

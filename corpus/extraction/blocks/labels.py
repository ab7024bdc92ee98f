"""How much of each block belongs to a page's gold text: what the model learns from.

Gold is plain text without marks of where it came from, and pages repeat themselves: a title stands in the
breadcrumb, the heading and the share buttons. So blocks are aligned with the gold in order first (the
heaviest chain of blocks whose words follow each other in the gold), and only what the chain leaves of the
gold's word bag is given to other blocks, long ones before short ones.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpus.extraction.blocks.gold import words

RUN = 3
"""Words in a row that have to agree: fewer do by chance. Shorter blocks are judged by their surroundings."""

_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d+\.)\s+")
_MOST_PLACES = 50
"""Of a run of words in the gold; a run that comes more often says little about where."""
_MOST_OFFSETS = 8
"""Places tried for a block."""
_SURROUNDINGS = 4
"""Blocks on each side of a short one."""


class _Match(NamedTuple):
    block: int
    offset: int
    """Of the block's first word in the gold."""
    weight: int
    """Words that agree."""


def block_labels(blocks: Sequence[str], gold: str) -> NDArray[np.float32]:
    """The share of each block's words that is in the gold text, in its place; shape `(blocks,)`, 0 to 1.

    Words count in runs of RUN. Where the gold has less than half of a block, the label is 0.
    """
    split = [words(block) for block in blocks]
    wanted = words(gold)
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i in range(len(wanted) - RUN + 1):
        places[tuple(wanted[i : i + RUN])].append(i)
    labels = np.zeros(len(blocks), np.float32)
    left = Counter(wanted)
    chain = _heaviest_chain(_matches(split, places))
    rest = [i for i in range(len(split)) if i not in chain]
    for i in [*sorted(chain), *rest]:
        if len(split[i]) >= RUN:
            labels[i] = _take(split[i], places, left)
    _label_short(split, gold, left, labels)
    return labels


def _matches(split: Sequence[Sequence[str]], places: dict[tuple[str, ...], list[int]]) -> list[_Match]:
    """Where in the gold each block may come from: places at which half of its words agree or more."""
    found = []
    for block, own in enumerate(split):
        offsets: Counter[int] = Counter()
        for k in range(len(own) - RUN + 1):
            for place in places.get(tuple(own[k : k + RUN]), ())[:_MOST_PLACES]:
                offsets[place - k] += 1
        # A word more or less in the gold shifts what follows it.
        shift = max(RUN, len(own) // 10)
        for offset, _ in offsets.most_common(_MOST_OFFSETS):
            runs = sum(count for other, count in offsets.items() if abs(other - offset) <= shift)
            agree = min(len(own), runs + RUN - 1)
            if 2 * agree >= len(own):
                found.append(_Match(block, offset, agree))
    return found


def _heaviest_chain(matches: Sequence[_Match]) -> set[int]:
    """The blocks of the heaviest chain in which both block and offset rise."""
    ordered = sorted(matches, key=lambda match: (match.block, -match.offset))
    rank = {offset: i + 1 for i, offset in enumerate(sorted({match.offset for match in ordered}))}
    # A Fenwick tree over offsets: the heaviest chain that ends at or before one.
    heaviest = [(0, -1)] * (len(rank) + 1)
    previous: list[int] = []
    best = (0, -1)
    for i, match in enumerate(ordered):
        # Of one block the later offsets come first, so that it never follows itself.
        k, before = rank[match.offset] - 1, (0, -1)
        while k > 0:
            before = max(before, heaviest[k])
            k -= k & -k
        previous.append(before[1])
        here = (before[0] + match.weight, i)
        best = max(best, here)
        k = rank[match.offset]
        while k < len(heaviest):
            heaviest[k] = max(heaviest[k], here)
            k += k & -k
    chain = set()
    at = best[1]
    while at >= 0:
        chain.add(ordered[at].block)
        at = previous[at]
    return chain


def _take(own: Sequence[str], places: dict[tuple[str, ...], list[int]], left: Counter[str]) -> float:
    """The share of a block that the gold has left; what is at least half of the block is taken from it."""
    covered = np.zeros(len(own), bool)
    for k in range(len(own) - RUN + 1):
        if tuple(own[k : k + RUN]) in places:
            covered[k : k + RUN] = True
    if 2 * covered.sum() < len(own):
        return 0.0
    bag = Counter(word for word, is_covered in zip(own, covered, strict=True) if is_covered)
    taken = bag & left
    share = taken.total() / len(own)
    if share >= 0.5:
        left.subtract(taken)
    return share


def _label_short(
    split: Sequence[Sequence[str]], gold: str, left: Counter[str], labels: NDArray[np.float32]
) -> None:
    """Label blocks of one or two words: they count among gold text, or where they are a line of the gold."""
    lines = Counter(" ".join(words(_LIST_MARK.sub("", line))) for line in gold.split("\n"))
    lengths = np.array([len(own) for own in split], np.float64)
    all_words = np.concatenate([[0], np.cumsum(lengths)])
    gold_words = np.concatenate([[0], np.cumsum(lengths * (labels > 0.5))])

    def surroundings(i: int) -> float:
        a, b = max(i - _SURROUNDINGS, 0), min(i + _SURROUNDINGS + 1, len(split))
        return float((gold_words[b] - gold_words[a]) / max(all_words[b] - all_words[a], 1))

    around = {i: surroundings(i) for i, own in enumerate(split) if 0 < len(own) < RUN}
    for i in sorted(around, key=lambda i: (-around[i], i)):
        line, bag = " ".join(split[i]), Counter(split[i])
        if (around[i] > 0.5 or lines[line] > 0) and bag <= left:
            labels[i] = 1
            left.subtract(bag)
            lines[line] -= 1

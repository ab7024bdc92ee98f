"""True Jaccard similarity of shingle sets, as far as a threshold needs it."""

# ruff: noqa: PLR0917 (kernels take arrays one by one)
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.dedup.near.forest import join, root
from filters.dedup.near.scratch import Int64, Words
from filters.jit import kernel, loop

_STRIDE = 32
"""Steps of a merge between two looks at whether the threshold can still be reached."""


@loop
def similarity(sets: Words, start: int, end: int, other: int, other_end: int, threshold: float) -> float:
    """Jaccard similarity of sets[start:end] and sets[other:other_end], each ascending and without repeats;
    -1.0 where it is below the threshold."""
    size, other_size = end - start, other_end - other
    # With s shared elements the similarity is s / (size + other_size - s). One below what the threshold
    # asks for, since this division rounds; the last line is what decides.
    needed = int(threshold * (size + other_size) / (1.0 + threshold)) - 1
    if min(size, other_size) < needed:
        return -1.0
    shared = 0
    while start + _STRIDE <= end and other + _STRIDE <= other_end:
        for _ in range(_STRIDE):
            a, b = sets[start], sets[other]
            shared += a == b
            start += a <= b
            other += b <= a
        if shared + min(end - start, other_end - other) < needed:
            return -1.0
    while start < end and other < other_end:
        a, b = sets[start], sets[other]
        shared += a == b
        start += a <= b
        other += b <= a
    union = size + other_size - shared
    found = shared / union if union else 1.0
    return found if found >= threshold else -1.0


@loop
def _pairs(
    sets: Words,
    starts: Int64,
    ends: Int64,
    left: Int64,
    right: Int64,
    threshold: float,
    found: npt.NDArray[np.float64],
) -> None:
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        found[pair] = similarity(sets, starts[a], ends[a], starts[b], ends[b], threshold)


def similarities(
    sets: Words, starts: Int64, ends: Int64, left: Int64, right: Int64, threshold: float
) -> npt.NDArray[np.float64]:
    """`similarity` of set left[k] and set right[k] for every k: float64[k]."""
    found = np.empty(len(left), np.float64)
    _pairs(sets, starts, ends, left, right, threshold, found)
    return found


@loop
def _insert(
    nodes: Int64, parents: Int64, member: int, heads: Int64, tails: Int64, following: Int64, lists: int
) -> int:
    """Make one of the lists of a member's component, with the member at its end; returns how many lists there
    are."""
    top = root(parents, nodes[member])
    own = -1
    index = 0
    while index < lists:
        if root(parents, nodes[heads[index]]) != top:
            index += 1
        elif own < 0:
            own = index
            index += 1
        else:
            following[tails[own]] = heads[index]
            tails[own] = tails[index]
            lists -= 1
            heads[index], tails[index] = heads[lists], tails[lists]
    if own < 0:
        heads[lists] = tails[lists] = member
        return lists + 1
    following[tails[own]] = member
    tails[own] = member
    return lists


@kernel
def connect(
    sets: Words,
    starts: Int64,
    ends: Int64,
    nodes: Int64,
    parents: Int64,
    old: int,
    grow: bool,
    first: int,
    threshold: float,
) -> tuple[Int64, Int64, int]:
    """Join the components of a bucket that similar members connect.

    Members with these nodes in the forest `parents` come one after the other. Each is compared with those
    before it, but with none of its own component: a component's members are tried until one is similar. So
    many documents that are all alike cost one comparison each.

    Args:
        sets, starts, ends: the members' shingles.
        nodes: int64[members].
        parents: the forest, which changes.
        old: the first so many have been compared with each other before.
        grow: whether the others are compared with each other too, not with the old ones alone.
        first: the member that was compared with all others before, or -1.
        threshold: of similarity.

    Returns left and right nodes of the similar pairs that joined components, and how many pairs were
    compared.
    """
    count = len(nodes)
    heads, tails, following = (
        np.empty(count, np.int64),
        np.empty(count, np.int64),
        np.full(count, -1, np.int64),
    )
    left, right = np.empty(count, np.int64), np.empty(count, np.int64)
    lists = joined = compared = 0
    for member in range(count):
        node = nodes[member]
        if member >= old and member != first:
            for index in range(lists):
                if root(parents, nodes[heads[index]]) == root(parents, node):
                    continue
                other = heads[index]
                while other >= 0:
                    if other != first:
                        compared += 1
                        found = similarity(
                            sets, starts[other], ends[other], starts[member], ends[member], threshold
                        )
                        if found >= 0.0:
                            left[joined], right[joined] = nodes[other], node
                            joined += 1
                            join(parents, nodes[other], node)
                            break
                    other = following[other]
        if member >= old and not grow:
            continue
        lists = _insert(nodes, parents, member, heads, tails, following, lists)
    return left[:joined], right[:joined], compared


@kernel
def connect_all(
    sets: Words, starts: Int64, ends: Int64, nodes: Int64, parents: Int64, bounds: Int64, threshold: float
) -> tuple[Int64, Int64, int]:
    """`connect` for buckets one after the other: bucket k has the members from bounds[k] to bounds[k + 1],
    the first of which was compared with the others before."""
    left, right = np.empty(len(nodes), np.int64), np.empty(len(nodes), np.int64)
    joined = compared = 0
    for bucket in range(len(bounds) - 1):
        low, high = bounds[bucket], bounds[bucket + 1]
        a, b, more = connect(
            sets, starts[low:high], ends[low:high], nodes[low:high], parents, 0, True, 0, threshold
        )
        left[joined : joined + len(a)] = a
        right[joined : joined + len(b)] = b
        joined += len(a)
        compared += more
    return left[:joined], right[:joined], compared


@kernel
def choose(
    sets: Words,
    starts: Int64,
    ends: Int64,
    bounds: Int64,
    old: int,
    grow: bool,
    threshold: float,
) -> tuple[Int64, npt.NDArray[np.float64], int]:
    """Leaders of components one after the other: component k has the members from bounds[k] to bounds[k + 1].

    In order, each member follows the first leader that it is similar to; one that is similar to none leads.

    Args:
        sets, starts, ends: the members' shingles.
        bounds: of the components.
        old: the first so many members lead, which is known.
        grow: whether others may lead; if not, one that is similar to no leader follows none, -1.
        threshold: of similarity.

    Returns the leader of every member, the similarity with it, and how many pairs were compared.
    """
    count = len(starts)
    leaders, chosen = np.empty(count, np.int64), np.full(count, -1, np.int64)
    similar = np.ones(count, np.float64)
    compared = 0
    for component in range(len(bounds) - 1):
        led = 0
        for member in range(bounds[component], bounds[component + 1]):
            if member >= old:
                for index in range(led):
                    other = leaders[index]
                    compared += 1
                    found = similarity(
                        sets, starts[other], ends[other], starts[member], ends[member], threshold
                    )
                    if found >= 0.0:
                        chosen[member], similar[member] = other, found
                        break
            if chosen[member] < 0 and (grow or member < old):
                chosen[member] = member
                leaders[led] = member
                led += 1
    return chosen, similar, compared

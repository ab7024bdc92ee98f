"""Union and find over an array of parents (Tarjan 1975): which nodes are connected, and the first of them."""

from __future__ import annotations

from filters.dedup.near.scratch import Int64
from filters.jit import loop


@loop
def root(parents: Int64, node: int) -> int:
    """The first node of a node's component; paths are halved on the way."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@loop
def join(parents: Int64, a: int, b: int) -> None:
    """Make one component of two; the smaller root stays."""
    a, b = root(parents, a), root(parents, b)
    if a < b:
        parents[b] = a
    else:
        parents[a] = b


@loop
def join_all(parents: Int64, left: Int64, right: Int64) -> None:
    """Join left[k] and right[k] for every k."""
    for pair in range(len(left)):
        join(parents, left[pair], right[pair])


@loop
def flatten(parents: Int64) -> None:
    """Point every node at its root, which no later node is."""
    for node in range(len(parents)):
        parents[node] = parents[parents[node]]

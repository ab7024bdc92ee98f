"""Which component each index of a phase falls to: a deterministic blend that never drifts from its weights.

Given integer counts n_c with sum N, index i in [0, N) is sent to a component so that every component c
receives exactly n_c indices, and in *every* prefix [0, m) it has received within two of its share m·n_c/N.
There is nothing to build but a tree over the components, and both directions (index -> component and
position there, component and position -> index) are closed formulas.

How. A Huffman tree over the counts (the two lightest nodes are merged until one is left). At a node with t
indices of which a go left, index i goes left when it is one of the round-to-nearest Bresenham positions: the
number of lefts among the first m is

    L(m) = floor((2·m·a + t) / (2·t)),          that is m·a/t rounded to nearest, halves up;

i goes left when L(i + 1) > L(i). Its position in the child is L(i) or i - L(i).

Proof of the bound. Let a leaf of weight w lie under the nodes v_0 (the leaf), v_1, ..., v_d (the root) of
weights w = w_0 <= w_1 <= ... <= w_d, and let x_k be how many of the first m indices reach v_k; x_d = m.
Rounding to nearest makes x_k = x_(k+1)·w_k/w_(k+1) + r_k with |r_k| <= 1/2 on the left side by construction
and on the right because the two sides add up to x_(k+1). Unrolling from the root,

    x_0 = m·w/w_d + sum over k = 0..d-1 of r_k·w/w_k,       so error <= 1/2 · sum of w/w_k.

In a Huffman tree those weights grow at least like Fibonacci numbers. When v_k and its sibling were merged
they were the two lightest nodes, so every node that was left, and every node made later, weighs at least as
much as either of them; v_(k+1)'s sibling is one of these, so it weighs at least w_k, and w_(k+2) >= w_(k+1)
+ w_k. With w_0 = w and w_1 >= w, w_k >= F(k+1)·w where F = 1, 1, 2, 3, 5, ..., and

    error <= 1/2 · sum of 1/F(k) = psi/2 < 1.68 < 2,    psi = 3.35988..., the reciprocal Fibonacci constant.

Arithmetic is exact for N up to 2^50 (10^15): see `muldiv`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]

MAX_TOTAL = 1 << 50


def muldiv(x: I64, y: I64, add: I64, divisor: I64) -> tuple[I64, I64]:
    """Exact (x·y + add) divmod divisor on int64 arrays, although the product may need 100 bits.

    Conditions: 0 <= x, y, add; each below 2^52; 0 < divisor < 2^52; quotient below 2^50. Then the four
    inputs are exact in float64, the quotient computed there has a relative error below 3·2^-53 (three
    roundings), hence an absolute one below 3/8, and its floor is off by at most one. The remainder, computed
    modulo 2^64, lies in [-divisor, 2·divisor), fits int64, and says which way.
    """
    estimate = x.astype(np.float64)
    estimate *= y
    estimate += add
    estimate /= divisor
    quotient = estimate.astype(np.int64)
    # unsigned, because only unsigned overflow is defined to wrap
    wrapped = x.view(np.uint64) * y.view(np.uint64)
    wrapped += add.view(np.uint64)
    wrapped -= quotient.view(np.uint64) * divisor.view(np.uint64)
    remainder = wrapped.view(np.int64)
    step = (remainder >= divisor).astype(np.int64)
    step -= remainder < 0
    quotient += step
    remainder -= step * divisor
    return quotient, remainder


@dataclass(frozen=True, eq=False)
class Allocation:
    """The tree. Nodes are numbered from 0 (the root); a child c >= 0 is a node, c < 0 the component ~c."""

    counts: I64
    """int64[components]: how many indices each component receives in all, at least 1."""
    left_total: I64
    """int64[nodes]: indices that go left."""
    total: I64
    """int64[nodes]: indices that reach the node."""
    children: I64
    """int64[nodes, 2]: left and right child."""
    parent: I64
    """int64[components + nodes]: parent node of a component, then of a node (-1 for the root)."""
    is_left: npt.NDArray[np.bool_]
    """bool[components + nodes]: whether that one is its parent's left child."""

    @classmethod
    def of(cls, counts: Sequence[int]) -> Allocation:
        """Build the tree for positive counts. Ties between equal weights fall to the earlier component."""
        if not counts or min(counts) < 1 or sum(counts) > MAX_TOTAL:
            raise ValueError(f"counts must be positive and add up to at most 2^50, not {list(counts)[:8]}")
        components = len(counts)
        # (weight, earliest component below, handle): the second makes ties independent of the heap's history
        heap = [(count, index, index) for index, count in enumerate(counts)]
        heapq.heapify(heap)
        merges: list[tuple[int, int, int, int]] = []  # handle of left, of right, weight of left, of both
        while len(heap) > 1:
            left, right = heapq.heappop(heap), heapq.heappop(heap)
            merges.append((left[2], right[2], left[0], left[0] + right[0]))
            heapq.heappush(heap, (left[0] + right[0], min(left[1], right[1]), components + len(merges) - 1))
        nodes = len(merges)

        def child(handle: int) -> int:
            return ~handle if handle < components else nodes - 1 - (handle - components)

        parent = np.full(components + nodes, -1, np.int64)
        is_left = np.zeros(components + nodes, np.bool_)
        children = np.zeros((nodes, 2), np.int64)
        left_total, total = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
        for made, (left_handle, right_handle, left_weight, weight) in enumerate(merges):
            node = nodes - 1 - made
            left_total[node], total[node] = left_weight, weight
            for side, handle in enumerate((left_handle, right_handle)):
                children[node, side] = code = child(handle)
                slot = ~code if code < 0 else components + code
                parent[slot], is_left[slot] = node, side == 0
        return cls(np.array(counts, np.int64), left_total, total, children, parent, is_left)

    @property
    def size(self) -> int:
        """Number of indices, the sum of the counts."""
        return int(self.counts.sum())

    def locate(self, index: I64) -> tuple[I64, I64]:
        """(component, position in the component) of each index, int64[n] each; 0 <= index < size."""
        position = index.astype(np.int64)  # a copy: it is narrowed down in place
        component = np.zeros(position.shape, np.int64)
        if not len(self.total):
            return component, position
        active: I64 = np.arange(position.size, dtype=np.int64)
        node = np.zeros(position.size, np.int64)
        here = position
        while active.size:
            left_total, total = self.left_total[node], self.total[node]
            left_total += left_total
            double = total + total
            lefts, remainder = muldiv(here, left_total, total, double)
            # L(i + 1) > L(i) when adding 2a to the remainder reaches 2t
            goes_left = remainder + left_total >= double
            here = np.where(goes_left, lefts, here - lefts)
            node = np.where(goes_left, self.children[node, 0], self.children[node, 1])
            done = node < 0
            finished = active[done]
            component[finished] = ~node[done]
            position[finished] = here[done]
            going = ~done
            active, node, here = active[going], node[going], here[going]
        return component, position

    def index_of(self, component: I64, position: I64) -> I64:
        """The index of each (component, position): the inverse of `locate`."""
        index = position.astype(np.int64)
        slot = component.astype(np.int64)
        components = len(self.counts)
        while True:
            node = self.parent[slot]
            active = np.flatnonzero(node >= 0)
            if not active.size:
                return index
            above = node[active]
            total, left_total = self.total[above], self.left_total[above]
            left = self.is_left[slot[active]]
            side = np.where(left, left_total, total - left_total)
            # left number j is the smallest i with L(i + 1) >= j + 1, i = ceil(t(2j + 1) / 2a) - 1;
            # right number k the smallest i with i + 1 - L(i + 1) >= k + 1, i = floor(t(2k + 1) / 2b)
            odd = 2 * index[active] + 1
            quotient, remainder = muldiv(total, odd, np.zeros_like(odd), 2 * side)
            index[active] = quotient - (left & (remainder == 0))
            slot[active] = components + above

    def prefix(self, length: int) -> list[int]:
        """How many of the first `length` indices each component receives (exact, plain integers)."""
        received = [0] * len(self.counts)
        stack = [(0, length)] if len(self.total) else []
        if not stack:
            received[0] = length
        while stack:
            node, here = stack.pop()
            left_total, total = int(self.left_total[node]), int(self.total[node])
            lefts = (2 * here * left_total + total) // (2 * total)
            for code, count in zip(self.children[node].tolist(), (lefts, here - lefts), strict=True):
                if code < 0:
                    received[~code] = count
                else:
                    stack.append((code, count))
        return received

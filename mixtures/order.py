"""The order of training: which tokens are in sequence i of a phase, as a pure function.

    index i -> component and position there   (`allocation`: within two of the weights in every prefix)
            -> epoch and position in it       (no sequence twice before all of its component were seen)
            -> sequence number s              (`permutation`: keyed by seed, component, length and epoch)
            -> token range                    [s·L, s·L + L + 1) of the component's token stream

A component is one source: its token store's parts, one after the other, as a single stream of T tokens, cut
into S = (T - 1) // L sequences of L inputs; a sequence's last target is the first token of the next. Nothing
is built, nothing is saved: memory and start-up depend on the number of components, not on tokens.

Phases of the same sequence length continue one another: a component enters a phase at the position where the
previous phases of that length left it, so what was not yet seen comes first. A phase of another length cuts
the stream at other places; it starts that length's own permutation from the beginning (and the exposure
ledger of the plan still counts its tokens). A later phase of an earlier length goes on where that length was
left.

Keys come from names (seed, source id, sequence length), never from a place in a list: a source that is added,
removed or moved does not change which sequences of the others come when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gristmill.base.digest import derive_seed
from mixtures.allocation import Allocation
from mixtures.permutation import I64, U64, epoch_keys, permute, radices, unpermute

ALGORITHM = 1
"""Version of the order. A lock names it; another order may only come with another number."""

_BLOCK = 1 << 13  # indices at a time: their temporaries stay in a core's second-level cache


def sequences_in(tokens: int, sequence_length: int) -> int:
    """How many sequences (L inputs and one more target) a stream of `tokens` tokens holds without overlap."""
    return max(0, (tokens - 1) // sequence_length)


class Place(NamedTuple):
    """Where indices of a phase lead; int64[n] each."""

    component: I64
    """Number of the component: its rank among the phase's component names in sorted order."""
    epoch: I64
    """How often the component had been used up before, at this sequence length."""
    sequence: I64
    """Number of the sequence in the component: tokens [s·L, s·L + L + 1)."""


@dataclass(frozen=True)
class Share:
    """A component's part in a phase, in sequences."""

    count: int
    """How many indices of the phase fall to it."""
    size: int
    """How many sequences of this length it has (one epoch)."""
    base: int = 0
    """How many it gave to earlier phases of the same length."""


class PhaseOrder:
    """The order of one phase."""

    def __init__(self, seed: int, sequence_length: int, shares: Mapping[str, Share]) -> None:
        self.sequence_length = sequence_length
        self.names = tuple(sorted(name for name, share in shares.items() if share.count))
        chosen = [shares[name] for name in self.names]
        self.allocation = Allocation.of([share.count for share in chosen])
        self.sequences = self.allocation.size
        self._count: I64 = self.allocation.counts
        self._size: I64 = np.array([share.size for share in chosen], np.int64)
        self._base: I64 = np.array([share.base for share in chosen], np.int64)
        halves = [radices(share.size) for share in chosen]
        self._a: I64 = np.array([a for a, _ in halves], np.int64)
        self._b: I64 = np.array([b for _, b in halves], np.int64)
        keys = [derive_seed("order", ALGORITHM, seed, name, sequence_length) for name in self.names]
        self._key: U64 = np.array(keys, np.uint64)

    def locate(self, indices: I64) -> Place:
        """Component, epoch and sequence of each index; `indices` is int64[n], 0 <= index < self.sequences."""
        indices = np.ascontiguousarray(indices, np.int64)
        if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= self.sequences):
            raise IndexError(f"indices lie in 0..{self.sequences - 1}")
        place = Place(*(np.empty(indices.shape, np.int64) for _ in range(3)))
        for start in range(0, indices.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            place.component[block], place.epoch[block], place.sequence[block] = self._locate(indices[block])
        return place

    def _locate(self, indices: I64) -> Place:
        component, position = self.allocation.locate(indices)
        position += self._base[component]
        size = self._size[component]
        epoch = position // size
        position -= epoch * size
        key = epoch_keys(self._key[component], epoch)
        return Place(component, epoch, permute(position, size, self._a[component], self._b[component], key))

    def index_of(self, place: Place) -> I64:
        """The index of each place, the inverse of `locate`; -1 where this phase does not visit it."""
        component = place.component
        size = self._size[component]
        key = epoch_keys(self._key[component], place.epoch)
        within = unpermute(place.sequence, size, self._a[component], self._b[component], key)
        position = place.epoch * size + within - self._base[component]
        visited = (position >= 0) & (position < self._count[component])
        index = np.full(position.shape, -1, np.int64)
        index[visited] = self.allocation.index_of(component[visited], position[visited])
        return index

    def visits(self, name: str, sequence: int) -> I64:
        """The indices of the phase, ascending, at which a component's sequence is read (at most once an
        epoch)."""
        if name not in self.names:
            return np.empty(0, np.int64)
        component = self.names.index(name)
        size, base, count = (int(values[component]) for values in (self._size, self._base, self._count))
        if not 0 <= sequence < size:
            return np.empty(0, np.int64)
        epochs: I64 = np.arange(base // size, (base + count - 1) // size + 1, dtype=np.int64)
        same = np.full_like(epochs, component)
        index = self.index_of(Place(same, epochs, np.full_like(epochs, sequence)))
        return np.sort(index[index >= 0])


class Phase(NamedTuple):
    """What the order must know of a phase."""

    sequence_length: int
    counts: Mapping[str, int]
    """Sequences of the phase by component."""


def orders(seed: int, phases: Sequence[Phase], tokens: Mapping[str, int]) -> list[PhaseOrder]:
    """The order of every phase of a mixture; `tokens` is the length of each component's stream."""
    used: dict[tuple[int, str], int] = {}
    result = []
    for phase in phases:
        length = phase.sequence_length
        shares = {
            name: Share(count, sequences_in(tokens[name], length), used.get((length, name), 0))
            for name, count in phase.counts.items()
        }
        for name, share in shares.items():
            used[length, name] = share.base + share.count
        result.append(PhaseOrder(seed, length, shares))
    return result

"""Batches: token ids and document numbers of any sequences of a locked mixture, straight from mapped files.

The contract with the trainer. A sequence is addressed by its phase and its index in the phase, nothing else;
what an index holds follows from the lock alone (`mixtures.order`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mixtures.lock import Lock, open_lock
from mixtures.order import PhaseOrder
from mixtures.permutation import I64
from mixtures.tokenstore import TokenStore


class Batch(NamedTuple):
    """Sequences of one phase; rows in the order of the indices asked for."""

    tokens: npt.NDArray[np.int32]
    """int32[B, L + 1]: `tokens[:, :-1]` are inputs, `tokens[:, 1:]` their targets."""
    segments: npt.NDArray[np.int32]
    """int32[B, L + 1]: 0, 1, 2, ... numbers the documents of a row. A target whose segment differs from its
    input's is no target: documents never see each other."""


class PhaseShape(NamedTuple):
    """A phase as the trainer sees it."""

    name: str
    sequence_length: int
    sequences: int


class Piece(NamedTuple):
    """A stretch of a document in a sequence; tokens are counted within the document, both ends included."""

    document: str
    source: str
    first: int
    last: int


class Visits(NamedTuple):
    """Where a document is read in a phase."""

    phase: int
    indices: I64
    """int64[n], ascending: the sequences with any of its tokens as an input."""


class SequenceReader:
    """Reads a locked mixture. Opening it reads no tokens and costs the same for any size.

    Args:
        lock: path of `mixture.lock.json`, or an opened lock.

    Errors: UserError when the lock is damaged or a store under it changed (`open_lock`).
    """

    def __init__(self, lock: str | Path | Lock) -> None:
        self.lock = lock if isinstance(lock, Lock) else open_lock(lock)
        self.orders: list[PhaseOrder] = self.lock.orders()
        self.stores = {name: TokenStore.open(self.lock.store_path(name)) for name in self.lock.sources}
        self._by_component = [[self.stores[name] for name in order.names] for order in self.orders]

    @property
    def phases(self) -> list[PhaseShape]:
        """Name, sequence length and number of sequences of every phase."""
        return [PhaseShape(phase.name, phase.sequence_length, phase.sequences) for phase in self.lock.phases]

    @property
    def lock_digest(self) -> str:
        return self.lock.digest

    @property
    def vocab_size(self) -> int:
        return self.lock.vocab_size

    @property
    def bos_id(self) -> int | None:
        return self.lock.bos_id

    @property
    def eos_id(self) -> int | None:
        return self.lock.eos_id

    def read(self, phase: int, indices: I64) -> Batch:
        """Tokens and segments of sequences.

        Args:
            phase: number of the phase.
            indices: int64[B], 0 <= index < the phase's sequences, any order.
        """
        order, stores = self.orders[phase], self._by_component[phase]
        length = order.sequence_length
        place = order.locate(np.asarray(indices, np.int64))
        tokens = np.empty((len(place.component), length + 1), np.int32)
        begins = np.zeros(tokens.shape, np.int8)
        where = zip(place.component.tolist(), place.sequence.tolist(), strict=True)
        for row, (component, sequence) in enumerate(where):
            stores[component].fill(sequence * length, tokens[row], begins[row])
        return Batch(tokens, np.cumsum(begins, axis=1, dtype=np.int32))

    def explain(self, phase: int, index: int) -> list[Piece]:
        """The documents of a sequence, in order: what its inputs and its last target come from.

        The last target is left out when it belongs to another document than the last input, since then it is
        no target. So this is exactly what a training step learns from.
        """
        order = self.orders[phase]
        place = order.locate(np.array([index], np.int64))
        name = order.names[int(place.component[0])]
        length = order.sequence_length
        start = int(place.sequence[0]) * length
        pieces = [
            Piece(document, name, first, last)
            for document, first, last in self.stores[name].documents_in(start, length + 1)
        ]
        inputs = sum(piece.last - piece.first + 1 for piece in pieces[:-1])
        return pieces[:-1] if inputs == length else pieces

    def text(self, phase: int, index: int) -> str:
        """The inputs of a sequence as text, special tokens shown."""
        from mixtures.tokenizer import load

        row = self.read(phase, np.array([index], np.int64)).tokens[0, :-1]
        decoded: str = load(self.lock.tokenizer_path).decode(row.tolist(), skip_special_tokens=False)
        return decoded

    def sequences_of(self, document: str) -> list[Visits]:
        """Every sequence that reads a document, for each phase: the inverse of `explain`."""
        spans = [(name, *span) for name, store in self.stores.items() for span in store.find(document)]
        return [Visits(phase, self._visits(order, spans)) for phase, order in enumerate(self.orders)]

    @staticmethod
    def _visits(order: PhaseOrder, spans: list[tuple[str, int, int]]) -> I64:
        length = order.sequence_length
        indices = [
            order.visits(name, sequence)
            for name, start, tokens in spans
            for sequence in range(start // length, (start + tokens - 1) // length + 1)
        ]
        return np.unique(np.concatenate(indices)) if indices else np.empty(0, np.int64)

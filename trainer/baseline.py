"""The unigram baseline: the loss of a model that knows nothing but how often each token occurs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.batches import Reader


def entropy(counts: NDArray[np.int64]) -> float:
    """Entropy in nats of the distribution that counts [V] describe; 0 for no counts."""
    total = counts.sum()
    if total == 0:
        return 0.0
    share = counts[counts > 0] / total
    return float(-(share * np.log(share)).sum())


def target_counts(
    reader: Reader, phase: int = 0, sequences: int = 1024, block: int = 64
) -> NDArray[np.int64]:
    """How often each token is a target in the first `sequences` sequences of a phase: int64 [V].

    Only real targets count (same document as their input), so that the figure compares with the training
    loss.
    """
    counts = np.zeros(reader.vocab_size, dtype=np.int64)
    available = reader.phases[phase][2]
    for start in range(0, min(sequences, available), block):
        stop = min(start + block, sequences, available)
        batch = reader.read(phase, np.arange(start, stop, dtype=np.int64))
        real = batch.segments[:, 1:] == batch.segments[:, :-1]
        counts += np.bincount(batch.tokens[:, 1:][real], minlength=reader.vocab_size)
    return counts


def unigram_entropy(reader: Reader, phase: int = 0, sequences: int = 1024) -> float:
    """Loss in nats per token of the best unigram model of a phase's first sequences.

    Fitted and measured on the same tokens, it is the lowest that any unigram model can reach: a training
    loss
    below it can only come from the use of context.
    """
    return entropy(target_counts(reader, phase, sequences))

"""Sequences made by arithmetic: a reader with the interface of `mixtures.reader.SequenceReader`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.manifest import RunManifest


@dataclass
class Rows:
    tokens: NDArray[np.int32]
    segments: NDArray[np.int32]


@dataclass
class ArithmeticReader:
    """Each sequence is drawn from a generator seeded by phase and index; documents have uneven lengths.

    With `pattern`, every document repeats that pattern from a random place on; it can be learnt to near zero.
    """

    phases: list[tuple[str, int, int]]
    vocab_size: int = 32
    pattern: tuple[int, ...] = ()
    salt: str = ""
    eos_id: int = 0
    bos_id: int | None = None

    @property
    def lock_digest(self) -> str:
        identity = repr((self.phases, self.vocab_size, self.pattern, self.salt))
        return hashlib.sha256(identity.encode()).hexdigest()

    def read(self, phase: int, indices: NDArray[np.int64]) -> Rows:
        length = self.phases[phase][1] + 1
        tokens = np.zeros((len(indices), length), dtype=np.int32)
        segments = np.zeros((len(indices), length), dtype=np.int32)
        for row, index in enumerate(indices):
            assert 0 <= index < self.phases[phase][2]
            random = np.random.default_rng([phase, int(index), len(self.salt)])
            if self.pattern:
                start = int(random.integers(len(self.pattern)))
                tokens[row] = np.resize(np.roll(self.pattern, -start), length)
            else:
                tokens[row] = random.zipf(1.5, length) % self.vocab_size
                segments[row] = np.cumsum(random.random(length) < 2 / length)
        return Rows(tokens, segments)


TINY = {
    "hidden_size": 16,
    "hybrid_override_pattern": "M-*",
    "mamba_num_heads": 2,
    "mamba_head_dim": 8,
    "ssm_state_size": 4,
    "n_groups": 1,
    "num_attention_heads": 2,
    "head_dim": 8,
    "intermediate_size": 16,
    "chunk_size": 8,
}


def manifest(output: Path, **fields: Any) -> RunManifest:
    """A run of a tiny model on one thread; any field can be replaced."""
    defaults: dict[str, Any] = {
        "name": "test",
        "output": output,
        "lock": output / "no.lock.json",
        "model": TINY,
        "device": "cpu",
        "threads": 1,
        "tensorboard": False,
        "batch": {"sequences": 4, "micro": 2},
        "schedule": {"lr": 1e-2, "min_lr": 1e-4, "warmup": 2, "decay": 0.2},
        "checkpoint": {"every": 3, "keep": 2},
    }
    return RunManifest(**{**defaults, **fields})

"""From step number to batches: the plan of a run, and the stream of its micro-batches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gristmill.base.errors import UserError, did_you_mean
from trainer.manifest import BatchOptions

IGNORED = -100
"""Label of a position without a target: torch's and transformers' convention (`ignore_index`)."""


class ReadBatch(Protocol):
    """What a reader returns: both int32, [B, L+1]; see `mixtures.reader.Batch`."""

    @property
    def tokens(self) -> NDArray[np.int32]: ...

    @property
    def segments(self) -> NDArray[np.int32]: ...


class Reader(Protocol):
    """What training needs of `mixtures.reader.SequenceReader`."""

    @property
    def phases(self) -> Sequence[tuple[str, int, int]]:
        """Name, sequence length and number of sequences of each phase."""

    @property
    def lock_digest(self) -> str: ...

    @property
    def vocab_size(self) -> int: ...

    def read(self, phase: int, indices: NDArray[np.int64]) -> ReadBatch: ...


@dataclass(frozen=True)
class Position:
    """What one step consumes: sequences [start, stop) of a phase, `micro` at a time."""

    phase: int
    name: str
    length: int
    start: int
    stop: int
    micro: int


@dataclass(frozen=True)
class Stage:
    """One phase of a run, in steps."""

    name: str
    length: int
    sequences: int
    batch: int
    micro: int
    first_step: int
    steps: int


class Plan:
    """The steps of a run, phase after phase: arithmetic only, nothing to build and nothing to save.

    Every sequence of a phase is used once. A batch never spans two phases, so the last batch of a phase
    may be
    short; gradients are weighted by targets, which keeps it right.

    Args:
        phases: name, sequence length, number of sequences.
        options: batch sizes.
        batches: batch of each phase where `options` says nothing (default 1).
        max_steps: stop there instead of at the end of the mixture.

    Errors: UserError for a phase name in `options.phases` that the mixture lacks.
    """

    def __init__(
        self,
        phases: Sequence[tuple[str, int, int]],
        options: BatchOptions,
        *,
        batches: Sequence[int] | None = None,
        max_steps: int | None = None,
    ) -> None:
        names = [name for name, _, _ in phases]
        for name in options.phases:
            if name not in names:
                raise UserError(
                    f"the mixture has no phase '{name}'", where="batch.phases", mend=did_you_mean(name, names)
                )
        self.stages: list[Stage] = []
        first = 0
        defaults = batches if batches is not None else [1] * len(names)
        for (name, length, sequences), default in zip(phases, defaults, strict=True):
            batch, micro = options.sizes(name, default)
            steps = -(-sequences // batch)
            self.stages.append(Stage(name, length, sequences, batch, micro, first, steps))
            first += steps
        self.available = first
        self.steps = first if max_steps is None else min(first, max_steps)

    def at(self, step: int) -> Position:
        """What a step (from 0) reads. Errors: IndexError beyond the mixture's end."""
        for index, stage in enumerate(self.stages):
            within = step - stage.first_step
            if 0 <= within < stage.steps:
                start = within * stage.batch
                stop = min(start + stage.batch, stage.sequences)
                return Position(index, stage.name, stage.length, start, stop, stage.micro)
        raise IndexError(f"step {step} lies outside of the {self.available} steps of the mixture")

    def sequences_until(self, step: int) -> list[int]:
        """Sequences of each phase that steps [0, step) consume."""
        return [min(stage.sequences, max(0, step - stage.first_step) * stage.batch) for stage in self.stages]

    def tokens_until(self, step: int) -> int:
        """Input tokens that steps [0, step) consume."""
        counts = zip(self.stages, self.sequences_until(step), strict=True)
        return sum(stage.length * count for stage, count in counts)

    def describe(self) -> list[dict[str, int | str]]:
        """One row a phase, as far as the run goes."""
        rows: list[dict[str, int | str]] = []
        for stage, used in zip(self.stages, self.sequences_until(self.steps), strict=True):
            steps = min(stage.steps, max(0, self.steps - stage.first_step))
            rows.append(
                {
                    "phase": stage.name,
                    "sequence_length": stage.length,
                    "sequences": used,
                    "batch": stage.batch,
                    "micro_batch": stage.micro,
                    "steps": steps,
                    "tokens": used * stage.length,
                }
            )
        return rows


@dataclass(frozen=True)
class MicroBatch:
    """Inputs int64 [B, L], labels int64 [B, L] (-100: no target), segments int32 [B, L]."""

    inputs: Tensor
    labels: Tensor
    segments: Tensor


@dataclass(frozen=True)
class StepBatch:
    """One step's share of one rank. `targets` counts labels of this rank; `tokens` counts input tokens."""

    step: int
    position: Position
    micro_batches: list[MicroBatch]
    targets: int
    tokens: int


def shift(tokens: NDArray[np.int32], segments: NDArray[np.int32]) -> MicroBatch:
    """Inputs and next-token labels of packed rows [B, L+1].

    A target of another document than its input is no target: documents never see each other.
    """
    labels = np.where(segments[:, 1:] == segments[:, :-1], tokens[:, 1:], IGNORED)
    return MicroBatch(
        torch.from_numpy(tokens[:, :-1].astype(np.int64)),
        torch.from_numpy(labels.astype(np.int64)),
        torch.from_numpy(np.ascontiguousarray(segments[:, :-1], dtype=np.int32)),
    )


def read_step(reader: Reader, plan: Plan, step: int, rank: int = 0, ranks: int = 1) -> StepBatch:
    """Read one step's micro-batches of one rank. The ranks split the step's indices in order, nearly
    evenly."""
    position = plan.at(step)
    mine = np.array_split(np.arange(position.start, position.stop, dtype=np.int64), ranks)[rank]
    micro_batches = []
    for start in range(0, len(mine), position.micro):
        batch = reader.read(position.phase, mine[start : start + position.micro])
        micro_batches.append(shift(batch.tokens, batch.segments))
    targets = sum(int((micro.labels != IGNORED).sum()) for micro in micro_batches)
    return StepBatch(step, position, micro_batches, targets, len(mine) * position.length)


def stream(
    reader: Reader, plan: Plan, start: int, rank: int = 0, ranks: int = 1
) -> Iterator[tuple[StepBatch, float]]:
    """Steps from `start` to the plan's end, each with the seconds that the loop waited for it.

    One step is read ahead by a thread, so that disk and arithmetic overlap.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        upcoming = pool.submit(read_step, reader, plan, start, rank, ranks) if start < plan.steps else None
        for step in range(start, plan.steps):
            assert upcoming is not None
            began = time.perf_counter()
            batch = upcoming.result()
            waited = time.perf_counter() - began
            if step + 1 < plan.steps:
                upcoming = pool.submit(read_step, reader, plan, step + 1, rank, ranks)
            yield batch, waited

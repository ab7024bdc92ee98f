"""From a training step to the documents it learns from, and from a document to the steps that read it."""

from __future__ import annotations

from typing import NamedTuple

from gristmill.base.errors import UserError
from mixtures.reader import Piece, SequenceReader


class Step(NamedTuple):
    """An optimizer step: the sequences [step·batch, (step + 1)·batch) of a phase."""

    phase: int
    step: int


def documents_of_step(reader: SequenceReader, step: Step, batch: int) -> list[tuple[int, Piece]]:
    """(index of the sequence, piece) for everything that a step reads; `batch` sequences a step.

    Errors: UserError when the phase has no such step.
    """
    sequences = _phase(reader, step.phase)
    steps = sequences // batch
    if not 0 <= step.step < steps:
        name = reader.phases[step.phase].name
        raise UserError(
            f"phase '{name}' has steps 0 to {steps - 1} of {batch} sequences, so no step {step.step}"
        )
    indices = range(step.step * batch, (step.step + 1) * batch)
    return [(index, piece) for index in indices for piece in reader.explain(step.phase, index)]


def steps_of_document(reader: SequenceReader, document: str, batch: int) -> list[Step]:
    """Every step that reads a document, in order of training. Errors: UserError for an unknown id."""
    if not any(store.find(document) for store in reader.stores.values()):
        raise UserError(f"no token store of this mixture holds the document '{document}'")
    return [
        Step(visits.phase, step)
        for visits in reader.sequences_of(document)
        for step in sorted({index // batch for index in visits.indices.tolist()})
    ]


def _phase(reader: SequenceReader, phase: int) -> int:
    if not 0 <= phase < len(reader.phases):
        raise UserError(f"the mixture has phases 0 to {len(reader.phases) - 1}, so no phase {phase}")
    return reader.phases[phase].sequences

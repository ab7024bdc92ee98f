"""What a run reads: the sequences of its mixture, held-out sequences, and what the mixture says of the
model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gristmill.base.errors import UserError
from trainer.batches import Plan, Reader
from trainer.manifest import BatchOptions, RunManifest
from trainer.model.config import HybridConfig


@dataclass(frozen=True)
class HeldOut:
    """Sequences for validation, and how often to measure on them."""

    reader: Reader
    plan: Plan
    every: int


def open_reader(lock: Path) -> Reader:
    """The sequences of a lock. Errors: UserError when it is missing or its token store is not as locked."""
    from mixtures.reader import SequenceReader

    if not lock.is_file():
        raise UserError(
            "no such lock",
            where=str(lock),
            mend="write it with gristmill mix lock and gristmill mix tokenize",
        )
    reader: Reader = SequenceReader(lock)
    return reader


def plan_of(manifest: RunManifest, reader: Reader) -> Plan:
    """The steps of a run. Errors: UserError for a phase that the mixture lacks."""
    lock = getattr(reader, "lock", None)
    batches = [phase.batch for phase in lock.phases] if lock is not None else None
    return Plan(reader.phases, manifest.batch, batches=batches, max_steps=manifest.max_steps)


def model_config(manifest: RunManifest, reader: Reader) -> HybridConfig:
    """The model's configuration, with the vocabulary of the mixture.

    Errors: UserError when the manifest gives a vocabulary that is smaller than the mixture's.
    """
    options = manifest.model
    if options.vocab_size and options.vocab_size < reader.vocab_size:
        raise UserError(
            f"the mixture has {reader.vocab_size:,} tokens, the model only {options.vocab_size:,}",
            where="model.vocab_size",
            mend="leave it out to take the mixture's",
        )
    bos, eos = getattr(reader, "bos_id", None), getattr(reader, "eos_id", None)
    return options.resolve(reader.vocab_size, bos, eos)


def open_held_out(manifest: RunManifest, reader: Reader) -> HeldOut | None:
    """The held-out sequences that the manifest asks for.

    Errors: UserError when they are missing, or were made with another vocabulary than the training
    sequences.
    """
    options = manifest.validation
    if options is None:
        return None
    held_out = open_reader(options.lock)
    where = f"validation.lock {options.lock}"
    if held_out.vocab_size != reader.vocab_size:
        raise UserError(
            f"has a vocabulary of {held_out.vocab_size:,}, the training mixture one of {reader.vocab_size:,}",
            where=where,
            mend="make both with the same tokenizer",
        )
    if options.phase >= len(held_out.phases):
        raise UserError(f"has {len(held_out.phases)} phases, so no phase {options.phase}", where=where)
    name, length, sequences = held_out.phases[options.phase]
    phases = [(name, length, 0)] * options.phase + [(name, length, min(sequences, options.sequences))]
    micro = manifest.batch.micro
    return HeldOut(held_out, Plan(phases, BatchOptions(sequences=micro, micro=micro)), options.every)

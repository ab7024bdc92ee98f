"""What a run will be, without doing it: sizes, steps, tokens, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from trainer import schedule
from trainer.batches import Reader
from trainer.manifest import RunManifest
from trainer.model.config import HybridConfig
from trainer.model.hybrid import HybridModel
from trainer.sources import model_config, open_held_out, open_reader, plan_of

STATE_BYTES_PER_PARAMETER = 16
"""Float32 weight, gradient and AdamW's two moments."""


@dataclass(frozen=True)
class Estimate:
    """A run before it runs.

    Attributes:
        lock: digest of the mixture's lock.
        phases: rows of `Plan.describe`.
        warmup_steps, decay_steps: of the schedule.
        state_bytes: weights, gradients and optimizer, exact.
        activation_bytes: what autograd keeps for one micro-batch of the most demanding phase, with the
            reference operations; buffers that live for one operation are not in it.
    """

    name: str
    parameters: int
    vocab_size: int
    lock: str
    steps: int
    tokens: int
    sequences: int
    phases: list[dict[str, Any]]
    warmup_steps: int
    decay_steps: int
    state_bytes: int
    activation_bytes: int


def estimate(manifest: RunManifest, reader: Reader | None = None) -> Estimate:
    """Check the lock and the settings against each other, and size the run. Errors: UserError."""
    reader = reader or open_reader(manifest.lock)
    plan = plan_of(manifest, reader)
    rate = schedule.build(manifest.schedule, plan.steps)
    config = model_config(manifest, reader)
    open_held_out(manifest, reader)
    parameters = config.parameter_count()
    dtype = torch.bfloat16 if manifest.precision == "bf16" else torch.float32
    reached = [stage for stage in plan.stages if stage.first_step < plan.steps]
    shapes = {(min(stage.micro, stage.sequences), stage.length) for stage in reached}
    return Estimate(
        name=manifest.name,
        parameters=parameters,
        vocab_size=config.vocab_size,
        lock=reader.lock_digest,
        steps=plan.steps,
        tokens=plan.tokens_until(plan.steps),
        sequences=sum(plan.sequences_until(plan.steps)),
        phases=plan.describe(),
        warmup_steps=rate.warmup,
        decay_steps=rate.decay,
        state_bytes=STATE_BYTES_PER_PARAMETER * parameters,
        activation_bytes=max((activation_bytes(config, dtype, *shape) for shape in shapes), default=0),
    )


def activation_bytes(config: HybridConfig, dtype: torch.dtype, batch: int, length: int) -> int:
    """Bytes that autograd keeps of a forward pass of [batch, length] with the reference operations.

    The pass runs on shapes alone ("meta" tensors): every storage saved for backward is counted once.
    """
    model = HybridModel(config, device="meta", compute_dtype=dtype)
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage
        return tensor

    ids = torch.zeros(batch, length, dtype=torch.int64, device="meta")
    segments = torch.zeros(batch, length, dtype=torch.int32, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.hidden(ids, segments)
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    return sum(storage.nbytes() for address, storage in saved.items() if address not in weights)

"""What a run will be, without doing it: sizes, steps, tokens, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainer import schedule
from trainer.batches import Reader
from trainer.manifest import RunManifest
from trainer.model.config import HybridConfig
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
        activation_bytes=max(
            (activation_bytes(config, manifest.precision, *shape) for shape in shapes), default=0
        ),
    )


def activation_bytes(config: HybridConfig, precision: str, batch: int, length: int) -> int:
    """Bytes that autograd keeps of a forward pass of [batch, length] with the reference operations, about.

    Counted from what each mixer needs for its gradient; the test compares it with what autograd really keeps.
    """
    pattern, width = config.hybrid_override_pattern, config.hidden_size
    inner, heads = config.mamba_inner_size, config.mamba_num_heads
    size, wide = (2, 4) if precision == "bf16" else (4, 4)  # bytes of the compute dtype, and of the scan's
    chunk = min(config.chunk_size, length)
    # Residual stream and normed input of every layer; the norm works in float32.
    every = 2 * width * size + (width * wide if size < wide else 0)
    projected = (inner + config.conv_size + heads + config.conv_size + inner) * size
    # Inputs, outputs and the states at the chunks' starts; the [chunk, chunk] matrices are made again.
    scan = wide * (2 * inner + heads + 2 * inner * config.ssm_state_size // chunk)
    attention = size * config.head_dim * 2 * (config.num_attention_heads + config.num_key_value_heads)
    per_token = (
        every * (len(pattern) + 1)
        + pattern.count("M") * (projected + scan)
        + pattern.count("*") * attention
        + pattern.count("-") * 2 * config.intermediate_size * size
    )
    matrices = config.parameter_count() - 2 * config.vocab_size * width
    cast = size * matrices if size < wide else 0  # the matrices' copies in the compute dtype
    mask = batch * length**2 if "*" in pattern else 0  # one bool per pair of positions, shared by all layers
    return batch * length * per_token + cast + mask

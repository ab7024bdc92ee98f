"""The run manifest: what to train, on which mixture, how, and where the run folder lies.

Light on purpose: pydantic only. Defaults follow Nemotron Nano 2's pretraining where it published a value
(arXiv 2508.14444, §2): AdamW with betas 0.9 and 0.95, weight decay 0.1, a warm-up-stable-decay schedule that
decays from 4.5e-4 to 4.5e-6 over the last 3.6T of 20T tokens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from gristmill.base.digest import digest_json
from gristmill.base.errors import did_you_mean
from gristmill.base.manifest import Manifest, Model
from trainer.model.config import HybridConfig
from trainer.model.presets import PRESETS

_FROM_MIXTURE = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")


def _optional_in_schema(schema: dict[str, Any]) -> None:
    schema.pop("required", None)  # a preset may supply any of them


class ModelOptions(HybridConfig):
    """The model's shape: a preset, single fields over it, or all fields."""

    model_config = ConfigDict(json_schema_extra=_optional_in_schema)

    preset: str | None = None
    """Name of a shape to start from, such as `tiny`, `demo` or `nemotron-nano-9b-v2`."""
    vocab_size: int = Field(default=0, ge=0)
    """Rows of the embedding and of the output matrix; 0 takes the mixture's vocabulary."""

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("preset") is None:
            return data
        name = data["preset"]
        if name not in PRESETS:
            raise ValueError(f"unknown model preset '{name}'; {did_you_mean(str(name), PRESETS)}")
        shape = {key: value for key, value in PRESETS[name].items() if key not in _FROM_MIXTURE}
        return {**shape, **data}

    def resolve(self, vocab_size: int, bos_id: int | None = None, eos_id: int | None = None) -> HybridConfig:
        """The configuration to build, with what only the mixture's tokenizer knows filled in."""
        fields = self.model_dump(exclude={"preset"})
        fields["vocab_size"] = self.vocab_size or vocab_size
        if self.bos_token_id is None:
            fields["bos_token_id"] = bos_id
        if self.eos_token_id is None:
            fields["eos_token_id"] = eos_id
        return HybridConfig(**fields)


class AdamWOptions(Model):
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101)."""

    type: Literal["adamw"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of the two moments (Nemotron Nano 2: 0.9, 0.95)."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled weight decay (Nemotron Nano 2: 0.1); never on A_log, D, dt_bias, norms and biases."""
    decay_embeddings: bool = True
    """Whether the embedding is decayed too, as Megatron-LM does."""

    @field_validator("betas")
    @classmethod
    def _below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError("both must be at least 0 and below 1")
        return betas


class Schedule(Model):
    """Warm-up, stable, decay. Lengths below 1 are fractions of the run, others whole numbers of steps."""

    lr: float = Field(default=4.5e-4, gt=0)
    """Learning rate of the stable part (Nemotron Nano 2: 4.5e-4)."""
    min_lr: float = Field(default=4.5e-6, ge=0)
    """Learning rate of the last step (Nemotron Nano 2: 4.5e-6)."""
    warmup: float = Field(default=0.01, ge=0)
    """Length of the linear rise. Nemotron Nano 2's is not published; Megatron-Bridge's recipe takes 2,000
    steps."""
    decay: float = Field(default=0.18, ge=0)
    """Length of the fall at the end (Nemotron Nano 2: 3.6T of 20T tokens)."""
    shape: Literal["linear", "cosine", "1-sqrt"] = "linear"
    """Shape of the fall."""

    @field_validator("warmup", "decay")
    @classmethod
    def _fraction_or_steps(cls, length: float) -> float:
        if length >= 1 and length != int(length):
            raise ValueError("write a fraction of the run below 1, or a whole number of steps")
        return length

    @model_validator(mode="after")
    def _falls(self) -> Schedule:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr ({self.min_lr}) must not be above lr ({self.lr})")
        return self


class PhaseBatch(Model):
    """Batch sizes of one phase of the mixture."""

    sequences: int = Field(gt=0)
    """Sequences of one optimizer step, over all ranks."""
    micro: int | None = Field(default=None, gt=0)
    """Sequences of one forward pass of one rank; the default is that of the other phases."""


class BatchOptions(Model):
    """Batch sizes.

    Gradients are accumulated over micro-batches and weighted by targets, so `micro` changes memory and speed,
    not the result.
    """

    sequences: int | None = Field(default=None, gt=0)
    """Sequences of one optimizer step, over all ranks; the default is each phase's `batch` in the mixture
    (Nemotron Nano 2: 768 of 8,192 tokens)."""
    micro: int = Field(default=4, gt=0)
    """Sequences of one forward pass of one rank."""
    phases: dict[str, PhaseBatch] = Field(default_factory=dict)
    """Other sizes for single phases, by name: longer sequences want smaller batches."""

    def sizes(self, phase: str, default: int) -> tuple[int, int]:
        """Sequences a step and sequences a forward pass, in a phase with batch `default` in the mixture."""
        own = self.phases.get(phase)
        sequences = own.sequences if own else (self.sequences or default)
        return sequences, min(sequences, (own.micro if own and own.micro else self.micro))


class CheckpointOptions(Model):
    """When to save, and how much to keep. The last step is always saved."""

    every: int = Field(default=500, gt=0)
    """Steps between checkpoints."""
    keep: int = Field(default=2, ge=1)
    """Newest checkpoints to keep. With 2, a damaged one leaves another to go back to."""


class ValidationOptions(Model):
    """Loss on held-out sequences while training."""

    lock: Path
    """Lock of a mixture of held-out documents, made with the same tokenizer."""
    phase: int = Field(default=0, ge=0)
    """Phase of that mixture to read."""
    every: int = Field(default=500, gt=0)
    """Steps between measurements; the last step is always measured."""
    sequences: int = Field(default=64, gt=0)
    """Sequences to measure on: always the first ones, so that the figures compare."""


class RunManifest(Manifest):
    """A training run."""

    kind: Literal["run"] = "run"
    stage: Literal["pretrain"] = "pretrain"
    """What kind of training."""
    output: Path
    """The run folder: resolved manifest, lock, metrics, checkpoints, final weights."""
    lock: Path
    """The mixture's lock, `mixture.lock.json`. Its phases are the run's phases."""
    model: ModelOptions
    """Shape of the model."""
    optimizer: AdamWOptions = AdamWOptions()
    """The optimizer."""
    schedule: Schedule = Schedule()
    """Learning rate over the steps."""
    gradient_clip: float | None = Field(default=1.0, gt=0)
    """Largest norm of the gradient over all parameters (Nemotron Nano 2's published script: 1.0); null:
    no limit."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 multiplies matrices in bfloat16 (autocast); weights, moments, A_log, D and dt_bias stay
    float32."""
    batch: BatchOptions = BatchOptions()
    """Batch sizes."""
    max_steps: int | None = Field(default=None, gt=0)
    """Stop after so many steps; the default is all of the mixture, each sequence once."""
    seed: int = 0
    """Seed of the initial weights. The order of the data is the mixture's."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a CUDA device if there is one."""
    threads: int | None = Field(default=None, gt=0)
    """CPU threads; the default is torch's. Bit-identical repetition needs the same number."""
    deterministic: bool | None = None
    """Insist on deterministic algorithms; the default does so on CPU, where it costs nothing."""
    checkpoint: CheckpointOptions = CheckpointOptions()
    """Checkpoints."""
    validation: ValidationOptions | None = None
    """Loss on held-out sequences; none by default."""
    log_every: int = Field(default=1, gt=0)
    """Steps between TensorBoard points. metrics.jsonl always has one line a step."""
    tensorboard: bool = True
    """Whether to write TensorBoard files beside metrics.jsonl."""
    skip_limit: int = Field(default=20, gt=0)
    """Consecutive steps with a non-finite gradient that are skipped before the run gives up."""

    def fixed(self) -> dict[str, Any]:
        """Settings that cannot change within a run, besides lock and model: seed, stage, what a step
        reads."""
        return _plain(self, {"stage", "seed", "batch"}) | {"batch": self._reads()}

    def tunable(self) -> dict[str, Any]:
        """Settings that change the weights from the next step on, and may be changed between two starts."""
        return _plain(
            self, {"optimizer", "schedule", "gradient_clip", "precision", "max_steps", "skip_limit"}
        )

    def digest(self) -> str:
        """SHA-256 of all settings that bear on the weights; names, paths and logging do not."""
        return digest_json({"fixed": self.fixed(), "tunable": self.tunable()})

    def _reads(self) -> dict[str, Any]:
        phases = {name: phase.sequences for name, phase in self.batch.phases.items()}
        return {"sequences": self.batch.sequences, "phases": phases}


def _plain(manifest: RunManifest, fields: set[str]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(manifest.model_dump_json(include=fields))
    return values

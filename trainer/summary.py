"""What a run came to, for the command line, the demonstration and the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import checkpoint, metrics
from trainer.batches import Plan
from trainer.folder import RunFolder


@dataclass(frozen=True)
class TrainSummary:
    """The result of `trainer.train.train`.

    Attributes:
        steps, total_steps: optimizer steps done, and steps of the whole run.
        first_loss, last_loss: nats per target, means over the first and the last tenth of the steps (at most
            ten steps); None where no step has a loss.
        validation_loss: the newest held-out loss, if the manifest asks for one.
        sparkline: the loss curve in one line.
        tokens: input tokens that the whole run consumed.
        seconds, tokens_per_second: of this start alone.
        skipped: steps skipped for a non-finite gradient.
        parameters: weights of the model.
        run, checkpoint, weights: the run folder, its newest checkpoint, its final weights (None before the
            end).
        resumed_from: step at which this start took over; None if it began the run.
        reused: the run was finished already and nothing was done.
        stopped_by: name of the signal that ended this start before the run's end.
    """

    name: str
    steps: int
    total_steps: int
    first_loss: float | None
    last_loss: float | None
    validation_loss: float | None
    sparkline: str
    tokens: int
    seconds: float
    tokens_per_second: float
    skipped: int
    parameters: int
    run: Path
    checkpoint: Path | None
    weights: Path | None
    resumed_from: int | None = None
    reused: bool = False
    stopped_by: str | None = None


@dataclass(frozen=True)
class Curve:
    """First and last loss and the shape between them, read from a metrics file."""

    first: float | None
    last: float | None
    validation: float | None
    sparkline: str


def curve(path: Path) -> Curve:
    """The loss curve of a metrics file. Skipped steps are left out."""
    losses: list[float] = []
    validation: float | None = None
    for line in metrics.read(path):
        if line.get("loss") is not None and not line.get("skipped"):
            losses.append(line["loss"])
        validation = line.get("validation_loss", validation)
    if not losses:
        return Curve(None, None, validation, "")
    end = max(1, min(10, len(losses) // 10))
    first, last = sum(losses[:end]) / end, sum(losses[-end:]) / end
    return Curve(first, last, validation, metrics.sparkline(losses))


def summarise(run: RunFolder, plan: Plan, step: int, skipped: int, **of_this_start: Any) -> TrainSummary:
    """The summary of a run after `step` steps; `of_this_start` are fields that only this start knows."""
    losses = curve(run.metrics)
    return TrainSummary(
        name=run.manifest.name,
        steps=step,
        total_steps=plan.steps,
        first_loss=losses.first,
        last_loss=losses.last,
        validation_loss=losses.validation,
        sparkline=losses.sparkline,
        tokens=plan.tokens_until(step),
        skipped=skipped,
        parameters=run.config.parameter_count(),
        run=run.path,
        checkpoint=checkpoint.newest(run.checkpoints),
        weights=run.weights if step == plan.steps else None,
        **{"seconds": 0.0, "tokens_per_second": 0.0, **of_this_start},
    )

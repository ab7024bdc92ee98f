"""Learning rate as a pure function of the step: warm-up, stable, decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gristmill.base.errors import UserError
from trainer.manifest import Schedule

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda t: 1 - t,
    "cosine": lambda t: 0.5 * (1 + math.cos(math.pi * t)),
    "1-sqrt": lambda t: 1 - math.sqrt(t),
}
"""How the rate falls from its peak (1 at t=0) to its minimum (0 at t=1).

1-sqrt: Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
arXiv 2405.18392, where it beats the linear cooldown.
"""


@dataclass(frozen=True)
class WarmupStableDecay:
    """WSD (MiniCPM, arXiv 2404.06395): a linear rise, a plateau, a fall over the last steps.

    Attributes:
        steps: optimizer steps of the whole run.
        warmup, decay: steps of the rise and of the fall; together at most `steps`.
        peak, minimum: learning rates on the plateau and at the last step.
        shape: name of the fall, a key of `SHAPES`.
    """

    steps: int
    warmup: int
    decay: int
    peak: float
    minimum: float
    shape: str

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0. The last step of a decay runs at `minimum`."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        into_decay = step + 1 - (self.steps - self.decay)
        if self.decay == 0 or into_decay <= 0:
            return self.peak
        left = SHAPES[self.shape](min(1.0, into_decay / self.decay))
        return self.minimum + (self.peak - self.minimum) * left


def as_steps(length: float, steps: int) -> int:
    """A length of the manifest in steps: below 1 it is a fraction of the run, else a number of steps."""
    return round(length * steps) if length < 1 else int(length)


def build(schedule: Schedule, steps: int) -> WarmupStableDecay:
    """The schedule of a run of so many steps. Errors: UserError when warm-up and decay do not fit into it."""
    warmup, decay = as_steps(schedule.warmup, steps), as_steps(schedule.decay, steps)
    if warmup + decay > steps:
        raise UserError(
            f"{warmup} warm-up and {decay} decay steps do not fit into {steps} steps",
            where="schedule",
            mend="give shorter lengths, or fractions of the run (0.02)",
        )
    return WarmupStableDecay(steps, warmup, decay, schedule.lr, schedule.min_lr, schedule.shape)

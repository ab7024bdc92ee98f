"""The training loop.

Nothing but the step number says which data comes next, and the loop draws no random numbers: a run that is
killed and started again goes on from its last checkpoint and ends in the same bytes as one that was left
alone (on the same kind of machine, with the same number of threads and ranks).

Under `torchrun` the ranks split every batch and sum their gradients; the model knows nothing of it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gristmill.base.errors import UserError
from gristmill.base.progress import Progress, Silent
from trainer import checkpoint, optim, schedule, tokens
from trainer.batches import MicroBatch, Plan, Reader, StepBatch, read_step, stream
from trainer.checkpoint import Record
from trainer.folder import RunFolder
from trainer.hub import save_hub
from trainer.journal import Journal
from trainer.manifest import RunManifest
from trainer.model.hybrid import HybridModel
from trainer.parallel import ALONE, Ranks, launched
from trainer.runtime import StopRequest, describe, numerics, pick_device
from trainer.sources import HeldOut, model_config, open_held_out, open_reader, plan_of
from trainer.summary import TrainSummary, summarise


def train(
    manifest: RunManifest, progress: Progress | None = None, reader: Reader | None = None
) -> TrainSummary:
    """Train as the manifest says; go on where an earlier start ended.

    Args:
        manifest: the run.
        progress: where to show it; silent by default.
        reader: the sequences; by default those of the manifest's lock.

    Errors: UserError for what does not fit together (another lock or model than the run began with,
    a diverged run), OSError when the disk is full; the same command then goes on from the last checkpoint.
    """
    device = pick_device(manifest.device)
    with numerics(manifest, device), launched(device) as ranks, StopRequest() as stop:
        progress = progress if progress is not None and ranks.main else Silent()
        reader = reader or open_reader(manifest.lock)
        plan = plan_of(manifest, reader)
        lock = getattr(reader, "lock", None)
        run = RunFolder(manifest, reader.lock_digest, model_config(manifest, reader), lock)
        with run.claimed() if ranks.main else contextlib.nullcontext():
            done = run.finished(plan.steps, progress.note)
            if done is not None:
                progress.note(f"{manifest.name}: all {plan.steps:,} steps are done already; nothing to do")
                return summarise(run, plan, plan.steps, done["skipped"], reused=True)
            return _train(run, reader, plan, ranks=ranks, stop=stop, progress=progress)


def _train(
    run: RunFolder, reader: Reader, plan: Plan, *, ranks: Ranks, stop: StopRequest, progress: Progress
) -> TrainSummary:
    """The loop, from the newest checkpoint to the last step or to a signal."""
    manifest = run.manifest
    rate = schedule.build(manifest.schedule, plan.steps)
    held_out = open_held_out(manifest, reader)
    dtype = torch.bfloat16 if manifest.precision == "bf16" else torch.float32
    model = HybridModel(run.config, seed=manifest.seed, device=ranks.device, compute_dtype=dtype)
    optimizer = optim.build(model, manifest.optimizer)
    surroundings = describe(manifest, ranks.device, ranks.world)
    state = _resume(run, model, optimizer, surroundings, progress)
    start = state.step
    if start > plan.steps:
        raise UserError(
            f"{start:,} steps are done already, the manifest wants {plan.steps:,}",
            where=str(run.path),
            mend="raise max_steps, or give another 'output' to begin a new run",
        )
    if start:
        progress.note(f"going on from step {start:,} of {plan.steps:,}")
    ranks.wait()  # nobody writes before everybody has read

    with Journal(run, start, plan.steps, ranks.main, progress) as journal:
        for batch, waited in stream(reader, plan, start, ranks.rank, ranks.world):
            line = optimize(
                model, optimizer, batch, rate(batch.step), ranks=ranks, clip=manifest.gradient_clip
            )
            state.count(line)
            last = state.step == plan.steps
            if held_out and (last or state.step % held_out.every == 0):
                line["validation_loss"] = validate(model, held_out, ranks)
            journal.write(line, waited)
            stopping = ranks.any(stop.requested)
            if last or stopping or state.step % manifest.checkpoint.every == 0:
                if ranks.main:
                    journal.sync()  # a checkpoint counts on the lines up to its step
                    record = Record(**run.identity, numerics=surroundings, **vars(state))
                    tensors = _tensors(model, optimizer)
                    checkpoint.save(run.checkpoints, tensors, record, manifest.checkpoint.keep)
                ranks.wait()
            if state.skipped_in_a_row >= manifest.skip_limit:
                raise _diverged(state, run)
            if stopping:
                break

    stopped_by = stop.name if state.step < plan.steps else None
    if stopped_by:
        progress.note(f"{stopped_by}: step {state.step:,} is saved; the same command goes on from there")
    elif ranks.main:
        save_hub(model, run.weights)
        tokens.copy(run.tokenizer, run.weights)
        run.finish(state.step, state.skipped)
    ranks.wait()
    return summarise(
        run,
        plan,
        state.step,
        state.skipped,
        seconds=journal.seconds,
        tokens_per_second=journal.rate,
        resumed_from=start or None,
        stopped_by=stopped_by,
    )


@dataclass
class State:
    """What a checkpoint remembers besides tensors: steps done, targets seen, steps skipped."""

    step: int = 0
    targets: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0

    def count(self, line: dict[str, Any]) -> None:
        """Take in a step's metrics."""
        self.step = line["step"]
        if line["skipped"]:
            self.skipped += 1
            self.skipped_in_a_row += 1
        else:
            self.targets += line["targets"]
            self.skipped_in_a_row = 0


def optimize(
    model: HybridModel,
    optimizer: torch.optim.Optimizer,
    batch: StepBatch,
    rate: float,
    *,
    ranks: Ranks = ALONE,
    clip: float | None = None,
) -> dict[str, Any]:
    """One optimizer step; returns its metrics.

    The gradient is that of the mean loss over all targets of the global batch. A step whose gradient is not
    finite, or that has no target, changes nothing but is marked `skipped`.
    """
    loss, targets, tokens = gradients(model, batch, ranks)
    parameters = [parameter for _, parameter in optim.trainable(model)]
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip if clip is not None else float("inf"))
    usable = targets > 0 and bool(torch.isfinite(norm) & torch.isfinite(loss))
    if usable:
        optim.set_rate(optimizer, rate)
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {
        "step": batch.step + 1,
        "phase": batch.position.name,
        "loss": loss.item(),
        "lr": rate,
        "grad_norm": norm.item(),
        "tokens": tokens,
        "targets": targets,
        "skipped": not usable,
    }


def gradients(model: HybridModel, batch: StepBatch, ranks: Ranks = ALONE) -> tuple[Tensor, int, int]:
    """Accumulate a step's gradients. Returns mean loss, targets and input tokens of the global batch.

    Each micro-batch counts by its targets: the parts sum to the mean over the batch, however it is cut.
    """
    device = next(model.parameters()).device
    counts = torch.tensor([batch.targets, batch.tokens], dtype=torch.int64, device=device)
    targets, tokens = (int(count) for count in ranks.sum(counts))
    loss = torch.zeros((), dtype=torch.float32, device=device)
    for micro in batch.micro_batches:
        total, _ = _loss(model, micro, device)
        share = total / max(targets, 1)
        share.backward()  # type: ignore[no-untyped-call]
        loss += share.detach()
    ranks.sum(loss)
    ranks.sum_gradients([parameter for _, parameter in optim.trainable(model)])
    return loss, targets, tokens


@torch.no_grad()
def validate(model: HybridModel, held_out: HeldOut, ranks: Ranks = ALONE) -> float:
    """Mean loss over the held-out sequences; every rank takes its share."""
    device = next(model.parameters()).device
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    for step in range(held_out.plan.steps):
        batch = read_step(held_out.reader, held_out.plan, step, ranks.rank, ranks.world)
        for micro in batch.micro_batches:
            total, count = _loss(model, micro, device)
            sums += torch.stack([total.double(), count.double()])
    ranks.sum(sums)
    return float(sums[0] / sums[1].clamp(min=1))


def _loss(model: HybridModel, micro: MicroBatch, device: torch.device) -> tuple[Tensor, Tensor]:
    inputs, labels, segments = (
        tensor.to(device, non_blocking=True) for tensor in (micro.inputs, micro.labels, micro.segments)
    )
    return model.loss(inputs, labels, segments)


def _tensors(model: HybridModel, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """All that a checkpoint holds, to save or to load into."""
    return {"model": model.state_dict(), "optimizer": optim.state_tensors(model, optimizer)}


def _resume(
    run: RunFolder,
    model: HybridModel,
    optimizer: torch.optim.Optimizer,
    surroundings: dict[str, Any],
    progress: Progress,
) -> State:
    """Load the newest good checkpoint into model and optimizer, if there is one and it belongs to this
    run."""
    found = checkpoint.latest(run.checkpoints, progress.note)
    if found is None:
        return State()
    path, record = found
    run.agree(vars(record), progress.note)
    for name, value in surroundings.items():
        if (before := record.numerics.get(name)) != value:
            progress.note(
                f"{name} was {before}, is now {value}: last bits may differ from an undisturbed run's"
            )
    checkpoint.load(path, _tensors(model, optimizer))
    return State(record.step, record.targets, record.skipped, record.skipped_in_a_row)


def _diverged(state: State, run: RunFolder) -> UserError:
    return UserError(
        f"no finite gradient in {state.skipped_in_a_row} steps in a row, up to step {state.step:,}",
        where=str(run.path),
        mend="lower schedule.lr or look at the data of these steps with gristmill trace",
    )

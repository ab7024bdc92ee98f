"""`gristmill train` and `gristmill generate`."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gristmill.base.errors import UserError
from gristmill.cli.common import (
    JsonOption,
    ManifestArgument,
    SetOption,
    console,
    emit,
    load_manifest,
    show_progress,
)

if TYPE_CHECKING:
    from trainer.estimate import Estimate
    from trainer.summary import TrainSummary

EXIT_BY_SIGNAL = {"SIGINT": 130, "SIGTERM": 143}
"""Exit codes of a run that a signal ended early: 128 plus the signal's number, as shells have it."""


def train(
    manifest: ManifestArgument,
    overrides: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and size the run; train nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model; the same command goes on where it was interrupted."""
    from trainer.manifest import RunManifest

    run = load_manifest(manifest, RunManifest, overrides)
    if dry_run:
        from trainer.estimate import estimate

        size = estimate(run)
        emit(asdict(size), as_json, lambda: _print_estimate(size))
        return

    from trainer.train import train as train_run

    with show_progress(as_json) as progress:
        summary = train_run(run, progress)
    if os.environ.get("RANK", "0") != "0":
        return  # torchrun starts this command once a rank; one of them speaks
    emit(asdict(summary), as_json, lambda: _print_summary(summary))
    if summary.stopped_by is not None:
        raise typer.Exit(EXIT_BY_SIGNAL.get(summary.stopped_by, 1))


def generate(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run manifest, a run folder, or a folder in the Hub's format."),
    ],
    *,
    prompt: Annotated[str, typer.Option(help="Text to go on from; - reads standard input.")],
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens to write.")] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0 always takes the likeliest token.")] = 0.8,
    top_p: Annotated[
        float, typer.Option(min=0, max=1, help="Draw from the likeliest tokens that hold this probability.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a completion with a trained model."""
    from trainer.complete import complete, find_weights

    text = sys.stdin.read() if prompt == "-" else prompt
    if Path(run).is_dir():
        if overrides:
            raise UserError("--set changes a manifest, but this is a folder", where=run)
        found = find_weights(Path(run))
    else:
        from trainer.manifest import RunManifest

        found = find_weights(load_manifest(run, RunManifest, overrides).output)
    result = complete(found, text, max_tokens=max_tokens, temperature=temperature, top_p=top_p, seed=seed)
    emit(asdict(result), as_json, lambda: print(result.prompt + result.completion))


def _print_estimate(size: Estimate) -> None:
    from rich.table import Table

    from gristmill.base.numbers import human_count

    out = console()
    phases = Table("phase", "steps", "sequences", "length", "batch", "micro", "tokens", title=size.name)
    for row in size.phases:
        phases.add_row(
            row["phase"],
            f"{row['steps']:,}",
            f"{row['sequences']:,}",
            f"{row['sequence_length']:,}",
            f"{row['batch']:,}",
            f"{row['micro_batch']:,}",
            human_count(row["tokens"]),
        )
    out.print(phases)
    table = Table("", "", show_header=False)
    table.columns[1].overflow = "fold"
    table.add_row("parameters", f"{size.parameters:,} ({human_count(size.parameters)})")
    table.add_row("vocabulary", f"{size.vocab_size:,}")
    table.add_row("steps", f"{size.steps:,} ({size.warmup_steps:,} warm-up, {size.decay_steps:,} decay)")
    table.add_row("tokens", f"{size.tokens:,} ({human_count(size.tokens / size.parameters)} a parameter)")
    table.add_row("memory", f"{_bytes(size.state_bytes)} weights, gradients and optimizer")
    table.add_row("", f"+ {_bytes(size.activation_bytes)} activations of a micro-batch (estimated)")
    table.add_row("lock", size.lock)
    out.print(table)


def _print_summary(summary: TrainSummary) -> None:
    from rich.table import Table

    from gristmill.base.numbers import human_count, human_seconds

    table = Table(show_header=False, title=summary.name)
    steps = f"{summary.steps:,} of {summary.total_steps:,}"
    if summary.reused:
        steps += " (finished earlier; nothing to do)"
    elif summary.resumed_from is not None:
        steps += f" (from step {summary.resumed_from:,})"
    table.add_row("steps", steps)
    table.add_row("parameters", human_count(summary.parameters))
    table.add_row("tokens", human_count(summary.tokens))
    if summary.first_loss is not None and summary.last_loss is not None:
        table.add_row("loss", f"{summary.first_loss:.3f} {summary.sparkline} {summary.last_loss:.3f}")
    if summary.validation_loss is not None:
        table.add_row("held-out loss", f"{summary.validation_loss:.3f}")
    if summary.seconds:
        speed = f"{summary.tokens_per_second:,.0f} tokens/s, {human_seconds(summary.seconds)}"
        table.add_row("speed", speed)
    if summary.skipped:
        table.add_row("skipped", f"{summary.skipped:,} steps without a finite gradient")
    for name, path in (("checkpoint", summary.checkpoint), ("weights", summary.weights)):
        if path is not None:
            table.add_row(name, str(path))
    console().print(table)


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"

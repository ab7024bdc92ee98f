"""`gristmill classifier`: quality classifiers from labelled texts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

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
    from corpus.classifiers.train import Trained

app = typer.Typer(
    help="Train quality classifiers on labelled texts, with measures on texts they have not seen.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def main() -> None:
    """Train quality classifiers on labelled texts, with measures on texts they have not seen."""


@app.command("train")
def train_command(
    manifest: ManifestArgument,
    again: Annotated[bool, typer.Option("--again", help="Train even if nothing has changed.")] = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier, measure it on held-out texts, and write both beside its model."""
    from corpus.classifiers.manifest import ClassifierManifest

    wanted = load_manifest(manifest, ClassifierManifest, overrides)
    from corpus.classifiers.train import train

    with show_progress(as_json) as progress:
        trained = train(wanted, progress, again=again)
    emit(asdict(trained), as_json, lambda: _print(trained))


def _print(trained: Trained) -> None:
    from rich.table import Table

    card = trained.card
    title = f"{trained.name}: unchanged" if trained.reused else trained.name
    table = Table(show_header=False, title=title, title_justify="left")
    for label, count in card["examples"]["labels"].items():
        table.add_row(f"examples {label}", f"{count:,}")
    for name, value in card["measures"].items():
        if isinstance(value, int | float):
            table.add_row(name.replace("_", " "), f"{value:,.4g}")
    table.add_row("classifier", trained.output)
    console().print(table)

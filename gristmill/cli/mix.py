"""`gristmill mix`: from a mixture manifest to a locked order of training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from mixtures.manifest import MixtureManifest
    from mixtures.plan import Plan

app = typer.Typer(
    help="Plan, tokenize, lock and check a mixture; say what is in a sequence.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

WorkersOption = Annotated[
    int, typer.Option("--workers", min=1, help="Processes; the result does not depend on it.")
]


@app.command("plan")
def plan_command(
    manifest: ManifestArgument,
    declared: Annotated[
        bool, typer.Option("--declared", help="Use declared token counts even where measured ones are there.")
    ] = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Allocate every phase in exact integers, or say which cap makes it impossible."""
    from mixtures import counts
    from mixtures.plan import plan

    mixture = _load(manifest, overrides)
    known = counts.declared(mixture) if declared else counts.known(mixture)
    planned = plan(mixture, known)
    emit(_plan_data(planned), as_json, lambda: _print_plan(planned))


@app.command("tokenize")
def tokenize_command(
    manifest: ManifestArgument,
    workers: WorkersOption = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the tokenizer and a token store for every source; goes on where it was interrupted."""
    mixture = _load(manifest, overrides)
    with show_progress(as_json) as progress:
        from mixtures.tokenize import tokenize

        result = tokenize(mixture, workers, progress)
    rows = [
        {
            "source": name,
            "documents": store.documents,
            "tokens": store.tokens,
            "empty": store.empty,
            "store": str(store.folder),
            "reused": name in result.reused,
        }
        for name, store in result.stores.items()
    ]
    made = result.tokenizer
    data = {
        "tokenizer": {"path": str(made.path), "sha256": made.digest, "vocab_size": made.vocab_size},
        "sources": rows,
    }

    def human() -> None:
        table = _table("source", "documents >", "tokens >", "empty >", "", "token store")
        for row in rows:
            numbers = [f"{row[name]:,}" for name in ("documents", "tokens", "empty")]
            state = "unchanged" if row["reused"] else "made"
            table.add_row(str(row["source"]), *numbers, state, str(row["store"]))
        console().print(table)
        console().print(f"tokenizer: {made.vocab_size:,} tokens, {made.path}", highlight=False)

    emit(data, as_json, human)


@app.command("lock")
def lock_command(
    manifest: ManifestArgument, overrides: SetOption = None, as_json: JsonOption = False
) -> None:
    """Plan on measured counts and write the lock, whose SHA-256 is the mixture's identity."""
    from mixtures.locking import lock_path, make_lock

    mixture = _load(manifest, overrides)
    path = lock_path(mixture)
    before = path.read_bytes() if path.is_file() else b""
    planned, digest = make_lock(mixture)
    changed = path.read_bytes() != before
    data = {"lock": str(path), "sha256": digest, "changed": changed} | _plan_data(planned)

    def human() -> None:
        _print_plan(planned)
        state = "written" if changed else "unchanged"
        console().print(f"lock: {state}, {path}\nsha256: {digest}", highlight=False, soft_wrap=True)

    emit(data, as_json, human)


@app.command("verify")
def verify_command(
    manifest: ManifestArgument,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Documents a source that are encoded again and compared.")
    ] = 32,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every byte under the lock. Exit code 1 when anything is not as locked."""
    from mixtures.locking import lock_path
    from mixtures.verify import verify

    mixture = _load(manifest, overrides)
    with show_progress(as_json) as progress:
        report = verify(_existing(lock_path(mixture)), samples, progress)

    def human() -> None:
        out = console()
        for line in report.skipped:
            out.print(f"[yellow]not checked[/yellow] {line}", highlight=False, soft_wrap=True)
        for line in report.problems:
            out.print(f"[red]damaged[/red] {line}", highlight=False, soft_wrap=True)
        state = f"{len(report.problems)} problems" if report.problems else "all as locked"
        out.print(
            f"{state}: {report.files} files, {report.bytes:,} bytes, "
            f"{report.documents} documents encoded again",
            highlight=False,
        )

    emit(report.__dict__, as_json, human)
    if report.problems:
        raise typer.Exit(1)


@app.command("explain")
def explain_command(
    manifest: ManifestArgument,
    phase: Annotated[str, typer.Argument(metavar="PHASE", help="Name or number of a phase.")],
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, help="Sequence of the phase, from 0.")],
    *,
    text: Annotated[bool, typer.Option("--text", help="Print the sequence's text as well.")] = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which documents a sequence is made of."""
    from gristmill.base.errors import UserError, did_you_mean
    from mixtures.locking import lock_path
    from mixtures.reader import SequenceReader

    mixture = _load(manifest, overrides)
    reader = SequenceReader(_existing(lock_path(mixture)))
    names = [shape.name for shape in reader.phases]
    if phase not in names and not (phase.isdecimal() and int(phase) < len(names)):
        raise UserError(f"no phase '{phase}'", mend=did_you_mean(phase, names))
    number = names.index(phase) if phase in names else int(phase)
    shape = reader.phases[number]
    if index >= shape.sequences:
        raise UserError(f"phase '{shape.name}' has sequences 0 to {shape.sequences - 1}, so no {index}")
    pieces = reader.explain(number, index)
    decoded = reader.text(number, index) if text else None
    data = {"phase": shape.name, "index": index, "documents": [piece._asdict() for piece in pieces]}

    def human() -> None:
        table = _table("document", "source", "first token >", "last token >")
        for piece in pieces:
            table.add_row(piece.document, piece.source, str(piece.first), str(piece.last))
        console().print(table)
        if decoded is not None:
            console().print(decoded, markup=False, highlight=False, soft_wrap=True)

    emit(data | ({"text": decoded} if text else {}), as_json, human)


def _load(ref: str, overrides: list[str] | None) -> MixtureManifest:
    from mixtures.manifest import MixtureManifest

    return load_manifest(ref, MixtureManifest, overrides)


def _existing(path: Path) -> Path:
    from gristmill.base.errors import UserError

    if not path.is_file():
        raise UserError("no such lock", where=str(path), mend="run `gristmill mix lock` first")
    return path


def _plan_data(planned: Plan) -> dict[str, Any]:
    return {
        "counts": sorted(planned.kinds),
        "tokens": planned.tokens,
        "phases": [
            {
                "name": phase.name,
                "sequence_length": phase.sequence_length,
                "batch": phase.batch,
                "sequences": phase.sequences,
                "steps": phase.steps,
                "tokens": phase.tokens,
            }
            for phase in planned.phases
        ],
        "rows": planned.rows(),
        "notes": list(planned.notes),
    }


def _print_plan(planned: Plan) -> None:
    from mixtures.amounts import format_amount

    out = console()
    rows = planned.rows()
    shapes = {phase.name: phase for phase in planned.phases}
    for name in [*shapes, None]:
        if name is not None:
            shape = shapes[name]
            title = (
                f"phase {name}: {format_amount(shape.tokens)} tokens, {shape.steps:,} steps of {shape.batch} "
                f"sequences of {shape.sequence_length}"
            )
        else:
            title = f"whole run: {format_amount(planned.tokens)} tokens"
        table = _table("source", "tokens >", "share >", "epochs >", "of >", "count", "licence")
        for row in rows:
            if row["phase"] == name:
                table.add_row(
                    row["source"],
                    format_amount(row["tokens"]),
                    f"{row['share']:.2%}",
                    f"{row['epochs']:.3g}",
                    format_amount(row["available"]),
                    row["count"],
                    _short(row["licence"]),
                )
        out.print(title, style="bold", highlight=False, soft_wrap=True)
        out.print(table)
        out.print()
    for note in planned.notes:
        out.print(f"note: {note}", highlight=False, soft_wrap=True)


def _table(*columns: str) -> Any:
    """A plain table; a heading that ends in `>` is a column of numbers, which is never cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        if column.endswith(">"):
            table.add_column(column.removesuffix(" >"), justify="right", no_wrap=True, min_width=7)
        else:
            table.add_column(column, overflow="fold")
    return table


def _short(text: str | None, length: int = 13) -> str:
    """A long name cut for a table; `--json` has it whole."""
    return "-" if not text else text if len(text) <= length else text[: length - 1] + "…"

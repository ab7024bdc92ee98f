"""`gristmill trace`: from a step to documents, from a document or domain to steps."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gristmill.base.errors import UserError
from gristmill.cli.common import JsonOption, ManifestArgument, SetOption, console, emit, load_manifest

if TYPE_CHECKING:
    from gristmill.trace import Consumption, Reading


def trace(
    manifest: ManifestArgument,
    step: Annotated[int | None, typer.Option(min=1, help="A training step, from 1.")] = None,
    document: Annotated[str | None, typer.Option(help="A document's id.")] = None,
    domain: Annotated[str | None, typer.Option(help="A host name; its subdomains count too.")] = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a step learned from, or which steps read a document or a domain."""
    if sum(option is not None for option in (step, document, domain)) != 1:
        raise UserError("give exactly one of --step, --document, --domain")

    from gristmill.trace import Tracer
    from trainer.manifest import RunManifest

    tracer = Tracer(load_manifest(manifest, RunManifest, overrides))
    if step is not None:
        readings = tracer.documents(step)
        data = {"step": step, "documents": [asdict(reading) for reading in readings]}
        emit(data, as_json, lambda: _print_readings(readings))
    else:
        found = [tracer.steps(document)] if document is not None else tracer.domain(domain or "")
        emit({"documents": [asdict(one) for one in found]}, as_json, lambda: _print_consumption(found))


def _print_readings(readings: list[Reading]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("sequence", "source", "document", "tokens", "licence", "page"):
        table.add_column(name, overflow="fold")
    for reading in readings:
        page = reading.page.get("url") or reading.page.get("source") or ""
        tokens = f"{reading.first_token}-{reading.last_token}"
        licence = reading.page.get("license") or "-"
        table.add_row(str(reading.sequence), reading.source, reading.document, tokens, licence, page)
    console().print(table)


def _print_consumption(found: list[Consumption]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("document", "source", "page", "steps"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(one.document, one.source, one.page.get("url") or "", _ranges(one.steps))
    console().print(table)
    touched = {step for one in found for step in one.steps}
    console().print(f"{len(found):,} documents, read in {len(touched):,} steps", highlight=False)


def _ranges(steps: list[int]) -> str:
    """Ascending numbers with runs folded: 1-3, 7."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and step == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], step]
        else:
            runs.append([step])
    return ", ".join("-".join(map(str, run)) for run in runs) or "none"

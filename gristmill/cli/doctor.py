"""`gristmill doctor` and `gristmill schema`: what is installed and runs here; JSON Schemas of manifests."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gristmill.cli.common import JsonOption, console, emit


def doctor(as_json: JsonOption = False) -> None:
    """Show what is installed, which backends run here, what is missing and how to get it."""
    from gristmill.doctor import examine

    findings = examine()

    def human() -> None:
        from rich.table import Table

        marks = {"ok": "[green]ok[/green]", "optional": "[yellow]-[/yellow]", "missing": "[red]missing[/red]"}
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("", "part", "state", "how to get it"):
            table.add_column(name, overflow="fold")
        for finding in findings:
            table.add_row(marks[finding.state], finding.part, finding.found, finding.remedy)
        console().print(table)

    emit({"findings": [finding.__dict__ for finding in findings]}, as_json, human)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)


def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="corpus, mixture or run.")],
) -> None:
    """Print the JSON Schema of a kind of manifest, for editors."""
    from gristmill.manifests import schema as json_schema

    print(json.dumps(json_schema(kind), indent=2, ensure_ascii=False))

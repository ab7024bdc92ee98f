"""`gristmill demo`: the whole path, on text that any Python installation has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gristmill.cli.common import JsonOption, console, emit, show_progress


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where everything goes.")] = Path("demo-run"),
    as_json: JsonOption = False,
) -> None:
    """Run the whole path: crawl, corpus, mixture, pretraining, generation; minutes on two cores, offline."""
    from gristmill.demo.run import run_demo
    from gristmill.demo.table import render

    with show_progress(as_json) as progress:
        result = run_demo(folder, progress)
    emit(result.as_dict(), as_json, lambda: render(result, console()))

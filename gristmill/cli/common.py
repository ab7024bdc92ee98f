"""What all verbs share: manifests, progress, output and the way mistakes are told."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gristmill.base.progress import Progress, Silent

if TYPE_CHECKING:
    from gristmill.base.manifest import Manifest  # pydantic: too slow to import for `--help`

M = TypeVar("M", bound="Manifest")

ManifestArgument = Annotated[
    str,
    typer.Argument(metavar="MANIFEST", help="A YAML file, or the name of a shipped one such as demo/web."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override a field by its dotted path; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


def console() -> Any:
    """The console for results, on standard output (a `rich.console.Console`)."""
    from rich.console import Console

    return Console()


def load_manifest(ref: str, kind: type[M], overrides: list[str] | None = None) -> M:
    """Load a manifest and insist on its kind. Errors: UserError with file, line, field and nearest name."""
    from gristmill.manifests import load_as

    return load_as(ref, kind, overrides or [])


def emit(data: Mapping[str, Any], as_json: bool, human: Callable[[], None]) -> None:
    """Print a result for a machine (one JSON line) or for a person."""
    if as_json:
        print(json.dumps(data, ensure_ascii=False, default=str))
    else:
        human()


@contextlib.contextmanager
def show_progress(as_json: bool = False) -> Iterator[Progress]:
    """Progress on standard error: bars on a terminal, lines now and then elsewhere, nothing with `--json`."""
    if as_json:
        yield Silent()
        return
    from gristmill.cli.progress import BarProgress, LineProgress

    progress = BarProgress() if sys.stderr.isatty() else LineProgress()
    with progress:
        yield progress

"""`gristmill decontaminate`: indexes of benchmarks, and pages of what was found of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gristmill.cli.common import JsonOption, ManifestArgument, SetOption, console, emit, load_manifest

if TYPE_CHECKING:
    from corpus.manifest import CorpusManifest

app = typer.Typer(
    help="Index benchmarks, and see what of them stands in documents.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("index")
def index_command(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of the index.")],
    benchmarks: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=FILES...",
            help="Benchmarks with their files: a file, folder, pattern, or hf://org/name@commit.",
        ),
    ],
    clean: Annotated[
        list[Path] | None,
        typer.Option("--clean", help="Clean texts, a store or file: what stands there is no evidence."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Words of a sequence.")] = 13,
    least: Annotated[int, typer.Option("--least", min=1, help="Least words of a question.")] = 8,
    common: Annotated[
        int, typer.Option("--common", min=1, help="Sequences in more items of a benchmark are no evidence.")
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Build an index of benchmarks, which the annotator `contamination` searches documents for."""
    from gristmill.base.errors import UserError

    named: dict[str, str] = {}
    for given in benchmarks:
        name, sign, files = given.partition("=")
        if not (name and sign and files):
            raise UserError(f"'{given}' is no benchmark", mend="write NAME=FILES")
        if name in named:
            raise UserError(f"benchmark '{name}' is named twice", mend="a folder or pattern means many files")
        named[name] = files
    from filters.decontaminate.build import index_benchmarks

    found = index_benchmarks(named, output, n=n, least=least, common=common, clean=clean or ())

    def human() -> None:
        from rich.table import Table

        table = Table("benchmark", "items", "without evidence", title=str(output), title_justify="left")
        for name, counts in found["benchmarks"].items():
            table.add_row(name, f"{counts['items']:,}", f"{counts['without_evidence']:,}")
        console().print(table)
        console().print(f"digest {found['digest'][:16]}", markup=False)

    emit({"output": str(output), **found}, as_json, human)


@app.command("report")
def report_command(
    manifest: ManifestArgument,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Where to write the page; OUTPUT/contamination.html by default."),
    ] = None,
    hits: Annotated[int, typer.Option("--hits", min=1, help="Most hits to show.")] = 200,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page: how much of each benchmark stands in a store, items and documents side by side."""
    from corpus.manifest import CorpusManifest

    corpus = load_manifest(manifest, CorpusManifest, overrides)
    from corpus.report.contamination import contamination_page, found_counts
    from corpus.store import Store
    from gristmill.base.atomic import atomic_write

    prefix, index = _index(corpus)
    store = Store.open(corpus.output)
    target = html or store.path / "contamination.html"
    atomic_write(target, contamination_page(store, index, prefix, hits).encode())
    counts = found_counts(store, f"{prefix}.hits")

    def human() -> None:
        from rich.table import Table

        table = Table("benchmark", "items", "documents", "hits", title=corpus.name, title_justify="left")
        for one in counts:
            table.add_row(one.benchmark, f"{one.items:,}", f"{one.documents:,}", f"{one.hits:,}")
        console().print(table if counts else "nothing was found of the benchmarks")
        console().print(f"page: {target}", markup=False)

    told: dict[str, Any] = {
        one.benchmark: {"items": one.items, "documents": one.documents, "hits": one.hits} for one in counts
    }
    emit({"benchmarks": told, "html": str(target)}, as_json, human)


def _index(corpus: CorpusManifest) -> tuple[str, Path]:
    """How the columns of the manifest's annotator begin, and the index that it searches for."""
    from filters.annotators.contamination import Contamination
    from filters.registry import build_annotator
    from gristmill.base.errors import UserError

    for choice in corpus.choices:
        if choice.name == Contamination.name:
            annotator = build_annotator(choice.name, choice.options, choice.label)
            assert isinstance(annotator, Contamination)
            return choice.label or choice.name, annotator.folder
    raise UserError(
        "the manifest has no annotator `contamination`", where="annotators", mend="list it and build again"
    )

"""`gristmill corpus`: from sources to a document store with decisions."""

from __future__ import annotations

from dataclasses import asdict
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
    from rich.table import Table

    from corpus.build import BuildSummary
    from corpus.decide import Decisions
    from corpus.manifest import CorpusManifest
    from corpus.plan import Outlook

app = typer.Typer(
    help="Build document stores, decide what is kept, report and inspect.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _load(ref: str, overrides: list[str] | None) -> CorpusManifest:
    from corpus.manifest import CorpusManifest

    return load_manifest(ref, CorpusManifest, overrides)


@app.command("build")
def build_command(
    manifest: ManifestArgument,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Replace a store that was made from something else.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Read inputs again that could not be read to their end.")
    ] = False,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the document store; the same command goes on where it was interrupted."""
    corpus = _load(manifest, overrides)
    from corpus.build import build

    with show_progress(as_json) as progress:
        summary = build(corpus, progress, rebuild=rebuild, retry=retry)
    emit(asdict(summary), as_json, lambda: _print_build(summary))
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)


@app.command("plan")
def plan_command(
    manifest: ManifestArgument, overrides: SetOption = None, as_json: JsonOption = False
) -> None:
    """Say what a build would read, before anything of it is read; an index is asked, and its answer kept."""
    corpus = _load(manifest, overrides)
    from corpus.plan import make_plan, outlook

    with show_progress(as_json) as progress:
        plan = make_plan(corpus, progress)
    ahead = outlook(plan)
    first = [item.name for task in plan.tasks[:5] for item in task.inputs[:1]]
    emit({"name": corpus.name, **asdict(ahead), "first": first}, as_json, lambda: _print_plan(corpus, ahead))


@app.command("decide")
def decide_command(
    manifest: ManifestArgument, overrides: SetOption = None, as_json: JsonOption = False
) -> None:
    """Apply the policy's rules to the store again, without touching the text."""
    corpus = _load(manifest, overrides)
    from corpus.decide import decide

    with show_progress(as_json) as progress:
        decisions = decide(corpus, progress)
    emit(asdict(decisions), as_json, lambda: _print_decisions(decisions))


@app.command("robots")
def robots_command(
    archives: Annotated[
        list[str],
        typer.Argument(
            metavar="ARCHIVES...",
            help="Web archives, folders, patterns, URLs, or names of crawls (CC-MAIN-2024-33).",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table, a Parquet file.")],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that read.")] = 1,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Where crawls lie, if not at data.commoncrawl.org.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Collect robots.txt files from archives into a table, for the annotator opt_out."""
    from corpus.robots import collect

    with show_progress(as_json) as progress:
        found = collect(archives, output, base_url=base_url, workers=workers, progress=progress)

    def human() -> None:
        table = _table("robots.txt")
        table.add_row(
            "archives", f"{found.archives:,}" + (f" ({found.reused:,} read before)" if found.reused else "")
        )
        table.add_row("answers", f"{found.records:,}")
        table.add_row("hosts", f"{found.hosts:,}")
        table.add_row("table", found.output)
        console().print(table)
        _print_incomplete(found.incomplete)

    emit(asdict(found), as_json, human)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


@app.command("report")
def report_command(
    manifest: ManifestArgument,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Where to write the page; OUTPUT/report.html by default."),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="POLICY", help="Show how another policy decides.")
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Documents to show of each kind for each rule.")
    ] = 3,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what became of every record, and write it as one HTML page: the funnel, what each rule drops,
    scores with their thresholds, languages, tiers, sampled documents, the difference to another policy.
    """
    corpus = _load(manifest, overrides)
    from corpus.report.counts import render, report
    from corpus.report.page import page
    from corpus.store import Store
    from filters.rules import load_ruleset
    from gristmill.base.atomic import atomic_write

    store = Store.open(corpus.output)
    policy = corpus.policy.name if corpus.policy else None
    rules = load_ruleset(corpus.policy.rules, "policy.rules") if corpus.policy else None
    counts = report(store, policy)
    target = html or store.path / "report.html"
    atomic_write(target, page(store, counts, rules, against, samples).encode())

    def human() -> None:
        console().print(render(counts))
        _print_incomplete(counts["incomplete"])
        console().print(f"page: {target}", markup=False)

    emit({**counts, "html": str(target)}, as_json, human)


@app.command("inspect")
def inspect_command(
    manifest: ManifestArgument,
    key: Annotated[str, typer.Argument(metavar="ID", help="An id, the beginning of one, or a URL.")],
    text: Annotated[int, typer.Option("--text", min=0, help="Characters of the text to show.")] = 2000,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one document with every annotation, and why it is kept or dropped."""
    corpus = _load(manifest, overrides)
    from corpus.inspect import inspect
    from corpus.store import Store
    from filters.rules import load_ruleset

    rules = load_ruleset(corpus.policy.rules, "policy.rules") if corpus.policy else None
    found = inspect(Store.open(corpus.output), key, rules)
    emit(found, as_json, lambda: _print_document(found, text))


def _print_plan(corpus: CorpusManifest, ahead: Outlook) -> None:
    from gristmill.base.numbers import human_count

    table = _table(f"{corpus.name}: to be read")
    table.add_row("inputs", f"{ahead.inputs:,}")
    if ahead.records is not None:
        table.add_row("records", f"{ahead.records:,}")
    about = "about " if ahead.estimated else ""
    table.add_row("bytes", "unknown" if ahead.bytes is None else f"{about}{human_count(ahead.bytes)}B")
    table.add_row("parts", f"{ahead.parts:,}")
    table.add_row("store", corpus.output)
    console().print(table)


def _print_build(summary: BuildSummary) -> None:
    out = console()
    if summary.submitted:
        out.print(
            f"{summary.name}: {summary.parts:,} parts are with the cluster "
            f"(jobs {', '.join(summary.submitted)}); the same command tells the outcome when they are done"
        )
        return
    title = f"{summary.name}: nothing to do, the store is up to date" if summary.reused else summary.name
    table = _table(title)
    table.add_row("records in", f"{summary.records:,}")
    for reason, count in sorted(summary.dropped.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"  {reason}", f"-{count:,}", style="dim")
    table.add_row("documents", f"{summary.documents:,}")
    for kind, count in summary.masked.items():
        table.add_row(f"  masked {kind}", f"{count:,}", style="dim")
    if summary.kept is not None:
        table.add_row("kept", f"{summary.kept:,}")
    parts = f"{summary.parts:,}"
    if summary.reused_parts and not summary.reused:
        parts += f" ({summary.reused_parts:,} from an earlier run)"
    table.add_row("parts", parts)
    table.add_row("store", summary.output)
    table.add_row("digest", summary.digest)
    out.print(table)
    _print_incomplete(summary.incomplete)


def _table(title: str) -> Table:
    """Names and values; a digest goes over two lines rather than losing its end."""
    from rich.table import Table

    table = Table(show_header=False, title=title, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    return table


def _print_incomplete(incomplete: list[list[str]]) -> None:
    """Name the inputs that could not be read to their end, as a closing word."""
    if not incomplete:
        return
    out = console()
    out.print(f"{len(incomplete):,} inputs could not be read to their end; what was read is kept:")
    for name, reason, detail in incomplete[:50]:
        out.print(f"  {name}: {reason}" + (f" ({detail})" if detail else ""), markup=False)
    if len(incomplete) > 50:
        out.print(f"  and {len(incomplete) - 50:,} more, in the ledger")


def _print_decisions(decisions: Decisions) -> None:
    title = f"policy {decisions.policy}" + (": unchanged" if decisions.reused else "")
    table = _table(title)
    table.add_row("documents", f"{decisions.documents:,}")
    for reason, count in sorted(decisions.reasons.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"  {reason}", f"-{count:,}", style="dim")
    table.add_row("kept", f"{decisions.kept:,}")
    for tier, count in decisions.tiers.items():
        table.add_row(f"  tier {tier}", f"{count:,}")
    table.add_row("digest", decisions.digest)
    console().print(table)


def _print_document(found: dict[str, Any], characters: int) -> None:
    from rich.text import Text

    out = console()
    table = _table(found["id"])
    if "ledger" in found:
        for row in found["ledger"]:
            where = f"{row['input']}" + (f" at {row['offset']:,}" if row["offset"] is not None else "")
            table.add_row(row["stage"], Text(f"{row['reason']} {row['detail']}".strip()), Text(where))
        out.print("never became a document:", table)
        return
    for name, value in found["document"].items():
        if name not in ("id", "text") and value not in (None, {}):
            table.add_row(name, Text(str(value)))
    for name, value in found["annotations"].items():
        table.add_row(name, Text(f"{value:.4g}" if isinstance(value, float) else str(value)))
    out.print(table)
    _print_copies(found["copies"])
    for policy, decision in found["decisions"].items():
        verdict = "kept" if decision["keep"] else f"dropped: {decision['reason']}"
        out.print(
            f"{policy}: {verdict}" + (f", tier {decision['tier']}" if decision["tier"] else ""), markup=False
        )
    kept = all(decision["keep"] for decision in found["decisions"].values())
    for rule in found.get("rules", []):
        if rule["matches"] and (kept or rule["action"] == "drop"):
            values = ", ".join(f"{name} = {value}" for name, value in rule["columns"].items())
            out.print(f"  {rule['label']}: {rule['condition']}  [{values}]", markup=False)
    out.print(Text(found["document"]["text"][:characters]))


def _print_copies(found: dict[str, list[dict[str, Any]]]) -> None:
    """A document's copies, and pieces of it that stand elsewhere, by method."""
    out = console()
    for method, rows in found.items():
        clusters = "cluster" in rows[0]
        told = f"{rows[0]['size']:,} copies" if clusters else "pieces that stand elsewhere"
        out.print(f"{method}: {told}", markup=False)
        for row in rows:
            if clusters:
                similar = f"  similarity {row['similarity']:.3f}" if row["similarity"] is not None else ""
                out.print(f"  {'kept' if row['keep'] else 'copy'} {row['id']}{similar}", markup=False)
            else:
                where = f"  kept in {row['kept_id']} at {row['kept_start']:,}" if row["kept_id"] else ""
                out.print(f"  {row['start']:,} to {row['end']:,}{where}", markup=False)

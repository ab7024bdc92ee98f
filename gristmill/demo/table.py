"""The closing table of the demonstration."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.base.numbers import human_count, human_seconds
from gristmill.demo.run import DemoResult


def render(result: DemoResult, console: Console) -> None:
    """Print what the demonstration came to."""
    table = Table(
        show_header=False, box=None, pad_edge=False, title="from page to model", title_justify="left"
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, corpus in result.corpora.items():
        table.add_row(f"{name}: in", f"{corpus.records:,} records, {corpus.documents:,} documents stored")
        table.add_row(f"{name}: kept", f"{corpus.kept:,}")
        for reason, count in sorted(corpus.dropped.items(), key=lambda item: (-item[1], item[0])):
            table.add_row("", f"{count:>6,}  dropped: {reason}")
    tokens = ", ".join(f"{human_count(count)} {name}" for name, count in result.tokens.items())
    table.add_row("tokens", f"{tokens}; vocabulary {result.vocab_size:,}")
    training = result.training
    if training is not None and training.first_loss is not None and training.last_loss is not None:
        table.add_row("model", f"{human_count(training.parameters)} parameters")
        table.add_row("trained on", f"{human_count(training.tokens)} tokens in {training.steps:,} steps")
        curve = f"{training.first_loss:.2f} {training.sparkline} {training.last_loss:.2f}"
        table.add_row("loss", f"{curve}   (a unigram model: {result.unigram:.2f})")
        if training.reused:
            table.add_row("speed", "trained by an earlier call")
        else:
            table.add_row("speed", f"{training.tokens_per_second:,.0f} tokens/s")
    if result.completion is not None:
        sample = Text(result.completion.prompt, style="bold")
        sample.append(result.completion.completion.rstrip(), style="not bold italic")
        table.add_row("sample", sample)
    if result.traced:
        documents = {reading.document: reading.page for reading in result.traced}
        table.add_row("last step", f"learned from {len(documents):,} documents, among them")
        table.add_row("", next((page["url"] for page in documents.values() if page.get("url")), ""))
    for name, path in _paths(result):
        table.add_row(name, path)
    reused = ", ".join(sorted(result.reused))
    took = human_seconds(sum(result.seconds.values()))
    table.add_row("time", f"{took}; reused from an earlier call: {reused}" if reused else took)
    console.print()
    console.print(table)


def _paths(result: DemoResult) -> list[tuple[str, str]]:
    folder = result.folder
    paths = [(f"store {name}", str(folder / "stores" / name)) for name in result.corpora]
    paths.append(("lock", str(result.lock)))
    if result.training is not None:
        paths.append(("run", str(folder / result.training.run)))
    return paths

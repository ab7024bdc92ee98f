"""Hits of decontamination as a page: what was found of each benchmark, items beside documents."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from corpus.store import Store
from filters.annotators.contamination import HITS as HIT_TYPE
from filters.decontaminate.index import describe_index, read_items
from filters.decontaminate.report import Comparison, Count, Segments, comparisons, counts
from gristmill.base.errors import UserError
from gristmill.base.html import Bar, Markup, document, join, table, tag

HITS = 200
"""Hits shown."""
FIELDS = {"question": "question", "choices": "question and choices", "answer": "solution"}


def contamination_page(store: Store, index: Path, prefix: str = "contamination", most: int = HITS) -> str:
    """The page.

    Args:
        store: a store with the annotator's columns.
        index: the folder of the index that they were made with.
        prefix: how the columns begin (`contamination`, or the label).
        most: hits shown, the greatest shares first.

    Raises UserError where the store has no such columns, or they were made with another index.
    """
    column = f"{prefix}.hits"
    folder = _annotation(store, column)
    if folder is None:
        raise UserError(
            f"the store has no column '{column}'", mend="list the annotator `contamination` in its manifest"
        )
    digest = describe_index(index)["digest"]
    if not folder.endswith(f"-{digest[:8]}"):
        raise UserError("the store's hits were found with another index", where=str(index))
    items = {(item.benchmark, item.id): item for item in read_items(index)}
    parts = [store.files(part.name) for part in store.parts]
    found = found_counts(store, column)
    body = [
        tag("h1", f"{store.name}: decontamination"),
        tag(
            "p",
            f"{store.rows:,} documents, {len(items):,} items; index ",
            tag("code", digest[:16]),
            class_="dim",
        ),
        tag("h2", "Benchmarks"),
        _benchmarks(found, [name for name, _ in items]),
        tag("h2", "Hits"),
        tag(
            "p",
            f"The greatest shares first, {most:,} at the most. Marked is what both texts say in the same"
            " order, whatever its case, punctuation, markup, number formats and LaTeX spellings.",
        ),
        *_hits(comparisons(parts, items, column=column, most=most)),
    ]
    return document(f"{store.name}: decontamination", body)


def found_counts(store: Store, column: str) -> list[Count]:
    """What a store's column of hits says of each benchmark of which something was found."""
    folder = _annotation(store, column)
    if folder is None:
        return []
    return counts(
        [store.path / "annotations" / folder / f"{part.name}.parquet" for part in store.parts], column
    )


def section(store: Store) -> Markup | None:
    """The part of a store's page that says how much of the benchmarks was found; None where nobody looked."""
    columns = [name for name, kind in store.schema.items() if kind == HIT_TYPE]
    if not columns:
        return None
    rows = [
        (one.benchmark, one.items, one.documents, one.hits)
        for column in columns
        for one in found_counts(store, column)
    ]
    if not rows:
        return tag("p", "Nothing was found of the benchmarks.")
    note = tag(
        "p", tag("code", "gristmill decontaminate report"), " shows the hits side by side.", class_="dim"
    )
    return join([note, table(("benchmark", "items found", "documents", "hits"), rows)])


def _annotation(store: Store, column: str) -> str | None:
    """The folder of annotations that has a column."""
    for name in store.annotations:
        if store.parts and column in _columns(store, name):
            return name
    return None


def _columns(store: Store, name: str) -> list[str]:
    import pyarrow.parquet as pq

    return list(pq.read_schema(store.path / "annotations" / name / f"{store.parts[0].name}.parquet").names)


def _benchmarks(found: Iterable[Count], names: list[str]) -> Markup:
    known = {count.benchmark: count for count in found}
    rows = []
    for name in dict.fromkeys(names):
        total = names.count(name)
        count = known.get(name, Count(name, 0, 0, 0))
        share = count.items / total
        rows.append(
            (name, total, count.items, f"{share:.1%}", Bar(share, "dropped"), count.documents, count.hits)
        )
    return table(("benchmark", "items", "found", "", "", "documents", "hits"), rows)


def _hits(found: Iterable[Comparison]) -> Iterable[Markup]:
    none = True
    for one in found:
        none = False
        sides = (
            _side("kept", f"{one.benchmark} {one.item}", FIELDS[one.field], one.item_text),
            _side("dropped", "document", one.document, one.excerpt),
        )
        told = f"{one.share:.0%} of {one.benchmark} {one.item}, {one.matched:,} sequences"
        yield tag("h3", told)
        yield tag("div", *sides, class_="pair")
    if none:
        yield tag("p", "None.")


def _side(kind: str, head: str, told: str, segments: Segments) -> Markup:
    text = join(tag("mark", piece) if same else piece for piece, same in segments)
    return tag(
        "article", tag("header", tag("b", head), " ", tag("code", told)), tag("pre", text), class_=kind
    )

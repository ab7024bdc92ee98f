"""Hits beside the items that they are of, for people to look at."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.decide import read_columns
from filters.decontaminate.items import Item
from filters.decontaminate.words import Words, words
from filters.findings import merged

Segments = list[tuple[str, bool]]
"""A text in pieces, and whether each stands in the other text too. Plain text: not escaped."""
CONTEXT = 160
"""Characters shown of a document on either side of a hit."""
RUN = 3
"""So many words in a row have to be the same to be marked."""
LONGEST = 4000
"""Words of a text that are compared: a hit of more is shown without marks beyond them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A hit: what was found of an item, in which document, and both texts with what they share."""

    benchmark: str
    item: str
    field: str
    share: float
    matched: int
    document: str
    start: int
    end: int
    item_text: Segments
    excerpt: Segments


@dataclass(frozen=True, slots=True)
class Count:
    """Of a benchmark: how many of its items have hits, in how many documents, how many hits."""

    benchmark: str
    items: int
    documents: int
    hits: int


def counts(files: Sequence[str | Path], column: str = "contamination.hits") -> list[Count]:
    """What the annotation files of a store's parts hold, by benchmark."""
    if not files:
        return []
    query = (
        "SELECT hit.benchmark, count(DISTINCT hit.item), count(DISTINCT id), count(*) FROM"
        f' (SELECT id, unnest("{column}") AS hit FROM read_parquet($files)) GROUP BY 1 ORDER BY 1'
    )
    with duckdb.connect() as database:
        rows = database.execute(query, {"files": [str(file) for file in files]}).fetchall()
    return [Count(*row) for row in rows]


def comparisons(
    parts: Sequence[Sequence[str | Path]],
    items: Mapping[tuple[str, str], Item],
    *,
    column: str = "contamination.hits",
    most: int = 200,
    per_item: int = 3,
) -> Iterator[Comparison]:
    """The hits of a store, the greatest shares first.

    Args:
        parts: the files of each part, documents first (`filters.decide.read_columns`).
        items: the items of the index by benchmark and id (`filters.decontaminate.index.read_items`); a hit of
            an item that is not among them is left out.
        column: the column of hits.
        most: how many hits at the most.
        per_item: how many documents of one item at the most.
    """
    chosen = _choose(parts, column, most, per_item, items)
    texts = _texts(parts, {(part, row) for part, row, _ in chosen})
    for part, row, hit in chosen:
        identity, text = texts[part, row]
        item_text, excerpt = _side_by_side(items[hit["benchmark"], hit["item"]], text, hit)
        yield Comparison(
            hit["benchmark"],
            hit["item"],
            hit["field"],
            hit["share"],
            hit["matched"],
            identity,
            hit["start"],
            hit["end"],
            item_text,
            excerpt,
        )


def _choose(
    parts: Sequence[Sequence[str | Path]],
    column: str,
    most: int,
    per_item: int,
    items: Mapping[tuple[str, str], Item],
) -> list[tuple[int, int, Mapping[str, Any]]]:
    """Part, row and hit of those that are shown."""
    found: list[tuple[int, int, Mapping[str, Any]]] = []
    for number, files in enumerate(parts):
        hits = read_columns(files, [column]).column(column)
        rows = np.flatnonzero(pc.fill_null(pc.list_value_length(hits), 0).to_numpy())
        for row, of_row in zip(rows.tolist(), hits.take(rows).to_pylist(), strict=True):
            found += [(number, row, hit) for hit in of_row if (hit["benchmark"], hit["item"]) in items]
        found = _best(found, most, per_item)
    return found


def _best(
    found: list[tuple[int, int, Mapping[str, Any]]], most: int, per_item: int
) -> list[tuple[int, int, Mapping[str, Any]]]:
    kept: list[tuple[int, int, Mapping[str, Any]]] = []
    seen: dict[tuple[str, str], int] = {}
    for one in sorted(
        found, key=lambda one: (-one[2]["share"], -one[2]["matched"], one[0], one[1], one[2]["start"])
    ):
        name = one[2]["benchmark"], one[2]["item"]
        seen[name] = times = seen.get(name, 0) + 1
        if times <= per_item and len(kept) < most:
            kept.append(one)
    return kept


def _texts(
    parts: Sequence[Sequence[str | Path]], rows: set[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, str]]:
    """Id and text of some rows; a part is read once, and only if it is needed."""
    texts = {}
    for number in sorted({part for part, _ in rows}):
        wanted = sorted(row for part, row in rows if part == number)
        table = pq.read_table(parts[number][0], columns=["id", "text"], partitioning=None).take(wanted)
        for row, identity, text in zip(
            wanted, *(table.column(name).to_pylist() for name in ("id", "text")), strict=True
        ):
            texts[number, row] = identity, text
    return texts


def _side_by_side(item: Item, text: str, hit: Mapping[str, Any]) -> tuple[Segments, Segments]:
    """The text of the item in the way of writing that fits best, and the place of the document."""
    first, last = max(0, hit["start"] - CONTEXT), min(len(text), hit["end"] + CONTEXT)
    excerpt = text[first:last]
    sides = [marked(written, excerpt) for field, written in item.texts() if field == hit["field"]]
    best = max(sides, key=lambda side: sum(len(piece) for piece, same in side[0] if same))
    shown = best[1]
    if first > 0:
        shown = [("…", False), *shown]
    if last < len(text):
        shown = [*shown, ("…", False)]
    return best[0], shown


def marked(one: str, other: str) -> tuple[Segments, Segments]:
    """Two texts with the words marked that both have in the same order, as decontamination reads words."""
    cut = [_words(text) for text in (one, other)]
    first, second = (found.hashes.tolist()[:LONGEST] for found in cut)
    match = difflib.SequenceMatcher(a=first, b=second, autojunk=False)
    least = min(RUN, *map(len, cut))
    blocks = [block for block in match.get_matching_blocks() if block.size >= least]
    sides = []
    for text, found, starts in zip(
        (one, other), cut, ([b.a for b in blocks], [b.b for b in blocks]), strict=True
    ):
        spans = [
            (int(found.starts[start]), int(found.ends[start + block.size - 1]), "")
            for start, block in zip(starts, blocks, strict=True)
            if block.size
        ]
        sides.append(_segments(text, [(start, end) for start, end, _ in merged(spans)]))
    return sides[0], sides[1]


def _words(text: str) -> Words:
    return words(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32))


def _segments(text: str, spans: Sequence[tuple[int, int]]) -> Segments:
    """A text cut at spans that do not overlap."""
    segments: Segments = []
    at = 0
    for start, end in spans:
        segments += [(text[at:start], False), (text[start:end], True)]
        at = end
    segments.append((text[at:], False))
    return [(piece, same) for piece, same in segments if piece]

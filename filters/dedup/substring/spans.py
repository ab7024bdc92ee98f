"""The last stage: what is cut out of the documents of every part, and where it stands that is kept.

spans/<part>.parquet     id and the columns of the annotation, rows as the documents
pieces/<part>.parquet    PIECES, a row a piece
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.dedup.base import Job
from filters.dedup.substring.blocks import Layout, read_layout, read_selection, read_texts, scratch
from filters.dedup.substring.cover import (
    BEGIN,
    END,
    FIRST,
    FROM,
    FROM_AT,
    JOINED,
    KEPT,
    LAST,
    LAST_AT,
    ROW,
    RUN,
    cover,
)
from filters.dedup.substring.edges import BYTES, CHARACTERS, TOKENS, WORDS, byte_points, extending, finish
from filters.dedup.substring.sections import Sections
from filters.dedup.substring.settings import Settings
from filters.dedup.substring.units import Numbers, Units, code_points, units, utf8
from filters.findings import PIECES as SPANS_TYPE
from gristmill.base.atomic import atomic_path

PIECES = pa.schema(
    [(name, pa.int64()) for name in ("number", "start", "end", "kept_number", "kept_start", "kept_end")]
)
"""A piece that is cut, by the number of its document, in code points; the number of the document where it
is kept and where it stands there, null for a fragment."""

COLUMNS = {"spans": SPANS_TYPE, "characters": pa.int64(), "share": pa.float64()}


@dataclass(frozen=True, slots=True)
class Firsts:
    """Where the windows of a block's contexts stand first: bounds int64[contexts + 1] of the rows of each
    context; at, count, number, start, point int64 a row; starts and ends of the units there, int64, with
    bounds int64[rows + 1] (see `first`)."""

    bounds: Numbers
    at: Numbers
    count: Numbers
    number: Numbers
    start: Numbers
    point: Numbers | None
    places: Numbers | None
    starts: Numbers | None
    ends: Numbers | None


def find_spans(settings: Settings, job: Job, rank: int, world_size: int) -> None:
    """Write the spans and pieces of one part."""
    if rank >= len(job.parts):
        return
    part, layout = job.parts[rank], read_layout(job)
    spans = job.folder("substring/spans") / f"{rank:06d}.parquet"
    if spans.is_file():
        return
    annotations, ledger = [], [PIECES.empty_table()]
    for number in layout.of_part(rank):
        annotation, pieces = _block(settings, job, layout, number)
        annotations.append(annotation)
        ledger.append(pieces)
    ids = pq.read_table(part.files[0], columns=["id"], partitioning=None).column("id").cast(pa.string())
    empty = pa.table({name: pa.array([], kind) for name, kind in COLUMNS.items()})
    table = pa.concat_tables([empty, *annotations]).add_column(0, "id", ids)
    with atomic_path(job.folder("substring/pieces") / f"{rank:06d}.parquet") as path:
        pq.write_table(pa.concat_tables(ledger), path, compression="zstd")
    # Written last, so where it is all is there.
    with atomic_path(spans) as path:
        pq.write_table(table.combine_chunks(), path, compression="zstd")


def _block(settings: Settings, job: Job, layout: Layout, number: int) -> tuple[pa.Table, pa.Table]:
    """Annotation and pieces of a block of documents."""
    block = layout.blocks[number]
    numbers, _, _ = read_selection(job, block)
    with Sections(scratch(job, "places", number)) as file:
        columns = [column.to_numpy() for column in file[0].columns]
    texts = read_texts(job, block)
    lengths = pc.utf8_length(texts).to_numpy()
    if not len(columns[0]):
        return _annotation(numbers, lengths, np.zeros((0, 3), np.int64)), PIECES.empty_table()
    firsts = _firsts(job, layout, number)
    slack = 3 if settings.unit == "bytes" else 0
    row, start, stride, repeats, context = columns
    found = cover(
        row, start, stride, repeats, context, firsts.bounds, firsts.at, firsts.count, firsts.number,
        firsts.start, numbers, settings.length, settings.within, slack,
    )  # fmt: skip
    rows, text = np.unique(found[:, ROW], return_inverse=True)
    spans, pieces = _finish(settings, texts.take(pa.array(rows)), text.astype(np.int64), found, firsts)
    spans[:, 0], pieces[:, 0] = rows[spans[:, 0]], numbers[rows[pieces[:, 0]]]
    missing = pieces[:, 3] < 0
    arrays = [pa.array(pieces[:, index], mask=missing if index > 2 else None) for index in range(6)]
    return _annotation(numbers, lengths, spans), pa.table(arrays, schema=PIECES)


def _firsts(job: Job, layout: Layout, number: int) -> Firsts:
    """All that is known of a block's contexts, range by range."""
    with Sections(scratch(job, "contexts", number)) as file:
        sizes = file.fact("contexts")
    batches, context = [], []
    base = 0
    for index in range(layout.ranges):
        with Sections(scratch(job, "first", index)) as file:
            batches.append(file[number])
        context.append(batches[-1].column("context").to_numpy() + base)
        base += int(sizes[index])
    table = pa.Table.from_batches(batches).combine_chunks()

    def array(name: str) -> Numbers | None:
        return table.column(name).to_numpy() if name in table.column_names else None

    def flat(name: str) -> Numbers | None:
        if name not in table.column_names:
            return None
        values: Numbers = table.column(name).combine_chunks().flatten().to_numpy()
        return values

    count = table.column("count").to_numpy()
    places = None
    if "starts" in table.column_names:
        sizes = pc.list_value_length(table.column("starts")).to_numpy()
        places = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Firsts(
        np.searchsorted(np.concatenate(context), np.arange(base + 1)).astype(np.int64),
        table.column("at").to_numpy(),
        count,
        table.column("number").to_numpy(),
        table.column("start").to_numpy(),
        array("point"),
        places,
        flat("starts"),
        flat("ends"),
    )


def _finish(
    settings: Settings, texts: pa.Array, text: Numbers, found: Numbers, firsts: Firsts
) -> tuple[Numbers, Numbers]:
    """Spans and pieces in code points, from pieces in units (`cover`); `text` tells which one each is of."""
    points, bases = code_points(texts)
    none = np.zeros(0, np.int64)
    own: Units | None = None
    measure = CHARACTERS
    kept_begin: Numbers
    kept_end: Numbers
    if firsts.point is None:
        measure = WORDS if settings.unit == "words" else TOKENS
        own = units(texts, settings)
        begin, end, kept_begin, kept_end = _span_points(own, text, found, firsts)
    else:
        begin, end = found[:, RUN].copy(), found[:, END].copy()
        if settings.unit == "bytes":
            measure = BYTES
            begin, end = byte_points(*utf8(texts), text, begin, end)
        shift = firsts.point[found[:, FIRST]] - begin
        kept_begin, kept_end = begin + shift, end + shift
    spans, pieces = finish(
        text,
        found[:, JOINED].astype(np.bool_),
        begin,
        end,
        found[:, KEPT].copy(),
        kept_begin,
        kept_end,
        points,
        bases,
        extending(),
        settings.fragment,
        measure,
        own.offsets if own is not None else none,
        own.starts if own is not None and own.starts is not None else none,
        own.ends if own is not None and own.ends is not None else none,
    )
    return spans, pieces


def _span_points(
    own: Units, text: Numbers, found: Numbers, firsts: Firsts
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Begin and end of pieces of words or tokens in code points, here and where they are kept.

    Tokens may be parts of a character: one that is not in the piece whole is left out of it.
    """
    assert own.starts is not None
    assert own.ends is not None
    assert firsts.places is not None
    assert firsts.starts is not None
    assert firsts.ends is not None
    first, last = own.offsets[text] + found[:, BEGIN], own.offsets[text] + found[:, END] - 1
    before = np.where(found[:, BEGIN] > 0, own.ends[first - 1], 0)
    begin = np.maximum(own.starts[first], before)
    behind = np.append(own.starts, 0)[last + 1]
    more = last + 1 < own.offsets[text + 1]
    end = np.where(more, np.minimum(own.ends[last], behind), own.ends[last])
    kept_first = firsts.places[found[:, FROM]] + found[:, BEGIN] - found[:, FROM_AT]
    kept_last = firsts.places[found[:, LAST]] + found[:, END] - 1 - found[:, LAST_AT]
    kept_begin = firsts.starts[kept_first] + begin - own.starts[first]
    kept_end = firsts.ends[kept_last] - (own.ends[last] - end)
    return begin, end, kept_begin, kept_end


def _annotation(numbers: Numbers, lengths: Numbers, spans: Numbers) -> pa.Table:
    """The columns of a block's documents; null where one was not compared.

    Args:
        numbers: of the documents. lengths: of their texts in code points.
        spans: row, begin and end, int64[spans, 3], by row.
    """
    rows = len(numbers)
    unseen = numbers < 0
    covered = np.zeros(rows, np.int64)
    np.add.at(covered, spans[:, 0], spans[:, 2] - spans[:, 1])
    bounds = np.searchsorted(spans[:, 0], np.arange(rows + 1))
    structs = pa.StructArray.from_arrays(
        [pa.array(spans[:, 1]), pa.array(spans[:, 2])], fields=list(SPANS_TYPE.value_type)
    )
    offsets = pa.array(bounds.astype(np.int32), mask=np.append(unseen, False))
    return pa.table(
        {
            "spans": pa.ListArray.from_arrays(offsets, structs, type=SPANS_TYPE),
            "characters": pa.array(covered, mask=unseen),
            "share": pa.array(covered / np.maximum(lengths, 1), mask=unseen | (lengths == 0)),
        }
    )

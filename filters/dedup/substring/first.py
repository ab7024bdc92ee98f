"""The fourth stage: where the windows of every context stand first, by key range.

    first/<range>.arrow    sections by block: context int64, a row of the section of the contexts file; its
                           windows `at` to `at + count` stand first in document `number` from unit `start` on;
                           point, or starts and ends, of those units there, as in the contexts file

Contexts that are the same all through are one class. A class that has its key alone stands first where its
first member stands; this is so inside of long repeats, that is, mostly. Only where different contexts share
an anchor are windows compared, each by its hash and, where hashes agree, unit by unit; neighbours that agree
with neighbours need no more than the last unit compared.
"""

from __future__ import annotations

# ruff: noqa: PLR0912, PLR0915, PLR0917 (kernels take arrays one by one)
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.dedup.base import Job
from filters.dedup.numbering import FLOOR_MB
from filters.dedup.substring.blocks import available, in_pass, passes, read_layout, scratch
from filters.dedup.substring.contexts import gathered
from filters.dedup.substring.sections import Sections, write_sections
from filters.dedup.substring.settings import Settings
from filters.dedup.substring.units import Codes, Numbers, plain_table, word_table
from filters.dedup.substring.winnow import classify, same
from filters.hashing import BASE, Hashes, power, scramble
from filters.jit import kernel
from gristmill.base.errors import UserError

_BASE = np.uint64(BASE)
_BYTES_A_WINDOW = 48
_BYTES_A_UNIT = {"bytes": 3, "characters": 16, "words": 96, "tokens": 48}
_BYTES_A_CONTEXT = 200
"""What looking for the first places takes in memory (measured)."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """Contexts of several blocks. block, entry: which ones, int64; key; number, start: where each stands;
    offsets: of its units in `codes`, int64[contexts + 1]; point int64, or starts and ends, int64 a unit."""

    block: Numbers
    entry: Numbers
    key: Hashes
    number: Numbers
    start: Numbers
    offsets: Numbers
    codes: Codes
    table: Hashes
    point: Numbers | None
    starts: Numbers | None
    ends: Numbers | None


def find_first(settings: Settings, job: Job, rank: int, world_size: int) -> None:
    """Write the first places of the contexts of the key ranges of one task."""
    layout = read_layout(job)
    blocks = len(layout.blocks)
    for number in range(rank, layout.ranges, world_size) if blocks else []:
        path = scratch(job, "first", number)
        if path.is_file():
            continue
        count = passes(_need(settings, *_sizes(job, blocks, number)), job.memory_mb, FLOOR_MB)
        tables, order = [], []
        for one in range(count):
            found = _read(settings, job, blocks, number, one, count)
            table, where = _first(found, settings)
            tables.append(table)
            order.append(where)
        table, where = pa.concat_tables(tables), np.concatenate(order)
        if count > 1:
            entry = table.column("context").to_numpy()
            # Stable: the windows of a context stay in order.
            sorted_rows = np.lexsort((entry, where))
            table, where = table.take(pa.array(sorted_rows)), where[sorted_rows]
        write_sections(path, table, np.searchsorted(where, np.arange(blocks + 1)).tolist())


def _sizes(job: Job, blocks: int, number: int) -> tuple[int, int]:
    """How many contexts and units a range holds."""
    contexts = units = 0
    for block in range(blocks):
        with Sections(scratch(job, "contexts", block)) as file:
            contexts += int(file.fact("contexts")[number])
            units += int(file.fact("units")[number])
    return contexts, units


def _need(settings: Settings, contexts: int, units: int) -> int:
    """Bytes of memory, at most."""
    windows = units - contexts * (settings.length - 1)
    return windows * _BYTES_A_WINDOW + units * _BYTES_A_UNIT[settings.unit] + contexts * _BYTES_A_CONTEXT


def _read(settings: Settings, job: Job, blocks: int, number: int, one: int, count: int) -> Contexts:
    """The contexts of a range and pass."""
    batches, block, entry = [], [], []
    contexts = units = 0
    for index in range(blocks):
        with Sections(scratch(job, "contexts", index)) as file:
            batch = file[number]
        chosen = np.arange(batch.num_rows)
        if count > 1:
            chosen = chosen[in_pass(batch.column("key").to_numpy(), one, count)]
            batch = _rows(batch, chosen)
        batches.append(batch)
        block.append(np.full(len(chosen), index, np.int64))
        entry.append(chosen)
        contexts, units = contexts + len(chosen), units + len(batch.column("units").flatten())
        if _need(settings, contexts, units) > 2 * available(job.memory_mb, FLOOR_MB):
            raise UserError(
                f"a piece of text stands in too many different places for {job.memory_mb} MB",
                where="dedup",
                mend="raise `memory_mb`, or `length`",
            )
    table = pa.Table.from_batches(batches)
    del batches
    table = table.combine_chunks()
    lists = table.column("units").combine_chunks()
    values = lists.flatten()
    if settings.unit == "words":
        coded = values.dictionary_encode()
        codes, hashes = coded.indices.to_numpy(), word_table(coded.dictionary)
    else:
        codes = values.to_numpy()
        hashes = plain_table(256) if settings.unit == "bytes" else _any_table(codes)
    optional = {
        name: table.column(name).combine_chunks() if name in table.column_names else None
        for name in ("point", "starts", "ends")
    }
    return Contexts(
        np.concatenate(block),
        np.concatenate(entry),
        table.column("key").to_numpy(),
        table.column("number").to_numpy(),
        table.column("start").to_numpy(),
        _offsets(lists),
        codes,
        hashes,
        None if optional["point"] is None else optional["point"].to_numpy(),
        None if optional["starts"] is None else optional["starts"].flatten().to_numpy(),
        None if optional["ends"] is None else optional["ends"].flatten().to_numpy(),
    )


def _rows(batch: pa.RecordBatch, rows: Numbers) -> pa.RecordBatch:
    """Some rows; Arrow's `take` is slow with lists."""
    columns = []
    for column in batch.columns:
        if not pa.types.is_large_list(column.type):
            columns.append(column.take(pa.array(rows)))
            continue
        offsets, values = _offsets(column), column.flatten()
        places = np.concatenate([[0], np.cumsum(np.diff(offsets)[rows])]).astype(np.int64)
        if pa.types.is_large_string(values.type):
            inside = gathered(np.arange(len(values)), offsets[rows], places)
            values = values.take(pa.array(inside))
        else:
            values = pa.array(gathered(values.to_numpy(), offsets[rows], places))
        columns.append(pa.LargeListArray.from_arrays(pa.array(places), values))
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _offsets(lists: pa.Array) -> Numbers:
    offsets: Numbers = lists.offsets.to_numpy()
    return offsets - offsets[0] if len(offsets) else np.zeros(1, np.int64)


def _any_table(codes: Codes) -> Hashes:
    return plain_table(1 << int(codes.max() if len(codes) else 0).bit_length())


def _first(found: Contexts, settings: Settings) -> tuple[pa.Table, Numbers]:
    """Where the windows of contexts stand first, by context, and the block of each row."""
    lengths = np.diff(found.offsets)
    members, firsts, _ = classify(found.codes, found.key, found.offsets[:-1], lengths, found.table)
    best = _best(members, len(firsts), found.number, found.start)
    _, inverse, shared = np.unique(found.key[firsts], return_inverse=True, return_counts=True)
    alone = shared[inverse] == 1
    bounds, at, count, kept, offset, _ = first_windows(
        found.codes,
        found.key[firsts],
        found.offsets[firsts],
        lengths[firsts],
        found.number[best],
        found.start[best],
        alone,
        found.table,
        settings.length,
    )
    # Of every context the pieces of its class.
    sizes = np.diff(bounds)[members]
    context = np.repeat(np.arange(len(members)), sizes)
    ends = np.cumsum(sizes)
    piece = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes - bounds[members], sizes)
    at, count, offset = at[piece], count[piece], offset[piece]
    origin = best[kept[piece]]
    columns = {
        "context": found.entry[context],
        "at": at,
        "count": count,
        "number": found.number[origin],
        "start": found.start[origin] + offset,
    }
    if found.point is not None:
        inside = found.offsets[origin]
        columns["point"] = found.point[origin] + (
            _begun(found.codes, inside, offset) if settings.unit == "bytes" else offset
        )
    places = np.concatenate([[0], np.cumsum(count + settings.length - 1)]).astype(np.int64)
    lists = {
        name: pa.LargeListArray.from_arrays(
            pa.array(places), pa.array(gathered(values, found.offsets[origin] + offset, places))
        )
        for name, values in (("starts", found.starts), ("ends", found.ends))
        if values is not None
    }
    return pa.table({**columns, **lists}), found.block[context]


@kernel
def _best(members: Numbers, classes: int, number: Numbers, start: Numbers) -> Numbers:
    """Of every class the member that stands first."""
    best = np.full(classes, -1, np.int64)
    for index in range(len(members)):
        other = best[members[index]]
        if (
            other < 0
            or number[index] < number[other]
            or (number[index] == number[other] and start[index] < start[other])
        ):
            best[members[index]] = index
    return best


@kernel
def _begun(codes: Codes, starts: Numbers, sizes: Numbers) -> Numbers:
    """How many code points begin in so many bytes from each start on."""
    begun = np.zeros(len(starts), np.int64)
    for index in range(len(starts)):
        for place in range(starts[index], starts[index] + sizes[index]):
            begun[index] += (codes[place] & 0xC0) != 0x80
    return begun


@kernel
def first_windows(
    codes: Codes,
    keys: Hashes,
    places: Numbers,
    lengths: Numbers,
    number: Numbers,
    start: Numbers,
    alone: np.ndarray,
    table: Hashes,
    length: int,
) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers, int]:
    """Where the windows of different contexts stand first.

    Args:
        codes: all units. keys: of the contexts; windows are compared where they are the same.
        places, lengths: where in `codes` each context stands.
        number, start: where in the corpus it stands first.
        alone: whether no other context has its key.
        length: of a window.

    Returns bounds int64[contexts + 1] of the pieces of each context; and of every piece: its first window,
    how many windows, the context in which they stand first and from which of its windows on; and how many
    windows were compared in full.
    """
    windows = 0
    for index in range(len(places)):
        windows += 0 if alone[index] else lengths[index] - length + 1
    size = 16
    while size < 2 * windows:
        size *= 2
    heads = np.full(size, -1, np.int32)
    hashes, shown = np.empty(windows, np.uint64), np.empty(windows, np.int64)
    owner, offset = np.empty(windows, np.int32), np.empty(windows, np.int32)
    different = np.empty(windows, np.int32)
    leaving = power(length)
    mask = size - 1
    window = count = compared = 0
    for index in range(len(places)):
        if alone[index]:
            continue
        total = np.uint64(0)
        last = np.int64(-1)
        for at in range(lengths[index]):
            place = places[index] + at
            total = total * _BASE + table[codes[place]]
            if at >= length:
                total -= table[codes[place - length]] * leaving
            shift = at - length + 1
            if shift < 0:
                continue
            begin = place - length + 1
            value = scramble(total ^ keys[index])
            slot = np.int64(value) & mask
            while heads[slot] >= 0:
                known = heads[slot]
                if hashes[known] == value and keys[owner[known]] == keys[index]:
                    if last >= 0 and shown[known] == last + 1:
                        if codes[shown[known] + length - 1] == codes[place]:
                            break
                    else:
                        compared += 1
                        if same(codes, shown[known], begin, length):
                            break
                slot = (slot + 1) & mask
            known = heads[slot]
            if known < 0:
                known = np.int32(count)
                heads[slot] = known
                hashes[count], shown[count] = value, begin
                owner[count], offset[count] = index, shift
                count += 1
            else:
                other = owner[known]
                if number[index] < number[other] or (
                    number[index] == number[other] and start[index] + shift < start[other] + offset[known]
                ):
                    owner[known], offset[known] = index, shift
            last = shown[known]
            different[window] = known
            window += 1
    # All are known: now the runs of neighbours that stand first as neighbours.
    bounds = np.zeros(len(places) + 1, np.int64)
    found = np.empty((4, 2 * len(places) + 16), np.int64)
    first, run, kept, since = found[0], found[1], found[2], found[3]
    pieces = window = 0
    for index in range(len(places)):
        begun = pieces
        for shift in range(1 if alone[index] else lengths[index] - length + 1):
            if pieces == len(first):
                grown = np.empty((4, 2 * pieces), np.int64)
                grown[:, :pieces] = found
                found = grown
                first, run, kept, since = found[0], found[1], found[2], found[3]
            if alone[index]:
                first[pieces], run[pieces] = 0, lengths[index] - length + 1
                kept[pieces], since[pieces] = index, 0
                pieces += 1
                continue
            known = different[window]
            window += 1
            if (
                pieces > begun
                and kept[pieces - 1] == owner[known]
                and since[pieces - 1] + run[pieces - 1] == offset[known]
            ):
                run[pieces - 1] += 1
            else:
                first[pieces], run[pieces] = shift, 1
                kept[pieces], since[pieces] = owner[known], offset[known]
                pieces += 1
        bounds[index + 1] = pieces
    return bounds, first[:pieces], run[:pieces], kept[:pieces], since[:pieces], compared

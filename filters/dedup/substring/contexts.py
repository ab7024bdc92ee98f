"""The third stage: the contexts of anchors that occur twice, every different one of a block once.

contexts/<block>.arrow    sections by range, by key: SCHEMA of the unit; the first place of every context
places/<block>.arrow      all places: row int64, start int64 in units; the same context again after
                          `stride` units, `count` times in all; context int64, a row of the former file
"""

from __future__ import annotations

# ruff: noqa: PLR0917 (kernels take arrays one by one)
import numpy as np
import pyarrow as pa

from filters.dedup.base import Job
from filters.dedup.substring.anchors import repeated_keys
from filters.dedup.substring.blocks import read_layout, read_selection, read_texts, scratch
from filters.dedup.substring.sections import write_sections
from filters.dedup.substring.settings import Settings
from filters.dedup.substring.units import Codes, Numbers, Units, units
from filters.dedup.substring.winnow import COUNT, KEY, LENGTH, START, STRIDE, TEXT, classify, contexts
from filters.hashing import hash_set
from filters.jit import kernel


def find_contexts(settings: Settings, job: Job, rank: int, world_size: int) -> None:
    """Write the contexts of the blocks of one part."""
    layout = read_layout(job)
    for number in layout.of_part(rank) if rank < len(job.parts) else []:
        # Written last, so where it is all is there.
        path = scratch(job, "places", number)
        if path.is_file():
            continue
        block = layout.blocks[number]
        numbers, rows, seeds = read_selection(job, block)
        wanted = repeated_keys(job, number)
        found = units(read_texts(job, block), settings) if len(wanted) else units(_NONE, settings)
        if not len(wanted):
            rows = rows[:0]
        at = contexts(
            found.codes,
            found.offsets,
            rows,
            seeds,
            found.table,
            settings.length,
            settings.gram,
            hash_set(wanted),
        )
        keys = np.ascontiguousarray(at[:, KEY])
        text, start, length = (at[:, column].astype(np.int64) for column in (TEXT, START, LENGTH))
        members, firsts, _ = classify(found.codes, keys, start, length, found.table)
        order = np.argsort(keys[firsts], kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        chosen = firsts[order]
        bounds = layout.bounds(keys[chosen])
        table = _table(found, settings, keys, text, start, length, chosen, numbers)
        sizes = np.concatenate([[0], np.cumsum(length[chosen])])[bounds]
        write_sections(
            scratch(job, "contexts", number),
            table,
            bounds,
            {"contexts": np.diff(bounds), "units": np.diff(sizes)},
        )
        in_order = np.lexsort((start, text))
        columns = {
            "row": text,
            "start": start - found.offsets[text],
            "stride": at[:, STRIDE].astype(np.int64),
            "count": at[:, COUNT].astype(np.int64),
            "context": place[members],
        }
        places = pa.table({name: values[in_order] for name, values in columns.items()})
        write_sections(path, places, [0, places.num_rows])


_NONE = pa.array([], pa.large_string())


def _table(
    found: Units,
    settings: Settings,
    keys: np.ndarray,
    text: Numbers,
    start: Numbers,
    length: Numbers,
    chosen: Numbers,
    numbers: Numbers,
) -> pa.Table:
    """The chosen contexts as a table:

    key uint64; number int64 of the document; start int64, in units; units list, what stands there; for bytes
    and characters point int64, how many code points begin before the start; for words and tokens starts and
    ends, lists of the code points between which every unit stands.
    """
    offsets = np.concatenate([[0], np.cumsum(length[chosen])]).astype(np.int64)
    codes = gathered(found.codes, start[chosen], offsets)
    values = pa.array(codes) if found.words is None else found.words.take(pa.array(codes))
    columns = {
        "key": pa.array(keys[chosen]),
        "number": pa.array(numbers[text[chosen]]),
        "start": pa.array(start[chosen] - found.offsets[text[chosen]]),
        "units": pa.LargeListArray.from_arrays(pa.array(offsets), values),
    }
    if found.starts is not None and found.ends is not None:
        for name, at in (("starts", found.starts), ("ends", found.ends)):
            flat = pa.array(gathered(at, start[chosen], offsets))
            columns[name] = pa.LargeListArray.from_arrays(pa.array(offsets), flat)
    elif settings.unit == "characters":
        columns["point"] = columns["start"]
    else:
        points = np.empty(len(start), np.int64)
        _points(found.codes, found.offsets, text, start, points)
        columns["point"] = pa.array(points[chosen])
    return pa.table(columns)


@kernel
def gathered(values: Codes, starts: Numbers, offsets: Numbers) -> Codes:
    """Pieces of an array one behind the other: piece i begins at starts[i] and goes to offsets[i] to
    offsets[i + 1] of the result."""
    result = np.empty(offsets[-1], values.dtype)
    for index in range(len(starts)):
        size = offsets[index + 1] - offsets[index]
        result[offsets[index] : offsets[index + 1]] = values[starts[index] : starts[index] + size]
    return result


@kernel
def _points(codes: Codes, offsets: Numbers, text: Numbers, start: Numbers, points: Numbers) -> None:
    """How many code points begin in a text before each place; places of a text in order, texts together."""
    last, at, count = -1, 0, 0
    for index in range(len(start)):
        if text[index] != last:
            last, at, count = text[index], offsets[text[index]], 0
        while at < start[index]:
            count += (codes[at] & 0xC0) != 0x80
            at += 1
        points[index] = count

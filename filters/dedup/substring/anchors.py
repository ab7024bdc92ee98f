"""The first two stages: keys of all anchors, block by block, and which of them occur twice, by key range.

anchors/<block>.arrow     sections by range: key uint64, ascending; more bool, whether twice in this block
repeated/<range>.arrow    sections by block: repeated bool, for the keys of that section in their order
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.dedup.base import Job
from filters.dedup.numbering import FLOOR_MB
from filters.dedup.substring.blocks import (
    in_pass,
    passes,
    read_layout,
    read_selection,
    read_texts,
    scratch,
)
from filters.dedup.substring.sections import Sections, write_sections
from filters.dedup.substring.settings import Settings
from filters.dedup.substring.units import units
from filters.dedup.substring.winnow import anchor_keys
from filters.hashing import Hashes

_BYTES_A_KEY = 40
"""What finding repeated keys takes for each of them: the key, its copy while sorting, flags (measured)."""


def find_anchors(settings: Settings, job: Job, rank: int, world_size: int) -> None:
    """Write the keys of the blocks of one part."""
    layout = read_layout(job)
    for number in layout.of_part(rank) if rank < len(job.parts) else []:
        path = scratch(job, "anchors", number)
        if path.is_file():
            continue
        block = layout.blocks[number]
        _, rows, seeds = read_selection(job, block)
        found = units(read_texts(job, block), settings)
        keys = anchor_keys(
            found.codes, found.offsets, rows, seeds, found.table, settings.length, settings.gram
        )
        del found
        keys.sort()
        new = np.concatenate([np.ones(min(1, len(keys)), np.bool_), keys[1:] != keys[:-1]])
        more = np.append(~new[1:], False)[new] if len(keys) else new
        keys = keys[new]
        table = pa.table({"key": keys, "more": more})
        bounds = layout.bounds(keys)
        write_sections(path, table, bounds, {"sizes": np.diff(bounds)})


def find_repeated(settings: Settings, job: Job, rank: int, world_size: int) -> None:
    """Tell, for the key ranges of one task, which keys occur twice."""
    layout = read_layout(job)
    for number in range(rank, layout.ranges, world_size):
        path = scratch(job, "repeated", number)
        if path.is_file():
            continue
        sizes = [_size(job, block, number) for block in range(len(layout.blocks))]
        count = passes(sum(sizes) * _BYTES_A_KEY, job.memory_mb, FLOOR_MB)
        flags = np.zeros(sum(sizes), np.bool_)
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        for one in range(count):
            repeated = _repeated(job, number, len(layout.blocks), one, count)
            for block in range(len(layout.blocks)):
                keys, _ = _read(job, block, number)
                at = np.searchsorted(repeated, keys)
                at[at == len(repeated)] = 0
                if len(repeated):
                    flags[bounds[block] : bounds[block + 1]] |= repeated[at] == keys
        write_sections(path, pa.table({"repeated": flags}), bounds.tolist())


def _size(job: Job, block: int, number: int) -> int:
    with Sections(scratch(job, "anchors", block)) as file:
        return int(file.fact("sizes")[number])


def _read(job: Job, block: int, number: int) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    with Sections(scratch(job, "anchors", block)) as file:
        batch = file[number]
        return batch.column(0).to_numpy(), batch.column(1).to_numpy(zero_copy_only=False)


def _repeated(job: Job, number: int, blocks: int, one: int, count: int) -> Hashes:
    """The keys of a range and pass that occur twice, ascending."""
    keys, more = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for block in range(blocks):
        found, twice = _read(job, block, number)
        chosen = in_pass(found, one, count) if count > 1 else slice(None)
        keys.append(found[chosen])
        more.append(found[twice] if count == 1 else found[twice & in_pass(found, one, count)])
    every = np.concatenate(keys)
    every.sort()
    return np.unique(np.concatenate([every[1:][every[1:] == every[:-1]], *more]))


def repeated_keys(job: Job, block: int) -> Hashes:
    """The keys of a block that occur twice, in it or in all: ascending."""
    layout = read_layout(job)
    found = [np.zeros(0, np.uint64)]
    with Sections(scratch(job, "anchors", block)) as anchors:
        for number in range(layout.ranges):
            with Sections(scratch(job, "repeated", number)) as repeated:
                flags = repeated[block].column(0).to_numpy(zero_copy_only=False)
            found.append(anchors[number].column(0).to_numpy()[flags])
    return np.concatenate(found)

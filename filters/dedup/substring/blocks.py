"""How the work is cut: parts into blocks of documents that fit into memory, keys into ranges."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from filters.dedup.base import Job
from filters.dedup.numbering import read_numbers
from filters.dedup.substring.units import Numbers
from filters.hashing import Hashes
from gristmill.base.atomic import atomic_write

FOLDER = "substring"
BLOCK_BYTES = 16 << 20
"""A block ends with the row group in which it reaches so many bytes of text. No result depends on it."""
RANGE_BYTES = 64 << 20
"""Bytes of text for each of which there is a key range, or more ranges. No result depends on it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Row groups of a part's documents file that are worked on together."""

    part: int
    groups: tuple[int, ...]
    first: int
    """Its first row in the part."""
    rows: int


@dataclass(frozen=True, slots=True)
class Layout:
    """All blocks, in the order of the parts, and how many bits of a key tell its range."""

    blocks: tuple[Block, ...]
    bits: int

    @property
    def ranges(self) -> int:
        """How many key ranges there are."""
        return 1 << self.bits

    def of_part(self, part: int) -> list[int]:
        """The numbers of the blocks of a part."""
        return [number for number, block in enumerate(self.blocks) if block.part == part]

    def bounds(self, keys: Hashes) -> list[int]:
        """Where the ranges begin and end among sorted keys: ranges + 1 of them."""
        if not self.bits:
            return [0, len(keys)]
        starts = np.arange(1, self.ranges, dtype=np.uint64) << np.uint64(64 - self.bits)
        return [0, *np.searchsorted(keys, starts).tolist(), len(keys)]


def scratch(job: Job, kind: str, number: int) -> Path:
    """The file of a kind for a block or a key range."""
    return job.folder(f"{FOLDER}/{kind}") / f"{number:06d}.arrow"


def _file(job: Job) -> Path:
    return job.folder(FOLDER) / "layout.json"


def read_layout(job: Job) -> Layout:
    """What `lay_out` wrote."""
    content = json.loads(_file(job).read_bytes())
    blocks = (Block(**{**block, "groups": tuple(block["groups"])}) for block in content["blocks"])
    return Layout(tuple(blocks), content["bits"])


def lay_out(job: Job) -> None:
    """Cut the work, by the footers of the documents files, and keep what was decided."""
    if _file(job).is_file():
        return
    blocks: list[Block] = []
    total = 0
    for number, part in enumerate(job.parts):
        footer = pq.read_metadata(part.files[0])
        column = footer.schema.names.index("text")
        groups: list[int] = []
        first = rows = size = 0
        for group in range(footer.num_row_groups):
            groups.append(group)
            rows += footer.row_group(group).num_rows
            held = footer.row_group(group).column(column).total_uncompressed_size
            size, total = size + held, total + held
            if size >= BLOCK_BYTES or group == footer.num_row_groups - 1:
                blocks.append(Block(number, tuple(groups), first, rows))
                groups, first, rows, size = [], first + rows, 0, 0
    wanted = max(1, job.tasks, -(-total // RANGE_BYTES))
    layout = Layout(tuple(blocks), (wanted - 1).bit_length())
    atomic_write(_file(job), json.dumps(asdict(layout)))


def read_texts(job: Job, block: Block) -> pa.Array:
    """The texts of a block, a string a row; a null is an empty text."""
    with pq.ParquetFile(job.parts[block.part].files[0]) as file:
        column = file.read_row_groups(list(block.groups), columns=["text"]).column("text")
    column = column.cast(pa.large_string()).fill_null("").combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def read_selection(job: Job, block: Block) -> tuple[Numbers, Numbers, Hashes]:
    """Number of every row of a block, -1 where it is not selected; the selected rows in the order of their
    numbers; what tells groups apart: int64[rows], int64[selected], uint64[rows]."""
    number, group = read_numbers(job, block.part)
    number, group = number[block.first : block.first + block.rows], group[block.first :][: block.rows]
    rows = np.argsort(number, kind="stable")
    return number, rows[number[rows] >= 0], group


def passes(size: float, memory_mb: int, floor_mb: int) -> int:
    """Into how many the work on a key range must be cut, so that `size` bytes fit."""
    return max(1, -(-int(size) // available(memory_mb, floor_mb)))


def available(memory_mb: int, floor_mb: int) -> int:
    """What remains for data, in bytes."""
    return max(memory_mb - floor_mb, memory_mb // 8, 16) << 20


def in_pass(keys: Hashes, number: int, count: int) -> npt.NDArray[np.bool_]:
    """Which keys belong to a pass. Bits from the middle, as the first ones tell the range."""
    chosen: npt.NDArray[np.bool_] = (keys >> np.uint64(16)) % np.uint64(count) == np.uint64(number)
    return chosen

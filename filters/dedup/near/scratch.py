"""The files that the stages leave for each other in the job's folder, and reading at given places of them.

Documents that share a band with another one are *candidates*. They are counted through in the order of their
numbers; flat files with a value a candidate are read where a value is asked for, never as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.dedup.base import Job
from filters.dedup.numbering import FLOOR_MB
from filters.jit import loop

Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

ADDRESS = np.dtype([("offset", "<i8"), ("part", "<i4"), ("count", "<i4")])
"""Where the shingles of a candidate are: the part's file, the first one's index in it, and how many."""
INDEX = np.dtype([("number", "<i8"), ("offset", "<i8"), ("count", "<i8")])
"""The shingle sets of a part: whose, where in the part's file, and how many shingles."""

_PAGE = 4096
_SLICE = 1 << 14
"""Values that are read at a time: pages of 64 MB at most."""
_BLOCK = 8
"""Words of a bitmap for which a sum is kept."""

_ONES, _TWOS, _FOURS = (
    np.uint64(0x5555555555555555),
    np.uint64(0x3333333333333333),
    np.uint64(0x0F0F0F0F0F0F0F0F),
)
_BYTES = np.uint64(0x0101010101010101)
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


def budget(job: Job) -> int:
    """Bytes that a task may use for its data, the interpreter and the libraries apart."""
    return max(job.memory_mb - FLOOR_MB, job.memory_mb // 4, 64) << 20


def room(job: Job) -> int:
    """How many shingles a task may hold at a time."""
    return budget(job) // 4 // 8


@dataclass(frozen=True, slots=True)
class Files:
    """Where things lie in the folder of a job.

    The number of tasks is part of the path: a run that goes on with another number cuts ranges elsewhere.
    """

    job: Job
    name: str
    """Of the method."""

    def _at(self, folder: str, name: str) -> Path:
        return self.job.folder(f"{self.name}/{self.job.tasks}") / folder / name

    def buckets(self, rank: int) -> Path:
        """Buckets of a band and key range: leader, key, number; see `candidates`."""
        return self._at("buckets", f"{rank:05d}.parquet")

    def equal(self, rank: int) -> Path:
        """Documents with the same shingles as one with a smaller number: leader, number."""
        return self._at("equal", f"{rank:05d}.parquet")

    @property
    def wanted(self) -> Path:
        """Which numbers are candidates: a bitmap, uint64 words."""
        return self._at("", "wanted.bin")

    def shingles(self, part: int) -> Path:
        """The shingle sets of a part's candidates, one after the other: uint64."""
        return self._at("shingles", f"{part:05d}.bin")

    def index(self, part: int) -> Path:
        """Where they are: INDEX."""
        return self._at("shingles", f"{part:05d}.index.bin")

    @property
    def addresses(self) -> Path:
        """Where the shingles of every candidate are: ADDRESS."""
        return self._at("", "addresses.bin")

    def edges(self, kind: str, rank: int) -> Path:
        """Similar candidates, found by a rank: a, b."""
        return self._at(f"edges-{kind}", f"{rank:05d}.parquet")

    def labels(self, kind: str) -> Path:
        """The component of every candidate, as the first candidate in it: int64."""
        return self._at("", f"components-{kind}.bin")

    def leaders(self, rank: int) -> Path:
        """Candidates in components of two or more: number, leader, similarity."""
        return self._at("leaders", f"{rank:05d}.parquet")

    @property
    def members(self) -> Path:
        """Documents in clusters of two or more: see `clusters`."""
        return self._at("", "members.parquet")


@loop
def _ones(word: np.uint64) -> np.int64:
    """How many bits are set."""
    word -= (word >> _1) & _ONES
    word = (word & _TWOS) + ((word >> _2) & _TWOS)
    word = (word + (word >> _4)) & _FOURS
    return np.int64((word * _BYTES) >> _56)


@loop
def mark(words: Words, numbers: Int64) -> None:
    """Set the bit of every number."""
    for place in range(len(numbers)):
        number = numbers[place]
        words[number >> 6] |= _1 << np.uint64(number & 63)


@loop
def _marked(words: Words, numbers: Int64, found: npt.NDArray[np.bool_]) -> None:
    for place in range(len(numbers)):
        number = numbers[place]
        found[place] = number >= 0 and (words[number >> 6] >> np.uint64(number & 63)) & _1 != 0


@loop
def _ranks(words: Words, sums: Int64, numbers: Int64, found: Int64) -> None:
    for place in range(len(numbers)):
        number = numbers[place]
        word = number >> 6
        block = word // _BLOCK
        rank = sums[block]
        for before in range(block * _BLOCK, word):
            rank += _ones(words[before])
        found[place] = rank + _ones(words[word] & ((_1 << np.uint64(number & 63)) - _1))


@loop
def _select(words: Words, sums: Int64, blocks: Int64, ranks: Int64, found: Int64) -> None:
    for place in range(len(ranks)):
        left = ranks[place] - sums[blocks[place]]
        at = blocks[place] * _BLOCK
        while left >= _ones(words[at]):
            left -= _ones(words[at])
            at += 1
        word = words[at]
        for _ in range(left):
            word &= word - _1
        # The lowest bit that is left: as many bits lie below it as stand before it.
        found[place] = at * 64 + _ones((word & (~word + _1)) - _1)


class Candidates:
    """A set of numbers, those of candidates: a bit a document, and an eighth of that in sums."""

    def __init__(self, words: Words) -> None:
        self.words = words

    @classmethod
    def read(cls, files: Files) -> Candidates:
        """Those that a job has noted."""
        return cls(np.fromfile(files.wanted, np.uint64))

    @cached_property
    def _sums(self) -> Int64:
        ones = np.bitwise_count(self.words).reshape(-1, _BLOCK).sum(1, dtype=np.int64)
        return np.concatenate((np.zeros(1, np.int64), np.cumsum(ones)))

    def __len__(self) -> int:
        return int(self._sums[-1])

    def among(self, numbers: Int64) -> npt.NDArray[np.bool_]:
        """Which numbers are candidates; -1 is none: bool[n]."""
        found = np.zeros(len(numbers), np.bool_)
        _marked(self.words, numbers, found)
        return found

    def ranks(self, numbers: Int64) -> Int64:
        """How many candidates have a smaller number than each of these candidates: int64[n]."""
        found = np.empty(len(numbers), np.int64)
        _ranks(self.words, self._sums, numbers, found)
        return found

    def numbers(self, ranks: Int64) -> Int64:
        """The inverse of `ranks`: int64[n]."""
        found = np.empty(len(ranks), np.int64)
        blocks = np.searchsorted(self._sums, ranks, "right") - 1
        _select(self.words, self._sums, blocks, ranks, found)
        return found


def bitmap(numbers: int) -> Words:
    """An empty bitmap for numbers below the given one: uint64, whole blocks."""
    return np.zeros(-(-max(numbers, 1) // (64 * _BLOCK)) * _BLOCK, np.uint64)


def runs(starts: Int64, ends: Int64) -> Int64:
    """Where stretches begin that join the one before: firsts of runs, and the number of stretches last."""
    return np.concatenate(([0], np.flatnonzero(starts[1:] != ends[:-1]) + 1, [len(starts)]))


def pread(descriptor: int, into: npt.NDArray[Any], offset: int) -> None:
    """Fill an array from a file, at an offset in bytes. Raises EOFError where the file is too short."""
    view = into.data.cast("B")
    while len(view):
        count = os.preadv(descriptor, [view], offset)
        if not count:
            raise EOFError("a scratch file is too short")
        view, offset = view[count:], offset + count


def read_at(path: Path, dtype: npt.DTypeLike, places: Int64) -> npt.NDArray[Any]:
    """The values of a flat file at these places, in any order. Reads the pages that hold them, keeps none."""
    dtype = np.dtype(dtype)
    values = np.empty(len(places), dtype)
    order = np.argsort(places, kind="stable")
    each = _PAGE // dtype.itemsize
    size = path.stat().st_size // dtype.itemsize
    with path.open("rb", buffering=0) as file:
        for first in range(0, len(order), _SLICE):
            chosen = order[first : first + _SLICE]
            pages, at = np.unique(places[chosen] // each, return_inverse=True)
            read = np.empty((len(pages), each), dtype)
            cuts = runs(pages, pages + 1)
            for start, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
                begin = int(pages[start]) * each
                have = min(size - begin, (end - start) * each)
                pread(file.fileno(), read[start:end].reshape(-1)[:have], begin * dtype.itemsize)
            values[chosen] = read[at, places[chosen] % each]
    return values


def read_in_turn(path: Path, dtype: npt.DTypeLike, count: int = 1 << 20) -> Iterator[npt.NDArray[Any]]:
    """A flat file, so many values at a time."""
    with path.open("rb") as file:
        while len(values := np.fromfile(file, dtype, count)):
            yield values

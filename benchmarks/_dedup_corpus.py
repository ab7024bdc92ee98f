"""Synthetic documents of which it is known what is a copy of what, each a pure function of its number.

A document has 80 to 120 words of a vocabulary of 200,000, drawn by Zipf's law (exponent 1). Of a hundred
documents about 65 are originals; 15 are exact copies of an original; 10 are copies whose end is missing, up
to a fifth of it; 9 are copies in which a run of up to 16 words has been replaced; 1 is one of 50 boilerplate
texts with two words replaced, so that some buckets grow with the corpus. Numbers come from splitmix64.
"""

# ruff: noqa: PLR0917 (kernels take arrays one by one)
from __future__ import annotations

from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.schema import DOCUMENTS, ROW_GROUP_ROWS, parquet_writer

SEED = 20_240_607
VOCABULARY = 200_000
BOILERPLATE = 50
ROWS_PER_PART = 100_000
ORIGINAL, EXACT, CUT, REPLACED, TEMPLATE = range(5)

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


@numba.njit(cache=True)
def mixed(a: int, b: int) -> np.uint64:
    """A number that looks random, of two others."""
    value = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xD1B54A32D192ED03)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True)
def below(a: int, b: int, limit: int) -> int:
    """`mixed`, below a limit."""
    return np.int64(mixed(a, b) % np.uint64(limit))


@numba.njit(cache=True)
def kind(document: int) -> int:
    """What a document is."""
    chance = below(document, SEED, 100)
    if document < BOILERPLATE or chance < 65:
        return ORIGINAL
    return EXACT if chance < 80 else CUT if chance < 90 else REPLACED if chance < 99 else TEMPLATE


@numba.njit(cache=True)
def origin(document: int, documents: int) -> int:
    """The original that a document is a copy of; itself if it is none."""
    is_a = kind(document)
    if is_a == ORIGINAL:
        return document
    if is_a == TEMPLATE:
        return below(document, SEED + 1, BOILERPLATE)
    tried = 2
    while True:
        found = below(document, SEED + tried, documents)
        if kind(found) == ORIGINAL:
            return found
        tried += 1


@numba.njit(cache=True)
def words(document: int, documents: int, table: npt.NDArray[np.int32], into: npt.NDArray[np.int32]) -> int:
    """Write the words of a document, as numbers; returns how many there are."""
    source = origin(document, documents)
    count = 80 + below(source, SEED - 1, 41)
    for place in range(count):
        into[place] = table[mixed(source, SEED + 1000 + place) >> np.uint64(44)]
    is_a = kind(document)
    if is_a == CUT:
        count -= 1 + below(document, SEED - 2, count // 5)
    elif is_a in (REPLACED, TEMPLATE):
        length = 2 if is_a == TEMPLATE else 1 + below(document, SEED - 2, 16)
        start = below(document, SEED - 3, count - length)
        for place in range(start, start + length):
            into[place] = table[mixed(document, SEED + 1000 + place) >> np.uint64(44)]
    return count


@numba.njit(cache=True)
def _texts(
    first: int,
    count: int,
    documents: int,
    table: npt.NDArray[np.int32],
    letters: Bytes,
    starts: Int64,
    text: Bytes,
    offsets: npt.NDArray[np.int32],
) -> None:
    into = np.empty(128, np.int32)
    at = 0
    for row in range(count):
        offsets[row] = at
        for place in range(words(first + row, documents, table, into)):
            if place:
                text[at] = 32
                at += 1
            for letter in range(starts[into[place]], starts[into[place] + 1]):
                text[at] = letters[letter]
                at += 1
    offsets[count] = at


class Generator:
    """The documents of a corpus of a given size."""

    def __init__(self, documents: int) -> None:
        self.documents = documents
        random = np.random.default_rng(SEED)
        weights = 1 / np.arange(1, VOCABULARY + 1)
        edges = np.cumsum(weights) / weights.sum()
        # One draw of 20 bits is a word.
        self.table = np.searchsorted(edges, (np.arange(1 << 20) + 0.5) / (1 << 20)).astype(np.int32)
        lengths = np.clip(random.normal(np.linspace(3, 8, VOCABULARY), 1.5), 2, 14).astype(np.int64)
        self.starts = np.concatenate(([0], np.cumsum(lengths)))
        self.letters = random.choice(np.frombuffer(b"etaoinshrdlucmfwypvbgk", np.uint8), self.starts[-1])

    def texts(self, first: int, count: int) -> pa.Array:
        """The texts of `count` documents from `first` on: string[count]."""
        text = np.empty(count * 120 * 15, np.uint8)
        offsets = np.empty(count + 1, np.int32)
        _texts(first, count, self.documents, self.table, self.letters, self.starts, text, offsets)
        return pa.StringArray.from_buffers(
            count, pa.py_buffer(offsets), pa.py_buffer(text[: offsets[-1]].copy())
        )

    def text(self, document: int) -> str:
        """One text."""
        return str(self.texts(document, 1)[0])

    def write(self, folder: Path) -> list[Path]:
        """The documents as the parts of a store; returns the files."""
        files = []
        for number, first in enumerate(range(0, self.documents, ROWS_PER_PART)):
            file = folder / f"part-{number:05d}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            with parquet_writer(file, DOCUMENTS) as writer:
                last = min(first + ROWS_PER_PART, self.documents)
                for start in range(first, last, ROW_GROUP_ROWS):
                    count = min(ROW_GROUP_ROWS, last - start)
                    known = {
                        "id": [identity(document) for document in range(start, start + count)],
                        "text": self.texts(start, count),
                    }
                    arrays = [
                        known[field.name] if field.name in known else pa.nulls(count, field.type)
                        for field in DOCUMENTS
                    ]
                    writer.write_table(pa.table(arrays, schema=DOCUMENTS), row_group_size=ROW_GROUP_ROWS)
            files.append(file)
        return files


def identity(document: int) -> str:
    """The id of a document: 16 digits that put the documents into another order, then its number."""
    return f"{int(mixed(document, SEED + 999)):016x}{document:016x}"


def number(identifier: str) -> int:
    """The inverse of `identity`."""
    return int(identifier[16:], 16)

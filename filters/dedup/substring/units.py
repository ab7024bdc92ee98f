"""The texts of a block as sequences of units: bytes, characters, words or tokens, as whole numbers.

Equal units have equal numbers within a block; for bytes, characters and tokens in all blocks. What a running
hash adds for a unit comes from a table and depends on the unit alone, so hashes agree over all blocks.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import characters
from filters.base import TextView
from filters.dedup.substring.settings import Settings
from filters.hashing import BASE, Hashes, scramble
from filters.jit import kernel
from gristmill.base.errors import UserError

Numbers = npt.NDArray[np.int64]
Codes = npt.NDArray[Any]

_BASE = np.uint64(BASE)
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class Units:
    """Texts as numbers.

    codes: the units of all texts, one text behind the other: uint8, uint32 or int32 [units].
    offsets: int64[texts + 1]. table: what the hash adds for a code: uint64[codes there may be].
    starts, ends: where every unit stands in its text, in code points: int64[units]; None for bytes and
    characters.
    words: the strings that the codes stand for; None but for words.
    """

    codes: Codes
    offsets: Numbers
    table: Hashes
    starts: Numbers | None = None
    ends: Numbers | None = None
    words: pa.Array | None = None


def units(texts: pa.Array, settings: Settings) -> Units:
    """The units of texts, an array of strings without nulls."""
    if settings.unit == "bytes":
        data, offsets = utf8(texts)
        return Units(data, offsets, plain_table(256))
    if settings.unit == "characters":
        points, offsets = code_points(texts)
        return Units(points, offsets, plain_table(characters.CODE_POINTS))
    if settings.unit == "tokens":
        assert settings.tokenizer is not None
        return _tokens(texts, settings.tokenizer)
    return _words(texts)


def utf8(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], Numbers]:
    """The bytes of strings, one behind the other, and where each begins: uint8[bytes], int64[texts + 1]."""
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, places, data = texts.buffers()
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    offsets = np.frombuffer(places, kind)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return content[offsets[0] : offsets[-1]], offsets - offsets[0]


def code_points(texts: pa.Array) -> tuple[npt.NDArray[np.uint32], Numbers]:
    """The code points of strings, and where each string begins: uint32[points], int64[texts + 1]."""
    found: tuple[npt.NDArray[np.uint32], Numbers] = decode(*utf8(texts))
    return found


@kernel
def decode(data: npt.NDArray[np.uint8], offsets: Numbers) -> tuple[npt.NDArray[np.uint32], Numbers]:
    """UTF-8 as code points: uint32[points], int64[texts + 1]. Surrogates are let through."""
    total = 0
    for byte in data:
        total += (byte & 0xC0) != 0x80
    points, places = np.empty(total, np.uint32), np.zeros(len(offsets), np.int64)
    at = 0
    for text in range(len(offsets) - 1):
        for index in range(offsets[text], offsets[text + 1]):
            byte = np.uint32(data[index])
            if byte < 0x80:
                points[at] = byte
                at += 1
            elif byte >= 0xC0:
                points[at] = byte & (0x1F if byte < 0xE0 else 0x0F if byte < 0xF0 else 0x07)
                at += 1
            elif at:
                points[at - 1] = points[at - 1] << np.uint32(6) | (byte & np.uint32(0x3F))
        places[text + 1] = at
    return points, places


@functools.cache
def plain_table(size: int) -> Hashes:
    """A scrambled number for every code below `size`: uint64[size]."""
    table: Hashes = _plain(size)
    table.flags.writeable = False
    return table


@kernel
def _plain(size: int) -> Hashes:
    table = np.empty(size, np.uint64)
    for code in range(size):
        table[code] = scramble(np.uint64(code) + _ONE)
    return table


def word_table(words: pa.Array) -> Hashes:
    """A hash for every string: uint64[words]."""
    table: Hashes = _string_hashes(*utf8(words))
    return table


@kernel
def _string_hashes(data: npt.NDArray[np.uint8], offsets: Numbers) -> Hashes:
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for index in range(len(hashes)):
        total = np.uint64(0)
        for place in range(offsets[index], offsets[index + 1]):
            total = total * _BASE + scramble(np.uint64(data[place]) + _ONE)
        hashes[index] = scramble(total + _ONE)
    return hashes


def _words(texts: pa.Array) -> Units:
    spans = [TextView(text).words for batch in _batches(texts) for text in batch]
    offsets = _offsets([len(found) for found in spans])
    starts = np.concatenate([np.zeros(0, np.int64), *(found.starts for found in spans)])
    ends = np.concatenate([np.zeros(0, np.int64), *(found.ends for found in spans)])
    del spans
    pieces, places = _gathered(*utf8(texts), offsets, starts, ends)
    strings = pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(places), pa.py_buffer(pieces))
    coded = strings.dictionary_encode()
    return Units(
        coded.indices.to_numpy(),
        offsets,
        word_table(coded.dictionary),
        starts,
        ends,
        coded.dictionary,
    )


@kernel
def _gathered(
    data: npt.NDArray[np.uint8], text_offsets: Numbers, offsets: Numbers, starts: Numbers, ends: Numbers
) -> tuple[npt.NDArray[np.uint8], Numbers]:
    """The pieces from code point `starts` to `ends` of every text, one behind the other, and where each
    begins."""
    pieces, places = np.empty(len(data), np.uint8), np.zeros(len(starts) + 1, np.int64)
    size = 0
    for text in range(len(offsets) - 1):
        point = -1
        at = text_offsets[text]
        for index in range(offsets[text], offsets[text + 1]):
            # `at` is the first byte behind code point number `point`.
            while at < text_offsets[text + 1]:
                first = (data[at] & 0xC0) != 0x80
                if first and point + 1 >= ends[index]:
                    break
                point += first
                if point >= starts[index]:
                    pieces[size] = data[at]
                    size += 1
                at += 1
            places[index + 1] = size
    return pieces[:size], places


def _offsets(lengths: list[int]) -> Numbers:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _tokens(texts: pa.Array, path: str) -> Units:
    tokenizer = load_tokenizer(path)
    codes, places, counts = [np.zeros(0, np.uint32)], [np.zeros((0, 2), np.int64)], []
    for batch in _batches(texts):
        for found in tokenizer.encode_batch(batch, add_special_tokens=False):
            codes.append(np.array(found.ids, np.uint32))
            place = np.array(found.offsets, np.int64).reshape(-1, 2)
            # Normalisers may leave places out of order.
            np.maximum.accumulate(place, axis=0, out=place)
            np.maximum(place[:, 0], place[:, 1], out=place[:, 1])
            places.append(place)
            counts.append(len(place))
    size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    spans = np.concatenate(places)
    return Units(
        np.concatenate(codes),
        _offsets(counts),
        plain_table(size),
        np.ascontiguousarray(spans[:, 0]),
        np.ascontiguousarray(spans[:, 1]),
    )


_BATCH_BYTES = 1 << 20
"""The tokenizer takes several hundred bytes a token until its answer is read."""


def _batches(texts: pa.Array) -> Iterator[list[str]]:
    """The texts, so many at a time that they have that many bytes."""
    _, offsets = utf8(texts)
    start = 0
    while start < len(texts):
        end = int(np.searchsorted(offsets, offsets[start] + _BATCH_BYTES, side="right")) - 1
        end = max(end, start + 1)
        yield texts.slice(start, end - start).to_pylist()
        start = end


@functools.lru_cache(1)
def load_tokenizer(path: str) -> Any:
    """A tokenizer that takes texts as they are: special tokens in them are text, nothing is cut or padded.

    Raises UserError where the file is none.
    """
    from tokenizers import Tokenizer

    if not Path(path).is_file():
        raise UserError("no such tokenizer file", where=path)
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises bare Exceptions
        raise UserError(f"not a tokenizer.json of the library `tokenizers` ({error})", where=path) from None
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

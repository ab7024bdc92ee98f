"""fastText model files: whether one is whole, and the loaded model, once a process.

fastText itself does not notice: of a file that was cut (an interrupted download) it reads on past the end,
and answers nonsense, or works for minutes. The layout is that of fastText's source: fasttext.cc (saveModel),
args.cc, dictionary.cc, densematrix.cc, quantmatrix.cc and productquantizer.cc, versions 11 and 12 of the
format.
"""

from __future__ import annotations

import functools
import mmap
import struct
from pathlib import Path
from typing import Any

from gristmill.base.errors import UserError

PREFIX = "__label__"
"""fastText's mark of labels."""
MAGIC, VERSIONS = 793712314, (11, 12)
"""FASTTEXT_FILEFORMAT_MAGIC_INT32 and FASTTEXT_VERSION."""
_CENTROIDS = 256
"""ProductQuantizer::ksub_."""


def problem(path: Path) -> str | None:
    """What is wrong with a model file, or None. Raises OSError where it cannot be read at all."""
    return _examine(path)[0]


def labels(path: Path) -> list[str]:
    """The labels of a whole model without their mark, in the model's order, without loading it."""
    return [label.decode("utf-8", "replace").removeprefix(PREFIX) for label in _examine(path)[1]]


def _examine(path: Path) -> tuple[str | None, list[bytes]]:
    """What is wrong with a model file, and its labels; read once as long as the file stays as it is."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _read(path: Path, size: int, modified: int) -> tuple[str | None, list[bytes]]:
    if not size:
        return "not a fastText model", []
    with path.open("rb") as file:
        if file.read(4) != struct.pack("<i", MAGIC):
            return "not a fastText model", []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                reader = _Reader(data)
                (version,) = reader.take("i")
                if version not in VERSIONS:
                    return f"a fastText model of the unknown version {version}", []
                end = _length(reader)
            except (struct.error, ValueError):
                return "a fastText model that was cut short", []
            return (None if end <= len(data) else "a fastText model that was cut short"), reader.labels


def check(path: Path) -> None:
    """Raises UserError unless a file is a whole fastText model."""
    try:
        wrong = problem(path)
    except OSError as error:
        raise UserError(f"cannot read the fastText model: {error.strerror}", where=str(path)) from None
    if wrong is not None:
        raise UserError(wrong, where=str(path))


@functools.lru_cache(maxsize=16)
def load(path: Path) -> Any:
    """The model of a file: one copy a process, however many ask for it. Raises UserError."""
    import fasttext

    try:
        return fasttext.load_model(str(path))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise UserError(f"cannot load the fastText model: {error}", where=str(path)) from None


class _Reader:
    """Little-endian values of a file, one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 4
        self.labels: list[bytes] = []

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def skip(self, count: int) -> None:
        if count < 0:
            raise ValueError("a negative length")
        self.at += count

    def entry(self) -> None:
        """An entry of the dictionary: a word or a label, int64 count, int8 type (0 word, 1 label)."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ValueError("a word without an end")
        if self.data[end + 9 : end + 10] == b"\1":
            self.labels.append(self.data[self.at : end])
        self.at = end + 10


def _length(reader: _Reader) -> int:
    """Where the model ends, by its own header."""
    reader.take(
        "12id"
    )  # dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate; t
    entries, _, _, _, pruned = reader.take("3i2q")
    for _ in range(entries):
        reader.entry()
    reader.skip(max(0, pruned) * 8)
    (quantised,) = reader.take("b")
    _matrix(reader, bool(quantised))
    (quantised_output,) = reader.take("b")
    _matrix(reader, bool(quantised and quantised_output))
    return reader.at


def _matrix(reader: _Reader, quantised: bool) -> None:
    if not quantised:
        rows, columns = reader.take("2q")
        reader.skip(rows * columns * 4)
        return
    norms, rows, _, codes = reader.take("b2qi")
    reader.skip(codes)
    _quantiser(reader)
    if norms:
        reader.skip(rows)
        _quantiser(reader)


def _quantiser(reader: _Reader) -> None:
    width, _, _, _ = reader.take("4i")
    reader.skip(width * _CENTROIDS * 4)

"""JSON lines, one document a line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from datatrove.data import Document

from corpus.inputs import find, is_remote, open_input
from corpus.ledger import Ledger
from corpus.manifest import JsonlSource
from corpus.sources.base import Meter, Task
from corpus.sources.fields import RowReader
from corpus.sources.streams import Lost, Member, Piece, Tally, unpack_named
from gristmill.base.errors import describe
from gristmill.base.progress import Progress

_PACKINGS = (".gz", ".zst", ".lz4", ".bz2", ".xz")
_ENDINGS = tuple(kind + packing for kind in (".jsonl", ".ndjson", ".json") for packing in ("", *_PACKINGS))
_PIECE = 1 << 20


class Jsonl:
    """Files of JSON lines; uncompressed local ones are cut at line ends into several parts."""

    unit = "B"

    def __init__(self, options: JsonlSource, name: str) -> None:
        self.options, self.name = options, name
        self.rows = RowReader("jsonl", name, options)

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """One task a file, or one about every `bytes_per_part` bytes of it."""
        tasks = []
        for item in find(self.options.paths, self.options, wanted=lambda n: n.lower().endswith(_ENDINGS)):
            cuts = [0]
            if not is_remote(item.path) and item.size and not _packed(item.path):
                cuts = _cuts(Path(item.path), item.size, self.options.bytes_per_part)
            if len(cuts) < 2:
                tasks.append(Task((item,), size=item.size))
            for low, high in itertools.pairwise(cuts):
                tasks.append(Task((item,), (low, high), high - low))
        return tasks

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of a file, or of a piece of it. A line's key is the byte at which it begins."""
        (item,) = task.inputs
        low, high = task.span or (0, None)
        try:
            stream = open_input(item.path, self.options, item.size)
        except OSError as error:
            ledger.give_up(item.name, "cannot_open", describe(error))
            return
        with stream:
            if low:
                stream.seek(low)
            raw = Tally(stream)
            pieces = unpack_named(raw, item.path)
            for offset, line in _lines(
                pieces, low, high, self.options.max_record_bytes, input=item.name, ledger=ledger
            ):
                meter(raw.count)
                document = self._document(line, item.name, offset, ledger)
                if document is not None:
                    yield document
            ledger.input_bytes += raw.count

    def _document(self, line: bytes | None, input: str, offset: int, ledger: Ledger) -> Document | None:
        if line is None:
            ledger.records += 1
            ledger.drop(input, "too_large", stage="read", offset=offset)
            return None
        if not line.strip():
            return None
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError) as error:
            ledger.records += 1
            detail = "no UTF-8" if isinstance(error, UnicodeDecodeError) else describe(error)
            ledger.drop(input, "bad_json", stage="read", offset=offset, detail=detail)
            return None
        return self.rows.document(row, input, offset, ledger)


def _packed(path: str) -> bool:
    return path.lower().endswith(_PACKINGS)


def _cuts(path: Path, size: int, step: int) -> list[int]:
    """Where parts of a file begin and end: the line ends at or after every multiple of `step`."""
    cuts = [0]
    with path.open("rb") as file:
        while cuts[-1] + step < size:
            file.seek(cuts[-1] + step - 1)
            at = cuts[-1] + step - 1
            while line := file.readline(_PIECE):
                at += len(line)
                if line.endswith(b"\n"):
                    break
            cuts.append(at)
    if cuts[-1] < size:
        cuts.append(size)
    return cuts


def _lines(
    pieces: Iterator[Piece], low: int, high: int | None, limit: int, *, input: str, ledger: Ledger
) -> Iterator[tuple[int, bytes | None]]:
    """Lines with the offset (decompressed) at which they begin; None for one that is longer than
    `limit`."""
    rest, begin = b"", low
    long = broken = False
    for piece in pieces:
        if isinstance(piece, Member):
            continue
        if isinstance(piece, Lost):
            ledger.give_up(input, piece.reason, piece.detail, piece.offset)
            # The line that the loss cuts is no line, nor is what is left of the next one.
            begin, rest, broken = begin + len(rest), b"", True
            continue
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if high is not None and begin >= high:
                return
            if not broken:
                yield begin, None if long or len(line) > limit else line
            begin += len(line) + 1
            long = broken = False
        if len(rest) > limit:
            begin, rest, long = begin + len(rest), b"", True
    if (rest or long) and not broken and (high is None or begin < high):
        yield begin, None if long else rest

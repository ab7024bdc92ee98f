"""The token store: one source's documents as token ids, in files that any program can map into memory.

    store.json                      dtype, vocabulary size, tokenizer digest, BOS/EOS policy, counts, digests
    tokens/part-00000.bin           token ids, little-endian uint16 or uint32, document after document
    offsets/part-00000.bin          little-endian int64[documents + 1]: where documents begin, and the end
    documents/part-00000.parquet    id (string), offset, length (int64, in tokens, BOS and EOS included)

Parts correspond to the parts of the document store, row order is kept, and a document never crosses a part.
The offsets are the documents' once more, in a form that needs no loading: a reader finds the documents of a
sequence by bisection in a mapped file, whatever the store's size.

A part is finished when its documents file exists (it is written last and carries the counts and the checksums
of the other two in its footer); a store is finished when `store.json` does. All bytes follow from the
documents and the tokenizer: nothing else, no time, no worker, no interruption.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.base.atomic import atomic_open, atomic_path, atomic_write
from gristmill.base.digest import canonical_json, digest_json, sha256_file
from gristmill.base.errors import UserError
from mixtures.fim import Fim

FORMAT = "gristmill token store"
VERSION = 1
TOKENIZE = "run `gristmill mix tokenize`"
VERIFY = "run `gristmill mix verify` to see what else is damaged"
I64 = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

_SCHEMA = pa.schema([("id", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])
_ROW_GROUP = 1 << 16


@dataclass(frozen=True)
class Identity:
    """What a token store's bytes follow from; its digest is the store's key."""

    documents: str
    """Digest of the document store."""
    policy: str | None
    where: str | None
    tokenizer: str
    """Digest of the tokenizer file."""
    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    add_bos: bool
    add_eos: bool
    fim: Fim | None = None
    """How documents are rearranged, if they are."""

    @property
    def content(self) -> dict[str, Any]:
        """All of it as JSON; what is not rearranged does not speak of it."""
        return {name: value for name, value in asdict(self).items() if name != "fim" or value is not None}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Identity:
        """From its JSON. Raises TypeError for what is none."""
        fim = content.get("fim")
        return cls(**{**content, "fim": Fim(**fim) if fim is not None else None})

    @property
    def key(self) -> str:
        """SHA-256 over all of it."""
        return digest_json({"format": FORMAT, "version": VERSION, **self.content})

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned integer that holds the vocabulary, little-endian."""
        return np.dtype("<u2") if self.vocab_size <= 1 << 16 else np.dtype("<u4")


class PartCounts(NamedTuple):
    """What a part holds."""

    documents: int
    tokens: int
    empty: int
    """Documents without a single token of text; they are left out."""


def _token_file(folder: Path, part: str) -> Path:
    return folder / "tokens" / f"{part}.bin"


def _offset_file(folder: Path, part: str) -> Path:
    return folder / "offsets" / f"{part}.bin"


def _document_file(folder: Path, part: str) -> Path:
    return folder / "documents" / f"{part}.parquet"


class PartWriter:
    """Collects one part; `finish` makes it appear. Used by `write_part`."""

    def __init__(self, file: Any, identity: Identity) -> None:
        self._file, self._identity, self._dtype = file, identity, identity.dtype
        self._hash = hashlib.sha256()
        self._ids: list[str] = []
        self._lengths: list[int] = []
        self.tokens, self.empty = 0, 0

    def add(self, document_ids: list[str], token_ids: list[list[int]]) -> int:
        """Append a batch of documents: their ids, and the token ids of their text without BOS and EOS.

        Returns the number of tokens written.
        """
        identity = self._identity
        head = [identity.bos_id] if identity.add_bos else []
        tail = [identity.eos_id] if identity.add_eos else []
        pieces: list[npt.NDArray[Any]] = []
        for document, ids in zip(document_ids, token_ids, strict=True):
            if not ids:
                self.empty += 1
                continue
            pieces.append(np.array([*head, *ids, *tail], self._dtype))
            self._ids.append(document)
            self._lengths.append(len(pieces[-1]))
        if not pieces:
            return 0
        data = np.concatenate(pieces)
        self._file.write(data.data)
        self._hash.update(data.data)
        self.tokens += len(data)
        return len(data)

    def _finish(self, folder: Path, part: str) -> None:
        offsets = np.zeros(len(self._ids) + 1, "<i8")
        np.cumsum(self._lengths, out=offsets[1:])
        atomic_write(_offset_file(folder, part), offsets.tobytes())
        footer = {
            "documents": len(self._ids),
            "tokens": self.tokens,
            "empty": self.empty,
            "tokens_sha256": self._hash.hexdigest(),
            "offsets_sha256": hashlib.sha256(offsets.data).hexdigest(),
        }
        columns = [pa.array(self._ids, pa.string()), pa.array(offsets[:-1]), pa.array(np.diff(offsets))]
        schema = _SCHEMA.with_metadata({"gristmill": canonical_json(footer)})
        table = pa.Table.from_arrays(columns, schema=schema)
        with atomic_path(_document_file(folder, part)) as temporary:
            pq.write_table(table, temporary, row_group_size=_ROW_GROUP, compression="zstd")


@contextlib.contextmanager
def write_part(folder: Path, part: str, identity: Identity) -> Iterator[PartWriter]:
    """Write one part; it appears, complete, when the block ends without an error."""
    _document_file(folder, part).unlink(missing_ok=True)
    with atomic_open(_token_file(folder, part)) as file:
        writer = PartWriter(file, identity)
        yield writer
    writer._finish(folder, part)


def part_footer(folder: Path, part: str) -> dict[str, Any] | None:
    """Counts and checksums of a finished part, or None."""
    path = _document_file(folder, part)
    if not path.is_file():
        return None
    metadata = pq.read_schema(path).metadata or {}
    footer: dict[str, Any] = json.loads(metadata[b"gristmill"])
    return footer


def finish(folder: Path, identity: Identity, parts: list[str]) -> TokenStore:
    """Write `store.json` over finished parts: the store exists from here on."""
    described = []
    for part in parts:
        footer = part_footer(folder, part)
        if footer is None:
            raise FileNotFoundError(_document_file(folder, part))
        described.append(
            {"part": part, **footer, "documents_sha256": sha256_file(_document_file(folder, part))}
        )
    content = {
        "format": FORMAT,
        "version": VERSION,
        "key": identity.key,
        "identity": identity.content,
        "dtype": f"uint{8 * identity.dtype.itemsize}",
        "documents": sum(part["documents"] for part in described),
        "tokens": sum(part["tokens"] for part in described),
        "empty": sum(part["empty"] for part in described),
        "parts": described,
    }
    atomic_write(folder / "store.json", canonical_json(content))
    return TokenStore.open(folder)


@dataclass
class TokenStore:
    """A finished token store, mapped into memory part by part as it is read."""

    folder: Path
    digest: str
    """SHA-256 of `store.json`, which holds the checksums of everything else."""
    identity: Identity
    parts: tuple[str, ...]
    part_counts: tuple[PartCounts, ...]
    checksums: tuple[dict[str, str], ...]
    """SHA-256 by kind of file (tokens, offsets, documents), one mapping a part."""
    _token_maps: dict[int, Any] = field(default_factory=dict, repr=False)
    _offset_maps: dict[int, I64] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> TokenStore:
        """Open a finished store. Errors: UserError when there is none or its `store.json` is damaged."""
        folder = Path(folder)
        path = folder / "store.json"
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise UserError(
                "no finished token store", where=str(folder), mend="run `gristmill mix tokenize`"
            ) from None
        try:
            content = json.loads(raw)
            if content["format"] != FORMAT or content["version"] != VERSION:
                raise ValueError(f"{content['format']!r} version {content['version']!r}")
            parts = content["parts"]
            kinds = ("tokens", "offsets", "documents")
            return cls(
                folder=folder,
                digest=hashlib.sha256(raw).hexdigest(),
                identity=Identity.read(content["identity"]),
                parts=tuple(str(part["part"]) for part in parts),
                part_counts=tuple(
                    PartCounts(part["documents"], part["tokens"], part["empty"]) for part in parts
                ),
                checksums=tuple({kind: str(part[f"{kind}_sha256"]) for kind in kinds} for part in parts),
            )
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise UserError(f"not a token store's store.json ({error})", where=str(path)) from None

    def __getstate__(self) -> dict[str, Any]:
        # Another process maps the files itself; a mapping would travel as a copy of what it maps.
        return {**self.__dict__, "_token_maps": {}, "_offset_maps": {}}

    @property
    def tokens(self) -> int:
        """Length of the token stream: the parts, one after the other."""
        return self.token_starts[-1]

    @property
    def documents(self) -> int:
        return sum(counts.documents for counts in self.part_counts)

    @property
    def empty(self) -> int:
        """Documents that were left out because their text has no token."""
        return sum(counts.empty for counts in self.part_counts)

    @cached_property
    def token_starts(self) -> list[int]:
        """Where each part begins in the stream, and where the last one ends."""
        starts = [0]
        for counts in self.part_counts:
            starts.append(starts[-1] + counts.tokens)
        return starts

    def token_path(self, part: int) -> Path:
        return _token_file(self.folder, self.parts[part])

    def offset_path(self, part: int) -> Path:
        return _offset_file(self.folder, self.parts[part])

    def document_path(self, part: int) -> Path:
        return _document_file(self.folder, self.parts[part])

    def part_tokens(self, part: int) -> Tokens:
        """The part's token ids, mapped."""
        if part not in self._token_maps:
            self._token_maps[part] = _map(
                self.token_path(part), self.identity.dtype, self.part_counts[part].tokens
            )
        mapped: Tokens = self._token_maps[part]
        return mapped

    def part_offsets(self, part: int) -> I64:
        """int64[documents + 1]: where the part's documents begin, and the part's end, mapped."""
        if part not in self._offset_maps:
            length = self.part_counts[part].documents + 1
            self._offset_maps[part] = _map(self.offset_path(part), np.dtype("<i8"), length)
        return self._offset_maps[part]

    def spans(self, start: int, length: int) -> Iterator[tuple[int, int, int]]:
        """(part, first token in the part, tokens) of each piece of a stretch of the stream."""
        part = bisect_right(self.token_starts, start) - 1
        local = start - self.token_starts[part]
        while length > 0:
            take = min(self.part_counts[part].tokens - local, length)
            if take > 0:
                yield part, local, take
                length -= take
            part, local = part + 1, 0

    def fill(self, start: int, tokens: npt.NDArray[np.int32], begins: npt.NDArray[np.int8]) -> None:
        """Copy a stretch of the stream and mark where documents begin inside it.

        Args:
            start: first token.
            tokens: int32[n], filled.
            begins: int8[n], zeros; set to 1 at every position > 0 where another document begins.
        """
        done = 0
        for part, local, take in self.spans(start, len(tokens)):
            tokens[done : done + take] = self.part_tokens(part)[local : local + take]
            offsets = self.part_offsets(part)
            first, last = np.searchsorted(offsets, (local + 1, local + take)).tolist()
            begins[offsets[first:last] + (done - local)] = 1
            if done:
                begins[done] = 1
            done += take

    def documents_in(self, start: int, length: int) -> Iterator[tuple[str, int, int]]:
        """(document id, first token here, last token here) over a stretch; tokens count in the document."""
        for part, local, take in self.spans(start, length):
            offsets = self.part_offsets(part)
            first = int(np.searchsorted(offsets, local, side="right")) - 1
            last = int(np.searchsorted(offsets, local + take, side="left"))
            begins = offsets[first : last + 1].tolist()
            for row, document in enumerate(self.document_ids(part, first, last)):
                begin, end = begins[row], begins[row + 1]
                yield document, max(local, begin) - begin, min(local + take, end) - begin - 1

    def document_ids(self, part: int, first: int, last: int) -> list[str]:
        """Ids of the part's documents number first..last-1."""
        if first >= last:
            return []
        groups = range(first // _ROW_GROUP, (last - 1) // _ROW_GROUP + 1)
        with pq.ParquetFile(self.document_path(part)) as file:
            column = file.read_row_groups(list(groups), columns=["id"]).column("id")
        begin = first - groups[0] * _ROW_GROUP
        ids: list[str] = column.slice(begin, last - first).to_pylist()
        return ids

    def find(self, document: str) -> list[tuple[int, int]]:
        """(first token in the stream, tokens) wherever a document id occurs; scans the id columns."""
        found = []
        for part in range(len(self.parts)):
            columns = ["offset", "length"]
            rows = pq.read_table(self.document_path(part), columns=columns, filters=[("id", "=", document)])
            for offset, length in zip(*(rows.column(name).to_pylist() for name in columns), strict=True):
                found.append((self.token_starts[part] + offset, length))
        return found


def _map(path: Path, dtype: np.dtype[Any], length: int) -> npt.NDArray[Any]:
    """Map a file of `length` items. Errors: UserError when its size is another one."""
    expected = length * dtype.itemsize
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise UserError("file missing from a token store", where=str(path), mend=VERIFY) from None
    if size != expected:
        raise UserError(f"{size} bytes where {expected} belong", where=str(path), mend=VERIFY)
    if not length:
        return np.empty(0, dtype)
    # Arrow's mapping keeps no file open, unlike Python's: a store may have more parts than it may open.
    with pa.memory_map(str(path)) as file:
        return np.frombuffer(file.read_buffer(), dtype)

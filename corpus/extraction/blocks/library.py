"""The native library behind the engine "gristmill": loading it, and pages as blocks and features.

A *block* is a run of inline content between two block boundaries: a paragraph, a heading, an item, a cell.
The library reads a page in one pass and knows for each block its text, its element, what it stands in
(flags), and one row of features for the model that decides which blocks are main text.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from corpus.extraction.blocks import build
from corpus.extraction.structure import Format

CLASS_SLOTS = 1 << 16
"""Slots of the class table: scores of hashed class names, ids and roles."""

FORMATS = ("markdown", "plain")
"""Forms of the assembled text, by the library's number."""

Floats = npt.NDArray[np.float32]

_BLOCK = np.dtype(
    [
        ("begin", "<u4"), ("end", "<u4"), ("flags", "<u4"), ("words", "<i4"), ("node", "<i4"),
        ("tag", "u1"), ("heading", "u1"), ("ending", "u1"), ("unused", "u1"),
    ]
)  # fmt: skip


class LibraryError(RuntimeError):
    """The native library is not there, or not of these sources."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of a page, in the order of the text; n of them."""

    texts: list[str]
    tags: list[str]
    """Name of the element that a block is in ("p", "td"); "unknown" for elements that HTML has not."""
    words: npt.NDArray[np.int32]
    """As the library counts them: in scripts without spaces, one every two ideographs or four letters."""
    flags: npt.NDArray[np.uint32]
    """Bit i: inside of what `flag_names()[i]` says."""
    headings: npt.NDArray[np.uint8]
    """Level 1 to 6 in a heading, else 0."""
    nodes: npt.NDArray[np.int32]
    """Number of the element; blocks of one element share it."""

    def __len__(self) -> int:
        return len(self.texts)


class Page:
    """A page as the library has read it. Use it as a context manager: the memory is the library's."""

    def __init__(self, html: bytes | str, url: str | None = None) -> None:
        self._handle: int | None = None
        self._library = load()
        data = html.encode("utf-8", "replace") if isinstance(html, str) else html
        address = (url or "").encode("utf-8", "replace")
        self._handle = self._library.gm_parse(data, len(data), address, len(address))
        if not self._handle:
            raise MemoryError("no memory for this page")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the memory back; the page cannot be used any more."""
        if self._handle:
            self._library.gm_free(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of blocks."""
        return int(self._library.gm_block_count(self.handle))

    @property
    def handle(self) -> int:
        """The library's pointer, for calls of its C interface."""
        if not self._handle:
            raise ValueError("the page is closed")
        return self._handle

    @property
    def blocks(self) -> Blocks:
        """All blocks with their texts."""
        rows = np.zeros(len(self), _BLOCK)
        self._library.gm_blocks(self.handle, rows.ctypes.data)
        text = self._bytes("gm_text")
        names = tag_names()
        bounds = zip(rows["begin"].tolist(), rows["end"].tolist(), strict=True)
        return Blocks(
            texts=[text[begin:end].decode("utf-8", "replace") for begin, end in bounds],
            tags=[names[tag] for tag in rows["tag"].tolist()],
            words=rows["words"].copy(),
            flags=rows["flags"].copy(),
            headings=rows["heading"].copy(),
            nodes=rows["node"].copy(),
        )

    @property
    def title(self) -> str | None:
        """The title element's text, or else the first main heading's."""
        return self._bytes("gm_title").decode("utf-8", "replace") or None

    @property
    def linked_data(self) -> list[str]:
        """Sources of the JSON-LD scripts that have an `articleBody`."""
        return [part.decode("utf-8", "replace") for part in self._bytes("gm_linked_data").split(b"\0")[:-1]]

    @property
    def work(self) -> int:
        """Steps that reading took; bounded by a multiple of the page's length."""
        return int(self._library.gm_work(self.handle))

    @property
    def truncated(self) -> bool:
        """Whether the page has more blocks or elements than the library reads."""
        return bool(self._library.gm_truncated(self.handle))

    def features(self, class_table: Floats | None = None) -> Floats:
        """First-stage features: float32, n blocks x len(feature_names()).

        Args:
            class_table: CLASS_SLOTS scores of class names (positive inside main text), or None for zeros.
        """
        out = np.zeros((len(self), len(feature_names())), np.float32)
        table = None if class_table is None else _floats(class_table, CLASS_SLOTS).ctypes.data
        self._done(self._library.gm_block_features(self.handle, table, out.ctypes.data, out.shape[1]))
        return out

    def second_features(self, probabilities: Floats) -> Floats:
        """Second-stage features: float32, n blocks x len(second_feature_names()).

        Args:
            probabilities: the first stage's, n of them.
        """
        out = np.zeros((len(self), len(second_feature_names())), np.float32)
        given = _floats(probabilities, len(self))
        self._done(
            self._library.gm_second_features(self.handle, given.ctypes.data, out.ctypes.data, out.shape[1])
        )
        return out

    def assemble(self, keep: npt.NDArray[np.bool_], format: Format = "markdown") -> str:
        """The text of the blocks to keep, with its structure.

        Args:
            keep: one a block.
            format: "markdown" writes headings, lists, quotes, tables and code with their marks; "plain" has
                the same lines without marks, and tabs between cells.
        """
        chosen = np.ascontiguousarray(keep, np.uint8)
        if chosen.shape != (len(self),):
            raise ValueError(f"{len(self)} choices are needed, not {chosen.shape}")
        size = ctypes.c_size_t()
        number = FORMATS.index(format)
        data = self._library.gm_assemble(self.handle, chosen.ctypes.data, number, ctypes.byref(size))
        if not data:
            raise MemoryError("no memory for this page")
        return ctypes.string_at(data, size.value).decode("utf-8", "replace")

    def cut(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """The blocks to keep, n of them: the cut by probability with the best expected F1 (cut.py)."""
        keep = np.zeros(len(self), np.uint8)
        given = _floats(probabilities, len(self))
        self._done(self._library.gm_cut(self.handle, given.ctypes.data, keep.ctypes.data))
        return keep.astype(bool)

    def class_statistics(self, kept: Floats) -> tuple[npt.NDArray[np.uint16], Floats, Floats]:
        """What a class table is made from: slots of this page, words in elements of that class, kept words.

        Args:
            kept: the share of each block that is main text, n of them.
        """
        slots = np.zeros(CLASS_SLOTS, np.uint16)
        words, kept_words = np.zeros(CLASS_SLOTS, np.float32), np.zeros(CLASS_SLOTS, np.float32)
        given = _floats(kept, len(self))
        pointers = (array.ctypes.data for array in (given, slots, words, kept_words))
        count = self._library.gm_class_statistics(self.handle, *pointers)
        self._done(min(count, 0))
        return slots[:count].copy(), words[:count].copy(), kept_words[:count].copy()

    def _bytes(self, function: str) -> bytes:
        size = ctypes.c_size_t()
        data = getattr(self._library, function)(self.handle, ctypes.byref(size))
        return ctypes.string_at(data, size.value)

    def _done(self, code: int) -> None:
        if code:
            raise MemoryError("no memory for this page")


def _floats(values: Floats, count: int) -> Floats:
    array = np.ascontiguousarray(values, np.float32)
    if array.shape != (count,):
        raise ValueError(f"{count} numbers are needed, not {array.shape}")
    return array


@functools.cache
def feature_names() -> tuple[str, ...]:
    """Names of the first stage's columns, in their order."""
    return _lines("gm_block_feature_names")


@functools.cache
def second_feature_names() -> tuple[str, ...]:
    """Names of the second stage's own columns, which follow those of the first."""
    return _lines("gm_second_feature_names")


@functools.cache
def tag_names() -> tuple[str, ...]:
    """Names of elements by number."""
    return _lines("gm_tag_names")


@functools.cache
def flag_names() -> tuple[str, ...]:
    """Names of flags by bit."""
    return _lines("gm_flag_names")


def _lines(function: str) -> tuple[str, ...]:
    return tuple(getattr(load(), function)().decode().split("\n")[:-1])


@functools.cache
def features_digest() -> str:
    """Identity of the features: of their names, order and version. A model fits one only."""
    names = [str(load().gm_features_version()), *feature_names(), "", *second_feature_names()]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def available() -> bool:
    """Whether the library can be used here; `reason()` says why not."""
    return reason() is None


def reason() -> str | None:
    """Why the library cannot be used, in one line, or None."""
    try:
        load()
    except LibraryError as error:
        return str(error)
    return None


@functools.cache
def load() -> ctypes.CDLL:
    """The library, built first where it is missing or older than its sources.

    Raises LibraryError, saying why, where that cannot be.
    """
    outcome = _load()
    if isinstance(outcome, str):
        raise LibraryError(outcome)
    return outcome


@functools.cache
def _load() -> ctypes.CDLL | str:
    # A failure is remembered too: nobody compiles twice in one process.
    wanted = build.source_digest()
    with _one_builder():
        library = _open(wanted)
        if library is None:
            state = "stale" if build.LIBRARY.exists() else "not built"
            try:
                build.build()
            except build.BuildError as error:
                return f"the native library is {state}: {error}; `python -m corpus.extraction.blocks.build`"
            library = _open(wanted)
    return library or "the native library was built, but cannot be loaded"


def _open(wanted: str) -> ctypes.CDLL | None:
    """The library beside this module, if the sources with this digest were compiled into it."""
    try:
        # Looked up in the file: a library once loaded from a path hides one that is built there later.
        if wanted.encode() not in build.LIBRARY.read_bytes():
            return None
        library = ctypes.CDLL(str(build.LIBRARY))
        _declare(library)
    except (OSError, AttributeError):
        return None
    return library if library.gm_source_digest().decode() == wanted else None


@contextmanager
def _one_builder() -> Iterator[None]:
    """Worker processes that start together build once."""
    try:
        import fcntl

        lock = Path(f"{build.LIBRARY}.lock").open("w")  # noqa: SIM115
    except (ImportError, OSError):
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _declare(library: ctypes.CDLL) -> None:
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    sized = ctypes.POINTER(ctypes.c_size_t)
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "gm_source_digest": (text, []),
        "gm_features_version": (ctypes.c_int32, []),
        "gm_block_feature_names": (text, []),
        "gm_second_feature_names": (text, []),
        "gm_tag_names": (text, []),
        "gm_flag_names": (text, []),
        "gm_parse": (pointer, [text, size, text, size]),
        "gm_free": (None, [pointer]),
        "gm_block_count": (size, [pointer]),
        "gm_blocks": (None, [pointer, pointer]),
        "gm_text": (pointer, [pointer, sized]),
        "gm_title": (pointer, [pointer, sized]),
        "gm_linked_data": (pointer, [pointer, sized]),
        "gm_work": (ctypes.c_uint64, [pointer]),
        "gm_truncated": (ctypes.c_int32, [pointer]),
        "gm_block_features": (ctypes.c_int32, [pointer, pointer, pointer, size]),
        "gm_second_features": (ctypes.c_int32, [pointer, pointer, pointer, size]),
        "gm_assemble": (pointer, [pointer, pointer, ctypes.c_int32, sized]),
        "gm_class_statistics": (ctypes.c_int32, [pointer] * 5),
        "gm_use_instructions": (ctypes.c_int32, [ctypes.c_int32]),
        "gm_model_read": (pointer, [text, size, ctypes.POINTER(text)]),
        "gm_model_free": (None, [pointer]),
        "gm_probabilities": (ctypes.c_int32, [pointer] * 4),
        "gm_cut": (ctypes.c_int32, [pointer] * 3),
        "gm_extract": (pointer, [pointer, pointer, ctypes.c_int32, sized]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments

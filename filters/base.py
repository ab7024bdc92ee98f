"""A text segmented once, and the annotators that measure it.

Everything about a text lies in arrays of offsets in code points (not bytes), so `text[start:end]` gives a
piece back. A view computes each segmentation when it is first asked for, keeps it, and every annotator shares
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import characters, hashing, segmentation
from filters.segmentation import Spans

Offsets = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

__all__ = ["Annotator", "Hashes", "Offsets", "Spans", "TextView", "annotate_texts"]


class TextView:
    """One text with its lines, paragraphs, words, sentences and hashes, each computed once.

    Any string will do: empty, with NUL, with lone surrogates.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __len__(self) -> int:
        return len(self.text)

    @cached_property
    def code_points(self) -> npt.NDArray[np.uint32]:
        """The text's code points: uint32[n]."""
        return np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), np.uint32)

    @cached_property
    def classes(self) -> npt.NDArray[np.uint16]:
        """What each character is, as flags of `filters.characters`: uint16[n]."""
        return characters.class_table()[self.code_points]

    @cached_property
    def utf8_length(self) -> int:
        """Length in UTF-8 bytes; a lone surrogate counts three."""
        return len(self.text.encode("utf-8", "surrogatepass"))

    @cached_property
    def newlines(self) -> Offsets:
        """Where the line feeds are."""
        return np.flatnonzero(self.code_points == 10)

    @cached_property
    def visible(self) -> Offsets:
        """Where the characters are that are no white space."""
        return np.flatnonzero((self.classes & characters.SPACE) == 0)

    @cached_property
    def lines(self) -> Spans:
        """The pieces of `str.splitlines`: without their line ends, empty ones included."""
        return segmentation.lines(self.code_points, self.classes)

    @cached_property
    def paragraphs(self) -> Spans:
        """The stripped text cut at runs of two or more line feeds (the paragraphs of the Gopher filters)."""
        return segmentation.paragraphs(self.code_points, self.visible)

    @cached_property
    def words(self) -> Spans:
        """Words and marks, in order: see `filters.segmentation.words`."""
        return segmentation.words(self.code_points, self.classes)

    @cached_property
    def tokens(self) -> Spans:
        """The pieces of `str.split`: what white space separates."""
        return segmentation.runs((self.classes & characters.SPACE) == 0)

    @cached_property
    def lowered(self) -> str:
        """`str.lower` that keeps every character in its place: of the two that İ becomes only the dot stays."""
        lowered = self.text.lower()
        return lowered if len(lowered) == len(self.text) else self.text.replace("İ", "\u0307").lower()

    @cached_property
    def sentences(self) -> Spans:
        """Sentences, trimmed, never across a line end: see `filters.segmentation.sentences`."""
        return segmentation.sentences(self.code_points, self.classes, self.visible)

    @cached_property
    def prefix_hashes(self) -> Hashes:
        """Running hash from which the hash of any piece follows in O(1): uint64[n + 1]."""
        return hashing.prefix(self.code_points)

    def hashes(self, spans: Spans) -> Hashes:
        """64-bit hash of each piece; equal pieces have equal hashes: uint64[len(spans)]."""
        return hashing.pieces(self.prefix_hashes, spans.starts, spans.ends)

    @cached_property
    def word_hashes(self) -> Hashes:
        """Hash of every word: uint64[words]."""
        return self.hashes(self.words)

    @cached_property
    def line_hashes(self) -> Hashes:
        """Hash of every line: uint64[lines]."""
        return self.hashes(self.lines)

    def trimmed(self, spans: Spans) -> Spans:
        """The pieces without white space at their ends (`str.strip`); a blank piece becomes empty."""
        return segmentation.trim(spans, self.visible)

    def flagged(self, spans: Spans, flags: int) -> npt.NDArray[np.bool_]:
        """Which pieces have at least one character with one of the flags: bool[len(spans)]."""
        return self.counted(spans, flags) > 0

    def counted(self, spans: Spans, flags: int) -> Offsets:
        """How many characters with one of the flags each piece has: int64[len(spans)]."""
        total = np.zeros(len(self.text) + 1, np.int64)
        np.cumsum((self.classes & flags) != 0, out=total[1:])
        return total[spans.ends] - total[spans.starts]


@runtime_checkable
class Annotator(Protocol):
    """A versioned pure function over a batch of texts.

    `name` and `version` address what it wrote (`annotations/<name>@<version>/`): a change of any value that
    it returns is a new version. `columns` are the dotted names and types that `annotate` returns, one row a
    text.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def columns(self) -> Mapping[str, pa.DataType]: ...

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, each as long as the batch. `documents` holds the other fields (url, language,
        ...).
        """
        ...


def annotate_texts(
    annotators: Sequence[Annotator],
    texts: Sequence[str],
    documents: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, pa.Table]:
    """Run annotators over a batch; every text is segmented once for all of them.

    Returns a table per annotator, keyed `name@version`: its columns, as many rows as texts, in their order.
    """
    views = [TextView(text) for text in texts]
    if documents is None:
        documents = [{}] * len(views)
    tables = {}
    for annotator in annotators:
        arrays = annotator.annotate(views, documents)
        schema = pa.schema(list(annotator.columns.items()))
        tables[f"{annotator.name}@{annotator.version}"] = pa.table(
            [arrays[name].cast(kind) for name, kind in annotator.columns.items()], schema=schema
        )
    return tables

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

from filters import characters, hashing, segmentation, unspaced, words
from filters.spans import Offsets, Spans

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
    def _scanned(self) -> tuple[npt.NDArray[np.uint32], Hashes, np.uint32]:
        return hashing.scan(self.code_points, characters.class_table())

    @property
    def classes(self) -> npt.NDArray[np.uint32]:
        """What each character is, as flags of `filters.characters`: uint32[n]."""
        return self._scanned[0]

    @property
    def prefix_hashes(self) -> Hashes:
        """Running hash from which the hash of any piece follows (`filters.hashing.piece`): uint64[n + 1]."""
        return self._scanned[1]

    @property
    def flags(self) -> int:
        """The flags that at least one character has."""
        return int(self._scanned[2])

    @cached_property
    def utf8_length(self) -> int:
        """Length in UTF-8 bytes; a lone surrogate counts three."""
        return len(self.text.encode("utf-8", "surrogatepass"))

    @cached_property
    def newlines(self) -> Offsets:
        """Where the line feeds are."""
        return np.flatnonzero(self.code_points == 10)

    @cached_property
    def lines(self) -> Spans:
        """The pieces of `str.splitlines`: without their line ends, empty ones included."""
        return Spans(*segmentation.lines(self.code_points, self.classes))

    @cached_property
    def paragraphs(self) -> Spans:
        """The stripped text cut at runs of two or more line feeds (the paragraphs of the Gopher filters)."""
        return Spans(*segmentation.paragraphs(self.code_points, self.classes))

    @cached_property
    def cuts(self) -> npt.NDArray[np.bool_] | None:
        """Where a word begins in the runs of scripts written without spaces: bool[n]; None for a text
        without."""
        return unspaced.cuts(self.code_points, self.classes) if self.flags & characters.UNSPACED else None

    @cached_property
    def words(self) -> Spans:
        """Words and marks, in order: see `filters.words`."""
        return Spans(*words.words(self.code_points, self.classes, self.prefix_hashes, self.cuts))

    @cached_property
    def tokens(self) -> Spans:
        """The pieces of `str.split`: what white space separates."""
        return Spans(*segmentation.pieces_between(self.classes, characters.SPACE))

    @cached_property
    def lowered(self) -> str:
        """`str.lower` that keeps every character in its place: of the two that İ becomes only one stays."""
        lowered = self.text.lower()
        return lowered if len(lowered) == len(self.text) else self.text.replace("İ", "\u0307").lower()

    @cached_property
    def folded(self) -> bytes:
        """`lowered` in UTF-8, but for capitals beyond ASCII: quick to make, and enough to tell that a phrase
        in ASCII does not occur there."""
        text = self.text
        if "İ" in text or "\u212a" in text:
            text = self.lowered
        return text.encode("utf-8", "surrogatepass").lower()

    @cached_property
    def sentences(self) -> Spans:
        """Sentences, trimmed, never across a line end: see `filters.segmentation.sentences`."""
        keys, kinds = segmentation.abbreviation_table()
        return Spans(*segmentation.sentences(self.code_points, self.classes, self.prefix_hashes, keys, kinds))

    def hashes(self, spans: Spans) -> Hashes:
        """64-bit hash of each piece; equal pieces have equal hashes: uint64[len(spans)]."""
        return hashing.pieces(self.prefix_hashes, spans.starts, spans.ends)

    @cached_property
    def word_hashes(self) -> Hashes:
        """Hash of every word: uint64[words]."""
        return self.hashes(self.words)


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


@runtime_checkable
class OneByOne(Protocol):
    """An annotator that takes one text after the other: `begin`, `add` for every text, `end`."""

    def begin(self, count: int) -> Any: ...

    def add(self, values: Any, index: int, view: TextView) -> None: ...

    def end(self, values: Any) -> dict[str, pa.Array]: ...


def annotate_texts(
    annotators: Sequence[Annotator],
    texts: Sequence[str],
    documents: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, pa.Table]:
    """Run annotators over a batch; every text is segmented once for all of them.

    A text goes through all annotators that take texts one by one before the next is looked at, while its
    arrays are at hand in the processor's cache, and is forgotten. The others then get the batch.

    Returns a table per annotator, keyed `name@version`: its columns, as many rows as texts, in their order.
    """
    each = [annotator for annotator in annotators if isinstance(annotator, OneByOne)]
    values = [annotator.begin(len(texts)) for annotator in each]
    for index, text in enumerate(texts):
        view = TextView(text)
        for one, found in zip(each, values, strict=True):
            one.add(found, index, view)
    done = {id(one): one.end(found) for one, found in zip(each, values, strict=True)}
    views = [TextView(text) for text in texts] if len(each) < len(annotators) else []
    if documents is None:
        documents = [{}] * len(texts)
    tables = {}
    for annotator in annotators:
        arrays = done[id(annotator)] if id(annotator) in done else annotator.annotate(views, documents)
        schema = pa.schema(list(annotator.columns.items()))
        tables[f"{annotator.name}@{annotator.version}"] = pa.table(
            [arrays[name].cast(kind) for name, kind in annotator.columns.items()], schema=schema
        )
    return tables

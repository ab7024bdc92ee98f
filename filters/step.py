"""Annotators and rule sets as datatrove steps, for anybody's pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.writers.disk_base import DiskWriter

from filters.base import Annotator, annotate_texts
from filters.decide import BoundRules
from filters.findings import merged
from filters.masking import CUT, Masking

BATCH_SIZE = 256
"""Documents a batch: enough to spread the cost of a call."""
BATCH_CHARACTERS = 1 << 22
"""A batch ends early at so many characters: the arrays of a text take about 28 bytes for each of them."""


class AnnotatorStep(PipelineStep):
    """Writes the columns of annotators into `Document.metadata`, under their dotted names."""

    type = "🔎 - ANNOTATOR"
    name = "annotators"

    def __init__(self, annotators: Sequence[Annotator], batch_size: int = BATCH_SIZE) -> None:
        super().__init__()
        self.annotators = list(annotators)
        self.batch_size = batch_size

    def annotate(self, batch: Sequence[Document]) -> dict[str, pa.Table]:
        """A table per annotator, keyed `name@version`, rows in the order of the batch."""
        return annotate_texts(
            self.annotators, [document.text for document in batch], [document.metadata for document in batch]
        )

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        for batch in _bounded(data, self.batch_size):
            with self.track_time("batch"):
                tables = self.annotate(batch)
                for table in tables.values():
                    for name, column in zip(table.column_names, table.columns, strict=True):
                        for document, value in zip(batch, column.to_pylist(), strict=True):
                            document.metadata[name] = value
            for document in batch:
                self.update_doc_stats(document)
                yield document


def _bounded(data: DocumentsPipeline, size: int) -> Iterator[list[Document]]:
    """Batches of at most `size` documents that end when they hold BATCH_CHARACTERS."""
    batch: list[Document] = []
    characters = 0
    for document in data or ():
        batch.append(document)
        characters += len(document.text)
        if len(batch) >= size or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


class RuleFilterStep(BaseFilter):
    """A rule set as a datatrove filter over what annotators wrote into `Document.metadata`.

    The same engine decides as for stores (DuckDB over the batch as an Arrow table), so the decisions are the
    same. The reason goes to the statistics (`dropped_<reason>`) and, with an exclusion writer, to
    `filter_reason`; `on_drop` is called with every dropped document and its reason. A kept document's tier
    goes to `Document.metadata["tier"]`.

    Args:
        rules: the rule set, bound to `columns` by `filters.decide.bind`.
        columns: types of the columns; those named `id` and `text` come from the document, all others from its
        metadata,
            where a missing one is null.
    """

    name = "rules"

    def __init__(
        self,
        rules: BoundRules,
        columns: Mapping[str, pa.DataType],
        batch_size: int = BATCH_SIZE,
        exclusion_writer: DiskWriter | None = None,
        on_drop: Callable[[Document, str], None] | None = None,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self.rules = rules
        self.columns = {name: columns[name] for name in rules.columns}
        self.on_drop = on_drop

    def filter(self, document: Document) -> bool | tuple[bool, str]:
        """Decide one document; `run` decides batches."""
        return self.filter_batch([document])[0]

    def filter_batch(self, batch: Sequence[Document]) -> list[bool | tuple[bool, str]]:
        """True, or False and the reason, for every document."""
        arrays = {
            name: _array([_field(document, name) for document in batch], kind)
            for name, kind in self.columns.items()
        }
        arrays["id"] = pa.array([document.id for document in batch], pa.string())
        results: list[bool | tuple[bool, str]] = []
        for document, decision in zip(batch, self.rules.decide(pa.table(arrays)).to_pylist(), strict=True):
            if decision["keep"]:
                if self.rules.ruleset.tiers:
                    document.metadata["tier"] = decision["tier"]
                results.append(True)
                continue
            if self.on_drop is not None:
                self.on_drop(document, decision["reason"])
            results.append((False, decision["reason"]))
        return results


def _field(document: Document, name: str) -> Any:
    if name in ("id", "text"):
        return getattr(document, name)
    return document.metadata.get(name)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values as an array; times may be given as text."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array(values).cast(kind)


class MaskStep(PipelineStep):
    """Replaces what annotators found in a text by tokens, cuts out what they found to be there twice, and
    takes the columns of spans away, which hold no more.

    The number of replacements goes to `Document.metadata["masked"]`, by kind (`cut` for what is cut out),
    and to the statistics.

    Args:
        masking: the tokens.
        columns: names of columns of spans in `Document.metadata`, as `AnnotatorStep` writes them.
        cuts: names of columns of pieces that are cut out.
    """

    type = "🎭 - MASK"
    name = "masking"

    def __init__(
        self,
        masking: Masking | None = None,
        columns: Sequence[str] = ("pii.spans",),
        cuts: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.masking = masking if masking is not None else Masking()
        self.columns, self.cuts = tuple(columns), tuple(cuts)

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        for document in data or ():
            with self.track_time():
                for kind, count in mask_document(document, self.masking, self.columns, self.cuts).items():
                    self.stat_update(f"masked_{kind}", value=count)
            yield document


def mask_document(
    document: Document, masking: Masking, columns: Sequence[str], cuts: Sequence[str] = ()
) -> dict[str, int]:
    """Mask a document in place, and cut pieces out of it; returns how many findings of each kind were
    replaced.

    A finding that a cut touches goes with the cut, or the cut with the finding: what either covers is gone.
    """
    found = [
        (span["start"], span["end"], span["kind"] if column in columns else CUT)
        for column in (*columns, *cuts)
        for span in document.metadata.pop(column, None) or ()
    ]
    if not found:
        return {}
    document.text, done = masking.mask(document.text, merged(found))
    counts = dict(sorted(Counter(kind for _, _, kind in done).items()))
    if counts:
        document.metadata["masked"] = counts
    return counts

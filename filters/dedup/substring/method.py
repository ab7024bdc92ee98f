"""Exact substrings: pieces of at least N units that stand in an earlier document too, or earlier in the same.

A window of N units is a *repeat* if the same N units stand in a document with a smaller number (and of the
same group), or (`within`) earlier in the same document without overlapping. The spans to cut are all that the
repeats of a document cover; so the first occurrence, that in the document preferred, is kept, and every other
one is cut. In a text that repeats itself without a gap ("aaaa…") the first N units stay and the rest goes.

**Guarantee.** Every repeat is found, and nothing else. Winnowing gives every window an anchor that depends on
its N units alone (`winnow`), so equal windows have equal keys, meet in one key range, and are compared there,
unit by unit: hashes propose, the text decides. No window is compared by chance or left out for frequency.

**What remains.** No window of N units inside of what is left of a document is a repeat; only where the two
sides of a cut now touch may there be new ones. Of every window the first occurrence is no repeat, but its
ends may go with other repeats that overlap it. Spans of bytes lose up to three at each end, so that they
begin and end between characters, and all spans draw back from combining marks, joined emoji and the like
(Unicode's grapheme clusters), so what is repeated inside of one cluster stays.

**Stages**, as datatrove steps that may run in any number of tasks:

    layout      blocks of documents and key ranges, from the footers
    anchors     by part: keys of all anchors, one in N / 4 units or so
    repeated    by key range: which keys occur twice
    contexts    by part: the text around those anchors, up to 3 N / 2 units, different ones of a block once
    first       by key range: where every window of these contexts stands first
    spans       by part: windows to spans, code points, fragments, pieces for the ledger

**Cost.** Time is linear in the text, however often something is repeated: a context is compared with the
first of its kind alone. Three passes over the text. Disk: 9 bytes an anchor (about 0.35 a byte of text), and
for what is repeated the contexts, compressed. Memory: the text of a row group or 16 MiB, whichever is more,
about four times over (words: twenty times), and as much of a key range as there is room for; one that is too
large is worked on in several passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from filters.dedup.base import SPANS, Job, Stage
from filters.dedup.numbering import Inverse, database
from filters.dedup.substring import anchors, blocks, contexts, first, spans
from filters.dedup.substring.settings import LENGTH, Settings, Unit
from gristmill.base.atomic import atomic_path
from gristmill.base.progress import Progress

NAME, VERSION = "substring", "1"
Work = Callable[[Settings, Job, int, int], None]
_BATCH = 1 << 17
"""Rows of the ledger at a time."""


class Substring:
    """Finds pieces of texts that stand earlier too. A `filters.dedup.base.Method`.

    Columns: `spans`, what to cut, in code points; `characters`, how many they cover; `share` of the text
    (null for an empty one).

    Args:
        length, unit, within, fragment, tokenizer: see `Settings`.
        name: prefix of the columns.

    Raises UserError for settings that make no sense.
    """

    version = VERSION
    needs: Sequence[str] = ()

    def __init__(  # noqa: PLR0917 (keywords of the manifest)
        self,
        length: int = LENGTH,
        unit: Unit = "bytes",
        within: bool = True,
        fragment: int = 0,
        tokenizer: str | None = None,
        name: str = NAME,
    ) -> None:
        self.name = name
        self.settings = Settings(length, unit, within, fragment, tokenizer)

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Three columns."""
        return {f"{self.name}.{column}": kind for column, kind in spans.COLUMNS.items()}

    def meaning(self) -> Any:
        """All settings; the tokenizer by its content."""
        return self.settings.meaning()

    def stages(self, job: Job) -> list[Stage]:
        """Six stages."""
        parts = max(1, len(job.parts))
        works: list[tuple[str, Work, int]] = [
            ("layout", _lay_out, 1),
            ("anchors", anchors.find_anchors, parts),
            ("repeated", anchors.find_repeated, job.tasks),
            ("contexts", contexts.find_contexts, parts),
            ("first", first.find_first, job.tasks),
            ("spans", spans.find_spans, parts),
        ]
        return [
            Stage(f"{self.name}: {name}", SubstringStep(name, work, self.settings, job), tasks)
            for name, work, tasks in works
        ]

    def conclude(self, job: Job, target: Path, ledger: Path, progress: Progress) -> dict[str, Any]:
        """Write the annotations and the ledger; returns how many documents have spans, how many spans there
        are, and how many characters they cover."""
        task = progress.task(f"{self.name}: write", total=len(job.parts), unit="parts")
        facts = {"documents": 0, "spans": 0, "characters": 0}
        names = ["id", *self.columns]
        for index, part in enumerate(job.parts):
            if not part.known:
                table = pq.read_table(job.folder("substring/spans") / f"{index:06d}.parquet")
                with atomic_path(target / f"{part.name}.parquet") as path:
                    pq.write_table(table.rename_columns(names), path, compression="zstd")
                covered = table.column("characters").fill_null(0).to_numpy()
                facts["documents"] += int(np.count_nonzero(covered))
                facts["spans"] += len(table.column("spans").combine_chunks().flatten())
                facts["characters"] += int(covered.sum())
            task.advance()
        task.close()
        _write_ledger(job, ledger)
        return facts


class SubstringStep(PipelineStep):
    """One stage; see the module."""

    type = "✂️ - SUBSTRING"

    def __init__(self, name: str, work: Work, settings: Settings, job: Job) -> None:
        super().__init__()
        self.name, self.work, self.settings, self.job = name, work, settings, job

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Hand on what comes in, then do the rank's work, unless it is done."""
        if data:
            yield from data
        with self.track_time():
            self.work(self.settings, self.job, rank, world_size)


def _lay_out(settings: Settings, job: Job, rank: int, world_size: int) -> None:
    if rank == 0:
        blocks.lay_out(job)


def _write_ledger(job: Job, ledger: Path) -> None:
    """All pieces with the ids of their documents, by number and place."""
    with (
        atomic_path(ledger) as path,
        pq.ParquetWriter(path, SPANS, compression="zstd") as writer,
        database(job, "sorting the pieces") as connection,
        Inverse(job) as inverse,
    ):
        files = [
            str(job.folder("substring/pieces") / f"{index:06d}.parquet") for index in range(len(job.parts))
        ]
        if not files:
            return
        reader = connection.read_parquet(files).order('number, start, "end"').to_arrow_reader(_BATCH)
        waiting = spans.PIECES.empty_table()
        for batch in reader:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(spans.PIECES)])
            while waiting.num_rows >= _BATCH:
                writer.write_table(_named(waiting.slice(0, _BATCH), inverse), row_group_size=_BATCH)
                waiting = waiting.slice(_BATCH)
        if waiting.num_rows:
            writer.write_table(_named(waiting, inverse), row_group_size=_BATCH)


def _named(pieces: pa.Table, inverse: Inverse) -> pa.Table:
    """Pieces with ids in the place of numbers."""
    kept = pieces.column("kept_number").combine_chunks()
    known = kept.is_valid().to_numpy(zero_copy_only=False)
    places = np.cumsum(known) - 1
    ids = inverse.ids(kept.drop_null().to_numpy())
    kept_ids = ids.take(pa.array(places, mask=~known)) if len(ids) else pa.nulls(len(kept), pa.string())
    return pa.table(
        [
            inverse.ids(pieces.column("number").to_numpy()),
            pieces.column("start"),
            pieces.column("end"),
            kept_ids,
            pieces.column("kept_start"),
            pieces.column("kept_end"),
        ],
        schema=SPANS,
    )

"""Lines, paragraphs or sentences that stand in several documents, to cut: menus, footers, quotations.

A piece is a run of units of a document (`filters.dedup.cutting`), folded (`filters.dedup.folding`). It is
repeated where it occurs more than once, in enough documents. Its first occurrence, by the number of the
document and the place in it, stays, and all others are cut; or all are. C4 did that with three sentences
(Raffel et al. 2020, JMLR 21:140, section 2.2), CCNet with paragraphs, which are lines there (Wenzek et al.
2020, arXiv 1911.00359, "Deduplication").

Pieces are compared by 128-bit hashes of their folded text: the chance that any two of 10^12 different pieces
agree is 10^-15.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.dedup.base import SPANS, Job, Stage
from filters.dedup.cutting import Unit
from filters.dedup.folding import FOLDS, Fold
from filters.dedup.numbering import documents_file
from filters.dedup.piece_spans import ROWS, SpansStep, columns
from filters.dedup.repeats import CutsStep, PiecesStep, Settings
from filters.dedup.tables import fitted, write_relation
from filters.findings import PIECES
from gristmill.base.atomic import atomic_path
from gristmill.base.errors import UserError, did_you_mean
from gristmill.base.progress import Progress

SENTENCES = 3
"""Sentences that are one piece by default: C4 discarded "all but one of any three-sentence span occurring
more than once"; `n_sentences` of datatrove's SentDedupConfig."""


class Repeated:
    """Pieces of documents that other documents have too.

    Columns: `.spans`, what is to be cut, in code points: units with the white space on one side of them
    (`filters.dedup.cutting`). `.characters`, how many that are. `.share`, of the text's; null where it has
    none.

    Args:
        unit: line, paragraph or sentence.
        window: consecutive units that are one piece; by default 3 sentences, 1 line, 1 paragraph.
        fold: what does not count: `case`, `accents`, the values of `numbers`, `punctuation`, white `space`;
            all of it by default. Where nothing is left, or nothing but numbers and symbols, nothing is
            compared: rows of a table are not repeated because their shape is.
        least_documents: in how many documents a piece must stand; with 1, twice in one document suffices, as
            for C4.
        least_words: pieces with fewer words are left alone; by default none is, as in C4, CCNet and datatrove
            (`min_words_to_remove_span`).
        keep: `first`: the occurrence in the document with the smallest number stays. `none`: all are cut, as
            is right for boilerplate, which no document needs.
        fragment: what stays between two cuts, or between a cut and an end of the text, with fewer characters
            than this is cut too.
        least_remaining: where fewer characters than this would stay of a text, all of it is cut.
        name: prefix of the columns.

    With `keep: first` and no fragments and remainders cut, nothing is lost: every unit that is cut is equal,
    when folded, to one that stays, in the same document or one with a smaller number. (It is cut as part of a
    piece that occurs earlier; there it stays, or is cut as part of a piece that occurs earlier still.)

    Raises UserError for a `fold` that there is not.
    """

    version = "1"

    def __init__(
        self,
        unit: Unit = "line",
        *,
        window: int | None = None,
        fold: Sequence[Fold] = FOLDS,
        least_documents: int = 2,
        least_words: int = 0,
        keep: Literal["first", "none"] = "first",
        fragment: int = 0,
        least_remaining: int = 0,
        name: str = "repeated",
    ) -> None:
        for one in fold:
            if one not in FOLDS:
                raise UserError(f"unknown `fold` '{one}'", mend=did_you_mean(one, FOLDS))
        self.settings = Settings(
            name,
            unit,
            window or (SENTENCES if unit == "sentence" else 1),
            tuple(one for one in FOLDS if one in fold),
            least_documents,
            least_words,
            keep,
            fragment,
            least_remaining,
        )

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        return dict(zip(columns(self.name), (PIECES, pa.int64(), pa.float64()), strict=True))

    @property
    def needs(self) -> Sequence[str]:
        return ()

    def meaning(self) -> Any:
        return {key: value for key, value in asdict(self.settings).items() if key != "name"}

    def stages(self, job: Job) -> list[Stage]:
        """The pieces of parts, what is cut by key range, the spans of parts."""
        parts = max(1, min(len(job.parts), job.tasks))
        return [
            Stage(f"{self.name}: pieces", PiecesStep(job, self.settings), parts),
            Stage(f"{self.name}: repeated", CutsStep(job, self.settings), job.tasks),
            Stage(f"{self.name}: spans", SpansStep(job, self.settings), parts),
        ]

    def conclude(self, job: Job, target: Path, ledger: Path, progress: Progress) -> dict[str, Any]:
        """Put the annotation of every part that is not known in its place, and write the ledger (SPANS) of
        those parts.

        A row of the ledger is a piece, or several that follow each other here and where they are kept: from
        the first one's start to the last one's end, without the white space that is cut with them. Rows
        overlap where windows do that are kept in different places. Returns `documents` that something is cut
        of, and `characters` that are cut.
        """
        own = [index for index, part in enumerate(job.parts) if not part.known]
        task = progress.task(f"{self.name}: write", total=len(own), unit="parts")
        documents = characters = 0
        for index in own:
            source = self.settings.file(job, "spans", index)
            counts = pq.read_table(source, columns=[f"{self.name}.characters"], partitioning=None).column(0)
            found = counts.drop_null().to_numpy()
            documents += int(np.count_nonzero(found))
            characters += int(found.sum())
            with atomic_path(target / f"{job.parts[index].name}.parquet") as path:
                shutil.copyfile(source, path)
            task.advance()
        task.close()
        with fitted(job, f"the ledger of {self.name}") as connection:
            if own:
                files = [str(self.settings.file(job, "rows", index)) for index in own]
                connection.read_parquet(files).create_view("rows")
            else:
                connection.register("rows", ROWS.empty_table())
            numbered = str(documents_file(job))
            connection.read_parquet([numbered], file_row_number=True).create_view("documents")
            write_relation(
                connection.sql(
                    'SELECT rows.id, start, "end", documents.id AS kept_id, kept_start, kept_end'
                    " FROM rows LEFT JOIN documents ON kept_number = file_row_number"
                    ' ORDER BY rows.number, start, "end", kept_number'
                ),
                SPANS,
                ledger,
                dictionary=True,
            )
        return {"documents": documents, "characters": characters}

"""Items of benchmarks that stand in a text: how much of them, which, and where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from filters.annotators.per_text import PerText, Positive
from filters.base import TextView
from filters.decontaminate.benchmarks import BenchmarkFiles
from filters.decontaminate.cache import cached_index
from filters.decontaminate.index import COMMON, LEAST, Index, N, checked_index, describe_index
from filters.decontaminate.similar import find_similar
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError

LEAST_SHARE = 0.2
"""Hits are listed from this share: under it lie phrases that long questions share with other texts."""
HITS = pa.list_(
    pa.struct(
        [
            ("benchmark", pa.string()),
            ("item", pa.string()),
            ("field", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("share", pa.float64()),
            ("matched", pa.int64()),
        ]
    )
)
"""Type of the column of hits, in the order of their starts."""
SIMILAR = pa.list_(
    pa.struct(
        [
            ("benchmark", pa.string()),
            ("item", pa.string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("similarity", pa.float64()),
        ]
    )
)
"""Type of the column of similar questions, in the order of their starts."""


class Contamination(PerText):
    """n-grams of benchmark questions, choices and solutions in a text.

    contamination.share: the greatest share of one text of an item (a question, a question with its choices, a
    solution) that stands in one place of the document, 0 to 1: the weight of its n-grams found there over the
    weight of all; 0 without a hit. contamination.benchmarks: the benchmarks that have hits, by name.
    contamination.hits: every hit: benchmark, item, field (`question`, `choices`, `answer`), start and end in
    code points of the text around what was found, its share, and how many different n-grams were found. An
    item has at most one hit in one place, that with the greatest share. Null for a text without words.
    contamination.similarity and contamination.similar, with the option `similar`: the greatest similarity of
    a question that the text says in other words, and all of at least that similarity.

    Args:
        index: folder of an index (`filters.decontaminate.index`).
        benchmarks: instead of it, benchmarks by name with their files; the index is built once and kept in
            the user's cache.
        n: words of an n-gram.
        least: words from which a shorter question is looked for as a whole.
        common: n-grams in more items of a benchmark are no evidence.
        least_share: hits with a smaller share are not listed and do not count.
        gap: so many words may lie between two n-grams of one hit; twice n by default.
        similar: look for questions said in other words too, of at least this similarity
            (`filters.decontaminate.similar`).
    """

    name = "contamination"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "contamination.share": pa.float64(),
        "contamination.benchmarks": pa.list_(pa.string()),
        "contamination.hits": HITS,
        "contamination.similarity": pa.float64(),
        "contamination.similar": SIMILAR,
    }
    places = frozenset({"index", "benchmarks", "n", "least", "common", "least_share", "gap", "similar"})
    """All options: what they mean is in `identity`."""

    def __init__(  # noqa: PLR0917
        self,
        index: str | Path | None = None,
        benchmarks: dict[str, str | list[str] | BenchmarkFiles] | None = None,
        n: Positive | None = None,
        least: Positive | None = None,
        common: Positive | None = None,
        least_share: Annotated[float, Field(ge=0, le=1)] = LEAST_SHARE,
        gap: Annotated[int, Field(ge=0)] | None = None,
        similar: Annotated[float, Field(gt=0, le=1)] | None = None,
    ) -> None:
        if (index is None) == (not benchmarks):
            raise UserError("annotator 'contamination' needs one of the options 'index' and 'benchmarks'")
        given = {"n": n, "least": least, "common": common}
        if index is not None:
            for option, value in given.items():
                if value is not None:
                    raise UserError(f"option '{option}' of annotator 'contamination': the index says that")
            self.folder = Path(index)
        else:
            self.folder = cached_index(
                benchmarks or {}, n=n or N, least=min(least or LEAST, n or N), common=common or COMMON
            )
        description = describe_index(self.folder)
        self.least_share, self.similar = least_share, similar
        self.gap = 2 * int(description["settings"]["n"]) if gap is None else gap
        self.digest = str(description["digest"])
        self.version = f"1-{self.digest[:8]}"
        self.identity = digest_json([self.digest, least_share, self.gap, similar])

    def measure(self, view: TextView) -> tuple[Any, ...]:
        index = checked_index(self.folder, self.digest)
        hits = index.find(view.code_points, self.least_share, self.gap)
        if not hits:
            return (*((None, None, None) if hits is None else (0.0, (), ())), *self._similar(index, view))
        rows: list[dict[str, Any]] = [
            {
                "benchmark": index.benchmarks[hit.item],
                "item": index.items[hit.item],
                "field": hit.field,
                "start": hit.start,
                "end": hit.end,
                "share": hit.share,
                "matched": hit.matched,
            }
            for hit in hits
        ]
        share, benchmarks = max(hit.share for hit in hits), sorted({row["benchmark"] for row in rows})
        return share, benchmarks, rows, *self._similar(index, view)

    def _similar(self, index: Index, view: TextView) -> tuple[Any, Any]:
        """The greatest similarity, and what is similar."""
        if self.similar is None:
            return None, None
        found: list[dict[str, Any]] = [
            {
                "benchmark": index.benchmarks[item],
                "item": index.items[item],
                "start": start,
                "end": end,
                "similarity": similarity,
            }
            for item, start, end, similarity in find_similar(view.code_points, index.arrays, self.similar)
        ]
        return max((row["similarity"] for row in found), default=0.0), found

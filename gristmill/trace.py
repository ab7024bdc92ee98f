"""From a training step to the documents it learned from, and from a document or a domain to the steps.

Nothing was recorded while training: the order is a function of the lock, so the answer is computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from gristmill.base.errors import UserError
from mixtures.reader import SequenceReader
from trainer.batches import Plan
from trainer.manifest import RunManifest
from trainer.sources import plan_of

PAGE = "url, source, license, language"
"""What is told of a document besides its id."""


@dataclass(frozen=True)
class Reading:
    """A stretch of a document, read in a step; tokens are counted within the document, ends included."""

    step: int
    phase: str
    sequence: int
    source: str
    document: str
    first_token: int
    last_token: int
    page: dict[str, Any]


@dataclass(frozen=True)
class Consumption:
    """The steps that read a document."""

    document: str
    source: str
    page: dict[str, Any]
    steps: list[int]


class Tracer:
    """Answers for one run. Steps count from 1, as in `metrics.jsonl`.

    Errors: UserError when the lock is missing or a store under it changed.
    """

    def __init__(self, manifest: RunManifest) -> None:
        if not manifest.lock.is_file():
            raise UserError("no such lock", where=str(manifest.lock), mend="run `gristmill mix lock` first")
        self.reader = SequenceReader(manifest.lock)
        self.plan: Plan = plan_of(manifest, self.reader)

    def documents(self, step: int) -> list[Reading]:
        """Everything that a step learned from. Errors: UserError for a step that the run does not have."""
        if not 1 <= step <= self.plan.steps:
            raise UserError(f"the run has steps 1 to {self.plan.steps:,}, so no step {step:,}")
        at = self.plan.at(step - 1)
        pieces = [
            (index, piece)
            for index in range(at.start, at.stop)
            for piece in self.reader.explain(at.phase, index)
        ]
        pages = self._pages({(piece.source, piece.document) for _, piece in pieces})
        return [
            Reading(
                step,
                at.name,
                index,
                piece.source,
                piece.document,
                piece.first,
                piece.last,
                pages[piece.document],
            )
            for index, piece in pieces
        ]

    def steps(self, document: str) -> Consumption:
        """The steps that read a document. Errors: UserError for an id that no token store holds."""
        source = next((name for name, store in self.reader.stores.items() if store.find(document)), None)
        if source is None:
            raise UserError(f"no token store of this mixture holds the document '{document}'")
        page = self._pages({(source, document)})[document]
        return Consumption(document, source, page, self._steps_of(document))

    def domain(self, domain: str) -> list[Consumption]:
        """The documents of a host name, subdomains included, with the steps that read them."""
        found = []
        for source in sorted(self.reader.stores):
            for document, page in self._of_domain(source, domain.lower().strip(".")):
                if self.reader.stores[source].find(document):
                    found.append(Consumption(document, source, page, self._steps_of(document)))
        return found

    def _steps_of(self, document: str) -> list[int]:
        steps: set[int] = set()
        for phase, indices in self.reader.sequences_of(document):
            stage = self.plan.stages[phase]
            steps.update(stage.first_step + index // stage.batch + 1 for index in indices.tolist())
        return sorted(step for step in steps if step <= self.plan.steps)

    def _files(self, source: str) -> str:
        pattern = str(self.reader.lock.documents_path(source) / "documents" / "*.parquet")
        quoted = pattern.replace("'", "''")
        return f"read_parquet('{quoted}')"

    def _pages(self, wanted: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
        """URL, licence and so on of documents, by id; empty where the document store is not at hand."""
        by_source: dict[str, list[str]] = {}
        pages: dict[str, dict[str, Any]] = {}
        for source, document in wanted:
            by_source.setdefault(source, []).append(document)
            pages[document] = {}
        for source, documents in by_source.items():
            query = f"SELECT id, {PAGE} FROM {self._files(source)} WHERE list_contains($ids, id)"
            pages.update(self._query(query, {"ids": documents}))
        return pages

    def _of_domain(self, source: str, domain: str) -> list[tuple[str, dict[str, Any]]]:
        host = "lower(regexp_extract(url, '^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/@]*@)?([^/:?#]+)', 1))"
        query = (
            f"SELECT id, {PAGE} FROM {self._files(source)} "
            f"WHERE {host} = $domain OR ends_with({host}, '.' || $domain) ORDER BY url, id"
        )
        return self._query(query, {"domain": domain})

    @staticmethod
    def _query(query: str, parameters: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        names = PAGE.split(", ")
        try:
            with duckdb.connect() as connection:
                rows = connection.execute(query, parameters).fetchall()
        except duckdb.IOException:
            # A lock can outlive its document stores: the token stores still know the ids.
            return []
        return [(row[0], dict(zip(names, row[1:], strict=True))) for row in rows]

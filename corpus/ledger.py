"""The ledger of one part: what never became a document, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from corpus.schema import LEDGER
from corpus.transfer import CHANGED, CONNECTION_LOST

TRANSIENT = frozenset({CONNECTION_LOST, CHANGED, "cannot_open", "cannot_read"})
"""Reasons for an incomplete input that may be gone next time: the same command tries again."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """An input that could not be read to its end."""

    input: str
    reason: str
    detail: str


@dataclass(slots=True)
class Ledger:
    """Rows in the order in which things were met, with totals.

    The steps of one pipeline share one ledger; the step that reads a part clears it at the part's beginning.
    """

    rows: list[tuple[str | None, str, int | None, str, str, str]] = field(default_factory=list)
    incomplete: list[Incomplete] = field(default_factory=list)
    records: int = 0
    """Records that could have become documents."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Records that are no pages by their nature (requests, metadata, ...), by type."""
    masked: Counter[str] = field(default_factory=Counter)
    """What was replaced in texts, by kind."""
    input_bytes: int = 0
    """Bytes of input that were read, as they lie (compressed)."""
    stored: int = 0
    """Documents that were written."""
    dropped: int = 0
    """Records that will not be."""

    def clear(self) -> None:
        """Begin a part."""
        self.rows.clear()
        self.incomplete.clear()
        self.ignored.clear()
        self.masked.clear()
        self.records = self.input_bytes = self.stored = self.dropped = 0

    def drop(
        self,
        input: str,
        reason: str,
        *,
        stage: str,
        offset: int | None = None,
        id: str | None = None,
        detail: str = "",
    ) -> None:
        """A record that becomes no document."""
        self.rows.append((id, input, offset, stage, reason, _clean(detail)))
        self.dropped += stage != "input"

    def give_up(self, input: str, reason: str, detail: str = "", offset: int | None = None) -> None:
        """An input that cannot be read to its end; what was read of it stays."""
        self.incomplete.append(Incomplete(input, reason, _clean(detail)))
        self.drop(input, reason, stage="input", offset=offset, detail=detail)

    def reasons(self) -> dict[str, int]:
        """Dropped records by `stage:reason`, inputs left out."""
        counted = Counter(f"{stage}:{reason}" for _, _, _, stage, reason, _ in self.rows if stage != "input")
        return dict(sorted(counted.items()))

    def table(self) -> pa.Table:
        """The rows as a table of the ledger's schema."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(LEDGER)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, LEDGER, strict=True)], schema=LEDGER)


def _clean(detail: str) -> str:
    return detail[:500].encode("utf-8", "replace").decode()

"""What every source offers: tasks that depend on the inputs alone, and documents with reasons for what is
left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # The child process that extracts pages imports this module and needs to start fast.
    from datatrove.data import Document

    from corpus.inputs import Input
    from corpus.ledger import Ledger
    from gristmill.base.progress import Progress


@dataclass(frozen=True, slots=True)
class Task:
    """The work for one part of the store."""

    inputs: tuple[Input, ...]
    span: tuple[int, int] | None = None
    """A piece of a single input: bytes, row groups, rows or shards, as the source has it; None for all of
    it."""
    size: int | None = None
    """How much work it is, in the source's unit; None if unknown."""
    records: int | None = None
    """Records that will be read, where that is known beforehand."""
    estimated: bool = False
    """Whether the size is reckoned from other inputs of the kind."""


Meter = Callable[[float], None]
"""Called with how much of a task's size is done so far."""


class Source(Protocol):
    """Where documents come from. Small and picklable: worker processes get a copy."""

    unit: str
    """What the sizes of tasks count: `B`, `rows` or `parts`."""

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """All tasks, in the order of the parts; `progress` shows a search that takes long. Raises
        UserError for a path with nothing to read."""
        ...

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of a task, in order. Whatever becomes no document is told to the ledger.

        `Document.metadata` holds the store's columns (`corpus.schema.FIELDS`) under their names, and
        anything else that belongs into the column `metadata`.
        """
        ...


class Unusable(Exception):
    """A record that becomes no document."""

    def __init__(self, reason: str, stage: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.stage, self.detail = reason, stage, detail


_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes U+FFFD."""
    try:
        # Four times as fast as looking for one.
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def present(**fields: Any) -> dict[str, Any]:
    """Only the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}

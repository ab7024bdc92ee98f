"""The progress protocol: parts report what they have done, the front door decides how to show it."""

from __future__ import annotations

from typing import Protocol


class Task(Protocol):
    """One running piece of work."""

    def advance(self, count: float = 1, **fields: object) -> None:
        """Add to what is done; fields (loss=3.2, kept="71%") are shown beside the bar, newest value wins."""

    def close(self) -> None:
        """The work has ended, well or not."""


class Progress(Protocol):
    """Where tasks are shown."""

    def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> Task:
        """Begin a task; `done` is what an earlier run had finished, and is left out of the rate."""

    def note(self, message: str) -> None:
        """One line for the user, above any running bars."""


class _SilentTask:
    def advance(self, count: float = 1, **fields: object) -> None:
        pass

    def close(self) -> None:
        pass


class Silent:
    """Shows nothing: the default of every library function."""

    def task(self, name: str, total: float | None = None, unit: str = "", done: float = 0) -> Task:
        return _SilentTask()

    def note(self, message: str) -> None:
        pass

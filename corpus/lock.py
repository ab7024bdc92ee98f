"""One writer at a time: a store is locked while a command writes into it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from corpus.executors import LOGS
from gristmill.base.errors import UserError


@contextlib.contextmanager
def lock(store: Path, wait: bool = False) -> Iterator[None]:
    """Hold the store for writing; a lock dies with its process.

    Raises UserError where another process holds it, or waits for that one.
    """
    (store / LOGS).mkdir(parents=True, exist_ok=True)
    with (store / LOGS / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise UserError(
                "another command is writing into this store", where=str(store), mend="wait for it"
            ) from None
        yield

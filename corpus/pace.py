"""A speed limit on requests that all workers of a machine keep together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from pathlib import Path

from gristmill.base.digest import stable_id


class Pace:
    """Lets requests through one after the other, `per_second` at most, whatever process they come from.

    The time at which the next one may go lies in a small file of the system's temporary folder, locked
    while it is moved on; a killed worker leaves nothing behind that others would wait for.
    """

    def __init__(self, name: str, per_second: float) -> None:
        self.step = 1.0 / per_second
        user = os.getuid() if hasattr(os, "getuid") else 0
        self.path = Path(tempfile.gettempdir()) / f"gristmill-pace-{stable_id('pace', name, user)[:16]}"

    def wait(self) -> None:
        """Take the next turn, and wait for it."""
        with self.path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            now, turn = time.monotonic(), 0.0
            with contextlib.suppress(ValueError):
                turn = float(file.read())
            # A file from before a restart of the machine may name a turn that is days away.
            turn = max(now, turn) if turn < now + 3600 else now
            file.seek(0)
            file.truncate()
            file.write(str(turn + self.step))
        time.sleep(max(0.0, turn - now))

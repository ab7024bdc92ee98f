"""An engine that does to its process whatever a page says."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import time

from corpus.extraction.base import Extracted

TARGET = "tests.corpus.extraction.hostile:Hostile"


class Hostile:
    """Text of a page: the page. Some words are orders."""

    name = "hostile"
    version = "1"

    def __init__(self, *, log: str = "", hoard: int = 0, **others: object) -> None:
        self.log, self.hoard = log, hoard
        self.held: list[bytearray] = []

    def extract(self, html: str, url: str | None) -> Extracted:  # noqa: PLR0912
        self._note()
        order, _, rest = html.partition(" ")
        match order:
            case "spin":
                while True:
                    pass
            case "sleep":
                time.sleep(3600)
            case "native-sleep":
                ctypes.CDLL(None).sleep(3600)
            case "native-spin":
                # Some ten years in native code that does not let go of the interpreter.
                re.match("(a+)+$", "a" * 60 + "b")
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "exit":
                os._exit(3)
            case "eat":
                self.held += [bytearray(1 << 24) for _ in range(1 << 12)]
            case "hoard":
                self.held.append(bytearray(self.hoard))
            case "kill":
                # As the system does that runs out of memory; once.
                if not self._done(rest):
                    os.kill(os.getpid(), 9)
            case "fork":
                if os.fork() == 0:
                    time.sleep(3600)
            case "fork-twice":
                os.fork()
            case "shell":
                subprocess.Popen(["sleep", rest])
            case "babble":
                print("noise", flush=True)
                print("noise", file=sys.stderr, flush=True)
                os.write(1, b"noise")
            case "close":
                os.closerange(3, 100)
            case "surrogates":
                return Extracted(f"\ud800{rest}", title="\ud800")
            case "raise":
                raise KeyError("a bug")
            case "refuse":
                raise ValueError("no page of mine")
        return Extracted(f"text of {html[:100]}", title=url)

    def _note(self) -> None:
        if self.log:
            with open(self.log, "a") as file:  # noqa: PTH123
                file.write(f"{os.getpid()}\n")

    def _done(self, marker: str) -> bool:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return True
        return False

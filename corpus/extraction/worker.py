"""The child process in which pages are extracted: one page at a time, under hard limits.

Frames on standard input and output, both ways: number of the page, bytes of JSON, bytes of body; the JSON. A
page's body lies in shared memory; an answer's, its text, follows. The first answer, number 0, says that the
engine is ready, or why it is not.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from corpus.extraction.base import Engine, Page
from corpus.extraction.engines import load
from corpus.extraction.shared import Shared
from corpus.extraction.step import read_page
from corpus.sources.base import Unusable
from gristmill.base.errors import UserError

FRAME = struct.Struct("<IIQ")
_SET_DEATH_SIGNAL, _SET_DUMPABLE = 1, 4
"""Options of prctl(2)."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Options of mallopt(3)."""
_KEPT_BYTES = 256 << 20
_MAPPED_BYTES = 32 << 20
"""The most that glibc takes."""
_WARM_UP = Page(
    b"<html><head><title>x</title></head><body><p>One sentence, so that all is loaded.</p></body>"
)


def main(setup: str) -> None:
    """Serve pages until the parent closes the pipe.

    Args:
        setup: JSON with `target` and `options` of the engine, `cpu_seconds` and `wall_seconds` a page,
            `memory_bytes` a page, `shared`, the descriptor of the memory in which pages come, and `parent`,
            the process with which to end, null if only the pipe tells.
    """
    told = json.loads(setup)
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    if told["parent"] is not None:
        _end_with_parent(told["parent"])
    _keep_memory()
    try:
        engine = load(told["target"], told["options"])
        with contextlib.suppress(Unusable):
            read_page(engine, _WARM_UP)
    except UserError as error:
        _answer(answers, 0, {"error": [error.what, error.where, error.mend]})
        return
    _answer(answers, 0, {"name": engine.name, "version": engine.version})
    # What an engine prints or warns of a page is nobody's concern.
    os.dup2(nothing, 2)
    _no_dumps()
    _limit_memory(told["memory_bytes"])
    pages = _pages(os.fdopen(requests, "rb", buffering=1 << 16), Shared(told["shared"]))
    _serve(engine, pages, answers, told["cpu_seconds"], told["wall_seconds"])


def _pages(requests: BinaryIO, shared: Shared) -> Iterator[tuple[int, Page]]:
    """The pages that come, each with its number, until the pipe is closed."""
    while len(head := requests.read(FRAME.size)) == FRAME.size:
        number, size, length = FRAME.unpack(head)
        fields = json.loads(requests.read(size))
        yield number, Page(shared.take(length), **fields)


def _serve(
    engine: Engine, pages: Iterator[tuple[int, Page]], answers: int, cpu_seconds: float, wall_seconds: float
) -> None:
    own = os.getpid()
    for number, page in pages:
        # Both signals end the process where nobody catches them, whatever native code is doing.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, wall_seconds)
        about, text = _read(engine, page)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if os.getpid() != own:
            # An engine forked, and its child came back here.
            os._exit(0)
        _answer(answers, number, about, text)


def _read(engine: Engine, page: Page) -> tuple[dict[str, Any], bytes]:
    try:
        found = read_page(engine, page)
        about = {"charset": found.charset, "title": found.title, "signals": found.signals}
        return about, found.text.encode()
    except Unusable as bad:
        return {"unusable": [bad.reason, bad.stage, bad.detail]}, b""
    except MemoryError:
        return {"memory": True}, b""


def _answer(pipe: int, number: int, about: dict[str, Any], text: bytes = b"") -> None:
    head = json.dumps(about).encode()
    data = memoryview(FRAME.pack(number, len(head), len(text)) + head + text)
    while data:
        data = data[os.write(pipe, data) :]


def _end_with_parent(parent: int) -> None:
    """Let the kernel end this process, and what Python forks of it, with the parent's main thread."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    os.register_at_fork(after_in_child=lambda: _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL))
    if os.getppid() != parent:
        # It ended before the kernel was told.
        sys.exit()


def _no_dumps() -> None:
    """No core dumps of hostile pages."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_SET_DUMPABLE, 0)


def _keep_memory() -> None:
    """Keep what was freed: else every page of some 100 KB gets its memory from the kernel, zeroed, anew."""
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _limit_memory(more: int) -> None:
    """Limit this process to so many bytes more than it holds now."""
    for limit, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        held = _held(name)
        if held is not None:
            _, hard = resource.getrlimit(limit)
            wanted = held + more if hard == resource.RLIM_INFINITY else min(held + more, hard)
            resource.setrlimit(limit, (wanted, hard))


def _held(name: str) -> int | None:
    """A size of this process from /proc, bytes; None where there is no /proc."""
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        for line in status:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None

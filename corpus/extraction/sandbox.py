"""Extraction in a child process: a page that hangs, crashes or eats memory costs that page only.

The child is a fresh interpreter and no fork: it works from any thread of any executor, takes no locks, files
or memory along, and its engine is loaded once. It is told its limits and sets them itself: the kernel ends it
when a page takes too much processor time, waits too long or asks for too much memory, in native code as well,
and when the parent is gone.

Which pages are lost depends on the pages alone. Processor time does not count what neighbours use; a page
that ends a child which had done other pages before gets a second, fresh one; a child that somebody else ended
is replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from corpus.extraction.base import Page, Reading
from corpus.extraction.engines import EngineSpec
from corpus.extraction.shared import Shared
from corpus.extraction.worker import FRAME
from corpus.sources.base import Unusable
from gristmill.base.errors import UserError

T = TypeVar("T")

WAIT_FACTOR = 4
"""A page that waits instead of computing may take so many times its processor time, ..."""
WAIT_MORE = 10.0
"""... and so many seconds more, so that a busy machine does not decide; then the child ends itself."""
GRACE = 10.0
"""Seconds after which the parent ends a child that should have ended itself."""
LOOK_SECONDS = 0.2
"""How often the parent looks whether a silent child is still there."""
START_SECONDS = 300.0
"""How long an engine may take to load; a shared file system under load takes minutes."""
ATTEMPTS = 3
"""Children a page gets, if somebody else kills them."""
PIPE_BYTES = 1 << 20
"""Size of the pipes, where the kernel grants it (/proc/sys/fs/pipe-max-size): an answer goes in at once."""
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from corpus.extraction.worker import main; main(sys.argv[2])"
)
_READ = 1 << 20


class Ended(Exception):
    """The child is gone, or has to go."""

    def __init__(self, reason: str, detail: str, foreign: bool = False) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail
        self.foreign = foreign
        """Whether somebody else ended it."""


class Sandbox:
    """A child process with an engine. Belongs to the process that made it; not picklable.

    Args:
        engine: which engine, as it was planned.
        timeout_seconds: processor time a page.
        memory_mb: MiB a page, beyond what the loaded engine holds.
    """

    def __init__(self, engine: EngineSpec, *, timeout_seconds: float, memory_mb: int) -> None:
        self.engine, self.timeout_seconds, self.memory_mb = engine, timeout_seconds, memory_mb
        self.wall_seconds = WAIT_FACTOR * timeout_seconds + WAIT_MORE
        self._child: _Child | None = None
        self._page: Page | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def read(self, page: Page) -> Reading:
        """The text of a page. Raises Unusable, see `submit` and `result`."""
        self.submit(page)
        return self.result()

    def read_ahead(
        self, items: Iterable[tuple[T, Page | None]]
    ) -> Iterator[tuple[T, Reading | Unusable | None]]:
        """Read the pages of items that have one, in order, while the caller makes the next item.

        Yields every item's first value, and what was read, or why it cannot be, or None if it had no page.
        """
        waiting: list[T] = []
        for item, page in items:
            results = [(held, self._outcome()) for held in waiting]
            waiting.clear()
            if page is not None:
                self.submit(page)
                waiting.append(item)
            yield from results
            if page is None:
                yield item, None
        for held in waiting:
            yield held, self._outcome()

    def _outcome(self) -> Reading | Unusable:
        try:
            return self.result()
        except Unusable as bad:
            return bad

    def submit(self, page: Page) -> None:
        """Hand a page to the child, which begins at once; `result` must be called before the next.

        Raises UserError where the engine cannot be loaded, or is not the one that was planned.
        """
        assert self._page is None
        self._page = page
        try:
            self._send(page)
        except Ended:
            # It ended between pages; `result` would say that it is not fresh.
            self.close()
            with contextlib.suppress(Ended):
                self._send(page)

    def result(self) -> Reading:
        """What was read of the submitted page.

        Raises Unusable as `corpus.extraction.step.read_page` does, and `extract:timeout`, `extract:crash`.
        """
        page, self._page = self._page, None
        assert page is not None
        for attempt in range(1, ATTEMPTS + 1):
            fresh = self._child is None or self._child.pages <= 1
            try:
                if self._child is None:
                    self._send(page)
                assert self._child is not None
                return self._child.receive(self.wall_seconds + GRACE)
            except Ended as ended:
                self.close()
                if ended.reason == "timeout" or attempt == ATTEMPTS or (fresh and not ended.foreign):
                    raise Unusable(ended.reason, "extract", ended.detail) from None
        raise AssertionError("not reached")

    def _send(self, page: Page) -> None:
        if self._child is None:
            self._child = _Child(self)
        self._child.send(page, self.wall_seconds + GRACE)


class _Child:
    """One child process."""

    def __init__(self, sandbox: Sandbox) -> None:
        engine = sandbox.engine
        self.shared = Shared()
        setup = {
            "target": engine.target,
            "options": dict(engine.options),
            "cpu_seconds": sandbox.timeout_seconds,
            "wall_seconds": sandbox.wall_seconds,
            "memory_bytes": sandbox.memory_mb << 20,
            "shared": self.shared.descriptor,
            # The kernel watches threads: one that ends would take a child along that serves the others.
            "parent": os.getpid() if threading.current_thread() is threading.main_thread() else None,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(sys.path), json.dumps(setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=[self.shared.descriptor],
            # A group of its own, so that what an engine forks ends with it, and no Ctrl-C reaches it.
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.requests, self.answers = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.pages = 0
        """Pages that were handed to it."""
        for pipe in (self.requests, self.answers):
            os.set_blocking(pipe, False)
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self.requests, select.POLLOUT)
        self._readable.register(self.answers, select.POLLIN)
        try:
            self._begin(engine)
        except BaseException:
            self.end()
            raise

    def _begin(self, engine: EngineSpec) -> None:
        try:
            about, _ = self._frame(0, START_SECONDS)
        except Ended as ended:
            raise RuntimeError(f"the engine {engine.name} does not start: {ended.detail}") from None
        if "error" in about:
            what, where, mend = about["error"]
            raise UserError(what, where=where, mend=mend)
        if about["version"] != engine.version:
            raise UserError(
                f"the engine {engine.name} is version {about['version']} here, planned was {engine.version}",
                mend="install the same versions on all machines",
            )

    def send(self, page: Page, seconds: float) -> None:
        """Write a page. Raises Ended."""
        self.pages += 1
        about = json.dumps({"url": page.url, "charset": page.charset, "media_type": page.media_type}).encode()
        self.shared.put(page.body)
        data = memoryview(FRAME.pack(self.pages, len(about), len(page.body)) + about)
        until = time.monotonic() + seconds
        while data:
            try:
                data = data[os.write(self.requests, data) :]
            except BlockingIOError:
                self._await(self._writable, until)
            except OSError:
                raise self._verdict() from None

    def receive(self, seconds: float) -> Reading:
        """The answer to the page that was sent last. Raises Ended and Unusable."""
        about, text = self._frame(self.pages, seconds)
        if "unusable" in about:
            raise Unusable(*about["unusable"])
        if "memory" in about:
            raise Ended("crash", "out of memory")
        return Reading(text.decode(), about["charset"], about["title"], about["signals"])

    def _frame(self, number: int, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The next answer, which must be of this page."""
        until = time.monotonic() + seconds
        data = self._some(until)
        while len(data) < FRAME.size:
            data += self._some(until)
        found, size, length = FRAME.unpack_from(data)
        whole = FRAME.size + size + length
        if len(data) < whole:
            pieces, held = [data], len(data)
            while held < whole:
                pieces.append(self._some(until))
                held += len(pieces[-1])
            data = b"".join(pieces)
        try:
            about = json.loads(data[FRAME.size : FRAME.size + size])
        except ValueError:
            about = None
        if found != number or len(data) != whole or not isinstance(about, dict):
            raise Ended("crash", "the engine wrote over its answers")
        return about, data[FRAME.size + size :]

    def _some(self, until: float) -> bytes:
        while True:
            self._await(self._readable, until)
            try:
                data = os.read(self.answers, _READ)
            except BlockingIOError:
                continue
            if not data:
                raise self._verdict()
            return data

    def _await(self, poll: select.poll, until: float) -> None:
        """Wait for a pipe. What an engine forked holds it open when the child itself is gone."""
        while not poll.poll(LOOK_SECONDS * 1000):
            if self._status() is not None:
                raise self._verdict()
            if time.monotonic() > until:
                raise Ended("timeout", "it does not answer")

    def _verdict(self) -> Ended:
        """Why the child, which has closed its pipe, did so."""
        until = time.monotonic() + GRACE
        while (found := self._status()) is None:
            if time.monotonic() > until:
                return Ended("crash", "the engine closed its files")
            time.sleep(0.001)
        status = found.si_status
        if found.si_code == os.CLD_EXITED:
            return Ended("crash", f"the process ended with status {status}")
        if status in (signal.SIGPROF, signal.SIGALRM):
            return Ended("timeout", "processor time" if status == signal.SIGPROF else "it waits")
        name = signal.Signals(status).name if status in set(signal.Signals) else str(status)
        return Ended(
            "crash", f"the process died of {name}", foreign=status in (signal.SIGKILL, signal.SIGTERM)
        )

    def _status(self) -> os.waitid_result | None:
        """How it ended, or None. Does not reap it: its number stays taken until `end` has ended its group."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)

    def end(self) -> None:
        """End it and everything it started, and close the pipes."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.shared.close()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

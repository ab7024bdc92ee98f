"""Reading remote files without losing one's place, and without mixing two versions of a file.

What can be fetched (`Remote`: a URL, an object of an object store) is kept apart from how it is fetched:
a break is taken up again at the byte, after a pause that grows; a server's `Retry-After` is honoured; a
length is believed only when it was stated twice; and a file that has become another one in the middle is
never spliced.
"""

from __future__ import annotations

import io
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from corpus.manifest import Transfer

CHANGED = "changed"
"""Reason of an incomplete input that became another file while it was read."""
CONNECTION_LOST = "connection_lost"
"""Reason of an incomplete input that broke off."""
CHUNK = 1 << 18
BLOCK = 1 << 20
"""What is fetched at least where a file is read here and there; 16 such blocks are kept."""
BLOCKS = 16


class Changed(OSError):
    """Another version of the file is there than the one whose bytes were handed out."""


class GaveUp(OSError):
    """All tries are spent, or the server wants more patience than the manifest grants."""


class Unavailable(OSError):
    """The server answers that it cannot serve now."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class Beyond(OSError):
    """The asked range begins at or behind the end of the file."""

    def __init__(self, size: int | None = None) -> None:
        super().__init__("the file ends before")
        self.size = size


FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, Beyond, Changed, GaveUp)
"""What no second try mends."""


def reason_of(error: Exception, otherwise: str) -> str:
    """Why an input is incomplete: what the transfer says, or what the reader thinks where it was not the
    transfer."""
    if isinstance(error, Changed):
        return CHANGED
    return CONNECTION_LOST if isinstance(error, GaveUp) else otherwise


@dataclass(slots=True)
class Answer:
    """An open body, and what the server says of it and of the file."""

    read: Callable[[int], bytes]
    """At most so many bytes; empty at the end of the body, however it came about."""
    close: Callable[[], None]
    start: int
    """Where in the file the body begins."""
    length: int | None
    """Bytes of the body, as stated."""
    size: int | None
    """Bytes of the file, as stated."""
    version: str
    """What the server calls this version of the file; empty if it does not say."""


class Remote(Protocol):
    """A file that is fetched by ranges."""

    def get(self, start: int, stop: int | None) -> Answer:
        """Ask for the bytes [start, stop), to the end without `stop`. Raises OSError, of which `FINAL` are
        not worth another try."""
        ...

    def facts(self) -> tuple[int | None, str]:
        """Size and version. Raises OSError."""
        ...


class Patience:
    """Counts the failures in a row, and waits between them."""

    def __init__(self, policy: Transfer) -> None:
        self.policy = policy
        self.failures = 0

    def progress(self) -> None:
        """Something came: the counting begins anew."""
        self.failures = 0

    def wait(self, error: Exception) -> None:
        """Wait for the next try. Raises the error where none would help, and GaveUp where tries are
        spent."""
        if isinstance(error, FINAL):
            raise error
        policy = self.policy
        self.failures += 1
        if self.failures >= policy.tries:
            raise GaveUp(f"{self.failures} tries, the last: {_words(error)}") from error
        pause = min(policy.first_pause_seconds * 2.0 ** (self.failures - 1), policy.longest_pause_seconds)
        # Workers that were refused together shall not come back together.
        pause *= random.uniform(1.0, 1.5)
        asked = error.retry_after if isinstance(error, Unavailable) else None
        if asked is not None:
            if asked > policy.patience_seconds:
                raise GaveUp(f"the server asks to come back in {asked:.0f} seconds") from error
            pause = max(pause, asked)
        stop: threading.Event | None = getattr(_thread, "stop", None)
        if stop is None:
            time.sleep(pause)
        elif stop.wait(pause):
            raise GaveUp("interrupted") from error


_thread = threading.local()


def end_with(stop: threading.Event) -> None:
    """Let all waiting of the calling thread end when an event is set: for pools, whose threads would keep an
    interrupted command from ending."""
    _thread.stop = stop


def _words(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0]
    return text if text and "/" not in text and "0x" not in text else type(error).__name__


def facts(remote: Remote, policy: Transfer) -> tuple[int | None, str]:
    """Size and version of a file. Raises OSError when tries are spent, FileNotFoundError at once."""
    patience = Patience(policy)
    while True:
        try:
            return remote.facts()
        except OSError as error:
            patience.wait(error)


def fetch(remote: Remote, start: int, stop: int, policy: Transfer, version: str = "") -> tuple[bytes, Answer]:
    """The bytes [start, stop) of one version of a file, and the last answer (closed) for what it says of
    the file.

    With `version` of that version, or Changed. Raises OSError: Beyond where the file is shorter, GaveUp
    when tries are spent.
    """
    patience = Patience(policy)
    data = bytearray()
    seen, ignored = version, False
    while True:
        answer = None
        try:
            answer = remote.get(start + len(data), stop)
            if seen and answer.version and answer.version != seen:
                if version:
                    raise Changed("another version of the file is there")
                data.clear()
                seen = ""
                raise Unavailable("the file changed while it was read")
            seen = answer.version or seen
            if answer.start != start + len(data):
                # Once may be a whim of a cache; a server that knows no ranges is read through.
                if answer.start > start + len(data) or not ignored:
                    ignored = True
                    raise Unavailable("not the range that was asked for")
                _discard(answer, start + len(data) - answer.start)
            while len(data) < stop - start:
                some = answer.read(min(CHUNK, stop - start - len(data)))
                if not some:
                    raise ConnectionResetError("the body ended early")
                data += some
                patience.progress()
            return bytes(data), answer
        except OSError as error:
            patience.wait(error)
        finally:
            if answer is not None:
                answer.close()


def fetch_small(remote: Remote, limit: int, policy: Transfer) -> bytes:
    """A whole small file in one request, at most `limit` + 1 bytes of it; after a break from the beginning.

    Raises OSError: FileNotFoundError and PermissionError at once, GaveUp when tries are spent.
    """
    patience = Patience(policy)
    while True:
        answer = None
        try:
            answer = remote.get(0, None)
            if answer.start:
                raise Unavailable("not the file from its beginning")
            data = bytearray()
            while len(data) <= limit and (some := answer.read(min(CHUNK, limit + 1 - len(data)))):
                data += some
            if len(data) <= limit and answer.length is not None and len(data) < answer.length:
                raise ConnectionResetError("the body ended early")
            return bytes(data)
        except OSError as error:
            patience.wait(error)
        finally:
            if answer is not None:
                answer.close()


def _discard(answer: Answer, count: int) -> None:
    while count:
        some = answer.read(min(CHUNK, count))
        if not some:
            raise ConnectionResetError("the body ended early")
        count -= len(some)


class StreamFile(io.RawIOBase):
    """A remote file read from front to back; `seek` asks anew.

    Raises OSError on opening and on reading: GaveUp when tries are spent, Changed when another version is
    there after bytes were handed out (for good: what was read and what would come are not one file).

    Args:
        remote: the file.
        policy: how patient to be.
        size: what was heard of its size before; else the end is asked for.
    """

    def __init__(self, remote: Remote, policy: Transfer, size: int | None = None) -> None:
        self.remote, self.policy = remote, policy
        self.at = 0
        self.size = size
        self._confirmed = self._ended = self._ignored = self._handed_out = False
        self._probed = -1
        self._version = ""
        self._answer: Answer | None = None
        self._left: int | None = None
        self._error: OSError | None = None
        patience = Patience(policy)
        while self._answer is None and not self._ended:
            try:
                self._connect()
            except OSError as error:
                patience.wait(error)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always; a server that knows no ranges is read through."""
        return True

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte counted from the beginning. Raises OSError for other kinds of counting."""
        if whence != io.SEEK_SET:
            raise OSError("can only seek from the beginning")
        if offset != self.at:
            self._disconnect()
            self.at, self._ended = offset, False
        return offset

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read at most as many bytes as the buffer holds; 0 at the end of the file."""
        view = memoryview(buffer).cast("B")
        patience = Patience(self.policy)
        while len(view) and not self._ended:
            if isinstance(self._error, Changed):
                raise self._error
            try:
                if self._answer is None:
                    self._connect()
                    continue
                data = self._answer.read(min(len(view), CHUNK))
                if data:
                    view[: len(data)] = data
                    self._handed_out = True
                    self.at += len(data)
                    if self._left is not None:
                        self._left -= len(data)
                    return len(data)
                left, self._left = self._left, None
                self._disconnect()
                known = self.size if self._confirmed else None
                if left or (known is not None and self.at < known):
                    raise ConnectionResetError("the body ended early")
                # A length that was stated once may be too short, and without one nobody knows.
                self._ended = self.at in (known, self._probed)
                self._probed = self.at
            except OSError as error:
                self._disconnect()
                if isinstance(error, Changed):
                    self._error = error
                patience.wait(error)
        return 0

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as asked for, or all to the end; what came before an error first, then the
        error."""
        if self._error is not None and not isinstance(self._error, Changed):
            error, self._error = self._error, None
            raise error
        pieces: list[bytes] = []
        missing = size if size is not None and size >= 0 else 1 << 62
        while missing:
            buffer = bytearray(min(missing, CHUNK))
            try:
                count = self.readinto(buffer)
            except OSError as error:
                if not pieces:
                    raise
                self._error = error
                break
            if not count:
                break
            pieces.append(bytes(memoryview(buffer)[:count]))
            missing -= count
        return b"".join(pieces)

    def close(self) -> None:
        """Close the connection."""
        self._disconnect()
        super().close()

    def _disconnect(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _end(self, size: int | None) -> None:
        """The server says that there is nothing at or behind this place."""
        self._disconnect()
        if size is not None and size < self.at and self._handed_out:
            raise Changed("the file became shorter while it was read")
        if size is not None and size > self.at:
            raise Unavailable("no range, though the file goes on")
        self._ended = True

    def _connect(self) -> None:
        """Ask for the bytes from here on. Raises OSError."""
        try:
            answer = self.remote.get(self.at, None)
        except Beyond as error:
            self._end(error.size)
            return
        try:
            if self._version and answer.version and answer.version != self._version:
                if self._handed_out:
                    raise Changed("the file changed while it was read")
                self._confirmed = False
            self._version = answer.version or self._version
            if answer.size is not None:
                self._confirmed, self.size = answer.size == self.size, answer.size
            if answer.start < self.at == answer.size:
                self._ended = True
                answer.close()
                return
            if answer.start != self.at:
                if answer.start > self.at or not self._ignored:
                    self._ignored = True
                    raise Unavailable("not the range that was asked for")
                _discard(answer, self.at - answer.start)
        except BaseException:
            answer.close()
            raise
        self._answer = answer
        self._left = None if answer.length is None else answer.start + answer.length - self.at


class BlockFile(io.RawIOBase):
    """A remote file of known size read here and there (Parquet): ranges of at least `BLOCK` bytes, the
    latest kept.

    Raises OSError on reading as `fetch` does; Changed where a range is not of the version of the first.
    """

    def __init__(self, remote: Remote, policy: Transfer, size: int, version: str = "") -> None:
        self.remote, self.policy, self.size, self.version = remote, policy, size, version
        self.at = 0
        self.fetched = 0
        """Bytes that were fetched."""
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere."""
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as asked for, or all to the end."""
        stop = self.size if size is None or size < 0 else min(self.at + size, self.size)
        if stop <= self.at:
            return b""
        first, last = self.at // BLOCK, (stop - 1) // BLOCK
        if last - first >= BLOCKS // 2:
            data = self._fetch(self.at, stop)
        else:
            joined = b"".join(self._block(number) for number in range(first, last + 1))
            data = joined[self.at - first * BLOCK : stop - first * BLOCK]
        self.at = stop
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, but for the end of the file."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        low = number * BLOCK
        self._blocks[number] = data = self._fetch(low, min(low + BLOCK, self.size))
        while len(self._blocks) > BLOCKS:
            self._blocks.popitem(last=False)
        return data

    def _fetch(self, start: int, stop: int) -> bytes:
        data, answer = fetch(self.remote, start, stop, self.policy, self.version)
        self.version = self.version or answer.version
        self.fetched += len(data)
        return data

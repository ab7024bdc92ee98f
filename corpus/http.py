"""Reading over HTTP without losing one's place: a broken connection is taken up again where it broke."""

from __future__ import annotations

import http.client
import io
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

TIMEOUT_SECONDS = 60.0
TRIES = 4
"""How often in a row a connection may break without a byte in between."""
CHUNK = 1 << 18
PAUSE_SECONDS = 0.5
"""Before the second try; doubled for every further one."""


def request(
    url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> http.client.HTTPResponse:
    """Open a URL. Raises OSError (FileNotFoundError for 404 and 410), also for an answer that makes no
    sense."""
    try:
        query = urllib.request.Request(url, headers=dict(headers or {}), method=method)
        return urllib.request.urlopen(query, timeout=TIMEOUT_SECONDS)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                raise FileNotFoundError(f"HTTP status {error.code}") from None
            raise OSError(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, OSError):
            raise error.reason from None
        raise OSError(str(error.reason)) from None
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from None


def facts(url: str, headers: Mapping[str, str] | None = None) -> tuple[int | None, str]:
    """Size (None if the server does not say) and what the server says of the file's version. Raises
    OSError."""
    try:
        answer = request(url, headers, "HEAD")
    except FileNotFoundError:
        raise
    except OSError:
        # Some servers only know GET.
        answer = request(url, headers)
    with answer:
        size = answer.headers.get("Content-Length")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    return (int(size) if size and size.isdigit() else None), version


class HttpFile(io.RawIOBase):
    """A file behind a URL, read from front to back; `seek` opens a new connection.

    After a broken connection it asks for the rest (`Range`), `TRIES` times without progress; then, or where
    the
    server knows no ranges, reading raises OSError. An answer that ends before its Content-Length is a broken
    connection.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url, self.headers = url, dict(headers or {})
        self.at = 0
        self.size: int | None = None
        self._version = ""
        self._ranges = False
        self._error: OSError | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._connect()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Whether the server knows ranges."""
        return self._ranges

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte counted from the beginning. Raises OSError where the server knows no ranges."""
        if whence != io.SEEK_SET:
            raise OSError("can only seek from the beginning")
        if offset != self.at:
            self._disconnect()
            self.at = offset
        return offset

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read at most as many bytes as the buffer holds; 0 at the end of the file."""
        view = memoryview(buffer).cast("B")
        if not len(view) or (self.size is not None and self.at >= self.size):
            return 0
        for attempt in range(TRIES):
            try:
                if self._answer is None:
                    self._connect()
                assert self._answer is not None
                # `readinto` would lose what came before the break.
                data = self._answer.read1(min(len(view), CHUNK))
                if data or self.size is None:
                    view[: len(data)] = data
                    self.at += len(data)
                    return len(data)
                raise ConnectionResetError("connection closed early")
            except FileNotFoundError:
                raise
            except (OSError, http.client.HTTPException) as error:
                self._disconnect()
                if attempt == TRIES - 1 or not (self._ranges or self.at == 0):
                    raise ConnectionError("connection lost") from error
                time.sleep(PAUSE_SECONDS * 2**attempt)
        raise AssertionError

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as asked for, or all to the end; what came before an error first, then the error."""
        if self._error is not None:
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

    def _connect(self) -> None:
        headers = dict(self.headers)
        if self.at:
            headers["Range"] = f"bytes={self.at}-"
        answer = request(self.url, headers)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if self.at and (answer.status != 206 or version != self._version):
            answer.close()
            self._ranges = False
            raise ConnectionError("connection lost, and the server does not give the rest")
        if not self.at:
            length = answer.headers.get("Content-Length")
            self.size = int(length) if length and length.isdigit() else None
            self._ranges = answer.headers.get("Accept-Ranges", "").lower() == "bytes"
            self._version = version
        self._answer = answer

"""Files behind URLs: one request, one answer. How often to ask is `corpus.transfer`'s business."""

from __future__ import annotations

import email.utils
import functools
import os
import re
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from corpus.pace import Pace
from corpus.transfer import Answer, Beyond, Unavailable

AGENT = "gristmill"
"""Who asks, for the log of the server; a header `User-Agent` among the source's options replaces it."""
POOL = 16
"""Connections to a host that are kept open between requests."""
_ONLY_REDIRECTS = urllib3.Retry(
    total=8, connect=0, read=0, status=0, other=0, raise_on_status=False, respect_retry_after_header=False
)
"""What the library may repeat by itself; all else is `corpus.transfer`'s."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")
_served: set[str] = set()
"""Hosts that have served this process. Common Crawl's front refuses with 403 who asks too fast: from a
host that has served before it is taken for that."""
_NO_HEAD = (400, 403, 405, 501)
"""What servers say that only know GET (403: signed URLs)."""


class HttpRemote:
    """A file behind a URL.

    Args:
        url: where it is.
        headers: sent with every request.
        timeout: seconds that a connection may be silent.
        pace: whom to ask before every request.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
        pace: Pace | None = None,
    ) -> None:
        self.url, self.timeout, self.pace = url, timeout, pace
        self.host = urlsplit(url).netloc
        # A body that the server compresses for the way has no stable byte positions.
        self.headers = {"User-Agent": AGENT, **(headers or {}), "Accept-Encoding": "identity"}

    def get(self, start: int, stop: int | None) -> Answer:
        """The bytes [start, stop), or what the server gives instead.

        Raises FileNotFoundError (404, 410), PermissionError (401, and 403 unless the host has served
        before), Beyond (416), Unavailable (408, 429, 5xx and 425), OSError for other statuses and for
        broken connections.
        """
        headers = dict(self.headers)
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-" + (str(stop - 1) if stop is not None else "")
        answer = self._request("GET", headers)
        try:
            return self._answer(answer, start)
        except BaseException:
            answer.close()
            raise

    def facts(self) -> tuple[int | None, str]:
        """Size (None if the server does not say) and version. Raises OSError as `get` does."""
        answer = self._request("HEAD", self.headers)
        if answer.status in _NO_HEAD:
            answer.close()
            answer = self._request("GET", self.headers)
        try:
            if answer.status != 200:
                raise self._error(answer)
            _served.add(self.host)
            return _number(answer.headers.get("Content-Length")), _version(answer.headers)
        finally:
            answer.close()

    def _error(self, answer: urllib3.BaseHTTPResponse) -> OSError:
        """What an answer's status means."""
        status = answer.status
        what = f"HTTP status {status}"
        if status in (404, 410):
            return FileNotFoundError(what)
        if status == 401 or (status == 403 and self.host not in _served):
            return PermissionError(what)
        if status == 416:
            match = _UNSATISFIED.fullmatch(answer.headers.get("Content-Range", "").strip())
            return Beyond(int(match[1]) if match else None)
        return Unavailable(what, _retry_after(answer.headers.get("Retry-After")))

    def _request(self, method: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        if self.pace is not None:
            self.pace.wait()
        try:
            answer: urllib3.BaseHTTPResponse = _pool(self.url).request(
                method,
                self.url,
                headers=headers,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.timeout, read=self.timeout),
                retries=_ONLY_REDIRECTS,
            )
            return answer
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise _connection_error(error) from error

    def _answer(self, answer: urllib3.BaseHTTPResponse, start: int) -> Answer:
        size: int | None
        length = _number(answer.headers.get("Content-Length"))
        if answer.status == 206:
            match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
            if match is None:
                raise Unavailable("a part without a Content-Range")
            begin = int(match[1])
            length = int(match[2]) + 1 - begin
            size = int(match[3]) if match[3] != "*" else None
        elif answer.status == 200:
            begin, size = 0, length
        else:
            raise self._error(answer)
        _served.add(self.host)
        left = length

        def read(count: int) -> bytes:
            nonlocal left
            try:
                data = answer.read1(count, decode_content=False) or b""
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise _connection_error(error) from error
            if left is not None:
                left -= len(data)
            return data

        def close() -> None:
            # A connection with nothing left in it serves the next request.
            answer.release_conn() if left == 0 else answer.close()

        return Answer(read, close, begin, length, size, _version(answer.headers))


@functools.lru_cache(maxsize=8)
def _manager(process: int, proxy: str | None) -> Any:
    options: dict[str, Any] = {"num_pools": POOL, "maxsize": POOL}
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def _pool(url: str) -> Any:
    """The connections of this process (a forked child must not use its parent's), by the proxy that the
    environment names."""
    parts = urlsplit(url)
    skip = urllib.request.proxy_bypass(parts.hostname or "")
    return _manager(os.getpid(), None if skip else urllib.request.getproxies().get(parts.scheme))


def _version(headers: Mapping[str, str]) -> str:
    return headers.get("ETag") or headers.get("Last-Modified") or ""


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() else None


def _retry_after(value: str | None) -> float | None:
    """Seconds: a number, or a date to be reckoned from now."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    moment = email.utils.parsedate_tz(value)
    return max(0.0, email.utils.mktime_tz(moment) - time.time()) if moment else None


def _connection_error(error: Exception) -> OSError:
    """An error of the library as one of the system's, without addresses."""
    cause = error
    while (deeper := getattr(cause, "reason", None)) is not None and isinstance(deeper, Exception):
        cause = deeper
    if isinstance(error, OSError) and not isinstance(error, urllib3.exceptions.HTTPError):
        return error
    if isinstance(cause, urllib3.exceptions.TimeoutError):
        return TimeoutError("timed out")
    return ConnectionError(type(cause).__name__)

"""Files of fsspec's file systems (S3 and its like): read by ranges of one version."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import fsspec

from corpus.pace import Pace
from corpus.transfer import Answer, Beyond, Changed, Unavailable

BLOCK = 8 << 20
"""Bytes a request when a file is read from front to back: 128 requests for an archive of Common Crawl."""
_REFUSED = ("NoCredentialsError", "PartialCredentialsError", "AccessDenied", "Forbidden")


class FsspecRemote:
    """A file of a file system. The system's own retries come first, ours when it has given up.

    Args:
        path: URL of the file.
        options: options of the file system.
        pace: whom to ask before every request.

    Raises ImportError where the file system's package is not installed, ValueError for an unknown one.
    """

    def __init__(self, path: str, options: Mapping[str, Any] | None = None, pace: Pace | None = None) -> None:
        self.files, self.where = fsspec.url_to_fs(path, **(options or {}))
        self.pace = pace

    def facts(self) -> tuple[int | None, str]:
        """Size and version. Raises OSError."""
        self._wait()
        with self._told():
            self.files.invalidate_cache()
            info = self.files.info(self.where)
            return info.get("size"), version(info)

    def get(self, start: int, stop: int | None) -> Answer:
        """The bytes [start, stop). Raises OSError, Beyond where the file ends before `start`."""
        self._wait()
        with self._told():
            # What a listing said may be old.
            self.files.invalidate_cache()
            file = self.files.open(self.where, "rb", cache_type="none")
        with contextlib.ExitStack() as unless, self._told():
            unless.callback(file.close)
            info = getattr(file, "details", None) or self.files.info(self.where)
            size = info.get("size")
            if size is not None and start >= size and (start or stop is not None):
                raise Beyond(size)
            file.seek(start)
            unless.pop_all()
        end = stop if size is None else size if stop is None else min(stop, size)
        at, held = start, b""

        def read(count: int) -> bytes:
            nonlocal at, held
            if not held:
                wanted = BLOCK if end is None else min(BLOCK, end - at)
                if wanted <= 0:
                    return b""
                self._wait()
                with self._told():
                    held = file.read(wanted)
                if end is not None and len(held) != wanted:
                    raise ConnectionResetError("a block of another length than asked for")
                at += len(held)
            data, held = held[:count], held[count:]
            return data

        return Answer(read, file.close, start, None if end is None else end - start, size, version(info))

    def _wait(self) -> None:
        if self.pace is not None:
            self.pace.wait()

    @contextlib.contextmanager
    def _told(self) -> Any:
        """Errors of any library as errors of the system, without addresses."""
        try:
            yield
        except Beyond:
            raise
        except Exception as error:
            name = type(error).__name__
            if name == "FileExpired":
                raise Changed("the file changed while it was read") from error
            if name in _REFUSED:
                raise PermissionError(name) from error
            if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
                if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
                    raise
                raise Unavailable(name if "/" in str(error) else str(error)) from error
            if isinstance(error, OSError):
                raise
            raise ConnectionError(name) from error


def version(info: Mapping[str, Any]) -> str:
    """What a file system says of a file's version: the first mark that it has."""
    marks = ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated")
    return next((str(info[name]) for name in marks if info.get(name)), "")

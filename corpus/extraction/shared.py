"""Memory that two processes share, for bytes that go from the one to the other.

A page through a pipe is copied by the kernel twice, 4 KiB at a time, which costs more than reading it.
"""

from __future__ import annotations

import mmap
import os
import tempfile

STEP = 1 << 20
"""Grows by so many bytes."""


class Shared:
    """A growing piece of memory behind a file descriptor."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _anonymous() if descriptor is None else descriptor
        self._map: mmap.mmap | None = None

    def put(self, data: bytes) -> None:
        """Write from the beginning."""
        if data:
            self._mapped(len(data))[: len(data)] = data

    def take(self, size: int) -> bytes:
        """What the other process has written: the first `size` bytes."""
        return self._mapped(size)[:size] if size else b""

    def close(self) -> None:
        """Let go of it."""
        if self._map is not None:
            self._map.close()
        os.close(self.descriptor)

    def _mapped(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, -(-size // STEP) * STEP)
            if self._map is not None:
                self._map.close()
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return self._map


def _anonymous() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("page", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())

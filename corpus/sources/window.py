"""A window that slides over a decompressed stream and knows its seams."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from corpus.sources.streams import Lost, Member, Piece


class Window:
    """The part of a stream between what was consumed and what was read ahead.

    Positions count decompressed bytes from the beginning of the stream.
    """

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._buffer = bytearray()
        self.start = 0
        """Position of the window's first byte."""
        self.ended = False
        """Whether the stream has no more than the window."""
        self.members: deque[tuple[int, int]] = deque()
        """Position and input offset of the member in which the window starts, and of all that begin later."""
        self.losses: deque[tuple[int, int, Lost]] = deque()
        """Every loss that was met and not yet taken: position, position from which the bytes before it are
        suspect, kind."""

    def fill(self, size: int) -> int:
        """Read ahead until the window holds `size` bytes or the stream ends; returns how many it holds."""
        while len(self._buffer) < size and not self.ended:
            piece = next(self._pieces, None)
            end = self.start + len(self._buffer)
            if piece is None:
                self.ended = True
            elif isinstance(piece, Member):
                self.members.append((end, piece.offset))
            elif isinstance(piece, Lost):
                # A member that fails its check may have handed out wrong bytes; a mere end has not.
                suspect = self.members[-1][0] if piece.damages and self.members else end
                self.losses.append((end, suspect, piece))
            else:
                self._buffer += piece
        return len(self._buffer)

    def take(self, size: int) -> bytes:
        """Consume and return bytes; fewer at the end of the stream."""
        self.fill(size)
        data = bytes(memoryview(self._buffer)[:size])
        self.skip(len(data))
        return data

    def peek(self, size: int, at: int = 0) -> bytes:
        """The bytes from `at` (relative to the window), at most `size`, without consuming."""
        self.fill(at + size)
        return bytes(memoryview(self._buffer)[at : at + size])

    def find(self, what: bytes, begin: int, end: int) -> int:
        """Where bytes lie in what was read ahead, relative to the window; -1 if nowhere."""
        return self._buffer.find(what, begin, end)

    def search(self, pattern: re.Pattern[bytes], begin: int) -> int | None:
        """Where a pattern's first match ends in what was read ahead, relative to the window."""
        match = pattern.search(self._buffer, begin)
        return match.end() if match else None

    def skip(self, size: int) -> int:
        """Consume bytes, however many, without holding them; returns how many there were."""
        done = 0
        while done < size:
            held = self.fill(1)
            if not held:
                break
            step = min(held, size - done)
            del self._buffer[:step]
            self.start += step
            done += step
        while len(self.members) > 1 and self.members[1][0] <= self.start:
            self.members.popleft()
        return done

    def member_at(self) -> tuple[int, int]:
        """Input offset of the member in which the window starts, and how far into the member that is."""
        if not self.members or self.members[0][0] > self.start:
            return self.start, 0
        position, offset = self.members[0]
        return offset, self.start - position

    def begun(self, low: int, high: int) -> list[int]:
        """Positions in [low, high) where members begin."""
        return [start for start, _ in self.members if low <= start < high]

    def lost_before(self, position: int) -> list[Lost]:
        """Take the losses at or before a position."""
        taken = []
        while self.losses and self.losses[0][0] <= position:
            taken.append(self.losses.popleft()[2])
        return taken

    def suspect(self, low: int, high: int) -> bool:
        """Whether a loss in (low, high] throws doubt on the bytes before it."""
        return any(low < position <= high and begin < position for position, begin, _ in self.losses)

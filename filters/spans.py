"""Pieces of a text as arrays of offsets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spans:
    """Pieces of a text: int64 offsets of their starts and ends in code points, in order, never
    overlapping.
    """

    starts: Offsets
    ends: Offsets

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Offsets:
        """Lengths in characters."""
        return self.ends - self.starts

    def __getitem__(self, which: npt.NDArray[np.bool_] | Offsets | slice) -> Spans:
        return Spans(self.starts[which], self.ends[which])

    def of(self, text: str) -> Iterator[str]:
        """The pieces as strings: for tests, messages and people, not for hot loops."""
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield text[start:end]

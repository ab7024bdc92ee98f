"""What annotators count, as loops over the arrays of one text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.jit import kernel

Offsets = npt.NDArray[np.int64]
Classes = npt.NDArray[np.uint32]


@kernel
def counted(classes: Classes, starts: Offsets, ends: Offsets, flags: int) -> Offsets:
    """How many characters with one of the flags each piece has: int64[len(starts)]."""
    wanted = np.uint32(flags)
    counts = np.zeros(len(starts), np.int64)
    for index in range(len(starts)):
        for at in range(starts[index], ends[index]):
            if classes[at] & wanted:
                counts[index] += 1
    return counts


@kernel
def pieces_between(classes: Classes, flags: int) -> tuple[Offsets, Offsets]:
    """Starts and ends of the longest runs of characters that have none of the flags: int64[pieces] each."""
    wanted = np.uint32(flags)
    count = 0
    inside = False
    for flag in classes:
        count += inside == ((flag & wanted) != 0)
        inside = (flag & wanted) == 0
    edges = np.empty(count + inside, np.int64)
    count = 0
    inside = False
    for at in range(len(classes)):
        if inside == ((classes[at] & wanted) != 0):
            edges[count] = at
            count += 1
            inside = not inside
    if inside:
        edges[count] = len(classes)
    return edges[0::2].copy(), edges[1::2].copy()

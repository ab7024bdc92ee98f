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

"""Which blocks of a page to keep, given how likely each is main text.

Word F1 of a page is 2h / (s + g): h words of the kept ones are gold, s are kept, g are gold. With
probabilities for facts, h and g are expectations, and the best set of blocks is a prefix of them in the order
of falling probability. So no page needs a threshold of its kind: it follows from all probabilities of the
page (it is half of the F1 that is reached). The native library has the same cut (model.cpp).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating] | npt.NDArray[np.integer]


def expected_f1(
    probabilities: Numbers, words: Numbers
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Expected word F1 of every prefix of the blocks, the likeliest first.

    Args:
        probabilities: that a block is main text, shape `(blocks,)`.
        words: in each block, same shape.

    Returns:
        The order of the blocks (equal ones as they stand), and the F1 of each prefix, from one block to all.
    """
    order = np.argsort(-np.asarray(probabilities), kind="stable")
    own = np.asarray(words, np.float64)
    hits = own * np.asarray(probabilities, np.float64)
    size = np.cumsum(own[order]) + hits.sum()
    return order, np.divide(2 * np.cumsum(hits[order]), size, out=np.zeros(len(own)), where=size > 0)


def cut(probabilities: Numbers, words: Numbers) -> npt.NDArray[np.bool_]:
    """The blocks to keep, shape `(blocks,)`: the shortest of the prefixes with the best expected F1."""
    order, f1 = expected_f1(probabilities, words)
    keep = np.zeros(len(order), bool)
    if len(order):
        keep[order[: int(np.argmax(f1)) + 1]] = True
    return keep

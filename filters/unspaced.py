"""Word boundaries in scripts that are written without spaces, by ICU's dictionaries (UAX #29, section 4).

Which runs are cut is a matter of script, not of the text's language: Han, kana, Thai, Lao, Khmer, Burmese.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.characters import UNSPACED

_SEPARATOR = 10


def cuts(code_points: npt.NDArray[np.uint32], classes: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Where a word begins in the runs of UNSPACED characters: bool[n], false outside them."""
    from icu4py.breakers import WordBreaker

    unspaced = (classes & UNSPACED) != 0
    places = np.flatnonzero(unspaced)
    # All runs in one call, a line feed between them.
    gaps = np.flatnonzero(np.diff(places) > 1) + 1
    marks = np.insert(code_points[places], gaps, _SEPARATOR)
    # ICU counts in UTF-16 units.
    back = np.repeat(np.insert(places, gaps, -1), 1 + (marks > 0xFFFF))
    begins = [start for start, _ in WordBreaker(marks.tobytes().decode("utf-32-le"), "en").segments()]
    found = np.zeros(len(code_points), np.bool_)
    at = back[begins]
    found[at[at >= 0]] = True
    return found

"""Where any of many keywords stand in a text, found in one pass (Aho and Corasick 1975, CACM 18/6).

The automaton is a dense table over ASCII; every other character returns it to its beginning. It serves as a
prefilter: a text without keywords costs one look-up a character, and what stands at a keyword is then judged
by slower means.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from filters.jit import kernel

CodePoints = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]
Table = npt.NDArray[np.uint32]

_ALPHABET = 128
_HIT = np.uint32(1 << 31)
_ROW = np.uint32((1 << 31) - 1)


class Keywords:
    """An automaton for ASCII keywords, told apart from each other but not by case.

    Args:
        words: the keywords, each at least one character.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(dict.fromkeys(word.lower() for word in words))
        self._table, self._longest = _automaton(self.words)

    def places(self, code_points: CodePoints) -> tuple[Places, Places]:
        """Ends of all occurrences and numbers of their keywords in `words`, as `find` has them: int64."""
        return _scan(code_points, self._table, self._longest)

    def find(self, code_points: CodePoints) -> list[tuple[int, str]]:
        """Start and keyword of every occurrence, by their ends; of keywords that end at the same place the
        longest alone."""
        ends, which = self.places(code_points)
        return [
            (end - len(self.words[word]), self.words[word])
            for end, word in zip(ends.tolist(), which.tolist(), strict=True)
        ]


def _automaton(words: tuple[str, ...]) -> tuple[Table, Places]:
    """Transitions, uint32[states * 128], and the longest keyword that ends in each state, or -1.

    A transition is the place where the next state's row begins; its highest bit tells whether a keyword ends
    there: one look-up a character then says all.
    """
    children: list[dict[int, int]] = [{}]
    longest = [-1]
    for number, word in enumerate(words):
        state = 0
        for character in word:
            code = ord(character)
            if code >= _ALPHABET:
                raise ValueError(f"not ASCII: {word!r}")
            if code not in children[state]:
                children[state][code] = len(children)
                children.append({})
                longest.append(-1)
            state = children[state][code]
        longest[state] = number
    table = np.zeros((len(children), _ALPHABET), np.uint32)
    fallback = [0] * len(children)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        if state:
            table[state] = table[fallback[state]]
            if longest[state] < 0:
                longest[state] = longest[fallback[state]]
        for code, child in children[state].items():
            fallback[child] = int(table[state, code]) if state else 0
            table[state, code] = child
            queue.append(child)
    # Capitals go where small letters go.
    table[:, ord("A") : ord("Z") + 1] = table[:, ord("a") : ord("z") + 1]
    ends = np.array(longest, np.int64)
    hits = np.where(ends[table] >= 0, _HIT, np.uint32(0))
    return (table * np.uint32(_ALPHABET) | hits).ravel(), ends


@kernel
def _scan(code_points: CodePoints, table: Table, longest: Places) -> tuple[Places, Places]:
    # Counted first: an array that may grow inside the loop makes the loop ten times as slow.
    count = np.int64(0)
    state = np.uint32(0)
    for code_point in code_points:
        state = table[(state & _ROW) + code_point] if code_point < _ALPHABET else np.uint32(0)
        count += np.int64(state >> np.uint32(31))
    ends, which = np.empty(count, np.int64), np.empty(count, np.int64)
    if count:
        count = np.int64(0)
        state = np.uint32(0)
        for at in range(len(code_points)):
            code_point = code_points[at]
            state = table[(state & _ROW) + code_point] if code_point < _ALPHABET else np.uint32(0)
            if state & _HIT:
                ends[count], which[count] = at + 1, longest[(state & _ROW) // _ALPHABET]
                count += 1
    return ends, which

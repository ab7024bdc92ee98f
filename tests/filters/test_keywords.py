"""The automaton finds what a naive search finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.keywords import Keywords


def find(words: list[str], text: str) -> list[tuple[int, str]]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return Keywords(words).find(points)


def naive(words: list[str], text: str) -> list[tuple[int, str]]:
    lowered = "".join(c.lower() if c.isascii() else c for c in text)
    found = []
    for end in range(1, len(text) + 1):
        here = [word.lower() for word in words if lowered[:end].endswith(word.lower())]
        if here:
            longest = max(here, key=len)
            found.append((end - len(longest), longest))
    return found


WORDS = st.lists(st.text("abAB_", min_size=1, max_size=5), min_size=1, max_size=8)


@given(WORDS, st.text("abABé_ ", max_size=80))
@example(["a", "ab", "bab"], "abab")
@example(["aaaa"], "a" * 200)
@settings(deadline=None)
def test_every_end_of_a_keyword_is_found(words: list[str], text: str) -> None:
    assert find(words, text) == naive(words, text)


def test_keywords_are_ascii() -> None:
    with pytest.raises(ValueError, match="not ASCII"):
        Keywords(["é"])

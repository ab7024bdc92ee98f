"""What is cut where units go: against the twin for any units, and never between a character and its marks."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.dedup.cutting import GOES, MUTE, STAYS, Unit, settle, spans, units
from filters.dedup.folding import FOLDS, digests, fold_table
from tests.filters.dedup import pieces_twin

PIECES = st.sampled_from(
    [
        "One",
        "Two things",
        "  Three.",
        "***",
        "Four. Five! Six? ",
        "猫です。犬です。",
        "。\u0301\u0301x",
        "\u0301",
        "é",
        "",
    ]
)
ENDS = st.sampled_from(["\n", "\n\n", " \n \n", "\r\n", " ", "\u2028", "", "\x1c"])
TEXTS = st.lists(st.tuples(PIECES, ENDS).map("".join), max_size=9).map("".join)


@given(
    TEXTS,
    st.sampled_from(["line", "paragraph", "sentence"]),
    st.sets(st.integers(0, 12)),
    st.integers(0, 12),
    st.integers(0, 30),
)
@settings(max_examples=400, deadline=None)
def test_against_the_twin(text: str, unit: Unit, chosen: set[int], fragment: int, least: int) -> None:
    view = TextView(text)
    begins, starts, ends = units(view, unit)
    assert list(zip(begins.tolist(), starts.tolist(), ends.tolist(), strict=True)) == pieces_twin.units(
        text, unit
    )
    _, words = digests(view.code_points, starts, ends, fold_table(FOLDS))
    goes = {index for index in chosen if index < len(words) and words[index] >= 0}
    states = np.where(words < 0, MUTE, STAYS).astype(np.int8)
    states[list(goes)] = GOES
    assert settle(states, starts, ends, fragment, least) is bool(goes)
    found = list(zip(*(a.tolist() for a in spans(view.classes, states, begins, starts, ends)), strict=True))
    if not goes:
        found = []
    twin = pieces_twin.Twin(unit, fragment=fragment, least_remaining=least)
    speaking = {index for index in range(len(words)) if words[index] >= 0}
    assert found == twin.cut(text, goes, speaking)
    for start, end in found:
        for at in (start, end):
            assert at in (0, len(text)) or not unicodedata.category(text[at]).startswith("M")


@pytest.mark.parametrize("unit", ["line", "paragraph", "sentence"])
def test_cutting_all_leaves_nothing(unit: Unit) -> None:
    text = " \n One.\n\n Two. Three.\n "
    view = TextView(text)
    begins, starts, ends = units(view, unit)
    states = np.full(len(begins), GOES, np.int8)
    start, end = spans(view.classes, states, begins, starts, ends)
    assert (start.tolist(), end.tolist()) == ([0], [len(text)])

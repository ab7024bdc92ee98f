"""Pages escape what they are given, and charts put things where they belong."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gristmill.base.html import Bar, Markup, document, histogram, join, short, table, tag, ticks


def test_only_markup_is_not_escaped() -> None:
    assert tag("p", "<b>", Markup("<i>x</i>"), class_='"') == '<p class="&quot;">&lt;b&gt;<i>x</i></p>'
    assert join(["a&b", 3]) == "a&amp;b3"
    assert "<title>&lt;x&gt;</title>" in document("<x>", [])


def test_tables_set_numbers_flush_right_and_bars_in_proportion() -> None:
    made = table(("name", "n", "share", ""), [("a", 1234, "12.5%", Bar(0.125)), ("b", 2, "1%", Bar(7))])
    assert '<td class="number">1,234</td>' in made
    assert '<td class="number">12.5%</td>' in made
    assert re.findall(r"width:([\d.]+)%", made) == ["12.50", "100.00"]


def test_a_histogram_stacks_and_marks() -> None:
    made = histogram([0, 1, 2, 3], {"kept": [1, 0, 2], "dropped": [1, 3, 0]}, [(1.5, "1.5"), (9, "nine")])
    assert made.count("<rect") == 4
    assert "1.5</text>" in made
    assert "nine" not in made
    heights = [float(height) for height in re.findall(r'<rect[^>]* height="([\d.]+)"', made)]
    assert heights[0] == heights[1] < heights[3] < heights[2]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_inside(low: float, width: float) -> None:
    high = low + width
    found = ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), 1)
    assert len(found) <= 8
    assert all(low - slack <= value <= high + slack for value in found)


@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e9))
def test_logarithmic_ticks_are_powers_of_ten(low: float, factor: float) -> None:
    found = ticks(low, low * factor, log=True)
    assert len(found) <= 7
    assert all(re.fullmatch(r"1(e[+-]?\d+)?|0\.0*1|10*|1e.*|10*\.0", f"{value:g}") for value in found)


def test_axis_numbers_are_short() -> None:
    assert [short(value) for value in (0.1 + 0.2, 1500, 2e6, 12)] == ["0.3", "1.5k", "2M", "12"]

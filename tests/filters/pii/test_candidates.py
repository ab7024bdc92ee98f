"""The compiled pass finds every place that a plain search finds."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.pii.candidates import AT, CHAIN, COLONS, MIXED, candidates

ALPHABET = st.text(st.sampled_from("0123456789+-.()/ @:aGxZ\n\u00a0é中"), max_size=60)
GAP = r"(?:\.|[-()/ \u00a0][-()/ \u00a0]{0,2}\.?)"
NAME, NEXT = "(?<=[-+0-9A-Za-z\x80-\U0010ffff])", "(?=[0-9A-Za-z\x80-\U0010ffff])"
WORD = re.compile(r"[0-9A-Za-z]+", re.ASCII)


@given(ALPHABET)
@example("1@2:3::4")
@example("+(12) 345-6")
@settings(max_examples=800, deadline=None)
def test_every_place_is_found(text: str) -> None:
    rows = list(candidates(TextView(text).code_points))
    assert all(0 <= start < end <= len(text) for _, start, end in rows)
    assert [start for kind, start, _ in rows if kind == AT] == [
        m.start() for m in re.finditer(NAME + "@" + NEXT, text)
    ]
    chains = [(start, end) for kind, start, end in rows if kind == CHAIN]
    for start, end in chains:
        assert sum(c.isdigit() for c in text[start:end]) >= 6 or text[start:end].count(".") >= 3
        assert set(text[start:end]) <= set("0123456789+-.()/ \u00a0")
    for match in re.finditer(r"(?<![0-9A-Za-z])[0-9]{6,}(?![0-9A-Za-z])", text):
        assert any(start <= match.start() and match.end() <= end for start, end in chains)
    mixed = {(start, end) for kind, start, end in rows if kind == MIXED}
    for match in WORD.finditer(text):
        word = match[0]
        if len(word) >= 8 and sum(c.isdigit() for c in word) >= 5 and not word.isdigit():
            inside_chain = any(start < match.start() < end for start, end in chains)
            assert match.span() in mixed or inside_chain or _behind_digits(text, match.start())
    for match in re.finditer(
        r"(?<![0-9a-fA-F:.])[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){3,7}(?![0-9A-Za-z:.])", text
    ):
        assert any(
            kind == COLONS and start <= match.start() and match.end() <= end for kind, start, end in rows
        ) or (len(match[0]) < 8)


def _behind_digits(text: str, at: int) -> bool:
    """Whether separators and digits stand before a word: it is looked at with them."""
    return re.search(r"[0-9][-.()/ \u00a0]{1,3}$", text[:at]) is not None


def test_a_text_without_digits_or_addresses_has_no_candidates() -> None:
    assert (
        list(candidates(TextView("Nothing: to see, here. (Really) - e.g. this/that" * 50).code_points)) == []
    )
    assert list(candidates(TextView("").code_points)) == []

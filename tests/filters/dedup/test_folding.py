"""What does not tell pieces apart, for every code point and any text: hashes are equal where strings are."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.dedup.folding import FOLDS, Fold, digests, fold_table, windows
from tests.filters.dedup.pieces_twin import fold, words

CHOICES: list[tuple[Fold, ...]] = [(), FOLDS, ("case",), ("accents",), ("numbers", "space"), ("punctuation",)]


def hashes(pieces: Sequence[str], folds: tuple[Fold, ...]) -> tuple[list[tuple[int, int]], list[int]]:
    """The hash and twice the words of each piece."""
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    starts = ends - np.array([len(piece) for piece in pieces], np.int64)
    found, counts = digests(TextView("".join(pieces)).code_points, starts, ends, fold_table(folds))
    return [(int(high), int(low)) for high, low in found], counts.tolist()


@pytest.mark.parametrize(
    "folds", [FOLDS, ("case",), ("numbers", "punctuation")], ids=lambda folds: "+".join(folds) or "none"
)
def test_every_character(folds: tuple[Fold, ...]) -> None:
    """Between letters, as a piece is trimmed: white space at its ends is its unit's care."""
    characters = [
        chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code)) not in ("Cn", "Co")
    ]
    pieces = [f"a{character}a" for character in characters]
    found, _ = hashes(pieces, folds)
    by_hash: dict[tuple[int, int], str] = {}
    for piece, value in zip(pieces, found, strict=True):
        assert by_hash.setdefault(value, fold(piece, folds)) == fold(piece, folds), piece
    assert len(by_hash) == len({fold(piece, folds) for piece in pieces})


CHARACTERS = st.sampled_from(
    list(
        "aAbB zZ.,-1209٣٫ \t\u00a0éÉ\u0301\u0327ßİıΣσςかが\u3099न\u093c\u094d\u093f私猫ไทย!?\u200b"
        "\u00ad\ud800\u2028—{≠１"
    )
)
TEXTS = st.text(CHARACTERS, max_size=12).map(str.strip) | st.text(max_size=12).map(str.strip)


@given(st.lists(TEXTS, max_size=30), st.sampled_from(CHOICES))
@settings(max_examples=300, deadline=None)
def test_any_text(pieces: list[str], folds: tuple[Fold, ...]) -> None:
    found, counts = hashes(pieces, folds)
    for one, value, count in zip(pieces, found, counts, strict=True):
        assert (count < 0) == (fold(one, folds) == "")
        for other, same in zip(pieces, found, strict=True):
            assert (value == same) == (fold(one, folds) == fold(other, folds))


@given(
    st.lists(
        st.sampled_from(
            ["one", "two words", "私は猫", "a-b c", "!", "x1 2.5", "12", "€ 3%", "1a", "é\u0301\u200be"]
        ),
        max_size=8,
    ).map(" ".join)
)
@settings(max_examples=100, deadline=None)
def test_words(text: str) -> None:
    for folds in ((), FOLDS):
        _, (count,) = hashes([text], folds)
        assert count == (2 * words(fold(text, folds), folds) if fold(text, folds) else -1)


def test_what_is_and_what_is_not_the_same() -> None:
    same = [("Straße 12", "STRAßE 9,5"), ("Ελλάδα ΟΔΟΣ", "ελλαδα οδος"), ("Don’t  panic!", "don't panic")]
    other = [("か", "が"), ("कि", "की"), ("ไป", "ไม่"), ("resume on", "resumeon"), ("a b", "ab"), ("İ", "ı")]
    for pairs, equal in ((same, True), (other, False)):
        for one, two in pairs:
            (first, second), _ = hashes([one, two], FOLDS)
            assert (first == second) is equal, (one, two)


def test_windows_of_other_groups_orders_and_lengths_differ() -> None:
    found, counts = digests(TextView("abab").code_points, np.arange(4), np.arange(1, 5), fold_table(FOLDS))
    keys = set()
    for window, group in ((1, 0), (1, 7), (2, 0), (2, 7), (3, 0)):
        places, values = windows(found, counts, window, 0, np.uint64(group))
        assert places.tolist() == list(range(5 - window))
        keys |= {(int(high), int(low)) for high, low in values}
    # a, b; a, b of group 7; ab, ba; ab, ba of group 7; aba, bab
    assert len(keys) == 10
    assert windows(found, counts, 2, 3, np.uint64(0))[0].tolist() == []
    assert windows(found, counts, 3, 3, np.uint64(0))[0].tolist() == [0, 1]
    assert windows(found, counts, 5, 0, np.uint64(0))[0].tolist() == []

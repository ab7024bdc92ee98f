from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from tests.trainer.fakes import ArithmeticReader
from trainer.baseline import entropy, target_counts, unigram_entropy


def test_entropy_of_known_distributions() -> None:
    assert entropy(np.array([5, 5, 5, 5])) == pytest.approx(math.log(4))
    assert entropy(np.array([7, 0, 0])) == 0
    assert entropy(np.zeros(3, dtype=np.int64)) == 0
    assert entropy(np.array([3, 1])) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))


def test_counts_agree_with_a_slow_twin() -> None:
    reader = ArithmeticReader([("a", 16, 40)])
    slow: Counter[int] = Counter()
    for index in range(25):
        rows = reader.read(0, np.array([index]))
        for place in range(16):
            if rows.segments[0, place] == rows.segments[0, place + 1]:
                slow[int(rows.tokens[0, place + 1])] += 1
    counts = target_counts(reader, sequences=25, block=7)
    assert {token: int(count) for token, count in enumerate(counts) if count} == dict(slow)
    total = sum(slow.values())
    expected = -sum(n / total * math.log(n / total) for n in slow.values())
    assert unigram_entropy(reader, sequences=25) == pytest.approx(expected)


def test_more_sequences_than_there_are() -> None:
    reader = ArithmeticReader([("a", 16, 5)])
    assert target_counts(reader, sequences=1000).sum() == target_counts(reader, sequences=5).sum()

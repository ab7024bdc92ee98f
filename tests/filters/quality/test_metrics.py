"""Measures, against their definitions by pairs and by loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality.metrics import auc, average_precision, binary, calibration_error, number

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 8).map(lambda n: n / 8)), min_size=1, max_size=40)


def arrays(pairs: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([truth for truth, _ in pairs]), np.array([score for _, score in pairs])


@given(PAIRS)
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[bool, float]]) -> None:
    truth, scores = arrays(pairs)
    won = [1.0 if p > n else 0.5 if p == n else 0.0 for t, p in pairs if t for f, n in pairs if not f]
    expected = sum(won) / len(won) if won else None
    assert auc(truth, scores) == (pytest.approx(expected) if won else None)


@given(PAIRS)
def test_average_precision_by_thresholds(pairs: list[tuple[bool, float]]) -> None:
    truth, scores = arrays(pairs)
    if not truth.any():
        assert average_precision(truth, scores) is None
        return
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = [t for t, s in pairs if s >= threshold]
        recall = sum(chosen) / truth.sum()
        total += (recall - before) * sum(chosen) / len(chosen)
        before = recall
    assert average_precision(truth, scores) == pytest.approx(total)


@given(PAIRS)
def test_calibration_by_bins(pairs: list[tuple[bool, float]]) -> None:
    truth, scores = arrays(pairs)
    total = 0.0
    for low in range(10):
        inside = [(t, s) for t, s in pairs if low <= s * 10 < low + 1 or (low == 9 and s == 1)]
        if inside:
            gap = sum(s for _, s in inside) / len(inside) - sum(t for t, _ in inside) / len(inside)
            total += abs(gap) * len(inside) / len(pairs)
    assert calibration_error(truth, scores) == pytest.approx(total)


def test_a_table_by_hand() -> None:
    truth = np.array([True, True, True, False, False, False, False, False])
    scores = np.array([0.9, 0.6, 0.2, 0.7, 0.4, 0.3, 0.1, 0.0])
    found = binary(truth, scores)
    assert found["confusion"] == {
        "true_positive": 2,
        "false_positive": 1,
        "false_negative": 1,
        "true_negative": 4,
    }
    assert (found["accuracy"], found["majority_accuracy"]) == (0.75, 0.625)
    assert found["precision"] == found["recall"] == found["f1"] == pytest.approx(2 / 3)
    assert found["auc"] == pytest.approx((5 + 4 + 2) / 15)
    assert found["brier"] == pytest.approx((0.01 + 0.16 + 0.64 + 0.49 + 0.16 + 0.09 + 0.01) / 8)
    row = next(row for row in found["by_threshold"] if row["threshold"] == 0.9)
    assert (row["share"], row["precision"], row["recall"]) == (0.125, 1.0, pytest.approx(1 / 3))
    assert next(row for row in found["by_threshold"] if row["threshold"] == 0.99)["precision"] is None


def test_numbers_by_hand() -> None:
    found = number(np.array([0.0, 1, 2, 3]), np.array([0.4, 0.6, 2.2, 4.0]))
    assert found["mean_absolute_error"] == pytest.approx((0.4 + 0.4 + 0.2 + 1) / 4)
    assert found["root_mean_square_error"] == pytest.approx(np.sqrt((0.16 + 0.16 + 0.04 + 1) / 4))
    assert found["rounded_accuracy"] == 0.75
    assert found["confusion"]["3"] == {"0": 0, "1": 0, "2": 0, "3": 0, "4": 1}
    assert number(np.array([1.0, 1]), np.array([0.0, 1]))["correlation"] is None

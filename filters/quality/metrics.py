"""Measures of a classifier on examples that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BINS = 10
"""Of the calibration error (Guo et al. 2017, arXiv 1706.04599)."""
THRESHOLDS = (0.01, 0.02, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.98, 0.99)


def binary(truth: Bools, scores: Floats) -> dict[str, Any]:
    """Measures of probabilities of the positive label.

    Args:
        truth: whether each example has it.
        scores: its probability, 0 to 1.

    Returns accuracy, precision, recall and F1 at 0.5, the accuracy of always saying the more frequent
    label, ROC AUC, average precision, Brier score, calibration error, the confusion matrix, and a table by
    threshold. A measure without meaning (AUC of one class) is None.
    """
    at_half = confusion(truth, scores >= 0.5)
    table = []
    for threshold in THRESHOLDS:
        chosen = scores >= threshold
        table.append(
            {"threshold": threshold, "share": float(chosen.mean()), **rates(confusion(truth, chosen))}
        )
    return {
        "kind": "binary",
        "examples": len(truth),
        "positive": int(truth.sum()),
        **rates(at_half),
        "majority_accuracy": float(max(truth.mean(), 1 - truth.mean())),
        "auc": auc(truth, scores),
        "average_precision": average_precision(truth, scores),
        "brier": float(((scores - truth) ** 2).mean()),
        "calibration_error": calibration_error(truth, scores),
        "confusion": at_half,
        "by_threshold": table,
    }


def number(truth: Floats, scores: Floats) -> dict[str, Any]:
    """Measures of a score that estimates a number: errors, correlation, and how the rounded ones agree."""
    rounded, wanted = np.rint(scores), np.rint(truth)
    spread = truth.std() > 0 and scores.std() > 0
    labels = sorted({*wanted.tolist(), *rounded.tolist()})
    table = {
        f"{real:g}": {f"{said:g}": int(((wanted == real) & (rounded == said)).sum()) for said in labels}
        for real in sorted(set(wanted.tolist()))
    }
    return {
        "kind": "number",
        "examples": len(truth),
        "mean_absolute_error": float(np.abs(scores - truth).mean()),
        "root_mean_square_error": float(np.sqrt(((scores - truth) ** 2).mean())),
        "constant_root_mean_square_error": float(truth.std()),
        "correlation": float(np.corrcoef(truth, scores)[0, 1]) if spread else None,
        "rounded_accuracy": float((rounded == wanted).mean()),
        "confusion": table,
    }


def confusion(truth: Bools, said: Bools) -> dict[str, int]:
    """Counts of the four cases."""
    return {
        "true_positive": int((truth & said).sum()),
        "false_positive": int((~truth & said).sum()),
        "false_negative": int((truth & ~said).sum()),
        "true_negative": int((~truth & ~said).sum()),
    }


def rates(counts: dict[str, int]) -> dict[str, float | None]:
    """Accuracy, precision, recall and F1 of the four counts."""
    hits, total = counts["true_positive"], sum(counts.values())
    said, real = hits + counts["false_positive"], hits + counts["false_negative"]
    return {
        "accuracy": (hits + counts["true_negative"]) / total if total else None,
        "precision": hits / said if said else None,
        "recall": hits / real if real else None,
        "f1": 2 * hits / (said + real) if said + real else None,
    }


def auc(truth: Bools, scores: Floats) -> float | None:
    """Area under the ROC curve: how often a positive example has a higher score than a negative one, ties
    counting half (Mann-Whitney)."""
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def average_precision(truth: Bools, scores: Floats) -> float | None:
    """Precision, averaged over the steps of recall; examples with equal scores are taken together."""
    if not truth.any():
        return None
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(truth[order])[last]
    steps = np.diff(np.concatenate([[0], hits]))
    return float((steps / truth.sum() * hits / (last + 1)).sum())


def calibration_error(truth: Bools, scores: Floats) -> float:
    """Expected calibration error: by bins of equal width, how far the mean probability is from the share of
    positive examples, weighted by the bins' sizes."""
    numbers = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    gaps = [
        abs(scores[numbers == b].mean() - truth[numbers == b].mean()) * (numbers == b).mean()
        for b in range(BINS)
        if (numbers == b).any()
    ]
    return float(sum(gaps))

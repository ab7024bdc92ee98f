"""What people say are copies: the gold of near-duplicate detection, in the folder of test data.

`novels_pairs`: 16 English novels in two independent editions, and 16 others (LitBank, 100 English novels).
`copycat_neardup_pairs`: 374 pairs of web pages with a person's judgment (CopyCat, SIGIR 2021) and their S3
similarity (Bernstein and Zobel 2005, on 8-word shingles). They had been chosen by it, 0.4 and above; their
texts are stemmed.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from filters.base import TextView
from filters.dedup.minhash import band_keys, family, jaccard
from filters.dedup.shingles import RECIPES, Recipe, shingles

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
COPIES = 2.0
"""Pairs with this label or a greater one are copies: the labels are 0.5, 1, 2, 3."""

Numbers = npt.NDArray[np.float64]


def _rows(name: str) -> list[dict[str, Any]]:
    with zstandard.open(TESTDATA / f"dedup/{name}.jsonl.zst", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def novels(recipe: Recipe = RECIPES["fineweb"]) -> dict[str, float]:
    """Pairs of all 48 texts by true Jaccard similarity, against which are editions of one novel.

    Returns precision and recall at the recipe's threshold; the least similarity of two editions and the
    greatest of two novels; and how many pairs share a band of the signatures: of two editions (`proposed`),
    of two novels (`proposed_wrongly`).
    """
    rows = _rows("novels_pairs")
    sets = [shingles(TextView(row["text"]), recipe) for row in rows]
    keys = [band_keys(found, family(recipe)) for found in sets]
    same: list[float] = []
    other: list[float] = []
    proposed = {True: 0, False: 0}
    for one, two in itertools.combinations(range(len(rows)), 2):
        editions = rows[one]["pair"] is not None and rows[one]["pair"] == rows[two]["pair"]
        (same if editions else other).append(jaccard(sets[one], sets[two]))
        proposed[editions] += bool((keys[one] == keys[two]).any())
    right = sum(similarity >= recipe.threshold for similarity in same)
    wrong = sum(similarity >= recipe.threshold for similarity in other)
    return {
        "pairs": len(same),
        "precision": right / (right + wrong) if right + wrong else 0.0,
        "recall": right / len(same),
        "least_of_editions": min(same),
        "greatest_of_others": max(other),
        "proposed": proposed[True],
        "proposed_wrongly": proposed[False],
    }


def human_pairs(recipe: Recipe = RECIPES["fineweb"], copies: float = COPIES) -> dict[str, float]:
    """How well similarities rank the judged pairs: area under the ROC curve (pairs with a label of at least
    `copies` against the others), and Spearman's correlation with the label; ours and the published S3's.

    Pairs that the judges could not decide are left out.
    """
    rows = [row for row in _rows("copycat_neardup_pairs") if not row["label"].startswith("unk")]
    # One label is written "0.5s".
    labels = np.array([float(row["label"].rstrip("s")) for row in rows])
    ours = np.array(
        [jaccard(*(shingles(TextView(row[side]), recipe) for side in "ab")) for row in rows], np.float64
    )
    s3 = np.array([row["s3"] for row in rows], np.float64)
    return {
        "pairs": len(rows),
        "auc_human_pairs": auc(ours, labels >= copies),
        "auc_s3": auc(s3, labels >= copies),
        "spearman_human_pairs": spearman(ours, labels),
        "spearman_s3": spearman(s3, labels),
    }


def ranks(values: Sequence[float] | Numbers) -> Numbers:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    mean: Numbers = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return mean


def auc(scores: Numbers, positive: npt.NDArray[np.bool_]) -> float:
    """The probability that a positive has the greater score than a negative; a tie counts a half."""
    count = int(positive.sum())
    return float((ranks(scores)[positive].sum() - count * (count + 1) / 2) / (count * (len(scores) - count)))


def spearman(left: Numbers, right: Numbers) -> float:
    """Spearman's rank correlation."""
    return float(np.corrcoef(ranks(left), ranks(right))[0, 1])

"""Signatures: the published curve, an unbiased estimate, a universal family, and exact similarities."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import _dedup_gold as gold
from filters.base import Hashes, TextView
from filters.dedup.minhash import (
    band_keys,
    digest,
    family,
    jaccard,
    probability,
    signature,
)
from filters.dedup.near.verify import similarities
from filters.dedup.shingles import RECIPES, Recipe, shingles
from tests.filters.dedup.shingles_twin import scramble

SURE = 3.2905
"""Standard deviations that hold 99.9 % of a normal distribution."""


def binomial_band(count: int, chance: float) -> tuple[int, int]:
    """The least and greatest number of successes such that either tail beyond has at most 0.05 %."""
    logarithms = [
        math.lgamma(count + 1)
        - math.lgamma(k + 1)
        - math.lgamma(count - k + 1)
        + k * math.log(chance)
        + (count - k) * math.log1p(-chance)
        for k in range(count + 1)
    ]
    below = np.cumsum(np.exp(logarithms))
    return int(np.searchsorted(below, 0.0005)), int(np.searchsorted(below, 0.9995))


def test_the_band_is_binomial() -> None:
    low, high = binomial_band(4000, 0.5)
    assert low == pytest.approx(2000 - SURE * math.sqrt(1000), abs=1.5)
    assert high == pytest.approx(2000 + SURE * math.sqrt(1000), abs=1.5)
    assert binomial_band(1000, 1e-6) == (0, 1)


Sets = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


def pairs_of_sets(similarity: float, trials: int, seed: int, union: int = 160) -> Iterator[Sets]:
    """Pairs of sets of random hashes whose Jaccard similarity is exactly `similarity`."""
    dice = np.random.default_rng(seed)
    common = round(similarity * union)
    assert common / union == similarity
    for _ in range(trials):
        drawn = dice.integers(0, 2**64, union, dtype=np.uint64)
        cut = common + (union - common) // 2
        yield drawn[:cut], np.concatenate((drawn[:common], drawn[cut:]))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("similarity", [0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
def test_documents_meet_with_the_probability_of_the_curve(name: str, similarity: float) -> None:
    """The number of pairs that share a band lies in the 99.9 % band of the binomial distribution: 4,000
    pairs of sets, 40 families of hash functions."""
    recipe = RECIPES[name]
    trials, families = 4000, 40
    met = 0
    functions = [family(Recipe(bands=recipe.bands, rows=recipe.rows, seed=seed)) for seed in range(families)]
    for number, (left, right) in enumerate(pairs_of_sets(similarity, trials, seed=11)):
        drawn = functions[number % families]
        met += bool((band_keys(left, drawn) == band_keys(right, drawn)).any())
    low, high = binomial_band(trials, probability(similarity, recipe.bands, recipe.rows))
    assert low <= met <= high


@pytest.mark.parametrize("name", RECIPES)
def test_estimates_are_unbiased_and_as_sure_as_independent_ones(name: str) -> None:
    """The share of equal values has the mean J and the variance J(1 - J) / bands / rows, with the recipe's
    own functions."""
    functions = family(RECIPES[name])
    count = len(functions.factors)
    for similarity in (0.05, 0.3, 0.5, 0.8, 0.95):
        estimates = np.array(
            [
                (signature(left, functions) == signature(right, functions)).mean()
                for left, right in pairs_of_sets(similarity, 3000, seed=12)
            ]
        )
        variance = similarity * (1 - similarity) / count
        assert abs(estimates.mean() - similarity) < SURE * math.sqrt(variance / len(estimates))
        # The sample variance of something near normal: relative error sqrt(2 / n).
        assert estimates.var() == pytest.approx(variance, rel=1.3 * SURE * math.sqrt(2 / len(estimates)))


def near_copies(recipe: Recipe, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Texts of frequent and rare words, and copies of them in which some words are others."""
    dice = random.Random(seed)
    words = [
        "".join(dice.choices("abcdefghijklmnopqrstuvwxyzåéя中", k=dice.randint(2, 9))) for _ in range(3000)
    ]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    for _ in range(count):
        text = dice.choices(words, weights, k=dice.randint(80, 300))
        share = dice.random() * (0.08 if recipe.unit == "word" else 0.06)
        yield " ".join(text), " ".join(dice.choice(words) if dice.random() < share else w for w in text)


@pytest.mark.parametrize("name", RECIPES)
def test_near_copies_of_texts_meet_as_their_true_similarity_says(name: str) -> None:
    """From text to bands: of 4,000 near copies as many meet as the curve says at their true similarities."""
    recipe = RECIPES[name]
    functions = family(recipe)
    met, chances = [], []
    for pair in near_copies(recipe, 4000, seed=13):
        left, right = (shingles(TextView(text), recipe) for text in pair)
        chances.append(probability(jaccard(left, right), recipe.bands, recipe.rows))
        met.append((band_keys(left, functions) == band_keys(right, functions)).any())
    chance = np.array(chances)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.99), (0, 1)):
        inside = (chance >= low) & (chance <= high)
        assert inside.sum() > 100
        deviation = math.sqrt((chance * (1 - chance))[inside].sum())
        assert abs(np.array(met)[inside].sum() - chance[inside].sum()) < SURE * deviation + 1


def chi_square(cells: npt.NDArray[np.int64], expected: float) -> float:
    """Standard deviations by which the statistic lies above its mean, after Wilson and Hilferty."""
    freedom = len(cells) - 1
    statistic = float(((cells - expected) ** 2).sum() / expected)
    return float(((statistic / freedom) ** (1 / 3) - (1 - 2 / 9 / freedom)) / math.sqrt(2 / 9 / freedom))


@pytest.mark.parametrize("shift", [0, 12, 24])
@pytest.mark.parametrize("keys", [(0, 1), (1, 2), (5, 2**31 + 5), (2**32 - 1, 2**32 - 2)])
def test_any_two_keys_take_independent_uniform_values(keys: tuple[int, int], shift: int) -> None:
    """Strong universality: over the draw of the function, eight bits of either value together with those of
    the other are uniform, also for keys that are anything but random, and for the lowest bits."""
    functions = family(Recipe(bands=20_000, rows=16, seed=7))
    one, other = (signature(np.array([key << 32], np.uint64), functions) for key in keys)
    assert one.dtype == np.uint32
    joint = (one >> shift & 0xFF).astype(np.int64) << 8 | (other >> shift & 0xFF)
    cells = np.bincount(joint, minlength=1 << 16)
    assert abs(chi_square(cells, len(one) / len(cells))) < SURE


def test_values_of_one_function_are_uniform() -> None:
    functions = family(RECIPES["fineweb"])
    keys = np.random.default_rng(3).integers(0, 2**64, 40_000, dtype=np.uint64)
    values = np.array([signature(keys[at : at + 1], functions) for at in range(len(keys))])
    for column in values.T[:8]:
        assert abs(chi_square(np.bincount(column & 0xFF, minlength=256), len(keys) / 256)) < SURE


def test_signature_is_what_it_says() -> None:
    """Against the definition in Python's own integers, which do not overflow."""
    functions = family(Recipe(bands=3, rows=5, seed=9))
    found = np.random.default_rng(4).integers(0, 2**64, 100, dtype=np.uint64)
    expected = [
        min((a * (x >> 32) + b) % 2**64 >> 32 for x in found.tolist())
        for a, b in zip(functions.factors.tolist(), functions.summands.tolist(), strict=True)
    ]
    assert signature(found, functions).tolist() == expected
    keys = []
    for band in range(3):
        key = band
        for value in expected[5 * band : 5 * band + 5]:
            key = scramble((key + value + 1) % 2**64)
        keys.append(key)
    assert band_keys(found, functions).tolist() == keys


def test_functions_depend_on_the_seed_and_never_change() -> None:
    first, again, other = (family(Recipe(seed=seed)) for seed in (1, 1, 2))
    assert (first.factors == again.factors).all()
    assert not np.isin(first.factors, other.factors).any()
    assert len({*first.factors.tolist(), *first.summands.tolist()}) == 2 * 14 * 8
    found = shingles(TextView("the quick brown fox jumps over the lazy dog"), RECIPES["fineweb"])
    assert [f"{key:016x}" for key in band_keys(found, first).tolist()[:2]] == KNOWN[:2]
    assert f"{digest(found):016x}" == KNOWN[2]


KNOWN = ["11b6135b650d0c99", "be84ca515c5d9dad", "0cc74ef21be29b6b"]
"""Values that stores hold: another one is another version of the annotator."""


SETS = st.sets(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=200)


def at_least(left: Hashes, right: Hashes, threshold: float) -> float:
    """What verification makes of a pair."""
    bounds = np.array([0, len(left), len(left) + len(right)])
    pair = np.array([0]), np.array([1])
    return float(similarities(np.concatenate((left, right)), bounds[:-1], bounds[1:], *pair, threshold)[0])


@settings(max_examples=300, deadline=None)
@given(left=SETS, right=SETS, threshold=st.floats(0, 1))
def test_similarity_is_exact(left: set[int], right: set[int], threshold: float) -> None:
    arrays = [np.array(sorted(values), np.uint64) for values in (left, right)]
    expected = len(left & right) / len(left | right) if left | right else 1.0
    assert jaccard(arrays[0], arrays[1]) == expected
    for least in (threshold, expected, math.nextafter(expected, 0), min(1, math.nextafter(expected, 2))):
        assert at_least(arrays[0], arrays[1], least) == (expected if expected >= least else -1)


def test_similarity_of_large_sets_is_exact_at_the_threshold() -> None:
    dice = np.random.default_rng(8)
    for _ in range(50):
        union = np.unique(dice.integers(0, 2**64, 5000, dtype=np.uint64))
        left, right = union[dice.random(len(union)) < 0.9], union[dice.random(len(union)) < 0.9]
        expected = len(np.intersect1d(left, right)) / len(np.union1d(left, right))
        assert at_least(left, right, expected) == expected
        assert at_least(left, right, math.nextafter(expected, 1)) == -1


@settings(deadline=None)
@given(left=SETS, right=SETS)
def test_digests_tell_sets_apart(left: set[int], right: set[int]) -> None:
    one, other = (digest(np.array(sorted(values), np.uint64)) for values in (left, right))
    assert (one == other) == (left == right)


def test_all_two_edition_novels_are_found_and_no_other_pair(testdata: Path) -> None:
    found = gold.novels()
    assert found["pairs"] == 16
    assert (found["precision"], found["recall"]) == (1, 1)
    assert (found["proposed"], found["proposed_wrongly"]) == (16, 0)
    assert found["least_of_editions"] > 0.9
    assert found["greatest_of_others"] < 0.01


def test_people_agree_with_our_similarity_more_than_with_s3(testdata: Path) -> None:
    for recipe in RECIPES.values():
        for copies in (1, 2, 3):
            found = gold.human_pairs(recipe, copies)
            assert found["pairs"] == 374
            assert found["auc_human_pairs"] > found["auc_s3"] + 0.015
        assert found["spearman_human_pairs"] > found["spearman_s3"] + 0.04


def test_s3_is_the_similarity_of_eight_words(testdata: Path) -> None:
    """The published score, and so the comparison, is understood: 8-word shingles rank the same."""
    found = gold.human_pairs(Recipe("word", 8, "none"))
    assert found["auc_human_pairs"] == pytest.approx(found["auc_s3"], abs=0.001)


def test_areas_and_rank_correlations() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    assert gold.auc(scores, np.array([False, False, True, True])) == 0.75
    assert gold.auc(np.ones(4), np.array([False, False, True, True])) == 0.5
    assert gold.ranks([3, 1, 3, 2]).tolist() == [3.5, 1, 3.5, 2]
    assert gold.spearman(scores, scores**3) == pytest.approx(1)

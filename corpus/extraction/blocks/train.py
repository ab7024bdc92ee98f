"""Trains the model of the engine "gristmill" on pages whose main text people have marked.

    python -m corpus.extraction.blocks.train --data DIR [--out FILE] [--cross-validate]

Two stages of gradient-boosted trees (LightGBM) judge every block of a page: the first by the block, its place
and its surroundings, the second also by what the first says of the surroundings. Two things are learned from
labels and become features: a table of class names ("post-body": mostly main text), and the first stage's
probabilities. No page sees either of them made from labels of its own fold; pages of a registrable domain are
in one fold.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.extraction.blocks.cut import cut
from corpus.extraction.blocks.gold import GoldPage, read_gold, word_score
from corpus.extraction.blocks.labels import block_labels
from corpus.extraction.blocks.library import CLASS_SLOTS, Floats, Page
from corpus.extraction.blocks.model import CLASS_SCORE_UNIT, MODEL, Tree, pack, trees_of
from gristmill.base.atomic import atomic_write

DATA_SET = "wcxb_dev"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is chosen; the values were chosen by cross-validation on `wcxb_dev`."""

    folds: int = 4
    rounds: int = 100
    leaves: int = 31
    learning_rate: float = 0.1
    seeds: int = 1
    """Forests a stage, averaged."""
    class_domains: int = 3
    """Domains that a class name must be seen on: on fewer it may be one site's own."""
    threads: int = 2


# Tame trees: a block's neighbours are in its rows, so that leaves of few blocks are leaves of one page.
_LIGHTGBM = {
    "objective": "cross_entropy",
    "min_data_in_leaf": 60,
    "min_sum_hessian_in_leaf": 2.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "use_missing": False,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
_PRIOR = 0.4
"""Share of main text inside an element of which nothing is known, and the weight of two domains of it."""
_PRIOR_DOMAINS = 2.0
_LEAST_WORDS = 30.0
"""A page weighs no more because it is shorter."""


@dataclass(slots=True)
class Sample:
    """A page, ready to learn from."""

    page: Page
    domain: str
    fold: int
    words: Floats
    labels: Floats
    classes: tuple[npt.NDArray[np.uint16], Floats, Floats] = field(repr=False)
    """Slots of class names, words inside, main text inside."""

    @property
    def weights(self) -> Floats:
        """Of the blocks: a word weighs as much as it moves the page's F1, roughly."""
        own = np.maximum(self.words, 0.3)
        gold = float(self.labels @ self.words)
        weights: Floats = (100 * own / max((own.sum() + gold) / 2, _LEAST_WORDS)).astype(np.float32)
        return weights


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model that has never seen a page's domain says of the page."""

    first: Floats
    second: Floats
    text: str
    """The main text, Markdown."""


def fold_of(domain: str, folds: int) -> int:
    """The fold of a domain: of its name alone, so that more pages change no page's fold."""
    return int.from_bytes(hashlib.sha256(domain.encode()).digest()[:8], "big") % folds


def samples_of(pages: Sequence[GoldPage], folds: int) -> list[Sample]:
    """The pages, read and labelled. Pages without gold or without blocks have no part in training."""
    samples = []
    for gold in pages:
        page = Page(gold.html, gold.url)
        blocks = page.blocks
        labels = block_labels(blocks.texts, gold.text)
        samples.append(
            Sample(
                page,
                gold.domain,
                fold_of(gold.domain, folds),
                blocks.words.astype(np.float32),
                labels,
                page.class_statistics(labels),
            )
        )
    return samples


class Trainer:
    """Models over samples with some folds left out; each is trained once."""

    def __init__(self, samples: Sequence[Sample], settings: Settings, seed: int = 0) -> None:
        self.samples = [sample for sample in samples if len(sample.words) and sample.labels.any()]
        self.settings = settings
        self.seed = seed
        self._first: dict[frozenset[int], Forest] = {}
        self._tables: dict[frozenset[int], Floats] = {}
        self._class_sums = _class_sums(self.samples, settings.folds)

    def class_table(self, left_out: frozenset[int]) -> Floats:
        """Scores of class names: log odds of main text inside, by domains of these folds, less the prior."""
        if left_out not in self._tables:
            self._tables[left_out] = self._class_table(left_out)
        return self._tables[left_out]

    def _class_table(self, left_out: frozenset[int]) -> Floats:
        kept, domains = np.zeros((2, CLASS_SLOTS))
        for fold, (shares, counts) in self._class_sums.items():
            if fold not in left_out:
                kept += shares
                domains += counts
        odds = (kept + _PRIOR_DOMAINS * _PRIOR) / (domains - kept + _PRIOR_DOMAINS * (1 - _PRIOR))
        scores = np.rint((np.log(odds) - np.log(_PRIOR / (1 - _PRIOR))) / CLASS_SCORE_UNIT)
        # A name that says nothing is still a known one; 0 is for unknown ones.
        scores[scores == 0] = 1
        return np.where(domains >= self.settings.class_domains, scores * CLASS_SCORE_UNIT, 0).astype(
            np.float32
        )

    def features(self, sample: Sample, left_out: frozenset[int]) -> Floats:
        """First-stage features of a page, for models that leave out these folds."""
        return sample.page.features(self.class_table(left_out | {sample.fold}))

    def first(self, left_out: frozenset[int]) -> Forest:
        """The first stage, trained without these folds."""
        if left_out not in self._first:
            rows = [(sample, self.features(sample, left_out)) for sample in self._without(left_out)]
            self._first[left_out] = self._fit(rows)
        return self._first[left_out]

    def second(self, left_out: frozenset[int]) -> Forest:
        """The second stage, trained without these folds, on what first stages say that leave out the page."""
        rows = []
        for sample in self._without(left_out):
            features = self.features(sample, left_out)
            first = self.first(left_out | {sample.fold}).predict(features)
            rows.append((sample, np.hstack([features, sample.page.second_features(first)])))
        return self._fit(rows)

    def file(self) -> bytes:
        """The model of all folds."""
        everything: frozenset[int] = frozenset()
        return pack(
            self.class_table(everything), self.first(everything).trees(), self.second(everything).trees()
        )

    def _without(self, left_out: frozenset[int]) -> Iterator[Sample]:
        return (sample for sample in self.samples if sample.fold not in left_out)

    def _fit(self, rows: Sequence[tuple[Sample, Floats]]) -> Forest:
        import lightgbm

        settings = self.settings
        options: dict[str, Any] = {
            **_LIGHTGBM,
            "num_leaves": settings.leaves,
            "learning_rate": settings.learning_rate,
            "num_threads": settings.threads,
        }
        data = lightgbm.Dataset(
            np.concatenate([features for _, features in rows]),
            np.concatenate([sample.labels for sample, _ in rows]),
            weight=np.concatenate([sample.weights for sample, _ in rows]),
            params=options,
        )
        return Forest(
            [
                lightgbm.train({**options, "seed": self.seed + i}, data, settings.rounds)
                for i in range(settings.seeds)
            ],
            settings.threads,
        )


@dataclass(frozen=True)
class Forest:
    """Boosters whose scores are averaged."""

    boosters: list[Any]
    threads: int

    def predict(self, features: Floats) -> Floats:
        """Probabilities, one a row."""
        scores = [
            booster.predict(features, raw_score=True, num_threads=self.threads) for booster in self.boosters
        ]
        probabilities: Floats = (1 / (1 + np.exp(-np.mean(scores, axis=0)))).astype(np.float32)
        return probabilities

    def trees(self) -> list[Tree]:
        """One forest of all."""
        share = len(self.boosters)
        return [tree for booster in self.boosters for tree in trees_of(booster.dump_model(), share)]


def _class_sums(
    samples: Sequence[Sample], folds: int
) -> dict[int, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """By fold and class slot: shares of main text, summed over domains, and the number of domains."""
    sums = {fold: (np.zeros(CLASS_SLOTS), np.zeros(CLASS_SLOTS)) for fold in range(folds)}
    domains: dict[str, list[Sample]] = {}
    for sample in samples:
        domains.setdefault(sample.domain, []).append(sample)
    for members in domains.values():
        words, kept = np.zeros(CLASS_SLOTS), np.zeros(CLASS_SLOTS)
        for sample in members:
            slots, own, own_kept = sample.classes
            words[slots] += own
            kept[slots] += own_kept
        seen = np.flatnonzero(words)
        shares, counts = sums[members[0].fold]
        shares[seen] += kept[seen] / words[seen]
        counts[seen] += 1
    return sums


def cross_validate(
    pages: Sequence[GoldPage], settings: Settings | None = None, seed: int = 0
) -> list[Judgement]:
    """What models say of pages whose registrable domains they have not seen, in any part; one a page.

    For each fold both stages are trained on the others, the second on probabilities of first stages that
    leave out the page's own fold too.
    """
    settings = settings or Settings()
    samples = samples_of(pages, settings.folds)
    trainer = Trainer(samples, settings, seed)
    judgements: dict[int, Judgement] = {}
    for fold in range(settings.folds):
        left_out = frozenset({fold})
        first, second = trainer.first(left_out), trainer.second(left_out)
        for i, sample in enumerate(samples):
            if sample.fold == fold:
                judgements[i] = _judge(trainer, sample, first, second)
    return [judgements[i] for i in range(len(samples))]


def _judge(trainer: Trainer, sample: Sample, first: Forest, second: Forest) -> Judgement:
    if not len(sample.words):
        nothing = np.zeros(0, np.float32)
        return Judgement(nothing, nothing, "")
    features = trainer.features(sample, frozenset())
    one = first.predict(features)
    two = second.predict(np.hstack([features, sample.page.second_features(one)]))
    return Judgement(one, two, sample.page.assemble(cut(two, sample.words)))


def train(pages: Sequence[GoldPage], settings: Settings | None = None, seed: int = 0) -> bytes:
    """A model file: the same bytes for the same pages, settings and seed."""
    settings = settings or Settings()
    return Trainer(samples_of(pages, settings.folds), settings, seed).file()


def table(pages: Sequence[GoldPage], texts: Sequence[str]) -> list[tuple[str, int, float, float, float]]:
    """By page type, and of all pages that have gold: pages, means of F1, precision and recall."""
    scores = [
        (page.kind, word_score(text, page.text)) for page, text in zip(pages, texts, strict=True) if page.text
    ]
    rows = []
    for kind in ["all", *sorted({kind for kind, _ in scores if kind})]:
        chosen = [score for own, score in scores if kind in ("all", own)]
        f1, precision, recall = np.mean([(s.f1, s.precision, s.recall) for s in chosen], axis=0).tolist()
        rows.append((kind, len(chosen), f1, precision, recall))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--data", type=Path, required=True, help=f"folder with {DATA_SET}.warc.gz and its gold"
    )
    parser.add_argument("--out", type=Path, default=MODEL, help="the model file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=Settings().threads)
    parser.add_argument(
        "--cross-validate", action="store_true", help="write no model; print scores on domains not trained on"
    )
    given = parser.parse_args(arguments)
    pages = read_gold(given.data, DATA_SET)
    settings = Settings(threads=given.threads)
    if given.cross_validate:
        texts = [judgement.text for judgement in cross_validate(pages, settings, given.seed)]
        for kind, count, f1, precision, recall in table(pages, texts):
            print(f"{kind:14} {count:5}  F1 {f1:.4f}  precision {precision:.4f}  recall {recall:.4f}")
        return
    atomic_write(given.out, train(pages, settings, given.seed))


if __name__ == "__main__":
    main()

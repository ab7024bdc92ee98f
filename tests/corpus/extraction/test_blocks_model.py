"""The learned half of the engine "gristmill": labels, cut, training, the model file, its evaluation."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.extraction.blocks import library, model
from corpus.extraction.blocks.cut import cut, expected_f1
from corpus.extraction.blocks.gold import GoldPage, read_gold, word_score
from corpus.extraction.blocks.labels import block_labels
from corpus.extraction.blocks.library import LibraryError, Page
from corpus.extraction.blocks.train import Settings, Trainer, cross_validate, fold_of, samples_of, train

needs_library = pytest.mark.skipif(not library.available(), reason=library.reason() or "")
SMALL = Settings(folds=3, rounds=6, leaves=8, class_domains=2, threads=1)

probabilities = st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(1, 60)), min_size=1, max_size=8)


def f1_of(chosen: tuple[int, ...], blocks: list[tuple[float, int]]) -> float:
    hits = sum(p * words for p, words in (blocks[i] for i in chosen))
    size = sum(blocks[i][1] for i in chosen) + sum(p * words for p, words in blocks)
    return 2 * hits / size


class TestCut:
    @given(probabilities)
    def test_no_set_of_blocks_is_better(self, blocks: list[tuple[float, int]]) -> None:
        p, words = (np.array(column) for column in zip(*blocks, strict=True))
        kept = tuple(np.flatnonzero(cut(p, words)).tolist())
        best = max(
            f1_of(chosen, blocks)
            for size in range(1, len(blocks) + 1)
            for chosen in combinations(range(len(blocks)), size)
        )
        assert kept
        assert f1_of(kept, blocks) == pytest.approx(best, abs=1e-9)

    @given(probabilities)
    def test_expected_f1_of_every_prefix(self, blocks: list[tuple[float, int]]) -> None:
        order, f1 = expected_f1(*(np.array(column) for column in zip(*blocks, strict=True)))
        for k in range(len(blocks)):
            assert f1[k] == pytest.approx(f1_of(tuple(order[: k + 1].tolist()), blocks), abs=1e-9)

    def test_nothing_to_cut(self) -> None:
        assert cut(np.zeros(0), np.zeros(0)).shape == (0,)

    @needs_library
    @settings(max_examples=50)
    @given(probabilities)
    def test_the_native_cut_is_the_same(self, blocks: list[tuple[float, int]]) -> None:
        html = "".join(f"<p>{'word ' * words}</p>" for _, words in blocks)
        p = np.array([probability for probability, _ in blocks], np.float32)
        with Page(html) as page:
            words = page.blocks.words
            assert words.tolist() == [own for _, own in blocks]
            assert page.cut(p).tolist() == cut(p, words).tolist()


class TestLabels:
    def test_blocks_of_the_gold_and_no_others(self) -> None:
        gold = "The quick brown fox jumps over the lazy dog.\nIt does so every day of the week.\nYes!"
        blocks = [
            "Home",
            "The quick brown fox",  # a title that the text goes on from
            "The quick brown fox jumps over the lazy dog.",
            "Share this on the social network of your choice",
            "It does so every day of the week.",
            "Yes!",
            "Yes we can: all rights are reserved",
        ]
        assert block_labels(blocks, gold).tolist() == [0, 0, 1, 0, 1, 1, 0]

    def test_the_copy_that_is_in_place_is_the_one(self) -> None:
        gold = "A heading of some words\nThe first paragraph says this and that."
        blocks = ["A heading of some words", "Menu", "A heading of some words", gold.split("\n")[1]]
        labels = block_labels(blocks, gold)
        assert labels.sum() == 2
        assert labels[3] == 1

    def test_shares(self) -> None:
        blocks = ["one two three four five six seven eight nine ten"]
        assert block_labels(blocks, "one two three four five six seven").tolist() == pytest.approx([0.7])

    @given(st.lists(st.text("abc \n-.", max_size=30), max_size=12), st.text("abc \n-.", max_size=120))
    def test_any_text(self, blocks: list[str], gold: str) -> None:
        labels = block_labels(blocks, gold)
        assert labels.shape == (len(blocks),)
        assert ((labels >= 0) & (labels <= 1)).all()


def synthetic(pages: int = 36, relabel: frozenset[int] = frozenset()) -> list[GoldPage]:
    """Pages of twelve domains: menu, article, footer. In folds of `relabel` the menu is gold."""
    draw = random.Random(5)
    names = [f"{stem}{i}" for stem in ("lor", "ips", "dol") for i in range(60)]
    found = []
    for i in range(pages):
        domain = f"site{i % 12}.example"

        def text(words: int) -> str:
            return " ".join(draw.choices(names, k=words))

        menu = [text(2) for _ in range(draw.randint(10, 20))]
        body = [text(draw.randint(3, 40)) + "." for _ in range(draw.randint(8, 25))]
        html = (
            f"<title>{text(4)}</title><nav class=site-menu>"
            + "".join(f"<a href=/{k}>{entry}</a><br><hr>" for k, entry in enumerate(menu))
            + "</nav><div class=post-body>"
            + "".join(f"<p>{paragraph}</p>" for paragraph in body)
            + f"</div><footer class=site-end>{text(12)}</footer>"
        )
        gold = menu if fold_of(domain, SMALL.folds) in relabel else body
        found.append(GoldPage(f"https://www.{domain}/{i}", html, "\n".join(gold)))
    return found


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    pytest.importorskip("lightgbm")
    return Trainer(samples_of(synthetic(), SMALL.folds), SMALL, seed=3)


@pytest.fixture
def instructions() -> Iterator[ctypes.CDLL]:
    native = library.load()
    best = native.gm_use_instructions(2)
    yield native
    native.gm_use_instructions(best)


@needs_library
class TestTraining:
    def test_the_same_bytes_again(self, trainer: Trainer) -> None:
        assert trainer.file() == train(synthetic(), SMALL, seed=3)

    def test_it_learns(self) -> None:
        pytest.importorskip("lightgbm")
        pages = synthetic()
        judged = cross_validate(pages, replace(SMALL, rounds=30))
        assert np.mean([word_score(j.text, p.text).f1 for j, p in zip(judged, pages, strict=True)]) > 0.99

    def test_no_page_is_judged_with_its_own_labels(self) -> None:
        pytest.importorskip("lightgbm")
        changed = 1
        plain, other = (
            cross_validate(synthetic(), SMALL),
            cross_validate(synthetic(relabel=frozenset({changed})), SMALL),
        )
        folds = [fold_of(page.domain, SMALL.folds) for page in synthetic()]
        same = [
            np.array_equal(a.first, b.first) and np.array_equal(a.second, b.second)
            for a, b in zip(plain, other, strict=True)
        ]
        assert all(same[i] for i, fold in enumerate(folds) if fold == changed)
        assert not any(same[i] for i, fold in enumerate(folds) if fold != changed)

    @pytest.mark.parametrize("most", [0, 1, 2])
    def test_native_trees_score_as_lightgbm(
        self, trainer: Trainer, instructions: ctypes.CDLL, most: int
    ) -> None:
        instructions.gm_use_instructions(most)
        packed = model.Model(trainer.file())
        everything: frozenset[int] = frozenset()
        for page in synthetic(6):
            with Page(page.html, page.url) as read:
                first, second = packed.probabilities(read)
                features = read.features(trainer.class_table(everything))
                one = trainer.first(everything).predict(features)
                both = np.hstack([features, read.second_features(first)])
                two = trainer.second(everything).predict(both)
                np.testing.assert_allclose(first, one, rtol=0, atol=1e-6)
                np.testing.assert_allclose(second, two, rtol=0, atol=1e-6)

    def test_instructions_do_not_matter(self, trainer: Trainer, instructions: ctypes.CDLL) -> None:
        packed = model.Model(trainer.file())
        with Page("".join(page.html for page in synthetic(9))) as page:
            assert len(page) % 64  # the last group is not full
            scores = []
            for most in (0, 1, 2):
                instructions.gm_use_instructions(most)
                scores.append(packed.probabilities(page))
            for first, second in scores[1:]:
                assert np.array_equal(first, scores[0][0])
                assert np.array_equal(second, scores[0][1])

    def test_one_call_does_all(self, trainer: Trainer) -> None:
        packed = model.Model(trainer.file())
        for html in [synthetic(1)[0].html, "", "<p>one</p>", "<script>"]:
            with Page(html) as page:
                second = packed.probabilities(page)[1]
                assert packed.extract(page) == page.assemble(page.cut(second))


@needs_library
class TestFile:
    def test_damage_is_told(self, trainer: Trainer) -> None:
        file = trainer.file()
        for end in range(0, len(file), len(file) // 40):
            with pytest.raises(LibraryError):
                model.Model(file[:end])
        for at in range(0, len(file), len(file) // 40):
            with pytest.raises(LibraryError):
                model.Model(file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :])
        with pytest.raises(LibraryError):
            model.Model(file + b"\0")

    def test_damage_behind_a_right_checksum(self, trainer: Trainer) -> None:
        file, draw = bytearray(trainer.file()), random.Random(1)
        for _ in range(300):
            body = bytearray(file[model.HEADER.size :])
            body[draw.randrange(len(body))] = draw.randrange(256)
            header = model.HEADER.pack(*model.HEADER.unpack_from(file)[:3], model.fnv1a(bytes(body)))
            try:
                damaged = model.Model(header + bytes(body))
            except LibraryError:
                continue
            with Page("<p>Some words in a paragraph.</p>") as page:
                assert np.isfinite(damaged.probabilities(page)[1]).all()

    def test_float_thresholds_decide_as_doubles(self) -> None:
        for value in (0.1, 0.3, 1e-9, -0.7, 2.5, 16777217.0):
            near = np.float32(value)
            around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
            below = np.float32(model._float_below(value))
            assert [x <= below for x in around] == [float(x) <= value for x in around]


@needs_library
class TestShipped:
    def test_it_fits_the_features_and_is_small(self) -> None:
        model.shipped()
        assert model.MODEL.stat().st_size < 900_000

    def test_it_finds_the_text_of_news_pages(self, testdata: Path) -> None:
        # None of these pages was trained on.
        pages = read_gold(testdata / "web", "aeb")[::6]
        scores = []
        for page in pages:
            with Page(page.html, page.url) as read:
                scores.append(word_score(model.shipped().extract(read), page.text).f1)
        assert len(scores) > 25
        assert np.mean(scores) > 0.9

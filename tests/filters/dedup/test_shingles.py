"""Shingles: hash by hash those of a slow twin, and the sets that datatrove has."""

from __future__ import annotations

import dataclasses
import random
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import regex
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import simplify_text
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.dedup.minhash import jaccard
from filters.dedup.shingles import RECIPES, Recipe, shingles
from filters.dedup.simplified import simplified
from tests.filters.dedup import shingles_twin as twin
from tests.filters.samples import HOSTILE, english_texts, real_texts

ALL = {
    **RECIPES,
    "character-simplified": Recipe("character", 7, "simplified"),
    "word-none": Recipe("word", 3, "none"),
    "single": Recipe("word", 1),
}
LANGUAGES = {
    "en": "In 1,234.5 cases the U.S. didn't agree: 10km (6.2 mi) at 12:30, it cost €5 or $7.",
    "de": "Größe und Äpfel – „STRASSE“ heißt auch Straße; das sind 3,5 % von 1.000.000.",
    "el": "Ὀδυσσεὺς ΟΔΥΣΣΕΥΣ οδυσσεύς ΣΟΦΟΣ.",
    "ar": "السَّلَامُ عَلَيْكُمْ، ١٢٣٫٤٥ و۱۲۳؟ العربيّة",
    "hi": "हिन्दी में १२३ शब्द हैं। क्या यह ठीक है?",
    "zh": "今天天气很好，我们去公园散步吧。2024年3月5日，共１２３人參加。",
    "ja": "東京は日本の首都です。カタカナもﾊﾝｶｸも、がぎぐ。",
    "ko": "한국어 문장입니다. 각각 decomposed: 각",
    "th": "ประเทศไทยมีประชากร ๖๖ ล้านคน และใช้ภาษาไทย",
    "vi": "Tiếng Việt có dấu thanh: ằ ẵ ậ, Đà Nẵng",
    "tr": "İSTANBUL ışık Iğdır",
    "emoji": "good👍🏽 family👩‍👩‍👧 •bullet ©2024 x²",
}
TEXTS = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs"]),
        st.sampled_from("aB é e\u0301 Σς İ 0 1 ٣ . , ٫ \n\t\u2028 $ € ? 。 中文 ไทย 각 \u037e 👍"),
    ),
    max_size=60,
)


@pytest.mark.parametrize("name", ALL)
def test_hashes_are_those_of_the_twin(name: str) -> None:
    for text in [*LANGUAGES.values(), " ".join(LANGUAGES.values()), *(t[:3000] for t in HOSTILE.values())]:
        assert shingles(TextView(text), ALL[name]).tolist() == twin.shingles(text, ALL[name]), text


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_any_text_has_the_shingles_of_the_twin(name: str, text: str) -> None:
    found = shingles(TextView(text), ALL[name])
    assert found.dtype == np.uint64
    assert found.tolist() == twin.shingles(text, ALL[name])


def test_real_texts_have_the_shingles_of_the_twin(testdata: Path) -> None:
    for text in real_texts(testdata)[::40]:
        for recipe in RECIPES.values():
            assert shingles(TextView(text[:4000]), recipe).tolist() == twin.shingles(text[:4000], recipe)


@pytest.mark.parametrize(
    ("text", "simple", "words"),
    [
        ("", "", ""),
        (" .,!\n", "", ""),
        ("  A\u00a0 b.c ", "a b c", "a b c"),
        ("Crème BRÛLÉE", "creme brulee", "creme brulee"),
        ("e\u0301 \u0301 e", "e e", "e e"),
        ("1,234,567 3.14 2024-05-01 v2.x 5.", "0 0 0 0 0 0 v0 x 0", "0 0 0 0 0 0 v0 x 0"),
        ("٣٫٥ and १२", "0 and 0", "0 and 0"),
        ("ΟΔΟΣ οδός.", "οδοσ οδοσ", "οδοσ οδοσ"),
        ("can't 10km €5", "can t 0km €0", "can t 0km € 0"),
        ("good👍👍", "good👍👍", "good 👍 👍"),
        ("ab中文cd", "ab中文cd", "ab 中文 cd"),
    ],
)
def test_the_simple_form(text: str, simple: str, words: str) -> None:
    assert "".join(map(chr, simplified(TextView(text), words=False))) == simple
    assert "".join(map(chr, simplified(TextView(text), words=True))) == words


def datatroves(folder: Path) -> MinhashDedupSignature:
    """With SHA-1: its default, xxHash, is called in a way that newer versions of xxhash do not take."""
    return MinhashDedupSignature(str(folder), MinhashConfig(hash_config=HashConfig(hash_fc="sha1")))


def comparable(text: str) -> str:
    """datatrove's simple form, but for the three things that are documented to differ."""
    return " ".join(simplify_text(text).split()).replace("ς", "σ")


def keeps_order(character: str) -> bool:
    """Whether NFD moves no mark that stays, and Python and `regex` agree on what is a digit (they may have
    different versions of Unicode)."""
    parts = unicodedata.normalize("NFD", character)
    moved = any(unicodedata.combining(part) and unicodedata.category(part) != "Mn" for part in parts)
    return not moved and bool(regex.match(r"\p{Nd}", character)) == (unicodedata.category(character) == "Nd")


@settings(max_examples=500, deadline=None)
@given(text=TEXTS)
def test_the_simple_form_is_datatroves(text: str) -> None:
    text = "".join(filter(keeps_order, text))
    assert "".join(map(chr, simplified(TextView(text), words=False))) == comparable(text)


def test_the_simple_form_of_real_texts_is_datatroves(testdata: Path) -> None:
    for text in [*real_texts(testdata)[::5], *HOSTILE.values()]:
        assert "".join(map(chr, simplified(TextView(text), words=False))) == comparable(text)


def edited(text: str, dice: random.Random) -> str:
    """The text with some words gone and some sentences moved."""
    words = [word for word in text.split(" ") if dice.random() > 0.02]
    cut = dice.randrange(len(words))
    return " ".join(words[cut:] + words[:cut])


def test_similarities_are_datatroves_where_its_words_are_ours(testdata: Path, tmp_path: Path) -> None:
    """The same n-grams are equal, so the Jaccard similarity of any two texts is the same number.

    spaCy cuts "cannot", "dont" and "10km" in two, and ours does not: those words are taken out first. Pairs:
    a text and an edited copy, and a text and the next one.
    """
    pytest.importorskip("spacy")
    theirs = datatroves(tmp_path)
    dice = random.Random(5)
    texts = []
    for text in english_texts(testdata)[:80]:
        clean = " ".join(w for w in simplify_text(text[:6000]).split() if split_alike(theirs, w))
        if len(clean.split()) > 50:
            texts += [clean, edited(clean, dice)]
    assert len(texts) > 120
    ours = [shingles(TextView(text), RECIPES["fineweb"]) for text in texts]
    reference = [np.unique(theirs.get_shingles(text)) for text in texts]
    assert [len(found) for found in ours] == [len(found) for found in reference]
    similarities = [jaccard(*pair) for pair in pairwise(ours)]
    assert similarities == [jaccard(*pair) for pair in pairwise(reference)]
    assert max(similarities) > 0.6
    assert min(similarities) == 0


def split_alike(theirs: MinhashDedupSignature, word: str, known: dict[str, bool] = {}) -> bool:  # noqa: B006
    if word not in known:
        ours = "".join(map(chr, simplified(TextView(word), words=True))).split()
        known[word] = bool(theirs.word_tokenizer.word_tokenize(word) == ours)
    return known[word]


def test_what_spacy_cuts_otherwise_changes_similarities_little(testdata: Path, tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    theirs = datatroves(tmp_path)
    dice = random.Random(6)
    differences = []
    for text in [text[:6000] for text in english_texts(testdata)[:60] if len(text) > 1000]:
        other = edited(text, dice)
        ours = jaccard(*(shingles(TextView(one), RECIPES["fineweb"]) for one in (text, other)))
        reference = jaccard(*(np.unique(theirs.get_shingles(one)) for one in (text, other)))
        differences.append(abs(ours - reference))
    assert max(differences) < 0.01


def test_a_short_text_is_one_shingle() -> None:
    recipe = RECIPES["fineweb"]
    assert len(shingles(TextView("Four words, no more"), recipe)) == 1
    assert shingles(TextView("One two"), recipe).tolist() == shingles(TextView("one — TWO!"), recipe).tolist()
    assert shingles(TextView("one two"), recipe).tolist() != shingles(TextView("one three"), recipe).tolist()
    assert len(shingles(TextView("short"), RECIPES["nemotron-cc"])) == 1
    for blank in ("", " \n", "..."):
        assert len(shingles(TextView(blank), recipe)) == 0
    assert len(shingles(TextView(" \n"), RECIPES["nemotron-cc"])) == 0


def test_thresholds_are_the_published_ones() -> None:
    assert RECIPES["fineweb"].threshold == pytest.approx(0.72, abs=0.005)
    assert RECIPES["nemotron-cc"].threshold == pytest.approx(0.8, abs=0.01)
    for field in ("n", "bands", "rows"):
        with pytest.raises(ValueError, match="at least 1"):
            dataclasses.replace(RECIPES["fineweb"], **{field: 0})

"""The annotator `minhash`: options, labels, what it says of a text without a shingle."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from filters.annotators.minhash import MinHash
from filters.base import TextView, annotate_texts
from filters.dedup.minhash import band_keys, digest, family, probability
from filters.dedup.shingles import RECIPES, Recipe, shingles
from filters.registry import annotator_digest, build_annotator
from gristmill.base.errors import UserError

TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind."


def annotate(annotator: Any, *texts: str) -> list[dict[str, Any]]:
    (table,) = annotate_texts([annotator], texts).values()
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_columns_hold_the_bands_of_the_shingles() -> None:
    for name, recipe in RECIPES.items():
        annotator = MinHash(name)
        assert annotator.recipe == recipe
        (row,) = annotate(annotator, TEXT)
        found = shingles(TextView(TEXT), recipe)
        bands = [row.pop(f"minhash.band_{band:02}") for band in range(recipe.bands)]
        assert bands == band_keys(found, family(recipe)).tolist()
        assert row == {"minhash.digest": digest(found), "minhash.shingles": len(found)}


def test_a_text_without_a_word_has_no_band() -> None:
    first, *rows = annotate(MinHash(), TEXT, "", " \n", "?!")
    assert None not in first.values()
    for row in rows:
        assert row.pop("minhash.shingles") == 0
        assert set(row.values()) == {None}


def test_options_replace_parts_of_a_recipe() -> None:
    annotator = build_annotator(
        "minhash",
        {"recipe": "nemotron-cc", "normalisation": "simplified", "bands": 3, "rows": 2, "seed": 0, "n": 7},
    )
    assert isinstance(annotator, MinHash)
    assert annotator.recipe == Recipe("character", 7, "simplified", 3, 2, 0)
    assert [*annotator.columns] == [
        *(f"minhash.band_0{band}" for band in range(3)),
        "minhash.digest",
        "minhash.shingles",
    ]
    one, other = annotate(annotator, "The mill, 12 stones.", "the MILL — 13 stones")
    assert one == other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "finewebb"}, "unknown recipe 'finewebb'"),
        ({"n": 0}, "option 'n' of annotator 'minhash'"),
        ({"bands": 257}, "option 'bands' of annotator 'minhash'"),
        ({"rows": -1}, "option 'rows' of annotator 'minhash'"),
        ({"seed": -1}, "option 'seed' of annotator 'minhash'"),
        ({"unit": "sentence"}, "option 'unit' of annotator 'minhash'"),
        ({"normalisation": "lower"}, "option 'normalisation' of annotator 'minhash'"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        build_annotator("minhash", options)


def test_a_label_names_folder_and_columns_and_keeps_the_recipe() -> None:
    plain, named = build_annotator("minhash"), build_annotator("minhash", label="five")
    assert isinstance(named, MinHash)
    assert (named.name, named.recipe) == ("minhash.five", RECIPES["fineweb"])
    (row,), (other,) = annotate(plain, TEXT), annotate(named, TEXT)
    assert {name.replace("minhash.", "five."): value for name, value in row.items()} == other
    assert "minhash.band_00" in plain.columns


def test_equal_recipes_have_equal_digests_however_they_are_asked_for() -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"recipe": "fineweb"},
        {"n": 5},
        {"recipe": "nemotron-cc"},
        {"seed": 3},
    ]
    digests = [annotator_digest(build_annotator("minhash", options), options) for options in asked]
    assert len(set(digests[:3])) == 1
    assert len(set(digests)) == 3


def test_a_huge_text_passes() -> None:
    text = "no spaces " * 100 + "x" * 10_000_000
    (row,) = annotate(MinHash("nemotron-cc", bands=1, rows=1), text)
    assert 30 < row["minhash.shingles"] < 100
    (row,) = annotate(MinHash(), text)
    assert row["minhash.shingles"] == 3


def test_types_are_those_of_stores() -> None:
    kinds = set(MinHash("nemotron-cc").columns.values())
    assert kinds == {pa.uint64(), pa.int64()}


def test_the_page_states_the_recipes_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs/annotators.md").read_text(encoding="utf-8")
    for name, recipe in RECIPES.items():
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", page, re.MULTILINE)
        size, normalisation, bands, found = (cell.strip() for cell in row.split("|"))
        assert size == f"{recipe.n} {recipe.unit}s"
        assert normalisation == f"`{recipe.normalisation}`"
        assert bands == f"{recipe.bands} × {recipe.rows}"
        for similarity, share in zip((0.7, 0.8, 0.9), re.findall(r"([\d.]+) %", found), strict=True):
            chance = 100 * probability(similarity, recipe.bands, recipe.rows)
            assert float(share) == pytest.approx(chance, abs=0.5)

"""MinHash bands of a text's shingles: what near duplicates are found by."""

from __future__ import annotations

import copy
import dataclasses
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters.annotators.per_text import OneText, Positive
from filters.base import Hashes, TextView
from filters.dedup.minhash import Family, band_keys, digest, family
from filters.dedup.shingles import RECIPES, Normalisation, Recipe, Unit, shingles
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError, did_you_mean

Bands = Annotated[int, Field(ge=1, le=256)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]


def _columns(bands: int, label: str = "minhash") -> dict[str, pa.DataType]:
    return {
        **{f"{label}.band_{band:02}": pa.uint64() for band in range(bands)},
        f"{label}.digest": pa.uint64(),
        f"{label}.shingles": pa.int64(),
    }


class MinHash(OneText):
    """minhash.band_00 and so on: a hash of each band of the text's signature (`filters.dedup.minhash`).
    minhash.digest: hash of the set of shingles. minhash.shingles: how many there are.

    A text without a shingle has 0 shingles, and no bands and no digest.

    Args:
        recipe: a published recipe (`filters.dedup.shingles.RECIPES`).
        unit, n, normalisation, bands, rows, seed: in the place of the recipe's own.

    Raises UserError for an unknown recipe.
    """

    name = "minhash"
    version = "1"
    columns = _columns(RECIPES["fineweb"].bands)
    places = frozenset({"recipe", "unit", "n", "normalisation", "bands", "rows", "seed"})
    """All options: what they come to is in `identity`."""

    def __init__(
        self,
        recipe: str = "fineweb",
        *,
        unit: Unit | None = None,
        n: Positive | None = None,
        normalisation: Normalisation | None = None,
        bands: Bands | None = None,
        rows: Positive | None = None,
        seed: Seed | None = None,
    ) -> None:
        if recipe not in RECIPES:
            raise UserError(f"unknown recipe '{recipe}'", mend=did_you_mean(recipe, RECIPES))
        own: dict[str, Any] = {
            "unit": unit,
            "n": n,
            "normalisation": normalisation,
            "bands": bands,
            "rows": rows,
            "seed": seed,
        }
        self.recipe: Recipe = dataclasses.replace(
            RECIPES[recipe], **{name: value for name, value in own.items() if value is not None}
        )
        self.identity = digest_json(dataclasses.asdict(self.recipe))
        self.columns = _columns(self.recipe.bands)

    @cached_property
    def functions(self) -> Family:
        """The recipe's hash functions, drawn when the first text comes: looking at an annotator compiles
        nothing."""
        return family(self.recipe)

    def named(self, label: str) -> MinHash:
        """The annotator with the columns `<label>.band_00` … and the folder `minhash.<label>`."""
        other = copy.copy(self)
        other.name = f"minhash.{label}"
        other.columns = _columns(self.recipe.bands, label)
        return other

    def begin(self, count: int) -> Hashes:
        """Bands, digest and number of shingles, a row a text."""
        return np.zeros((count, len(self.columns)), np.uint64)

    def add(self, values: Hashes, index: int, view: TextView) -> None:
        found = shingles(view, self.recipe)
        if len(found):
            row = values[index]
            row[:-2] = band_keys(found, self.functions)
            row[-2], row[-1] = digest(found), len(found)

    def end(self, values: Hashes) -> dict[str, pa.Array]:
        by_column = np.ascontiguousarray(values.T)
        numbers = by_column[-1].astype(np.int64)
        absent = numbers == 0
        arrays = [pa.array(hashes, mask=absent) for hashes in by_column[:-1]]
        return dict(zip(self.columns, [*arrays, pa.array(numbers)], strict=True))

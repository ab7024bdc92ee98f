"""The common shape of annotators that look at one text at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from filters.base import TextView

Positive = Annotated[int, Field(ge=1)]
"""An option that is a count of at least one."""


class PerText(ABC):
    """An annotator whose values for a text depend on that text alone."""

    name: str
    version: str
    columns: Mapping[str, pa.DataType]

    @abstractmethod
    def measure(self, view: TextView) -> Sequence[Any]:
        """The text's values, in the order of `columns`; None where a value has no meaning (a ratio to
        nothing)."""

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows = [self.measure(view) for view in views]
        return {
            column: pa.array([row[index] for row in rows], kind)
            for index, (column, kind) in enumerate(self.columns.items())
        }


class PerRow(ABC):
    """An annotator whose values for a text depend on that text alone, and that fills in a row of numbers.

    The way of kernels: nothing in between is a Python object.
    """

    name: str
    version: str
    columns: Mapping[str, pa.DataType]

    @abstractmethod
    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        """Write the text's values in the order of `columns`; what stays NaN has no meaning and becomes null.

        Counts and truth values are numbers here too; they are exact up to 2^53.
        """

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows = np.full((len(views), len(self.columns)), np.nan)
        for view, row in zip(views, rows, strict=True):
            self.fill(view, row)
        missing = np.isnan(rows)
        rows[missing] = 0
        return {
            column: pa.array(rows[:, index], mask=missing[:, index]).cast(kind)
            for index, (column, kind) in enumerate(self.columns.items())
        }


def ratio(part: float, whole: float) -> float | None:
    """part / whole, or None where there is no whole."""
    return part / whole if whole else None

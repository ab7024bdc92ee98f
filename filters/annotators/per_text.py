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


class OneText(ABC):
    """An annotator whose values for a text depend on that text alone (`filters.base.OneByOne`)."""

    name: str
    version: str
    columns: Mapping[str, pa.DataType]

    @abstractmethod
    def begin(self, count: int) -> Any:
        """Room for the values of so many texts."""

    @abstractmethod
    def add(self, values: Any, index: int, view: TextView) -> None:
        """Measure one text."""

    @abstractmethod
    def end(self, values: Any) -> dict[str, pa.Array]:
        """One array a column."""

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        values = self.begin(len(views))
        for index, view in enumerate(views):
            self.add(values, index, view)
        return self.end(values)


class PerText(OneText):
    """An annotator that looks at one text at a time and returns its values."""

    @abstractmethod
    def measure(self, view: TextView) -> Sequence[Any]:
        """The text's values, in the order of `columns`; None where a value has no meaning (a ratio to
        nothing)."""

    def begin(self, count: int) -> list[Sequence[Any]]:
        return [()] * count

    def add(self, values: list[Sequence[Any]], index: int, view: TextView) -> None:
        values[index] = self.measure(view)

    def end(self, values: list[Sequence[Any]]) -> dict[str, pa.Array]:
        return {
            column: pa.array([row[index] for row in values], kind)
            for index, (column, kind) in enumerate(self.columns.items())
        }


class PerRow(OneText):
    """An annotator that looks at one text at a time and fills in a row of numbers.

    The way of kernels: nothing in between is a Python object.
    """

    @abstractmethod
    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        """Write the text's values in the order of `columns`; what stays NaN has no meaning and becomes null.

        Counts and truth values are numbers here too; they are exact up to 2^53.
        """

    def begin(self, count: int) -> npt.NDArray[np.float64]:
        return np.full((count, len(self.columns)), np.nan)

    def add(self, values: npt.NDArray[np.float64], index: int, view: TextView) -> None:
        self.fill(view, values[index])

    def end(self, values: npt.NDArray[np.float64]) -> dict[str, pa.Array]:
        return as_arrays(values, self.columns)


def as_arrays(rows: npt.NDArray[np.float64], columns: Mapping[str, pa.DataType]) -> dict[str, pa.Array]:
    """One array a column of rows of numbers; NaN becomes null."""
    by_column = np.ascontiguousarray(rows.T)
    missing = np.isnan(by_column)
    by_column[missing] = 0
    return {
        column: pa.array(numbers, mask=absent).cast(kind)
        for (column, kind), numbers, absent in zip(columns.items(), by_column, missing, strict=True)
    }


def ratio(part: float, whole: float) -> float | None:
    """part / whole, or None where there is no whole."""
    return part / whole if whole else None

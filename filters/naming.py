"""Annotators under another name, so that one kind can run several times in a store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.base import Annotator, TextView
from gristmill.base.errors import UserError

LABEL = r"[a-z][a-z0-9_]*"
"""What a label may be: it becomes part of the names of columns."""


class Renamed:
    """An annotator whose folder is `<name>.<label>` and whose columns are `<label>.<column>`."""

    def __init__(self, annotator: Annotator, label: str) -> None:
        self.annotator = annotator
        self.name = f"{annotator.name}.{label}"
        self.version = annotator.version
        self.places: frozenset[str] = getattr(annotator, "places", frozenset())
        self.identity: str | None = getattr(annotator, "identity", None)
        self.names = {column: f"{label}.{column.partition('.')[2]}" for column in annotator.columns}
        self.columns: Mapping[str, pa.DataType] = {
            self.names[column]: kind for column, kind in annotator.columns.items()
        }

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """The annotator's arrays under the other names."""
        return {self.names[name]: array for name, array in self.annotator.annotate(views, documents).items()}


def renamed(annotator: Annotator, label: str) -> Annotator:
    """The annotator under a label.

    An annotator with a method `named` says itself how its columns are called then; all others get the label
    in the place of their columns' group: `language.top` as `glot` is `glot.top`.

    Raises UserError for a label that cannot be part of a column's name.
    """
    if not re.fullmatch(LABEL, label):
        raise UserError(
            f"'{label}' cannot name columns", mend="begin with a small letter, then small letters, digits, _"
        )
    named = getattr(annotator, "named", None)
    own: Annotator = named(label) if named is not None else Renamed(annotator, label)
    return own

"""What counts as a repeat: how long, in which units, and what becomes of the crumbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from gristmill.base.digest import sha256_file
from gristmill.base.errors import UserError, did_you_mean

Unit = Literal["bytes", "characters", "words", "tokens"]

LENGTH = 100
"""Least length of a repeat, in bytes: Nemotron-CC's (deduplicate-text-datasets, `--length-threshold 100`)."""
LEAST = {"bytes": 8, "characters": 2, "words": 2, "tokens": 2}
"""Shorter repeats are no repeats: in bytes, two characters of four bytes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings on which the values depend.

    Args:
        length: a piece of so many units that stands earlier too is a repeat.
        unit: UTF-8 bytes, code points, words and marks (`TextView.words`; what white space lies between them
            does not matter) or tokens.
        within: whether an earlier place in the same document counts, where the two do not overlap.
        fragment: what is left before, between or behind cuts and has fewer units is cut too.
        tokenizer: a `tokenizer.json`, for tokens.

    Raises UserError for a length or fragment that makes no sense, and where the tokenizer is missing.
    """

    length: int = LENGTH
    unit: Unit = "bytes"
    within: bool = True
    fragment: int = 0
    tokenizer: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise UserError(
                f"unknown unit '{self.unit}'", where="unit", mend=did_you_mean(self.unit, get_args(Unit))
            )
        if self.length < LEAST[self.unit]:
            raise UserError(
                f"a repeat of {self.length} {self.unit} is too short",
                where="length",
                mend=f"at least {LEAST[self.unit]}",
            )
        if self.fragment < 0:
            raise UserError("a fragment cannot have fewer than 0 units", where="fragment")
        if (self.unit == "tokens") != (self.tokenizer is not None):
            raise UserError(
                "tokens need a tokenizer" if self.unit == "tokens" else f"{self.unit} need no tokenizer",
                where="tokenizer",
                mend="name a tokenizer.json" if self.unit == "tokens" else "leave it out",
            )

    @property
    def gram(self) -> int:
        """Units of a k-gram: half a repeat. Shorter ones would have fewer anchors and more false alarms."""
        return (self.length + 1) // 2

    def meaning(self) -> dict[str, Any]:
        """As JSON has them, the tokenizer by its content."""
        return {
            "length": self.length,
            "unit": self.unit,
            "within": self.within,
            "fragment": self.fragment,
            "tokenizer": None if self.tokenizer is None else sha256_file(self.tokenizer),
        }

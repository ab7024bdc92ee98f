"""Items of benchmarks, and the texts of them that are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FIELDS = ("question", "choices", "answer")
"""Kinds of texts of an item. `choices` is the question with its choices, `answer` the solution."""

_CALCULATOR = re.compile(r"<<[^<>]*>>")
_FINAL = re.compile(r"^####\s*", re.MULTILINE)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark.

    `answer` is a worked solution, code, or an explanation; of a question with choices it is not the right
    choice, which by itself says nothing.
    """

    benchmark: str
    id: str
    question: str
    choices: tuple[str, ...] = ()
    answer: str = ""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Field and text of everything that is looked for; a field comes several times where its text is
        written in several ways (choices with and without letters, GSM8K's solutions with and without the
        calculator's marks)."""
        yield "question", self.question
        if self.choices:
            yield "choices", "\n".join((self.question, *self.choices))
            lettered = (
                f"{_LETTERS[number]}. {choice}" if number < len(_LETTERS) else choice
                for number, choice in enumerate(self.choices)
            )
            yield "choices", "\n".join((self.question, *lettered))
        if self.answer:
            yield "answer", self.answer
            plain = _FINAL.sub("", _CALCULATOR.sub("", self.answer))
            if plain != self.answer:
                yield "answer", plain

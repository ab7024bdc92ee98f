"""Amounts as people write them: 6.6T tokens, 300B, 1.5M, 20k; and back."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

_UNITS = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_AMOUNT = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?(?:e[0-9]{1,2})?)\s*([kmbgt]?)", re.IGNORECASE)


def parse_amount(value: Any) -> int:
    """An exact integer from 20_000, 2e4, "20k", "6.6T" or "1.5M". Errors: ValueError for anything else."""
    if isinstance(value, bool):
        raise ValueError("an amount is a number such as 300_000 or 1.5M")
    if isinstance(value, int):
        return value
    text = str(value).strip()
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no amount; write a number such as 300_000, 1.5M, 20B or 6.6T")
    exact = Decimal(match[1].replace("_", "")).scaleb(_UNITS[match[2].lower()])
    if exact != exact.to_integral_value():
        raise ValueError(f"'{text}' is no whole number")
    return int(exact)


def format_amount(value: float | Fraction) -> str:
    """A short spelling with at most four significant digits: 6.586T, 300B, 1.5M, 999."""
    number = float(value)
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size * 0.99995:
            return f"{number / size:.4g}{unit}"
    return f"{number:.4g}"


def exact(value: float) -> Fraction:
    """The decimal number that was written, exactly: 0.1 is 1/10, not the nearest binary fraction."""
    return Fraction(str(value))


Amount = Annotated[
    int,
    BeforeValidator(parse_amount),
    Field(gt=0, le=10**18),
    WithJsonSchema({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
"""A positive whole number; 300_000, "1.5M", "20B" and "6.6T" are all understood."""

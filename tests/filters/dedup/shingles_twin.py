"""Shingles once more, slowly, from strings: what `filters.dedup.shingles` must agree with, hash by hash."""

from __future__ import annotations

import unicodedata

import regex
from datatrove.utils.text import PUNCTUATION

from filters.base import TextView
from filters.characters import AFFIX, PREFIX, UNSPACED, class_table
from filters.dedup.shingles import Recipe
from filters.hashing import BASE

PIECES = regex.compile(r"\p{Nd}+(?:[.,،٫⎖⎗⎘]\p{Nd}+)?|.", regex.DOTALL)
"""A number, or any other character."""
MASK = 2**64 - 1


def simple(piece: str) -> str:
    """A number or a character in its simple form; a space where it separates."""
    if unicodedata.category(piece[0]) == "Nd":
        return "0"
    if piece.isspace() or piece in PUNCTUATION:
        return " "
    small = "σ" if piece in "Σς" else piece.lower()
    return "".join(part for part in unicodedata.normalize("NFD", small) if unicodedata.category(part) != "Mn")


def simplified(text: str, *, words: bool) -> str:
    cuts = TextView(text).cuts
    classes = class_table()
    found = ""
    before = False
    for match in PIECES.finditer(text):
        piece = simple(match[0])
        if words and cuts is not None and cuts[match.start()]:
            found += " "
        if words and piece.strip():
            flags = classes[ord(match[0][0])] if piece != "0" else 0
            unspaced = bool(flags & UNSPACED)
            if unspaced != before:
                found += " "
            before = unspaced
            if flags & (AFFIX | PREFIX):
                piece = f" {piece} "
        found += piece
    return " ".join(part for part in found.split(" ") if part)


def scramble(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31


def polynomial(values: list[int]) -> int:
    total = 0
    for value in values:
        total = (total * BASE + value) & MASK
    return scramble(total)


def word_hash(word: str) -> int:
    return polynomial([scramble(ord(character) + 1) for character in word])


def units(text: str, recipe: Recipe) -> list[str]:
    """The words or characters that shingles are made of."""
    if recipe.normalisation == "none":
        if recipe.unit == "word":
            return list(TextView(text).words.of(text))
        return list(text) if text.strip() else []
    found = simplified(text, words=recipe.unit == "word")
    return found.split() if recipe.unit == "word" else list(found)


def grams(text: str, recipe: Recipe) -> set[tuple[str, ...]]:
    """The shingles themselves."""
    found = units(text, recipe)
    if not found:
        return set()
    return {tuple(found[at : at + recipe.n]) for at in range(max(1, len(found) - recipe.n + 1))}


def shingles(text: str, recipe: Recipe) -> list[int]:
    """Their hashes, ascending."""
    value = word_hash if recipe.unit == "word" else lambda character: scramble(ord(character) + 1)
    return sorted({polynomial([value(unit) for unit in gram]) for gram in grams(text, recipe)})

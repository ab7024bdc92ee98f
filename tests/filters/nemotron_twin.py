"""Nemotron-CC's heuristic measures, slow and readable, from the definitions in NeMo Curator's
documentation and configuration: the oracle of `filters.annotators.nemotron_cc` for texts that are written
with spaces."""

from __future__ import annotations

import functools
import re
from collections import Counter

import regex

from filters.annotators.nemotron_cc import BOILERPLATE

ENDINGS = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
COMMON = {"the", "be", "to", "of", "and", "that", "have", "with"}
BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")
URL = re.compile(r"https?://(?:[A-Za-z0-9]|[$\-_@.&+/:=?#~]|[!*(),]|%[0-9A-Fa-f]{2})+")
# The last ones are whole banners, quoted in the annotator.
PHRASES = (
    *(
        "terms of use",
        "privacy policy",
        "cookie policy",
        "uses cookies",
        "privacy overview",
        "use of cookies",
    ),
    *("use cookies", "privacy & cookies policy", "privacy and cookies policy"),
    *BOILERPLATE[-3:],
)

Row = dict[str, float | int | None]


@functools.cache
def measures(text: str) -> Row:
    """Column to value, as the annotator gives them; None where there is nothing to divide by."""
    words = text.split()
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = text.split("\n\n")
    row: Row = {
        "non_english_ratio": share(len(re.findall("[^a-zA-Z0-9\\n?!,.]", text)), len(text)),
        "digit_ratio": share(len(regex.findall("[[:digit:]]", text)), len(text)),
        "url_ratio": share(sum(map(len, URL.findall(text))), len(text)),
        "white_space_ratio": share(sum(c in "\t\n\r\b " for c in text), len(text)),
        "parenthesis_ratio": share(sum(c in "{}⟨⟩[]()" for c in text), len(text)),
        "boilerplate_paragraph_ratio": boilerplate(paragraphs),
        "distinct_line_ratio": share(len(set(lines)), len(lines)),
        "distinct_line_characters": share(len("".join(set(lines))), len("".join(lines))),
        "distinct_paragraph_ratio": share(len(set(paragraphs)), len(paragraphs)),
        "distinct_paragraph_characters": share(len("".join(set(paragraphs))), len("".join(paragraphs))),
        "unmarked_line_ratio": share(
            sum(not line.strip().endswith((".", "?", "!", '"', "'")) for line in lines), len(lines)
        ),
        "ellipsis_line_ratio": share(
            sum(line.strip().lower().endswith(ENDINGS) for line in lines), len(lines)
        ),
        "bullet_line_ratio": share(sum(line.strip().startswith(BULLETS) for line in lines), len(lines)),
        "words": len(words),
        "symbol_word_ratio": share(
            sum(word in ENDINGS or len(re.findall("#+", word)) / len(word) > 0.5 for word in words),
            len(words),
        ),
        "alpha_word_ratio": share(sum(bool(regex.search("[[:alpha:]]", word)) for word in words), len(words)),
        "common_words": sum(word in COMMON for word in words),
        "mean_word_length": share(sum(map(len, words)), len(words)),
        "longest_word": max(map(len, words), default=None),
    }
    for n in (2, 3, 4):
        row[f"top_{n}_gram"] = top(text, words, n)
    for n in range(5, 11):
        row[f"repeated_{n}_gram"] = repeated(text, words, n)
    return row


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def boilerplate(paragraphs: list[str]) -> float:
    lowered = [paragraph.strip().lower() for paragraph in paragraphs]
    if any("lorem ipsum" in paragraph for paragraph in lowered):
        return 1.0
    return sum(any(phrase in paragraph for phrase in PHRASES) for paragraph in lowered) / len(lowered)


def top(text: str, words: list[str], n: int) -> float | None:
    """What is lost when the most frequent n-gram (the first of equals) is taken out of the raw text."""
    if len(words) < n:
        return None
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    phrase = " ".join(max(grams, key=lambda gram: grams[gram]))
    return (len(text) - len(text.replace(phrase, ""))) / len(text)


def repeated(text: str, words: list[str], n: int) -> float | None:
    """Characters of the words inside n-grams that came before, and of the spaces within a repeated
    stretch."""
    if len(words) < n:
        return None
    seen = set()
    inside: set[int] = set()
    spaces: set[int] = set()
    for i in range(len(words) - n + 1):
        gram = tuple(words[i : i + n])
        if gram in seen:
            inside |= set(range(i, i + n))
            spaces |= set(range(i, i + n - 1))
        seen.add(gram)
    return (sum(len(words[i]) for i in inside) + len(spaces)) / len(text)

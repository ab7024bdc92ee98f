"""No rule set drops more than a twentieth of clean text in a language that it is meant for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import languages
from filters.rules import shipped_rulesets

TEXTS = 120
"""Of each language: enough to tell a twentieth from a tenth."""


def test_clean_text_passes_in_every_language(testdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "ROOT", testdata)
    met: Counter[str] = Counter()
    chosen = []
    everything = languages.references(quick=True)
    total = Counter(language for language, _, _ in everything)
    for number, (language, source, text) in enumerate(everything):
        # spread over the sources
        if number % max(1, total[language] // TEXTS) == 0 and met[language] < TEXTS:
            met[language] += 1
            chosen.append((language, source, text))
    assert set(met) == set(languages.LANGUAGES)
    dropped = languages.dropped(chosen, languages.annotated(chosen))
    over = {
        (name, language): (share, reason)
        for name, shares in dropped.items()
        for language, (share, reason) in shares.items()
        if share > languages.LIMIT
    }
    assert not over


def test_the_rule_sets_that_are_measured_are_shipped() -> None:
    assert set(languages.RULE_SETS) <= set(shipped_rulesets())


@pytest.mark.parametrize("language", ["ja", "en"])
def test_texts_that_are_put_together_are_long_enough_and_whole(language: str) -> None:
    parts = [f"{number} {'x' * 90}" for number in range(100)]
    joined = list(languages.pieces(parts, language, "\n"))
    assert all(languages.CHARACTERS // 2 <= len(text) <= languages.CHARACTERS + 100 for text in joined)
    assert "\n".join(joined) == "\n".join(parts)[: len("\n".join(joined))]


def test_what_an_article_says_twice_is_taken_once() -> None:
    first = "The mill stands by the river and its wheel turns day and night."
    assert languages.different(
        [first, first + " It is old.", "The miller is away today, says his wife."]
    ) == [
        first,
        "The miller is away today, says his wife.",
    ]

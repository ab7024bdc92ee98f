"""Stop words of sixteen languages, and the rule set that takes each language's own, against datatrove's
filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import (
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)
from datatrove.pipeline.filters.base_filter import get_filter_result

from filters.annotators.stop_words import LANGUAGES, StopWords, stop_words
from filters.base import TextView, annotate_texts
from filters.decide import bind
from filters.registry import build_annotator, known_columns
from filters.rules import load_ruleset
from tests.filters.samples import HOSTILE, real_texts, rows
from tests.filters.test_published_filters import our_words


def counts(texts: list[str]) -> list[dict[str, int]]:
    (table,) = annotate_texts([StopWords()], texts).values()
    return [{name.partition(".")[2]: n for name, n in row.items()} for row in table.to_pylist()]


def test_lists_and_languages_are_the_same() -> None:
    assert tuple(sorted(stop_words())) == LANGUAGES
    assert all(len(set(words)) == len(words) >= 8 for words in stop_words().values())


def test_words_are_counted_as_a_reader_would(testdata: Path) -> None:
    texts = [*HOSTILE.values(), *real_texts(testdata)[::23]]
    for text, found in zip(texts, counts(texts), strict=True):
        words = set(TextView(text).words.of(text))
        for language in LANGUAGES:
            listed = [word for word in stop_words()[language] if len(TextView(word).words) == 1]
            assert found[language] == len(words.intersection(listed)), language


def test_the_declaration_of_human_rights_has_most_words_of_its_own_language(testdata: Path) -> None:
    samples = list(rows(testdata / "multilingual/udhr_16lang.jsonl.zst"))
    for row, found in zip(samples, counts([row["text"] for row in samples]), strict=True):
        own = found[row["lang"]] / len(stop_words()[row["lang"]])
        others = {code: n / len(stop_words()[code]) for code, n in found.items() if code != row["lang"]}
        assert own > max(others.values()), row["lang"]
        assert found[row["lang"]] >= 5


# configs/*.yml of FineWeb-2, commit d0defb24. The share of words with a letter is 0.06 lower in our rules.
CONFIGS: dict[str, dict[str, Any]] = {
    "de": {
        "lines": 0.263, "top": (0.169, 0.153, 0.137), "repeated": (0.141, 0.134, 0.126, 0.117, 0.108, 0.098),
        "punctuation": 0.0, "newlines": 0.152, "length": (0, 15), "letters": 0.774,
    },
    "ja": {
        "lines": 0.328, "top": (0.239, 0.196, 0.172), "repeated": (0.243, 0.225, 0.207, 0.19, 0.175, 0.159),
        "punctuation": 0.096, "newlines": 0.13, "length": (1, 6), "letters": 0.759,
    },
    "zh": {
        "lines": 0.287, "top": (0.256, 0.201, 0.171), "repeated": (0.198, 0.182, 0.167, 0.154, 0.14, 0.127),
        "punctuation": 0.106, "newlines": 0.178, "length": (1, 5), "letters": 0.735,
    },
}  # fmt: skip


@pytest.mark.parametrize("language", CONFIGS)
def test_fineweb_2_decides_as_datatroves_filters_with_its_configuration(
    testdata: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter):
        monkeypatch.setattr(module, "split_into_words", our_words)
    config = CONFIGS[language]
    filters = [
        GopherRepetitionFilter(
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            dup_line_frac=config["lines"],
            top_n_grams=tuple(zip((2, 3, 4), config["top"], strict=True)),
            dup_n_grams=tuple(zip(range(5, 11), config["repeated"], strict=True)),
        ),
        FineWebQualityFilter(
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=config["punctuation"],
            new_line_ratio=config["newlines"],
        ),
        GopherQualityFilter(
            min_avg_word_length=config["length"][0],
            max_avg_word_length=config["length"][1],
            max_non_alpha_words_ratio=round(config["letters"] - 0.06, 3),
            stop_words=[word for word in stop_words()[language] if len(our_words(word)) == 1],
        ),
    ]
    texts = [text for text in (*HOSTILE.values(), *real_texts(testdata)[::3]) if text.strip()]
    theirs = []
    for text in texts:
        verdicts = (get_filter_result(judge.filter(Document(text=text, id=""))) for judge in filters)
        theirs.append(next((reason for kept, reason in verdicts if not kept), None))
    ours = decide(texts, language)
    different = [
        (mine, other, text[:80])
        for mine, other, text in zip(ours, theirs, texts, strict=True)
        if mine != other
    ]
    assert not different, (len(different), different[:5])
    assert len(set(theirs)) > 8


def decide(texts: list[str], language: str) -> list[str | None]:
    columns: dict[str, Any] = {
        "id": pa.array([str(number) for number in range(len(texts))]),
        "language.top": pa.array([language] * len(texts)),
        "language.score": pa.array([1.0] * len(texts)),
    }
    annotators = [build_annotator(name) for name in ("gopher", "gopher_repetition", "fineweb", "stop_words")]
    for table in annotate_texts(annotators, texts).values():
        columns |= dict(zip(table.column_names, table.columns, strict=True))
    reasons: list[str | None] = (
        bind(load_ruleset("fineweb-2"), known_columns())
        .decide(pa.table(columns))
        .column("reason")
        .to_pylist()
    )
    return reasons

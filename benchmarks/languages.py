"""Fifteen languages and English: is the language found, and does clean text pass the rule sets?

    python benchmarks/languages.py [--quick] [--json]

Language: accuracy of the packaged lid.176.ftz on single sentences (lingua's test set, and Universal
Dependencies). Rule sets: the share of clean reference texts that each drops, for every language it is meant
for, and the reason that drops most. Reference texts are the Declaration of Human Rights in pieces, Universal
Dependencies' sentences put together by twenties, the articles of reading comprehension sets put together, and
Wikipedia (de, ko, zh): all written by people and looked over by others. No rule set meant for a language may
drop more than 5 % of it.

Data: GRISTMILL_TESTDATA (default ../shared/data), folder `multilingual`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

sys.path.insert(0, str(Path(__file__).parents[1]))

from filters.base import annotate_texts
from filters.decide import bind
from filters.registry import build_annotator, known_columns
from filters.rules import load_ruleset

ROOT = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
LANGUAGES = ("ar", "da", "de", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "th", "zh", "en")
FIFTEEN = LANGUAGES[:-1]
RULE_SETS = {
    "gopher": ("en",),
    "c4": ("en",),
    "fineweb": ("en",),
    "nemotron-cc-english": ("en",),
    "nemotron-cc-non-english": FIFTEEN,
    "fineweb-2": LANGUAGES,
}
"""Shipped rule sets, and the languages that each is meant for."""
ANNOTATORS = ("language", "gopher", "gopher_repetition", "c4", "fineweb", "nemotron_cc", "stop_words")
LIMIT = 0.05
CHARACTERS = 1500
"""Pieces of a long text are about so long, and texts that are put together are at least; half of it where
words have no spaces."""


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Rows of a test file."""
    with zstandard.open(ROOT / "multilingual" / f"{name}.jsonl.zst", "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def pieces(parts: list[str], language: str, joint: str) -> Iterator[str]:
    """Parts put together to texts of about CHARACTERS; what is left at the end is left out."""
    length = CHARACTERS // 2 if language in ("ja", "ko", "th", "zh") else CHARACTERS
    waiting: list[str] = []
    for part in parts:
        waiting.append(part.strip())
        if sum(map(len, waiting)) >= length:
            yield joint.join(waiting)
            waiting = []


def different(contexts: Iterable[str]) -> list[str]:
    """The contexts that share less than a fifth of their 20-character pieces with those before.

    ARCD has the beginning of most articles twice, in two versions; a rule that finds repetition would be
    right."""
    seen: set[str] = set()
    kept = []
    for context in contexts:
        pieces = {context[at : at + 20] for at in range(max(1, len(context) - 19))}
        if len(pieces & seen) < 0.2 * len(pieces):
            kept.append(context)
        seen |= pieces
    return kept


def references(quick: bool) -> list[tuple[str, str, str]]:
    """Language, source and text of the clean texts."""
    texts: list[tuple[str, str, str]] = []
    for row in rows("udhr_16lang"):
        texts += [(row["lang"], "udhr", text) for text in pieces(row["text"].splitlines(), row["lang"], "\n")]
    for (language, name), group in groupby(
        rows("ud_sentences_15lang"), key=lambda row: (row["lang"], row["set"])
    ):
        sentences = [row["text"] for row in group]
        paragraphs = [" ".join(sentences[at : at + 5]) for at in range(0, len(sentences), 5)]
        texts += [(language, f"ud {name}", text) for text in pieces(paragraphs, language, "\n\n")]
    articles: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for row in rows("multilingual_rc"):
        language = row["lang"].removesuffix("-Hant")
        articles[language, row["set"], row.get("title") or row["context"]][row["context"]] = None
    for (language, name, _), contexts in articles.items():
        texts += [(language, name, text) for text in pieces(different(contexts), language, "\n\n")]
    for language in ("de", "ko", "zh"):
        count = 60 if quick else 400
        long = (row["text"] for row in rows(f"wiki_{language}") if len(row["text"]) >= CHARACTERS)
        texts += [(language, "wikipedia", text[:20_000]) for text in islice(long, count)]
    return [item for item in texts if item[0] in LANGUAGES]


def accuracies(quick: bool) -> dict[str, dict[str, float]]:
    """By set and language, the share of sentences whose language is found."""
    language = build_annotator("language")
    found: dict[str, dict[str, float]] = {}
    for name in ("lid_lingua_16lang", "ud_sentences_15lang"):
        samples = [row for row in rows(name) if row["lang"] in LANGUAGES]
        samples = samples[:: 10 if quick else 1]
        (table,) = annotate_texts([language], [row["text"] for row in samples]).values()
        top = table.column("language.top").to_pylist()
        total = Counter(row["lang"] for row in samples)
        right = Counter(row["lang"] for row, label in zip(samples, top, strict=True) if row["lang"] == label)
        found[name.partition("_")[0]] = {code: right[code] / total[code] for code in LANGUAGES if total[code]}
    return found


def annotated(texts: list[tuple[str, str, str]]) -> pa.Table:
    """The columns that the rule sets ask for, a row a text."""
    annotators = [build_annotator(name) for name in ANNOTATORS]
    columns: dict[str, Any] = {"id": pa.array([str(number) for number in range(len(texts))])}
    for table in annotate_texts(annotators, [text for _, _, text in texts]).values():
        columns |= dict(zip(table.column_names, table.columns, strict=True))
    return pa.table(columns)


def dropped(texts: list[tuple[str, str, str]], together: pa.Table) -> dict[str, dict[str, tuple[float, str]]]:
    """By rule set and language, the share of texts that it drops, and the commonest reason."""
    found: dict[str, dict[str, tuple[float, str]]] = {}
    for name, languages in RULE_SETS.items():
        decisions = bind(load_ruleset(name), known_columns()).decide(together).to_pylist()
        reasons: dict[str, list[str]] = defaultdict(list)
        for (language, _, _), decision in zip(texts, decisions, strict=True):
            reasons[language].append("" if decision["keep"] else decision["reason"])
        found[name] = {}
        for language in languages:
            counts = Counter(reasons[language])
            kept = counts.pop("", 0)
            share = 1 - kept / len(reasons[language])
            found[name][language] = (share, counts.most_common(1)[0][0] if counts else "")
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the sentences, fewer articles")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--examples", metavar="RULESET", help="print the texts that a rule set drops, and why"
    )
    options = parser.parse_args()
    right = accuracies(options.quick)
    texts = references(options.quick)
    together = annotated(texts)
    drops = dropped(texts, together)
    counts = Counter(language for language, _, _ in texts)
    over = sorted(
        f"{name}:{language}"
        for name, shares in drops.items()
        for language, (share, _) in shares.items()
        if share > LIMIT
    )
    worst = max(share for shares in drops.values() for share, _ in shares.values())
    print(f"{'':10}{'found, %':>16}{'':>9}   dropped, % (limit {LIMIT:.0%}), and the commonest reason")
    print(
        f"{'language':10}{'lingua':>8}{'UD':>8}{'texts':>9}   "
        + "".join(f"{name:26}" for name in RULE_SETS if len(RULE_SETS[name]) > 1)
    )
    for language in LANGUAGES:
        line = f"{language:10}"
        for name in ("lid", "ud"):
            share = right[name].get(language)
            line += f"{100 * share:8.1f}" if share is not None else f"{'':8}"
        line += f"{counts[language]:9}   "
        for name, languages in RULE_SETS.items():
            if len(languages) > 1:
                share, reason = drops[name].get(language, (None, ""))
                line += f"{100 * share:5.1f} {reason:20}" if share is not None else f"{'':26}"
        print(line)
    for name, languages in RULE_SETS.items():
        if languages == ("en",):
            share, reason = drops[name]["en"]
            print(f"en only: {name:26}{100 * share:5.1f} {reason}")
    print("over the limit: " + (", ".join(over) or "none"))
    if options.examples:
        show(texts, together, options.examples)
    if options.json:
        result: dict[str, Any] = {
            "accuracy_mean": round(sum(right["lid"].values()) / len(right["lid"]), 4),
            "accuracy_min": round(min(right["lid"].values()), 4),
            "accuracy_ud_mean": round(sum(right["ud"].values()) / len(right["ud"]), 4),
            "dropped_max": round(worst, 4),
            "over_limit": len(over),
            "texts": len(texts),
        }
        for name, shares in drops.items():
            result[f"dropped_max_{name.replace('-', '_')}"] = round(
                max(share for share, _ in shares.values()), 4
            )
        print(json.dumps(result))


def show(texts: list[tuple[str, str, str]], together: pa.Table, name: str) -> None:
    """Print the texts that a rule set drops in the languages it is meant for."""
    decisions = bind(load_ruleset(name), known_columns()).decide(together).to_pylist()
    for (language, source, text), decision in zip(texts, decisions, strict=True):
        if language in RULE_SETS[name] and not decision["keep"]:
            print(f"{language} {source} {decision['reason']}: {text[:160]!r}")


if __name__ == "__main__":
    main()

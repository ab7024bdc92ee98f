"""Texts for tests: real ones, and hostile ones that nobody should have to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import zstandard

HOSTILE = {
    "empty": "",
    "spaces": " \n\t \u00a0\r\n ",
    "newlines": "\n" * 1000,
    "control bytes": "".join(map(chr, range(32))) * 10,
    "lone surrogates": "a\ud800 b\udfff" * 50,
    "nul": "word \x00 word. " * 100,
    "one mark": ".",
    "ellipses": "wait... what…\n" * 50,
    "one word": "a",
    "long word": "a" * 5000 + " and the rest of it.",
    "repeats": "the same words again and again. " * 300,
    "repeated lines": "The same line that ends here.\n" * 100,
    "combining": "e" + "\u0301" * 1000,
    "right to left": "\u202eمرحبا بالعالم. " * 20,
    "emoji": "👩‍👩‍👧‍👦 family! " * 20,
    "dotted capital": "İSTANBUL İS A CITY OF THE WORLD. PRIVACY POLİCY OF USE. " * 9,
    "citations": "One fact[1] of the world.[2][citation needed] It ends.[edit]\nAnother line here. [3]\n" * 9,
    "braces": "A line with words and a {brace} in it.\nThe javascript line { is skipped.\n" * 5,
}


def rows(path: Path, count: int | None = None) -> Iterator[dict[str, Any]]:
    """The first rows of a JSON-lines file."""
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        for line in islice(file, count):
            yield json.loads(line)


def real_texts(testdata: Path) -> list[str]:
    """About 1,200 real texts: judged web pages, articles and paragraphs of articles, in six languages."""
    texts = [row["text"] for row in rows(testdata / "quality/dclm_human_labels.jsonl.zst")]
    articles = [row["text"] for row in rows(testdata / "text/wiki_en_featured.jsonl.zst", 60)]
    texts += [article[:20_000] for article in articles]
    texts += [paragraph for article in articles[:12] for paragraph in article.split("\n\n")[:20]]
    for language in ("de", "ko", "zh"):
        texts += [
            row["text"][:10_000] for row in rows(testdata / f"multilingual/wiki_{language}.jsonl.zst", 80)
        ]
    texts += [
        row["text"][:10_000] for row in rows(testdata / "multilingual/register_web_fr_sv.jsonl.zst", 200)
    ]
    return texts


def english_texts(testdata: Path) -> list[str]:
    """About 240 English texts: judged web pages and articles."""
    texts = [row["text"] for row in rows(testdata / "quality/dclm_human_labels.jsonl.zst", 220)]
    return texts + [row["text"][:20_000] for row in rows(testdata / "text/wiki_en_featured.jsonl.zst", 20)]

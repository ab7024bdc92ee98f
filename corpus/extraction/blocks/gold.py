"""Pages with the main text that people say they have: what the model is trained on and measured with.

A set is two files, `NAME.warc.gz` and `NAME.gold.jsonl.zst`. A line of the gold has `url`, and where known
`main_content` (plain text), `page_type`, `with` and `without` (snippets that a text must and must not have).
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from corpus.extraction.charset import decode
from filters.domains import registrable_domain

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class GoldPage:
    """A page and what people say of it."""

    url: str
    html: str
    text: str
    """Its main text; empty where nobody has said."""
    kind: str = ""
    """article, forum, product, …"""
    wanted: tuple[str, ...] = ()
    """Snippets that the main text must have."""
    unwanted: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The registrable domain, or the host where there is none."""
        host = (urlsplit(self.url).hostname or "").lower()
        return registrable_domain(host) or host


def read_gold(folder: Path, name: str) -> list[GoldPage]:
    """The pages of a set, in the order of the archive.

    Raises OSError where the files are not there, ValueError where a page has no gold. Records whose address
    is not in the gold take, in order, the lines whose address is not in the archive: one page of the set
    `wcxb_dev` has the address of another upstream.
    """
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    lines: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
    for line in _lines(folder / f"{name}.gold.jsonl.zst"):
        lines[line["url"]].append(line)
    pages: list[tuple[str, str, dict[str, Any] | None]] = []
    with (folder / f"{name}.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True):
            url = record.headers["WARC-Target-URI"]
            html, _ = decode(record.reader.read(), record.http_charset, True)
            pages.append((url, html, lines[url].popleft() if lines[url] else None))
    rest = deque(line for left in lines.values() for line in left)
    gold = []
    for url, html, found in pages:
        if found is None and not rest:
            raise ValueError(f"{name}: no gold for {url}")
        gold.append(_page(url, html, found or rest.popleft()))
    return gold


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    with pa.input_stream(str(path), compression="zstd") as file:
        yield from map(json.loads, file.read().splitlines())


def _page(url: str, html: str, line: dict[str, Any]) -> GoldPage:
    return GoldPage(
        url,
        html,
        (line.get("main_content") or "").strip(),
        line.get("page_type") or "",
        tuple(line.get("with") or ()),
        tuple(line.get("without") or ()),
    )


def words(text: str) -> list[str]:
    r"""The words that count: `\w+`, lower case (Murrough-Foley/web-content-extraction-benchmark)."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True, slots=True)
class WordScore:
    """Agreement of two texts as bags of words."""

    f1: float
    precision: float
    recall: float


def word_score(text: str, gold: str) -> WordScore:
    """How well a text agrees with the gold. Without a common word all is 0, also for an empty gold."""
    got, wanted = Counter(words(text)), Counter(words(gold))
    common = (got & wanted).total()
    if not common:
        return WordScore(0.0, 0.0, 0.0)
    precision, recall = common / got.total(), common / wanted.total()
    return WordScore(2 * common / (got.total() + wanted.total()), precision, recall)

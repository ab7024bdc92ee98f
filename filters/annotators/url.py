"""What a document's address says: where it comes from, and whether anybody would want it.

Words in addresses are the URL scoring of RefinedWeb (Penedo et al. 2023, arXiv 2306.01116, appendix G.1.2),
as datatrove's URLFilter has it: a word that alone condemns, soft words of which it takes two, and parts of
words. The shipped words (filters/data/url_words.yaml) are few and this project's own."""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from filters.base import TextView
from filters.blocklists import digest_files, list_files, load_blocklist
from filters.domains import registrable_domain
from filters.urls import MAX_CHARACTERS, Url, parse_url
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError

WORDS = "data/url_words.yaml"
_WORD = re.compile(r"[a-z0-9]+")
_BETWEEN = re.compile(r"[^a-z0-9]+")


class UrlAnnotator:
    """Measures of the address, `Document.metadata["url"]`.

    url.normalized: the address in its normal form (`filters.urls`). url.host, url.domain (the part that
    someone registered), url.tld (the last label). url.depth: folders and file of the path. All null where
    there is no address of the web. url.blocked: category of the blocklist that has it; url.blocked_by:
    whether its `url`, `host` or `domain` (a parent of the host) is listed. Null where it is not listed.
    url.banned_words, url.soft_words: how many of the words it has, each counted once. url.banned_parts: how
    many parts of words, looked for in its letters and digits put together.

    Args:
        blocklists: folders of lists (UT1's form); none by default.
        categories: those categories of the lists that count, in the order in which they do; all by default.
        banned_words, soft_words, banned_parts: words, or the path of a file with one a line; the shipped ones
        by default.
    """

    name = "url"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "url.normalized": pa.string(),
        "url.host": pa.string(),
        "url.domain": pa.string(),
        "url.tld": pa.string(),
        "url.depth": pa.int64(),
        "url.blocked": pa.string(),
        "url.blocked_by": pa.string(),
        "url.banned_words": pa.int64(),
        "url.soft_words": pa.int64(),
        "url.banned_parts": pa.int64(),
    }
    places = frozenset({"blocklists", "banned_words", "soft_words", "banned_parts"})

    def __init__(
        self,
        blocklists: str | Sequence[str] = (),
        categories: Sequence[str] | None = None,
        banned_words: str | Sequence[str] | None = None,
        soft_words: str | Sequence[str] | None = None,
        banned_parts: str | Sequence[str] | None = None,
    ) -> None:
        folders = [blocklists] if isinstance(blocklists, str) else blocklists
        files = list_files([Path(folder) for folder in folders], categories)
        self.files = tuple(files)
        shipped = shipped_words()
        self.banned = _words(banned_words, shipped["banned_words"], "banned_words")
        self.soft = _words(soft_words, shipped["soft_words"], "soft_words")
        self.parts = _words(banned_parts, shipped["banned_parts"], "banned_parts")
        self._part = re.compile("|".join(sorted(self.parts))) if self.parts else None
        self.identity = digest_json([digest_files(files), *map(sorted, (self.banned, self.soft, self.parts))])

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        addresses = [document.get("url") for document in documents]
        urls = [parse_url(address) if isinstance(address, str) else None for address in addresses]
        listed = load_blocklist(self.files).match(urls) if self.files else [None] * len(urls)
        rows = [
            (*_place(url), *(blocked or (None, None)), *self._count(address))
            for url, address, blocked in zip(urls, addresses, listed, strict=True)
        ]
        return {
            name: pa.array([row[index] for row in rows], kind)
            for index, (name, kind) in enumerate(self.columns.items())
        }

    def _count(self, address: Any) -> tuple[int | None, int | None, int | None]:
        if not isinstance(address, str):
            return None, None, None
        small = address[:MAX_CHARACTERS].lower()
        words = set(_WORD.findall(small))
        parts = len(set(self._part.findall(_BETWEEN.sub("", small)))) if self._part is not None else 0
        return len(words & self.banned), len(words & self.soft), parts


def _place(url: Url | None) -> tuple[str | None, str | None, str | None, str | None, int | None]:
    if url is None:
        return None, None, None, None, None
    last = url.host.rpartition(".")[2]
    tld = last if "." in url.host and not last.isdigit() else None
    depth = url.path.count("/") if url.path != "/" else 0
    return str(url), url.host, registrable_domain(url.host), tld, depth


@functools.cache
def shipped_words() -> dict[str, list[str]]:
    """The shipped words by the name of their option."""
    content = yaml.safe_load((importlib.resources.files("filters") / WORDS).read_text(encoding="utf-8"))
    words: dict[str, list[str]] = content["words"]
    return words


def _words(chosen: str | Sequence[str] | None, default: Sequence[str], option: str) -> frozenset[str]:
    """Words as they are looked for: small letters and digits alone, as datatrove's `normalize` makes them."""
    if isinstance(chosen, str):
        try:
            lines: Sequence[str] = Path(chosen).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the words of `{option}`: {error}", where=chosen) from None
        chosen = [line for line in lines if not line.startswith("#")]
    words = (_BETWEEN.sub("", word.lower()) for word in (default if chosen is None else chosen))
    return frozenset(word for word in words if word)

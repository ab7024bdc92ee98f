"""Keys of addresses: rule by rule, and for any address that twice is once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.annotators.url_key import UrlKey
from filters.base import annotate_texts
from filters.registry import build_annotator
from filters.urls import normalise_url
from tests.filters.test_urls import PARTS


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("HTTP://User:pass@WWW.Example.COM:80/a/../b/?utm_source=x&b=2&a=1#top", "https://example.com/b/?a=1&b=2"),
        ("https://example.com", "https://example.com/"),
        ("http://example.com:443/", "https://example.com/"),
        ("http://example.com:8080/", "https://example.com:8080/"),
        # What a server may tell apart.
        ("http://example.com/a/", "https://example.com/a/"),
        ("http://example.com/a", "https://example.com/a"),
        ("http://example.com/index.html", "https://example.com/index.html"),
        ("http://example.com/A?B=C", "https://example.com/A?B=C"),
        ("http://www2.example.com/", "https://www2.example.com/"),
        ("http://m.example.com/", "https://m.example.com/"),
        # www. is no mere prefix where nothing registered is left.
        ("http://www.com/", "https://www.com/"),
        ("http://www.co.uk/", "https://www.co.uk/"),
        ("http://www.example.co.uk/", "https://example.co.uk/"),
        ("http://www.www.example.com/", "https://example.com/"),
        ("http://www.localhost/", "https://www.localhost/"),
        ("http://www.192.168.0.1/", "https://www.192.168.0.1/"),
        # RFC 3986, 5.2.4 and 6.2.2.
        ("http://example.com/a/b/c/./../../g", "https://example.com/a/g"),
        ("http://example.com/a/b/..", "https://example.com/a/"),
        ("http://example.com/a/b/.", "https://example.com/a/b/"),
        ("http://example.com/../../g", "https://example.com/g"),
        ("http://example.com/a//b", "https://example.com/a//b"),
        ("http://example.com/%7euser/%3a/%e4%b8%ad", "https://example.com/~user/%3A/%E4%B8%AD"),
        ("http://example.com/%2e%2E/a", "https://example.com/a"),
        ("http://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
        # Fragments.
        ("http://example.com/#!/page/2", "https://example.com/#!/page/2"),
        ("http://example.com/#!", "https://example.com/"),
        ("http://example.com/#/page", "https://example.com/"),
        # Sessions, tracking, order.
        ("http://example.com/a;jsessionid=12/b?PHPSESSID=1&fbclid=2&id=3", "https://example.com/a/b?id=3"),
        ("http://example.com/?b=2&a=2&a=1", "https://example.com/?a=2&a=1&b=2"),
        ("http://example.com/?utm_source=a", "https://example.com/"),
        ("http://example.com/?", "https://example.com/"),
        ("ftp://example.com/", None),
        ("mailto:a@example.com", None),
        ("http://example.com/" + "\u4e2d" * 3000, None),
        ("", None),
    ],
)  # fmt: skip
def test_the_key_of_an_address(url: str, key: str | None) -> None:
    assert UrlKey().key(url) == key


@pytest.mark.parametrize(
    ("options", "url", "key"),
    [
        ({"scheme": False}, "http://example.com:80/", "http://example.com/"),
        ({"scheme": False}, "http://example.com:443/", "http://example.com:443/"),
        ({"www": False}, "http://www.example.com/", "https://www.example.com/"),
        ({"tracking": False}, "http://example.com/a;sid=1?gclid=2", "https://example.com/a;sid=1?gclid=2"),
        ({"sort": False}, "http://example.com/?b&a", "https://example.com/?b&a"),
        ({"trailing_slash": True}, "http://example.com/a//", "https://example.com/a"),
        ({"trailing_slash": True}, "http://example.com/index.html/", "https://example.com/index.html"),
        ({"index_pages": True}, "http://example.com/a/Default.aspx?x=1", "https://example.com/a/?x=1"),
        ({"index_pages": True}, "http://example.com/a", "https://example.com/a"),
        ({"index_pages": True, "trailing_slash": True}, "http://example.com/a/index.php/index.php", "https://example.com/a"),
        ({"case": True}, "http://example.com/A%C3%89%41?B=%2f", "https://example.com/a%C3%89a?b=%2F"),
        ({"case": True}, "http://example.com/?b=1&A=2", "https://example.com/?a=2&b=1"),
        ({"query": False}, "http://example.com/a?id=1#!x", "https://example.com/a#!x"),
        ({"parameters": ["Ref", "aff_*"]}, "http://example.com/?ref=1&refer=2&AFF_x=3", "https://example.com/?refer=2"),
    ],
)  # fmt: skip
def test_options(options: dict[str, Any], url: str, key: str) -> None:
    assert UrlKey(**options).key(url) == key


BOOLEANS = ("scheme", "www", "tracking", "sort", "trailing_slash", "index_pages", "case", "query")
OPTIONS: st.SearchStrategy[dict[str, bool]] = st.fixed_dictionaries(
    {name: st.booleans() for name in BOOLEANS}
)
ADDRESSES = st.tuples(
    st.sampled_from(["", "http://", "http://www.", "https://a.com/", "http://www.www.a.co.uk:443/x/"]),
    st.lists(PARTS | st.sampled_from(["#!", "www.", "A", "/..", "/.", "a=1&", "B=2&"]), max_size=14).map(
        "".join
    )
    | st.text(max_size=40),
).map("".join)


@given(ADDRESSES, OPTIONS)
@settings(max_examples=1500, deadline=None)
def test_twice_is_once(address: str, options: dict[str, bool]) -> None:
    annotator = UrlKey(**options, parameters=["ref_*"])
    once = annotator.key(address)
    if once is not None:
        assert annotator.key(once) == once
        assert once.isascii()


@given(ADDRESSES)
@settings(max_examples=500, deadline=None)
def test_with_all_options_the_key_is_as_coarse_as_the_normal_form(address: str) -> None:
    """Addresses with one normal form (`filters.urls`) have one key, but for the fragments of scripts."""
    if "#!" not in address and (normal := normalise_url(address)) is not None:
        annotator = UrlKey(trailing_slash=True, index_pages=True)
        assert annotator.key(normal) == annotator.key(address)


def test_as_an_annotator() -> None:
    documents: list[dict[str, object]] = [
        {"url": "http://www.example.com/?b&a#x"},
        {"url": None},
        {"url": 3},
        {},
        {"url": "no address"},
    ]
    built = build_annotator("url_key", {"sort": False})
    (table,) = annotate_texts([built], [""] * 5, documents).values()
    assert table.column("url.key").to_pylist() == ["https://example.com/?b&a", None, None, None, None]


def test_real_addresses(testdata: Path) -> None:
    """Addresses of archived pages, each fetched once: no two have one key, and most are their own key but
    for the scheme and `www.`."""
    addresses = set()
    for name in ("wcxb_dev", "aeb", "multilingual"):
        with (testdata / f"web/{name}.warc.gz").open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                addresses.add((record.headers.get("WARC-Target-URI") or "").strip("<>"))
    keys = {
        address: UrlKey().key(address) for address in addresses if "//" in address and "///" not in address
    }
    assert len(keys) > 1900
    assert [address for address, key in keys.items() if key is None] == []
    assert len(set(keys.values())) == len(keys)
    plain = [re.sub(r"^https?://(www\.)?", "https://", address) == key for address, key in keys.items()]
    assert sum(plain) > 0.9 * len(plain)

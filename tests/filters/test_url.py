"""The annotator of addresses: its columns, and the same verdicts as datatrove's URLFilter."""

from __future__ import annotations

import random
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datatrove.data import Document

from filters.annotators.url import UrlAnnotator, shipped_words
from filters.base import annotate_texts
from filters.decide import bind
from filters.registry import known_columns
from filters.rules import load_ruleset
from gristmill.base.errors import UserError


def annotate(urls: list[Any], **options: Any) -> list[dict[str, Any]]:
    annotator = UrlAnnotator(**options)
    (table,) = annotate_texts([annotator], [""] * len(urls), [{"url": url} for url in urls]).values()
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def decide(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rules = bind(load_ruleset("refinedweb-url"), known_columns())
    table = pa.Table.from_pylist(rows, pa.schema(list(UrlAnnotator.columns.items())))
    table = table.append_column("id", pa.array([str(number) for number in range(len(rows))]))
    decisions: list[dict[str, Any]] = rules.decide(table).to_pylist()
    return decisions


def test_what_an_address_says() -> None:
    (row,) = annotate(["HTTP://WWW.Example.co.uk/a/b/index.html?utm_source=x"])
    assert row == {
        "url.normalized": "http://www.example.co.uk/a/b",
        "url.host": "www.example.co.uk",
        "url.domain": "example.co.uk",
        "url.tld": "uk",
        "url.depth": 2,
        "url.blocked": None,
        "url.blocked_by": None,
        "url.banned_words": 0,
        "url.soft_words": 0,
        "url.banned_parts": 0,
    }


@pytest.mark.parametrize(
    "url", [None, "", 5, "ftp://a.b/", "x" * 100_000, "http://" + "a." * 5000, "\ud800\x00"]
)
def test_what_is_no_address_of_the_web_has_no_host(url: Any) -> None:
    (row,) = annotate([url])
    assert all(
        row[f"url.{name}"] is None for name in ("normalized", "host", "domain", "tld", "depth", "blocked")
    )


def test_words_are_counted_once_and_as_a_whole() -> None:
    options = {
        "banned_words": ["Bad", "worse"],
        "soft_words": ["so", "la", "2 words"],
        "banned_parts": ["evil part"],
    }
    rows = annotate(
        [
            "http://bad.example/BAD-so_so/worse?x",
            "http://badly.example/so/la/2words",
            "http://an-evil.part.example/",
        ],
        **options,
    )
    counts = [(row["url.banned_words"], row["url.soft_words"], row["url.banned_parts"]) for row in rows]
    assert counts == [(2, 1, 0), (0, 3, 0), (0, 0, 1)]


def test_words_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# mine\nmill\n\nflour\n")
    (row,) = annotate(["http://mill.example/flour"], banned_words=str(tmp_path / "words.txt"))
    assert row["url.banned_words"] == 2
    with pytest.raises(UserError, match=r"nowhere\.txt: cannot read the words of `banned_words`"):
        UrlAnnotator(banned_words=str(tmp_path / "nowhere.txt"))


def test_the_lists_count_and_not_their_places(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "adult").mkdir(parents=True)
        (tmp_path / place / "adult/domains").write_text("bad.example\n")
    first, second = (UrlAnnotator(blocklists=str(tmp_path / place)) for place in ("a", "b"))
    assert first.identity == second.identity != UrlAnnotator().identity
    (tmp_path / "b/adult/domains").write_text("worse.example\n")
    assert UrlAnnotator(blocklists=str(tmp_path / "b")).identity != first.identity
    (row,) = annotate(["http://www.bad.example/"], blocklists=[str(tmp_path / "a")], categories=["adult"])
    assert (row["url.blocked"], row["url.blocked_by"]) == ("adult", "domain")


def test_shipped_words_leave_real_pages_alone(testdata: Path) -> None:
    """None of 1,200 sites that people chose for other reasons is condemned."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    urls = []
    with (testdata / "web/wcxb_dev.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response):
            urls.append(record.headers.get("WARC-Target-URI"))
    decisions = decide(annotate(urls))
    assert [url for url, decision in zip(urls, decisions, strict=True) if not decision["keep"]] == []
    assert all(len(word) > 2 for words in shipped_words().values() for word in words)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def test_verdicts_are_those_of_datatrove(tmp_path: Path) -> None:
    """Against URLFilter with datatrove's own words and lists, on 6,000 addresses made of listed and other
    words and hosts.

    Three differences are kept out of the sample: URLFilter compares words with the case of the address; it
    finds a listed address only where the list has the scheme too, which its own list has not; of the parents
    of a host it asks for the registrable one alone."""
    needs = "datatrove's URLFilter needs"
    for package in ("ahocorasick", "fasteners"):
        pytest.importorskip(package, reason=f"{needs} {package}")
    tldextract = pytest.importorskip("tldextract", reason=f"{needs} tldextract")
    from datatrove.pipeline.filters import URLFilter
    from datatrove.pipeline.filters.url_filter import ASSETS_PATH

    assets = Path(ASSETS_PATH)
    with tarfile.open(assets / "url_filterblacklistsv0_3_0.tar.gz") as tar:
        domains = _member(tar, "domains").decode().splitlines()
        urls = _member(tar, "urls").decode().splitlines()
    chance = random.Random(5)
    # URLFilter finds no listed IP address.
    domains = [name for name in domains if not name.replace(".", "").isdigit()]
    domains, urls = chance.sample(domains, 20_000), chance.sample(urls, 5_000)
    (tmp_path / "domains").write_text("\n".join(domains))
    (tmp_path / "urls").write_text("\n".join(urls))
    lists = {
        name: (assets / f"{name}.txt").read_text().splitlines()
        for name in ("banned_words", "soft_banned_words", "banned_subwords")
    }
    lists = {name: [word for word in words if not word.startswith("#")] for name, words in lists.items()}
    theirs = URLFilter(
        extra_domains=domains,
        extra_urls=[f"http://{url}" for url in urls],
        banned_words=lists["banned_words"],
        soft_banned_words=lists["soft_banned_words"],
        banned_subwords=lists["banned_subwords"],
        use_integrated_lists=False,
    )
    theirs.tldextractor = tldextract.TLDExtract(suffix_list_urls=(), include_psl_private_domains=True)
    parents = [
        name for name in domains[:2000] if theirs.tldextractor(name).top_domain_under_public_suffix == name
    ]
    words = [
        *lists["banned_words"][:40],
        *lists["soft_banned_words"],
        *lists["banned_subwords"][:40],
        "mill",
        "flour",
        "grain",
        "a",
    ] * 2
    words = [word.replace(" ", "") for word in words if word.strip()] + [
        "mill",
        "flour",
        "water",
        "wheel",
    ] * 60
    asked = []
    for number in range(6000):
        host = chance.choice(
            ["mill.example.com", "www.example.org", f"sub.{chance.choice(parents)}", chance.choice(domains)]
        )
        path = chance.choice(
            ["", "/", "/" + "-".join(chance.choices(words, k=3)), "/" + "".join(chance.choices(words, k=2))]
        )
        asked.append(f"http://{host}{path}" if number % 20 else f"http://{chance.choice(urls)}")
    rows = annotate(
        asked,
        blocklists=str(tmp_path),
        banned_words=lists["banned_words"],
        soft_words=lists["soft_banned_words"],
        banned_parts=lists["banned_subwords"],
    )
    different = []
    reasons: dict[str, int] = {}
    for url, decision in zip(asked, decide(rows), strict=True):
        verdict = theirs.filter(Document(text="", id="", metadata={"url": url}))
        reasons[str(verdict)] = reasons.get(str(verdict), 0) + 1
        if (decision["keep"] or (False, decision["reason"])) != verdict:
            different.append((url, verdict, decision["reason"]))
    assert min(reasons.values()) > 20, reasons
    assert len(reasons) == 7, reasons
    assert not different, (len(different), different[:5])

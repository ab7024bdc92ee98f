"""What a page says of itself: each kind of statement, where a browser would not see it, and hostile
mark-up."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import lxml.html  # type: ignore[import-untyped]
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.extraction.signals import MAX_LICENSES, MAX_VALUE, page_signals

DEED = "https://creativecommons.org/licenses/by-sa/4.0/"


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("", {}),
        ("plain text, no < or >", {}),
        ('<html lang="de-AT"><body>', {"html_lang": "de-AT"}),
        ("<HTML xml:lang='fr'>", {"html_lang": "fr"}),
        ("<html class=x charset=utf-8 lang=ja>", {"html_lang": "ja"}),
        ('<html><meta http-equiv="Content-Language" content="sv">', {"html_lang": "sv"}),
        ('<link rel="canonical" href="/a?b=1&amp;c=2">', {"canonical": "/a?b=1&c=2"}),
        ("<link href=/x rel='alternate canonical'/>", {"canonical": "/x"}),
        ('<link rel=canonical href=""><link rel=canonical href=/b>', {"canonical": "/b"}),
        ('<meta name="generator" content="WordPress  6.4">', {"generator": "WordPress 6.4"}),
        ('<meta property="og:type" content="article">', {"og_type": "article"}),
        ('<meta name="og:title" content="x">', {}),
        ('<META NAME="ROBOTS" CONTENT="NOAI, noimageai">', {"robots": {"robots": "NOAI, noimageai"}}),
        (
            '<meta content="noindex" name=robots><meta name="robots" content="noai">'
            "<meta name=GPTBot content=none>",
            {"robots": {"robots": "noindex, noai", "gptbot": "none"}},
        ),
        ("<meta name=google-extended content=noindex>", {"robots": {"google-extended": "noindex"}}),
        ("<meta name='robots' content='a > b'>", {"robots": {"robots": "a > b"}}),
        (
            '<meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="https://a.b/p.json">',
            {"tdm": {"reservation": "1", "policy": "https://a.b/p.json"}},
        ),
        (f'<a rel="license" href="{DEED}">CC</a>', {"license": [{"from": "rel", "value": DEED}]}),
        (
            f"<p>license: <a href='{DEED}' rel='nofollow license noopener'>",
            {"license": [{"from": "rel", "value": DEED}]},
        ),
        (f'<link rel="license" href="{DEED}"/>', {"license": [{"from": "rel", "value": DEED}]}),
        (
            f'<span property="dct:license" resource="{DEED}">',
            {"license": [{"from": "rel", "value": DEED}]},
        ),
        (f'<a itemprop="license" href="{DEED}">', {"license": [{"from": "itemprop", "value": DEED}]}),
        (f'<meta itemprop="license" content="{DEED}">', {"license": [{"from": "itemprop", "value": DEED}]}),
        (
            '<meta name="DC.rights" content="CC BY 4.0"><meta name=dcterms.license content=x>',
            {"license": [{"from": "meta", "value": "CC BY 4.0"}, {"from": "meta", "value": "x"}]},
        ),
        ('<a href="/license">license</a><a rel="copyright" href="/c">', {}),
        (
            '<script type="application/ld+json">{"@graph":[{"@type":["Article"],"license":"'
            + DEED.replace("/", "\\/")
            + '"},{"@type":"ImageObject","license":{"@id":"https:\\/\\/img"}}]}</script>',
            {
                "license": [
                    {"from": "json-ld", "value": DEED, "of": "Article"},
                    {"from": "json-ld", "value": "https://img", "of": "ImageObject"},
                ]
            },
        ),
        (
            f'<script type=application/ld+json>{{"license": "{DEED}", broken}}</script>',
            {"license": [{"from": "json-ld", "value": DEED}]},
        ),
        # What a browser does not see.
        (
            '<!-- <meta name="robots" content="noai"> --><!--><meta name=robots content=a>',
            {"robots": {"robots": "a"}},
        ),
        (
            f'<!-- <a rel="license" href="{DEED}"> --!><a rel=license href=/x>',
            {"license": [{"from": "rel", "value": "/x"}]},
        ),
        ("<script>document.write('<meta name=robots content=noai>')</SCRIPT >", {}),
        ("<textarea><meta name=robots content=noai></textarea><style><link rel=canonical href=x>", {}),
        ("<!-- never closed <meta name=robots content=noai>", {}),
        # Mark-up as it comes.
        ("<meta name=robots content=noai", {}),
        ("<metadata name=robots content=noai>", {}),
        ('<meta name="robots"content="noai">', {"robots": {"robots": "noai"}}),
        ('<meta name = "robots" content = "noai">', {"robots": {"robots": "noai"}}),
        ('<meta name=" " content="noai"><meta name="" content="x">', {}),
        ('<meta name="robots" content="a\ud800\x00b">', {"robots": {"robots": "a\ufffd\ufffdb"}}),
    ],
)
def test_what_a_page_says(html: str, said: dict[str, Any]) -> None:
    assert page_signals(html) == said


def test_statements_are_in_the_order_of_the_page_once_each_and_bounded() -> None:
    html = (
        f'<a rel=license href="{DEED}"><link rel=license href=/b><meta name=rights content="{"x" * 3000}">'
        f'<a rel=license href="{DEED}">' + "".join(f"<a rel=license href=/{n}>" for n in range(100))
    )
    found = page_signals(html)["license"]
    assert [item["value"] for item in found[:2]] == [DEED, "/b"]
    assert len(found) == MAX_LICENSES
    assert found[2]["value"] == "x" * MAX_VALUE


PIECES = st.sampled_from(
    [
        "<meta ",
        "<link ",
        "<html ",
        "<script type=application/ld+json>",
        "</script>",
        "<!--",
        "-->",
        "<a ",
        "name=robots ",
        'content="',
        "'",
        '"',
        ">",
        "rel=license ",
        "href=x ",
        '{"license": "y"}',
        "noai",
        "&amp;",
        " = ",
        "\x00",
        "é",
        "\ud800",
    ]
)


@given(st.lists(PIECES, max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_mark_up_gives_json(pieces: list[str]) -> None:
    said = page_signals("".join(pieces))
    assert json.loads(json.dumps(said)) == said
    json.dumps(said, ensure_ascii=False).encode()


HOSTILE = {
    "open tags": "<meta ",
    "tags": "<meta name=robots content=noai>",
    "quotes": '<meta a="',
    "spaces": "<meta" + " " * 200 + '"',
    "comments": "<!-- license ",
    "empty comments": "<!-->license",
    "scripts": "<script>license",
    "closed scripts": '<script type=application/ld+json>{"license":1}</script>',
    "nested json": '<script type=application/ld+json>{"license":' + "[" * 100,
    "open json": "[" * 100 + '{"license":',
    "mentions": "license ",
    "anchors": "<a rel=license href=x",
    "links": "<link rel=canonical href=",
    "angles": "<",
    "entities": '<meta name=rights content="&amp;&#x1F;&">',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pages_take_linear_time(kind: str) -> None:
    def seconds(size: int) -> float:
        html = HOSTILE[kind] * (size // len(HOSTILE[kind]))
        began = time.process_time()
        page_signals(html)
        return time.process_time() - began

    small, large = seconds(1 << 18), seconds(1 << 22)
    # Sixteen times the page: quadratic work would be 256 times, and minutes for most of these.
    assert large < 100 * small + 1


def test_real_pages_say_what_a_parser_finds(testdata: Path) -> None:
    """Against lxml's tree: canonical address, language, generator and robots of 700 real pages."""
    different = []
    with (testdata / "web/wcxb_dev.warc.gz").open("rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.response)
        for number, record in enumerate(records):
            if number % 2:
                continue
            html = record.reader.read().decode("utf-8", "replace").replace("\0", "\ufffd")
            if not html.strip():
                continue
            said = page_signals(html)
            tree = lxml.html.document_fromstring(html.encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))
            names = {
                (meta.get("name") or "").strip().lower(): " ".join((meta.get("content") or "").split())
                for meta in reversed(tree.xpath("//meta[@name]"))
                if (meta.get("content") or "").strip()
            }
            canonical = [
                " ".join(link.get("href").split())
                for link in tree.xpath("//link[@href]")
                if "canonical" in (link.get("rel") or "").lower().split() and link.get("href").strip()
            ]
            expected = {
                "canonical": canonical[0][:MAX_VALUE] if canonical else None,
                "generator": names.get("generator"),
                "googlebot": names.get("googlebot"),
            }
            found = {
                "canonical": said.get("canonical"),
                "generator": said.get("generator"),
                "googlebot": said.get("robots", {}).get("googlebot"),
            }
            if found != expected:
                different.append((record.headers.get("WARC-Target-URI"), found, expected))
    assert len(different) <= 3, different

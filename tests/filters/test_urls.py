"""URLs: the rules one by one, and for any text that twice is once."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.domains import public_suffix, registrable_domain
from filters.urls import normalise_url, parse_url


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTP://User:pass@Example.COM:80/a/../b/index.html?utm_source=x&b=2&a=1#top", "http://example.com/b?a=1&b=2"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com:080/", "https://example.com:80/"),
        ("http://example.com./a//b/", "http://example.com/a//b"),
        ("http://example.com/%7euser/%3a/%e4%b8%ad", "http://example.com/~user/%3A/%E4%B8%AD"),
        ("http://example.com/中 文", "http://example.com/%E4%B8%AD%20%E6%96%87"),
        ("http://example.com/%%34%31%zz", "http://example.com/%254" + "1%25zz"),
        ("http://example.com/a/./b/../../../c", "http://example.com/c"),
        ("http://example.com/a/index.php/index.php", "http://example.com/a"),
        ("http://example.com/a/Default.aspx?id=1", "http://example.com/a?id=1"),
        ("http://example.com/indexes.html", "http://example.com/indexes.html"),
        ("http://example.com/a;jsessionid=12AB/b;v=1", "http://example.com/a/b;v=1"),
        ("http://example.com/?b=2&a=2&a=1&&PHPSESSID=1&gclid=z", "http://example.com/?a=2&a=1&b=2"),
        ("http://example.com/?", "http://example.com/"),
        ("http://example.com?x", "http://example.com/?x"),
        ("http://bücher.example/straße", "http://xn--bcher-kva.example/stra%C3%9Fe"),
        ("http://XN--BCHER-KVA.example", "http://xn--bcher-kva.example/"),
        ("http://食狮.公司.cn/", "http://xn--85x722f.xn--55qx5d.cn/"),
        ("http://foo_bar.example.com/", "http://foo_bar.example.com/"),
        ("http://192.168.0.1:80/", "http://192.168.0.1/"),
        ("http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        (" \nhttp://exam\nple.com/a\tb ", "http://example.com/ab"),
        ("http:\\\\example.com", None),
        ("http://example.com\\a\\b", "http://example.com/a/b"),
        ("ftp://example.com/", None),
        ("example.com/a", None),
        ("http://", None),
        ("http://exa mple.com/", None),
        ("http://example..com/", None),
        ("http://example.com:port/", None),
        ("http://example.com:0/", None),
        ("http://example.com/" + "x" * 9000, None),
        ("", None),
        (None, None),
    ],
)  # fmt: skip
def test_a_url_in_its_normal_form(url: str | None, normal: str | None) -> None:
    assert normalise_url(url) == normal


PARTS = st.sampled_from(
    [
        "http://", "HTTPS://", "a", "B.com", "bücher", "ß", "İ", "。", "xn--", ".", "..", "/", "//", "\\",
        "?", "&", "=", "#", "%", "%2e", "%2F", "%25", "%41", "%zz", "%", "4", "1", "é", "\ud800", " ",
        "\t", ":", ":80", ":443", "@", ";jsessionid=1", "index.html", "default.asp", "utm_source=1",
        "a=1", "b", "sid=3", "+", "~", "[", "]", "|", "\x00",
    ]
)  # fmt: skip


@given(
    st.lists(PARTS, max_size=14).map("".join) | st.text(max_size=40),
    st.sampled_from(["", "http://", "https://a.com/"]),
)
@settings(max_examples=2000, deadline=None)
def test_twice_is_once(text: str, before: str) -> None:
    once = normalise_url(before + text)
    if once is not None:
        assert normalise_url(once) == once
        assert once.isascii()
        assert not set(once) & set(' "<>\\^`{|}#')


@given(st.text(alphabet="abcß.-中ü", min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_hosts_are_ascii_or_none(host: str) -> None:
    url = parse_url(f"http://{host}/")
    assert url is None or url.host.isascii()


@pytest.mark.parametrize(
    ("host", "suffix", "domain"),
    [
        # Test vectors of publicsuffix.org (test_psl.txt, public domain).
        ("com", "com", None),
        ("example.com", "com", "example.com"),
        ("a.b.example.com", "com", "example.com"),
        ("example.example", "example", "example.example"),
        ("b.example.uk.com", "uk.com", "example.uk.com"),
        ("test.ac", "ac", "test.ac"),
        ("c.mm", "c.mm", None),
        ("a.b.c.mm", "c.mm", "b.c.mm"),
        ("test.ac.jp", "ac.jp", "test.ac.jp"),
        ("www.test.kyoto.jp", "kyoto.jp", "test.kyoto.jp"),
        ("c.kobe.jp", "c.kobe.jp", None),
        ("b.c.kobe.jp", "c.kobe.jp", "b.c.kobe.jp"),
        ("www.city.kobe.jp", "kobe.jp", "city.kobe.jp"),
        ("test.ck", "test.ck", None),
        ("www.www.ck", "ck", "www.ck"),
        ("www.test.k12.ak.us", "k12.ak.us", "test.k12.ak.us"),
        ("xn--85x722f.com.cn", "com.cn", "xn--85x722f.com.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("shishi.xn--fiqs8s", "xn--fiqs8s", "shishi.xn--fiqs8s"),
        # Private domains, addresses, bare names.
        ("user.github.io", "github.io", "user.github.io"),
        ("localhost", "localhost", None),
        ("192.168.0.1", "1", None),
        ("[::1]", "[::1]", None),
    ],
)
def test_the_domain_that_someone_registered(host: str, suffix: str, domain: str | None) -> None:
    assert public_suffix(host) == suffix
    assert registrable_domain(host) == domain


def test_real_hosts_have_the_domain_that_another_library_finds(testdata: Path) -> None:
    """Against `tld`, on the addresses of 2,000 archived pages."""
    tld = pytest.importorskip("tld", reason="the package `tld` (of trafilatura) is not installed")
    different = []
    count = 0
    for name in ("wcxb_dev", "aeb", "multilingual"):
        with (testdata / f"web/{name}.warc.gz").open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                url = parse_url((record.headers.get("WARC-Target-URI") or "").strip("<>"))
                if url is None or url.host.endswith(".test"):  # addresses that were made up
                    continue
                count += 1
                other = tld.get_fld(str(url), fail_silently=True, search_private=True)
                if registrable_domain(url.host) != other:
                    different.append((url.host, registrable_domain(url.host), other))
    assert count > 1900
    assert not different

"""Charsets in their order, text verbatim, and no page that takes minutes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from corpus.extract import MAX_DEPTH, NotText, decode, extract
from corpus.manifest import Extraction

JAPANESE = "日本語の文章をいくつか書きます。水車は川のそばにあります。" * 3
GERMAN = "Die Mühle mahlt täglich größere Mengen, und der Müller prüft jede Schütte. " * 3


@pytest.mark.parametrize(
    ("data", "declared", "text", "charset"),
    [
        (b"\xef\xbb\xbf" + GERMAN.encode(), "iso-8859-1", GERMAN, "utf-8"),
        (b"\xff\xfe" + GERMAN.encode("utf-16-le"), None, GERMAN, "utf-16-le"),
        (b"\xfe\xff" + GERMAN.encode("utf-16-be"), "utf-8", GERMAN, "utf-16-be"),
        (GERMAN.encode("latin-1"), "ISO-8859-1", GERMAN, "cp1252"),
        (GERMAN.encode("latin-1"), '"latin1"', GERMAN, "cp1252"),
        (JAPANESE.encode("euc-jp"), "EUC-JP", JAPANESE, "euc_jp"),
        (JAPANESE.encode("shift_jis"), None, JAPANESE, "shift_jis"),
        (JAPANESE.encode(), None, JAPANESE, "utf-8"),
        (JAPANESE.encode("iso-2022-jp"), "iso-2022-jp", JAPANESE, "iso2022_jp"),
        # Declared wrongly: UTF-8 as a single-byte charset, a legacy charset as UTF-8.
        (GERMAN.encode(), "iso-8859-1", GERMAN, "utf-8"),
        (GERMAN.encode("latin-1"), "no-such-charset", GERMAN, "cp1252"),
        (b"plain", None, "plain", None),
    ],
)
def test_charset_from_mark_header_or_bytes(
    data: bytes, declared: str | None, text: str, charset: str | None
) -> None:
    found, name = decode(data, declared)
    assert found == text
    assert charset is None or name == charset


@pytest.mark.parametrize(
    "meta", ['<meta charset="euc-jp">', "<META http-equiv=Content-Type content='text/html; charset=EUC-JP'>"]
)
def test_charset_from_the_page(meta: str) -> None:
    page = f"<html><head>{meta}</head><body>{JAPANESE}</body></html>"
    assert decode(page.encode("euc-jp")) == (page, "euc_jp")
    # The header comes first, as long as the bytes agree with it.
    other = page.replace("euc-jp", "shift_jis").replace("EUC-JP", "shift_jis")
    assert decode(other.encode("euc-jp"), "euc-jp") == (other, "euc_jp")
    # A page that calls itself UTF-16 in readable ASCII is not.
    lying = f'<meta charset="utf-16">{GERMAN}'
    assert decode(lying.encode()) == (lying, "utf-8")


def test_a_false_header_and_a_stray_byte() -> None:
    """The header says UTF-8, the page GB 2312, and one byte is neither (pages of Chinese corpora)."""
    chinese = "水车在河边转动，磨坊主检查每一袋面粉。" * 5
    data = f'<meta charset="gb2312"><p>{chinese}</p>'.encode("gbk") + b"\xff<p>end</p>"
    text, charset = decode(data, "utf-8")
    assert charset == "gbk"
    assert chinese in text
    assert decode(data.replace(b"gb2312", b"utf-8"), "utf-8")[0].count(chinese) == 1
    # One stray byte in UTF-8 leaves it UTF-8.
    assert decode(GERMAN.encode() + b"\xff", "utf-8")[1] == "utf-8"
    assert decode(JAPANESE.encode() + b"\xff." * 2, None)[0].startswith(JAPANESE)


def test_utf8_cut_within_a_character_is_utf8() -> None:
    text, charset = decode(JAPANESE.encode()[:-1], "windows-1252")
    assert charset == "utf-8"
    assert JAPANESE.startswith(text)


def test_what_is_no_text() -> None:
    for data in (bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n" + bytes(range(0, 256, 3)) * 30, b"\0" * 500):
        with pytest.raises(NotText):
            decode(data)


@pytest.mark.parametrize("main_content", [True, False])
def test_latex_survives(main_content: bool) -> None:
    formulas = [
        r"$\frac{a}{b} < c_{i} > d$",
        r"\[ \sum_{i=1}^{n} x_i^2 \leq \left\| x \right\|_2^2 \]",
        r"$$\begin{aligned} a &= b \\ c &= d \end{aligned}$$",
        r"\(e^{i\pi} + 1 = 0\)",
    ]
    paragraphs = "".join(
        "<p>We know that "
        + formula.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        + " holds for every case that we have looked at so far, as one can see.</p>"
        for formula in formulas
    )
    title = "<title>On  sums\n&amp; such</title>"
    html = f"<html><head>{title}</head><body><article>{paragraphs}</article></body></html>"
    page = extract(html, Extraction(main_content=main_content))
    assert page.title == "On sums & such"
    for formula in formulas:
        assert formula in page.text


def test_deep_pages_take_no_minutes() -> None:
    """20,000 levels take resiliparse four seconds, 200,000 would take seven minutes."""
    for closing in ("", "</div>", "</x>"):
        html = "<html><body>" + f"<div>{closing if closing == '</x>' else ''}" * 200_000 + "<p>The end.</p>"
        start = time.process_time()
        page = extract(html + (closing * 200_000 if closing == "</div>" else ""), Extraction())
        assert time.process_time() - start < 20
        assert "The end." in page.text
    shallow = "<html><body>" + "<div>" * (MAX_DEPTH // 2) + "<p>The end.</p>"
    assert "The end." in extract(shallow, Extraction()).text


@pytest.mark.parametrize(
    "html", ["", "<", "<html", "<p>a<p>b</i></table><script>", "<!--", "\0\0<p>x", "</div>" * 1000]
)
def test_broken_html_is_read_as_browsers_do(html: str) -> None:
    assert isinstance(extract(html, Extraction()).text, str)


def test_real_pages_keep_their_words(testdata: Path) -> None:
    """Of the reviewed pages' snippets that belong to the main text, most come through."""
    from corpus.ledger import Ledger
    from corpus.manifest import WarcSource
    from corpus.sources.warc import Warc

    source = Warc(WarcSource(type="warc", paths=(str(testdata / "web" / "aeb.warc.gz"),)), "news")
    (task,) = source.tasks()
    ledger = Ledger()
    documents = list(source.read(task, ledger, lambda done: None))
    assert len(documents) == 181
    assert not ledger.incomplete
    assert sum("\ufffd" in doc.text for doc in documents) <= 3
    assert sum(len(doc.text) for doc in documents) > 500_000

"""Charsets in their order, and bytes that contradict what is declared."""

from __future__ import annotations

import pytest

from corpus.extraction.charset import NotText, decode

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

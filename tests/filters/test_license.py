"""Licences of pages: names in sixteen languages, what counts as evidence, and what must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.extraction.signals import page_signals
from filters.annotators.license import License, statement
from filters.base import annotate_texts
from filters.licenses import is_open, license_in

DEED = "https://creativecommons.org/licenses/"


def judge(text: str = "", **document: Any) -> dict[str, Any]:
    (table,) = annotate_texts([License()], [text], [document]).values()
    (row,) = table.to_pylist()
    return {name.partition(".")[2]: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/deed.de", "CC-BY-NC-ND-4.0"),
        ("http://creativecommons.org/licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0"),
        ("//creativecommons.org/licenses/by/3.0/us/", "CC-BY-3.0"),
        ("https://creativecommons.org/licenses/by-sa", "CC-BY-SA"),
        ("https://creativecommons.org/licenses/bynow/4.0", None),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("CC-BY-NC-SA", "CC-BY-NC-SA"),
        ("cc by the way", None),
        ("ACC BY 4.0", None),
        ("CC BYRON", None),
        ("CC0", "CC0-1.0"),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported License", "CC-BY-SA-3.0"),
        (
            "Creative Commons Attribution-Noncommercial-No Derivative Works 3.0 United "
            "States",
            "CC-BY-NC-ND-3.0",
        ),
        ("Creative Commons Zero", "CC0-1.0"),
        ("Creative Commons Attribution License (http://creativecommons.org/licenses/by/4.0/)", "CC-BY-4.0"),
        ("the Creative Commons movement", None),
        ("Creative Commons. Attribution of works is hard.", None),
        ("Creative Commons Namensnennung - Weitergabe unter gleichen Bedingungen 4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution - Pas d'Utilisation Commerciale - Partage à l’Identique 4.0",
         "CC-BY-NC-SA-4.0"),
        ("Creative Commons Reconocimiento-NoComercial-SinObraDerivada 4.0", "CC-BY-NC-ND-4.0"),
        (
            "Creative Commons Attribuzione - Non commerciale - Condividi allo stesso modo "
            "4.0",
            "CC-BY-NC-SA-4.0",
        ),
        ("Creative Commons Atribuição-CompartilhaIgual 4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Naamsvermelding-GelijkDelen 3.0", "CC-BY-SA-3.0"),
        ("Creative Commons Uznanie autorstwa-Na tych samych warunkach 3.0", "CC-BY-SA-3.0"),
        ("Creative Commons Erkännande-DelaLika 4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Navngivelse-IkkeKommerciel 4.0", "CC-BY-NC-4.0"),
        ("クリエイティブ・コモンズ 表示 - 継承 4.0", "CC-BY-SA-4.0"),
        ("크리에이티브 커먼즈 저작자표시-동일조건변경허락 4.0", "CC-BY-SA-4.0"),
        ("知识共享署名-非商业性使用-相同方式共享 4.0", "CC-BY-NC-SA-4.0"),
        ("Creative Commons «С указанием авторства — Некоммерческая» 4.0", "CC-BY-NC-4.0"),
        ("ครีเอทีฟคอมมอนส์ แสดงที่มา-อนุญาตแบบเดียวกัน 4.0", "CC-BY-SA-4.0"),
        ("المشاع الإبداعي نسب المصنف - الترخيص بالمثل 4.0", "CC-BY-SA-4.0"),
        ("GNU Free Documentation License, Version 1.3", "GFDL-1.3"),
        ("Open Government Licence v3.0", "OGL-UK-3.0"),
        ("", None),
    ],
)  # fmt: skip
def test_what_a_licence_is_called(text: str, identifier: str | None) -> None:
    assert license_in(text) == identifier


@pytest.mark.parametrize(
    ("sentence", "identifier"),
    [
        (
            "This work is licensed under a Creative Commons Attribution 4.0 International License.",
            "CC-BY-4.0",
        ),
        (
            "Except where otherwise noted, content on this site is licensed under CC BY-SA 4.0.",
            "CC-BY-SA-4.0",
        ),
        ("Text is available under the Creative Commons Attribution-ShareAlike License 4.0;", "CC-BY-SA-4.0"),
        (
            "Site design / logo © 2026 Stack Exchange Inc; user contributions licensed under CC BY-SA.",
            "CC-BY-SA",
        ),
        ("Except for the photos, the content of this page is licensed under CC BY 4.0", "CC-BY-4.0"),
        ("This document is in the public domain.", "Public-Domain"),
        ("Dieser Text ist lizenziert unter Creative Commons Namensnennung 4.0.", "CC-BY-4.0"),
        ("Ce contenu est mis à disposition sous licence CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("Esta obra está bajo una licencia de Creative Commons Reconocimiento 4.0", "CC-BY-4.0"),
        ("Questo articolo è distribuito con licenza CC BY-NC 4.0", "CC-BY-NC-4.0"),
        ("Este artigo está sob a licença CC BY 4.0", "CC-BY-4.0"),
        ("Treść strony jest dostępna na licencji CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("この作品はクリエイティブ・コモンズ 表示 4.0 国際 ライセンスの下に提供されています。", "CC-BY-4.0"),
        ("本文采用知识共享署名 4.0 国际许可协议进行许可", "CC-BY-4.0"),
        # Of something else, or merely mentioned.
        ("Photo by Jane Doe, licensed under CC BY 2.0.", None),
        ("Photos on this page are licensed under CC BY 2.0.", None),
        ("The images used in this article are licensed under CC BY 2.0.", None),
        ("Our content is in the cloud. The code is licensed under the MIT License.", None),
        (
            "Chardet has always been licensed under the LGPL, but its author changed it to the MIT license.",
            None,
        ),
        ("Wikipedia uses CC BY-SA 4.0.", None),
        ("Creative Commons Attribution 4.0 is a popular licence.", None),
        ("She explained what CC BY means in an article about Creative Commons Attribution.", None),
        ("The film entered the public domain in 2019.", None),
        ("This work is licensed under a proprietary licence.", None),
    ],
)
def test_a_sentence_gives_a_licence_to_the_page_or_does_not(sentence: str, identifier: str | None) -> None:
    assert statement(sentence) == identifier


def stated(*statements: tuple[str, str] | tuple[str, str, str]) -> dict[str, Any]:
    keys = ("from", "value", "of")
    return {"license": [dict(zip(keys, item, strict=False)) for item in statements]}


def test_mark_up_and_headers_are_evidence() -> None:
    assert judge(page=stated(("rel", f"{DEED}by/4.0/"))) == {
        "id": "CC-BY-4.0",
        "evidence": "rel",
        "url": f"{DEED}by/4.0/",
        "open": True,
        "contradictory": False,
    }
    assert (
        judge(http={"link": f'</css>; rel=preload, <{DEED}by-nc/4.0/>; rel="license"'})["id"]
        == "CC-BY-NC-4.0"
    )
    assert judge(page=stated(("json-ld", f"{DEED}by/4.0/", "NewsArticle")))["evidence"] == "json-ld"
    assert judge(page=stated(("json-ld", f"{DEED}by/4.0/", "ImageObject"))) == {"mentioned": "CC-BY-4.0"}
    assert judge(page=stated(("link", f"{DEED}by/4.0/"))) == {"mentioned": "CC-BY-4.0"}
    assert judge(page=stated(("rel", "/licensing"), ("meta", "Example Inc."))) == {}


def test_contradictions_are_flagged() -> None:
    both = judge(page=stated(("rel", f"{DEED}by/4.0/"), ("meta", "CC BY-NC 4.0")))
    assert (both["id"], both["evidence"], both["contradictory"]) == ("CC-BY-4.0", "rel", True)
    reserved = judge(page=stated(("rel", f"{DEED}by/4.0/"), ("meta", "© 2020 Example. All rights reserved.")))
    assert reserved["contradictory"] is True
    versions = judge("This work is licensed under CC BY.", page=stated(("rel", f"{DEED}by/4.0/")))
    assert (versions["id"], versions["contradictory"]) == ("CC-BY-4.0", False)
    alone = judge("A page.\n© 2020 Example. All rights reserved.")
    assert alone == {
        "id": "All-Rights-Reserved",
        "evidence": "statement",
        "open": False,
        "contradictory": False,
    }


def test_what_is_open() -> None:
    assert all(map(is_open, ("CC-BY-4.0", "CC-BY-SA", "CC0-1.0", "Public-Domain", "GFDL-1.3")))
    assert not any(map(is_open, ("CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-SA", "All-Rights-Reserved")))


# Each was looked at: the page says it of itself. Seventy others name or link a licence of something else.
def test_on_real_pages_no_licence_is_found_that_is_not_theirs(testdata: Path) -> None:
    found = {}
    with (testdata / "web/wcxb_dev.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response):
            html = record.reader.read().decode("utf-8", "replace")
            row = judge(page=page_signals(html))
            if row.get("id") not in (None, "All-Rights-Reserved"):
                found[(record.headers.get("WARC-Target-URI") or "")[:60]] = (row["id"], row["evidence"])
    assert found == GOLD


GOLD = {
    "http://docs.sqlalchemy.org/en/latest/orm/quickstart.html": ("MIT", "statement"),
    "https://ai.google.dev/gemma/docs/functiongemma": ("CC-BY-4.0", "statement"),
    "https://askubuntu.com/questions/7809/how-to-back-up-my-entir": ("CC-BY-SA", "statement"),
    "https://beinsure.com/ranking/largest-us-property-casualty-in": (
        "CC-BY-NC-ND-4.0",
        "statement",
    ),
    "https://blog.codefarm.me/2025/12/18/raw-http-message-logging": (
        "CC-BY-NC-SA-4.0",
        "statement",
    ),
    "https://cloud.google.com/bigquery/docs/introduction": ("CC-BY-4.0", "statement"),
    "https://cloud.google.com/iam/docs/overview": ("CC-BY-4.0", "statement"),
    "https://cooking.stackexchange.com/questions/12068/catering-e": (
        "CC-BY-SA",
        "statement",
    ),
    "https://csrankings.org/": ("CC-BY-NC-ND-4.0", "rel"),
    "https://electronics.stackexchange.com/questions/429163/how-d": (
        "CC-BY-SA",
        "statement",
    ),
    "https://en.wikipedia.org/wiki/Category:Programming_languages": ("CC-BY-SA-4.0", "rel"),
    "https://en.wikipedia.org/wiki/List_of_Nobel_laureates": ("CC-BY-SA-4.0", "rel"),
    "https://en.wikipedia.org/wiki/List_of_programming_languages": ("CC-BY-SA-4.0", "rel"),
    "https://expatriates.stackexchange.com/questions/964/how-to-b": (
        "CC-BY-SA",
        "statement",
    ),
    "https://hechingerreport.org/proof-points-tutoring-effectiven": ("CC-BY-NC-ND-4.0", "rel"),
    "https://mhealth.jmir.org/2019/6/e14273": ("CC-BY-4.0", "meta"),
    "https://modernfarmer.com/2021/10/gardening-shows-to-watch/": ("CC-BY-ND-4.0", "rel"),
    "https://mostly-adequate.gitbook.io/mostly-adequate-guide": ("CC-BY-SA-4.0", "statement"),
    "https://serverfault.com/questions/1145952/dhcp-providing-ip-": (
        "CC-BY-SA",
        "statement",
    ),
    "https://serverfault.com/questions/2888/why-is-raid-not-a-bac": ("CC-BY-SA", "statement"),
    "https://stackoverflow.com/questions/21553327/why-is-except-p": (
        "CC-BY-SA",
        "statement",
    ),
    "https://stackoverflow.com/questions/50757497/simplest-async-": (
        "CC-BY-SA",
        "statement",
    ),
    "https://stackoverflow.com/questions/77757962/understanding-p": (
        "CC-BY-SA",
        "statement",
    ),
    "https://superuser.com/questions/1110045/windows-10-wsl-bash-": ("CC-BY-SA", "statement"),
    "https://superuser.com/questions/442960/windows-7-explorer-ke": (
        "CC-BY-SA",
        "statement",
    ),
    "https://unix.stackexchange.com/questions/780353/join-a-speci": (
        "CC-BY-SA",
        "statement",
    ),
    "https://wiki.archlinux.org/title/Pacman": ("GFDL", "rel"),
    "https://wiki.archlinux.org/title/Sudo": ("GFDL", "rel"),
    "https://wiki.archlinux.org/title/Systemd": ("GFDL", "rel"),
    "https://wiki.gentoo.org/wiki/Portage": ("CC-BY-SA-4.0", "rel"),
    "https://writingcenter.unc.edu/tips-and-tools/book-reviews/": ("CC-BY-NC-ND-4.0", "statement"),
    "https://www.digitalocean.com/community/tutorials/n8n-workflo": (
        "CC-BY-NC-SA-4.0",
        "json-ld",
    ),
    "https://www.herecomestheguide.com/wedding-ideas/the-guide-br": (
        "CC-BY-NC-ND-3.0",
        "statement",
    ),
}


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "licensed under ",
                "Creative Commons ",
                "Attribution",
                "-",
                "CC BY",
                "this page ",
                "photo ",
                ". ",
                "\n",
                "ライセンス",
                "4.0",
                "/",
            ]
        ),
        max_size=30,
    ).map("".join)
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_judged(text: str) -> None:
    row = judge(text, page=stated(("text", text), ("rel", text)))
    assert ("id" in row) == ("evidence" in row)

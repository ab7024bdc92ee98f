"""Features of blocks: by hand on a small page, and against a readable twin on real ones."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from corpus.extraction.blocks import library
from corpus.extraction.blocks.library import (
    CLASS_SLOTS,
    Blocks,
    Floats,
    Page,
    available,
    feature_names,
    flag_names,
    reason,
    second_feature_names,
    tag_names,
)

pytestmark = pytest.mark.skipif(not available(), reason=str(reason()))

URL = "https://forum.example.org/t/some-topic/1234?page=2"
SMALL = """<title>The water mill of the town</title>
<meta property="og:type" content="article"><meta name=description content="How a water mill in town works">
<script type="application/ld+json">{"@graph": [{"@type": ["WebPage", "NewsArticle"]}]}</script>
<body class=home><nav class="main-menu"><a href=a>Home</a> <a href=b>All Pages</a></nav>
<main id=content><h1>The water mill</h1>
<article class="post postBody"><p>It costs $5, or less. The <b>WHEEL</b> turns 24 hours: see <a
href=c>the page</a>.<p class=x hidden>Read on<br>here<img src=d></article>
<article class="post postBody"><p>How water in the town mill works<p>Read on here</article></main>"""


def columns(page: Page, table: Floats | None = None) -> dict[str, list[float]]:
    features = page.features(table)
    return {name: features[:, i].tolist() for i, name in enumerate(feature_names())}


def test_names() -> None:
    names = [*feature_names(), *second_feature_names()]
    assert len(set(names)) == len(names)
    assert 150 <= len(feature_names()) <= 200
    assert all(re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", name) for name in names)
    assert {f"in.{flag}" for flag in flag_names()} <= set(names)
    assert re.fullmatch("[0-9a-f]{64}", library.features_digest())
    assert tag_names()[:2] == ("unknown", "html")


def test_a_small_page_by_hand() -> None:
    with Page(SMALL, URL) as page:
        assert page.blocks.texts == [
            "Home All Pages",
            "The water mill",
            "It costs $5, or less. The WHEEL turns 24 hours: see the page.",
            "Read on\nhere",
            "How water in the town mill works",
            "Read on here",
        ]
        f = columns(page)
    assert f["words"] == [3, 3, 13, 3, 7, 3]
    assert f["link_share"] == pytest.approx([1, 0, 2 / 13, 0, 0, 0])
    assert f["links"] == [2, 0, 1, 0, 0, 0]
    assert f["commas"] == pytest.approx([0, 0, 1 / 13, 0, 0, 0])
    assert f["sentences"] == [0, 0, 2, 0, 0, 0]
    assert f["ending"] == [0, 0, 1, 0, 0, 0]
    assert f["capitals"] == pytest.approx([1, 1 / 3, 3 / 13, 1 / 3, 1 / 7, 1 / 3])
    assert f["bold_share"] == pytest.approx([0, 0, 1 / 13, 0, 0, 0])
    assert f["digits"] == pytest.approx([0, 0, 3 / 61, 0, 0, 0])
    assert f["upper"] == pytest.approx([3 / 14, 1 / 14, 7 / 61, 1 / 12, 1 / 32, 1 / 12])
    assert f["breaks"] == [0, 0, 0, 1, 0, 0]
    assert f["images"] == [0, 0, 0, 1, 0, 0]
    assert f["start"] == [1, 0, 0, 0, 0, 0]
    assert f["price"] == [0, 0, 1, 0, 0, 0]
    assert f["copies"] == [1, 1, 1, 2, 1, 2]
    assert f["title_overlap"] == pytest.approx([0, 1, 2 / 13, 0, 4 / 7, 0])
    assert f["description_overlap"] == pytest.approx([0, 0, 0, 0, 6 / 7, 0])
    assert f["heading"] == [0, 1, 0, 0, 0, 0]
    assert f["in.hidden"] == [0, 0, 0, 1, 0, 0]
    assert f["in.main"] == [0, 1, 1, 1, 1, 1]
    assert f["at.index"] == [0, 1, 2, 3, 4, 5]
    assert f["at.words_before"] == pytest.approx(np.array([0, 3, 6, 19, 22, 29]) / 32)
    assert f["at.plain_words_before"] == pytest.approx(np.array([0, 0, 3, 14, 17, 24]) / 27)
    assert f["at.after_h1"] == [-1, 0, 1, 2, 3, 4]
    assert f["at.since_heading"] == [99, 99, 1, 2, 3, 4]
    assert f["at.last_heading"] == [0, 0, 1, 1, 1, 1]
    assert f["at.last_heading_title"] == [0, 0, 1, 1, 1, 1]
    assert f["at.text_before"] == pytest.approx([0, 0, 3, 13.1, 12.17, 15.519])
    # Containers of different size: the paragraph, the article (two alike), main, body.
    assert f["box0.words"] == [3, 3, 13, 3, 7, 3]
    assert f["box1.words"] == [32, 29, 16, 16, 10, 10]
    assert f["box2.words"] == [-1, 32, 29, 29, 29, 29]
    assert f["box3.words"] == [-1, -1, 32, 32, 32, 32]
    assert f["box4.words"] == [-1] * 6
    assert f["box1.repeats"] == [1, 1, 2, 2, 2, 2]
    assert f["box1.blocks"] == [6, 5, 2, 2, 2, 2]
    assert f["box1.link_share"] == pytest.approx([5 / 32, 2 / 29, 2 / 16, 2 / 16, 0, 0])
    for name, value in {
        "page.words": 32, "page.blocks": 6, "page.h1": 1, "page.articles": 2, "page.images": 1,
        "page.prices": 1, "page.url_depth": 3, "page.url_digits": 4, "page.url_kind": 3, "page.url_query": 1,
        "page.open_graph": 1,
        "page.short_blocks": 4 / 6, "page.main_share": 29 / 32, "page.hidden_share": 3 / 32,
        "linked.newsarticle": 1, "linked.article": 0, "linked.product": 0,
    }.items():  # fmt: skip
        assert f[name] == pytest.approx([value] * 6), name


def test_neighbours_and_copies_on_real_pages(testdata: Path) -> None:
    with (testdata / "web" / "wcxb_dev.warc.gz").open("rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.response)
        for record in itertools.islice(records, 0, 200, 10):
            with Page(record.reader.read()) as page:
                check_against_twin(page.blocks, columns(page))


def check_against_twin(blocks: Blocks, f: dict[str, list[float]]) -> None:
    n = len(blocks)
    assert f["words"] == blocks.words.tolist()
    assert f["tag"] == [tag_names().index(tag) for tag in blocks.tags]
    for side, sign in (("before", -1), ("after", 1)):
        for distance, name in itertools.product((1, 2, 3), ("words", "link_share", "tag")):
            others = [i + sign * distance for i in range(n)]
            expected = [f[name][k] if 0 <= k < n else -1 for k in others]
            assert f[f"{side}{distance}.{name}"] == expected
    words = np.maximum(blocks.words, 1)
    assert f["at.words_before"] == pytest.approx(
        (np.cumsum(blocks.words) - blocks.words) / words.sum(), rel=1e-4
    )
    assert f["commas"] == pytest.approx(
        [text.count(",") / w for text, w in zip(blocks.texts, words, strict=True)], abs=0.2
    )
    # The same words in the same order; white space and signs do not matter.
    keys = [tuple(re.findall(r"\w+", text.lower())) for text in blocks.texts]
    if all(text.isascii() for text in blocks.texts):
        counts = {key: min(keys.count(key), 255) for key in set(keys)}
        assert f["copies"] == [counts[key] for key in keys]
        assert f["words"] == [len(key) for key in keys]


def test_class_names_and_their_table() -> None:
    with Page("<div class='post-body adBox'><p class=lead>a b<p>c</div><p class=lead>d") as page:
        slots, words, kept = page.class_statistics(np.array([1, 0.5, 0], np.float32))
        # post-body, post, body; adBox, ad, box; lead.
        assert sorted(words.tolist()) == [3] * 7
        assert sorted(kept.tolist()) == [2] + [2.5] * 6
        lead = int(slots[kept == 2][0])
        table = np.zeros(CLASS_SLOTS, np.float32)
        assert columns(page, table)["class.own"] == [0, 0, 0]
        table[lead] = 2
        table[[slot for slot in slots if slot != lead]] = -1
        f = columns(page, table)
        assert f["class.own"] == [2, 0, 2]
        assert f["class.least"] == [-1, -1, 0]
        assert f["class.most"] == [2, 0, 2]
        assert f["class.nearest"] == [2, -1, 2]
        assert f["box1.class_least"] == [-1, -1, -1]
        assert f["before1.class"] == [0, 2, -1]


def test_tables_and_probabilities_must_fit() -> None:
    with Page("<p>a") as page:
        for call in (page.features, page.second_features, page.class_statistics):
            with pytest.raises(ValueError, match="numbers are needed"):
                call(np.zeros(7, np.float32))


def test_second_stage_by_hand() -> None:
    with Page("<h2>a</h2><div><p>b c<p>d e f</div>") as page:
        p = np.array([0.5, 1, 0], np.float32)
        second = page.second_features(p)
        f = {name: second[:, i].tolist() for i, name in enumerate(second_feature_names())}
        assert f["p"] == [0.5, 1, 0]
        assert f["p.before1"] == [-1, 0.5, 1]
        assert f["p.after2"] == [0, -1, -1]


def test_closed_pages() -> None:
    page = Page("<p>a")
    page.close()
    page.close()
    with pytest.raises(ValueError, match="closed"):
        len(page)

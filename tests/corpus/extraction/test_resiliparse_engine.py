"""Text verbatim, and no page that takes minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from corpus.extraction.base import Extracted
from corpus.extraction.resiliparse_engine import MAX_DEPTH, ResiliparseEngine


def extract(html: str, **options: Any) -> Extracted:
    return ResiliparseEngine(**options).extract(html)


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
    page = extract(html, main_content=main_content)
    assert page.title == "On sums & such"
    for formula in formulas:
        assert formula in page.text


def test_deep_pages_take_no_minutes() -> None:
    """20,000 levels take resiliparse four seconds, 200,000 would take seven minutes."""
    for closing in ("", "</div>", "</x>"):
        html = "<html><body>" + f"<div>{closing if closing == '</x>' else ''}" * 200_000 + "<p>The end.</p>"
        start = time.process_time()
        page = extract(html + (closing * 200_000 if closing == "</div>" else ""))
        assert time.process_time() - start < 20
        assert "The end." in page.text
    shallow = "<html><body>" + "<div>" * (MAX_DEPTH // 2) + "<p>The end.</p>"
    assert "The end." in extract(shallow).text


@pytest.mark.parametrize(
    "html", ["", "<", "<html", "<p>a<p>b</i></table><script>", "<!--", "\0\0<p>x", "</div>" * 1000]
)
def test_broken_html_is_read_as_browsers_do(html: str) -> None:
    assert isinstance(extract(html).text, str)


def test_real_pages_keep_their_words(testdata: Path) -> None:
    """Of the reviewed pages' snippets that belong to the main text, most come through."""
    from corpus.ledger import Ledger
    from corpus.manifest import WarcSource
    from corpus.sources.warc import Warc

    paths = (str(testdata / "web" / "aeb.warc.gz"),)
    fields = {"type": "warc", "paths": paths, "extract": {"engine": "resiliparse"}}
    source = Warc(WarcSource.model_validate(fields), "news")
    (task,) = source.tasks()
    ledger = Ledger()
    documents = list(source.read(task, ledger, lambda done: None))
    assert len(documents) == 181
    assert not ledger.incomplete
    assert sum("\ufffd" in doc.text for doc in documents) <= 3
    assert sum(len(doc.text) for doc in documents) > 500_000

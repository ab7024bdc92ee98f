"""The extraction step: bytes, header and URL in, text and title and signals out.

It runs in the child process of `corpus.extraction.sandbox`; decoding too is native code on hostile bytes.
"""

from __future__ import annotations

from corpus.extraction.base import Engine, Extracted, Page, Reading
from corpus.extraction.charset import NotText, decode
from corpus.extraction.signals import page_signals
from corpus.sources.base import Unusable, clean
from gristmill.base.errors import describe


def read_page(engine: Engine, page: Page) -> Reading:
    """Decode a page and extract its text.

    Raises Unusable: `decode:not_text`, `extract:empty_text`, `extract:broken_html` where the engine refuses
    the page, `extract:crash` where it fails in a way it does not mean to.
    """
    html = page.media_type != "text/plain"
    try:
        source, charset = decode(page.body, page.charset, html)
    except NotText as error:
        raise Unusable("not_text", "decode", str(error)) from None
    found = _extract(engine, source, page.url) if html else Extracted(source)
    text = found.text.strip()
    if not text:
        raise Unusable("empty_text", "extract")
    title = clean(found.title) if found.title else None
    signals = page_signals(source) if html else {}
    if found.signals:
        signals["extraction"] = found.signals
    return Reading(clean(text), charset, title, signals)


def _extract(engine: Engine, html: str, url: str | None) -> Extracted:
    try:
        return engine.extract(html, url)
    except MemoryError:
        raise
    except (ValueError, RuntimeError) as error:
        raise Unusable("broken_html", "extract", describe(error)) from None
    except Exception as error:
        raise Unusable("crash", "extract", describe(error)) from None

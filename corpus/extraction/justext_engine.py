"""jusText as an engine: paragraphs by their length, links and stop words.

The stop words are those of the page's language: the one it declares, unless another's are met far more often,
or the one whose words are met most. Pages in languages for which jusText has no list (Chinese, Japanese, ...)
are judged without one, as its documentation advises.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from corpus.extraction.base import Extracted
from corpus.extraction.structure import Format, page_title, style
from gristmill.base.errors import UserError, did_you_mean, missing_extra

LISTS = {
    "af": "Afrikaans", "an": "Aragonese", "ar": "Arabic", "ast": "Asturian", "az": "Azerbaijani",
    "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali", "br": "Breton", "bs": "Bosnian", "ca": "Catalan",
    "ceb": "Cebuano", "cs": "Czech", "cv": "Chuvash", "cy": "Welsh", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "fy": "West_Frisian", "ga": "Irish", "gl": "Galician",
    "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "ht": "Haitian", "hu": "Hungarian",
    "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "jv": "Javanese",
    "ka": "Georgian", "kk": "Kazakh", "kn": "Kannada", "ko": "Korean", "ku": "Kurdish", "ky": "Kyrgyz",
    "la": "Latin", "lb": "Luxembourgish", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian",
    "ml": "Malayalam", "mr": "Marathi", "ms": "Malay", "mt": "Maltese", "nb": "Norwegian_Bokmal",
    "nds": "Low_Saxon", "ne": "Nepali", "nl": "Dutch", "nn": "Norwegian_Nynorsk", "no": "Norwegian_Bokmal",
    "oc": "Occitan", "pnb": "Western_Panjabi", "pl": "Polish", "pt": "Portuguese", "qu": "Quechua",
    "ro": "Romanian", "ru": "Russian", "scn": "Sicilian", "sh": "Serbo_Croatian", "sk": "Slovak",
    "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "su": "Sundanese", "sv": "Swedish", "sw": "Swahili",
    "ta": "Tamil", "te": "Telugu", "tk": "Turkmen", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "yo": "Yoruba",
}  # fmt: skip
"""jusText's stop lists by ISO 639 code."""
MIN_SHARE = 0.05
"""Share of a page's words below which a language that is not declared does not count as found; texts have 0.3
and more of their own language's stop words (jusText's `stopwords_low`), shares below are accidents."""
FAR_MORE = 2.0
"""A declared language counts unless another's stop words are met so many times as often."""
_DECLARED = re.compile(r"<html\b[^>]{0,1000}?\slang\s*=\s*[\"']?\s*([a-zA-Z]{2,3})\b", re.IGNORECASE)
_KINDS = {
    "pre": "code", "li": "item", "dd": "item", "dt": "item", "blockquote": "quote", "td": "cell",
    "th": "cell", "section": "text", "article": "text", "main": "text", "body": "text",
}  # fmt: skip
"""What paragraphs inside an element are; other elements leave that to those around them."""
_HEADING = re.compile(r"\bh([1-6])\b")
_ROW = re.compile(r".*/tr\[\d+\]")


class JustextEngine:
    """Text of a page by the algorithm of `justext`."""

    name = "justext"

    def __init__(
        self,
        *,
        format: Format = "markdown",
        language: str | None = None,
        length_low: int = 70,
        length_high: int = 200,
        stopwords_low: float = 0.30,
        stopwords_high: float = 0.32,
        max_link_density: float = 0.2,
        max_heading_distance: int = 200,
        headings: bool = True,
    ) -> None:
        try:
            from justext import core, get_stoplist
        except ImportError:
            raise missing_extra("justext", "extractors", "the engine `justext`") from None
        if language is not None and language not in LISTS:
            raise UserError(
                f"jusText has no stop words of the language '{language}'",
                where="source.extract.language",
                mend=did_you_mean(language, LISTS),
            )
        self.version = f"1-{importlib.metadata.version('justext')}"
        self.style, self.language, self.core = style(format), language, core
        self._no_element = core.lxml.etree.ParserError
        self.lengths = {
            "length_low": length_low,
            "length_high": length_high,
            "max_link_density": max_link_density,
        }
        self.shares = {"stopwords_low": stopwords_low, "stopwords_high": stopwords_high}
        self.distance, self.headings = max_heading_distance, headings
        chosen = LISTS if language is None else {language: LISTS[language]}
        self.stop_words = {code: get_stoplist(name) for code, name in chosen.items()}
        self.languages = defaultdict(list)
        for code, words in self.stop_words.items():
            for word in words:
                self.languages[word].append(code)

    def extract(self, html: str, url: str | None = None) -> Extracted:
        """See `corpus.extraction.base.Engine`. Signal: `stop_words`, the language of the list in use."""
        core = self.core
        try:
            tree = core.html_to_dom(html)
        except self._no_element:
            return Extracted("")
        paragraphs = core.ParagraphMaker.make_paragraphs(core.preprocessor(tree))
        language = self.language or self.find_language(html, [paragraph.text for paragraph in paragraphs])
        if language is None:
            shares = {"stopwords_low": 0.0, "stopwords_high": 0.0}
            core.classify_paragraphs(
                paragraphs, frozenset(), no_headings=not self.headings, **self.lengths, **shares
            )
        else:
            core.classify_paragraphs(
                paragraphs,
                self.stop_words[language],
                no_headings=not self.headings,
                **self.lengths,
                **self.shares,
            )
        core.revise_paragraph_classification(paragraphs, self.distance)
        good = [paragraph for paragraph in paragraphs if not paragraph.is_boilerplate]
        return Extracted("\n\n".join(self._blocks(good)), page_title(html), {"stop_words": language})

    def find_language(self, html: str, texts: Sequence[str]) -> str | None:
        """The language whose stop words judge a page; None if no list fits it."""
        words = [word.lower() for text in texts for word in text.split()]
        met: Counter[str] = Counter()
        for word, count in Counter(words).items():
            for code in self.languages.get(word, ()):
                met[code] += count
        # Of equals the first by code, so that the hash seed does not decide.
        best = min(met, key=lambda code: (-met[code], code), default=None)
        found = _DECLARED.search(html)
        declared = found[1].lower() if found else None
        if declared in self.stop_words and (best is None or met[best] < FAR_MORE * max(met[declared], 1)):
            return declared
        return best if best is not None and met[best] >= MIN_SHARE * len(words) else None

    def _blocks(self, paragraphs: Sequence[Any]) -> Iterator[str]:
        """Paragraphs as blocks: items of one list together, cells of one row, lines of one quote."""
        for kind, group in groupby(paragraphs, key=_kind):
            texts = [(paragraph, " ".join(paragraph.text.split())) for paragraph in group]
            match kind:
                case "code":
                    yield from (self.style.code(paragraph.text) for paragraph, _ in texts)
                case "item":
                    yield "\n".join(self.style.item(text) for _, text in texts)
                case "quote":
                    yield self.style.quote("\n\n".join(text for _, text in texts))
                case "cell":
                    rows = groupby(texts, key=lambda cell: _row(cell[0].xpath))
                    yield self.style.table([[text for _, text in row] for _, row in rows])
                case "heading":
                    for paragraph, text in texts:
                        found = _HEADING.search(paragraph.dom_path)
                        yield self.style.heading(int(found[1]) if found else 2, text)
                case _:
                    yield from (text for _, text in texts)


def _kind(paragraph: Any) -> str:
    """What a paragraph is, by the elements around it, the innermost first."""
    if paragraph.is_heading:
        return "heading"
    around = (_KINDS[tag] for tag in reversed(paragraph.dom_path.split(".")) if tag in _KINDS)
    return next(around, "text")


def _row(xpath: str) -> str:
    found = _ROW.match(xpath)
    return found[0] if found else xpath

"""The measures behind Nemotron-CC's heuristic filters (Su et al. 2024, arXiv 2412.02595, section 2.3).

Definitions and their quirks are those of NeMo Curator (nemo_curator/stages/text/filters/heuristic/string.py
and repetition/repetition.py, commit 1e2e427): words are what white space separates, lines and paragraphs are
cut at one and at two line feeds and not trimmed, and a phrase that repeats is searched for in the raw text,
where a line end inside it hides it.

Curator cuts Chinese and Japanese with jieba and MeCab, where it is told the language. Here a text that is
mostly in a script without spaces is measured on `TextView.words`, without being told.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import characters
from filters.annotators.per_text import PerText, ratio
from filters.annotators.repeats import duplicates
from filters.annotators.token_kernels import count_among, most_frequent_ngrams, repeated_ngrams
from filters.base import Offsets, Spans, TextView
from filters.jit import kernel

END_MARKS = ".?!\"'"
"""constants.py, end_marks."""
ENGLISH = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\n?!,."
"""constants.py, regex_alphanum."""
DIGITS = "0123456789"
"""constants.py, regex_digit: the digits of ASCII alone."""
WHITE_SPACE = "\t\n\r\b "
"""constants.py, white_space_list."""
PARENTHESES = "{}⟨⟩[]()"
"""constants.py, regex_paren."""
BULLETS = "•‣⁃⁌⁍∙○●◘◦⦾⦿"
"""constants.py, bullet_list."""
COMMON_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""constants.py, common_english_words: Gopher's stop words."""
ELLIPSES = ("...", "[...]", "…", "(...)", "[…]")
"""constants.py, ellipsis_marks, as words; as endings also "-»", "read more" and "read more.."."""
BOILERPLATE = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "privacy overview",
    "use of cookies",
    "use cookies",
    "privacy & cookies policy",
    "privacy and cookies policy",
    "necessary cookies are absolutely essential for the website to function properly. this category "
    "only includes cookies that ensures basic functionalities and security features of the website. "
    "these cookies do not store any personal information.",
    "any cookies that may not be particularly necessary for the website to function and is used "
    "specifically to collect user personal data via analytics, ads, other embedded contents are termed "
    "as non-necessary cookies. it is mandatory to procure user consent prior to running these cookies "
    "on your website.",
    "if you continue to browse this site without changing your cookie settings, you agree to this use. "
    "acceptread more",
)
"""constants.py, policy_substrings; two more of them hold "uses cookies" anyway."""
_BOILERPLATE_WORDS = ("cookie", "privacy", "terms of use")
# One of them is in every phrase.
URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~!*(),]|%[0-9A-Fa-f]{2})+")
"""constants.py, regex_url, with the mended hyphen (Curator's pull request 1880)."""
TOP_NGRAMS = (2, 4)
REPEATED_NGRAMS = (5, 10)
"""heuristic_filter_english_pipeline.yaml."""

# No end marks are written in these (Unicode blocks): whether lines have them says nothing.
_UNMARKED = ((0x0E00, 0x0F00),)  # Thai and Lao
# Alphabetic by DerivedCoreProperties.txt though `str.isalpha` denies it: letter numbers (Nl) and letters
# in circles and squares. Left out are the marks, which stand beside letters.
_ALPHABETIC = (
    *((0x16EE, 0x16F1), (0x2160, 0x2183), (0x2185, 0x2189), (0x24B6, 0x24EA), (0x3007, 0x3008)),
    *((0x3021, 0x302A), (0x3038, 0x303B), (0xA6E6, 0xA6F0), (0x10140, 0x10175), (0x12400, 0x1246F)),
    *((0x1F130, 0x1F14A), (0x1F150, 0x1F16A), (0x1F170, 0x1F18A)),
)

_ENGLISH, _DECIMAL, _WHITE, _PAREN, _ALPHA, _END, _BULLET = (1 << bit for bit in range(7))
_ENDING, _VISIBLE, _UNSPACED, _NO_MARKS = (1 << bit for bit in range(7, 11))
_COUNTED = 11

Table = npt.NDArray[np.uint16]
CodePoints = npt.NDArray[np.uint32]


@functools.cache
def _table() -> Table:
    """What Curator's patterns say of every code point: uint16[0x110000]."""
    classes = characters.class_table()
    table = np.zeros(len(classes), np.uint16)
    for marks, flag in (
        (ENGLISH, _ENGLISH),
        (DIGITS, _DECIMAL),
        (WHITE_SPACE, _WHITE),
        (PARENTHESES, _PAREN),
        (END_MARKS, _END | _ENDING),
        (BULLETS, _BULLET),
    ):
        table[[ord(mark) for mark in marks]] |= flag
    table[(classes & characters.ALPHA) != 0] |= _ALPHA
    table[(classes & (characters.TERMINAL | characters.CLOSER)) != 0] |= _ENDING
    table[(classes & characters.SPACE) == 0] |= _VISIBLE
    table[(classes & characters.UNSPACED) != 0] |= _UNSPACED
    for first, last in _ALPHABETIC:
        table[first:last] |= _ALPHA
    for first, last in _UNMARKED:
        table[first:last] |= _NO_MARKS
    table.flags.writeable = False
    return table


class NemotronCC(PerText):
    """Measures behind `filters/rulesets/nemotron-cc-english.yaml` and `nemotron-cc-non-english.yaml`.

    Shares of the characters: nemotron_cc.non_english_ratio (neither ASCII letter nor digit nor line feed nor
    one of ?!,.), .digit_ratio, .url_ratio, .white_space_ratio, .parenthesis_ratio; .top_2_gram to
    .top_4_gram (what the most frequent n-gram takes wherever it stands in the raw text), .repeated_5_gram to
    .repeated_10_gram (tokens inside n-grams that occurred before). Of the words: .words, .symbol_word_ratio
    (ellipses, and words of hash signs), .alpha_word_ratio, .common_words (occurrences of eight English
    words), .mean_word_length, .longest_word. Of the lines that are not blank: .unmarked_line_ratio (without
    one of .?!"' at the end), .unended_line_ratio (without terminal punctuation, closing quote or bracket of
    any script), .ellipsis_line_ratio, .bullet_line_ratio, .distinct_line_ratio, .distinct_line_characters.
    Of the paragraphs: .boilerplate_paragraph_ratio (1 where "lorem ipsum" stands), .distinct_paragraph_ratio,
    .distinct_paragraph_characters. .spaced: whether words are what white space separates. Null where there is
    nothing to divide by, or fewer than n words.
    """

    name = "nemotron_cc"
    version = "1"
    columns = {
        "nemotron_cc.non_english_ratio": pa.float64(),
        "nemotron_cc.digit_ratio": pa.float64(),
        "nemotron_cc.url_ratio": pa.float64(),
        "nemotron_cc.white_space_ratio": pa.float64(),
        "nemotron_cc.parenthesis_ratio": pa.float64(),
        "nemotron_cc.boilerplate_paragraph_ratio": pa.float64(),
        "nemotron_cc.distinct_line_ratio": pa.float64(),
        "nemotron_cc.distinct_line_characters": pa.float64(),
        "nemotron_cc.distinct_paragraph_ratio": pa.float64(),
        "nemotron_cc.distinct_paragraph_characters": pa.float64(),
        "nemotron_cc.unmarked_line_ratio": pa.float64(),
        "nemotron_cc.unended_line_ratio": pa.float64(),
        "nemotron_cc.ellipsis_line_ratio": pa.float64(),
        "nemotron_cc.bullet_line_ratio": pa.float64(),
        "nemotron_cc.spaced": pa.bool_(),
        "nemotron_cc.words": pa.int64(),
        "nemotron_cc.symbol_word_ratio": pa.float64(),
        "nemotron_cc.alpha_word_ratio": pa.float64(),
        "nemotron_cc.common_words": pa.int64(),
        "nemotron_cc.mean_word_length": pa.float64(),
        "nemotron_cc.longest_word": pa.int64(),
        **{f"nemotron_cc.top_{n}_gram": pa.float64() for n in range(TOP_NGRAMS[0], TOP_NGRAMS[1] + 1)},
        **{
            f"nemotron_cc.repeated_{n}_gram": pa.float64()
            for n in range(REPEATED_NGRAMS[0], REPEATED_NGRAMS[1] + 1)
        },
    }

    def measure(self, view: TextView) -> tuple[Any, ...]:
        length = len(view)
        counts = _count(view.code_points, _table())
        english, decimal, white, paren, alpha, _, _, _, _, unspaced, unmarked = counts.tolist()
        shares = [
            ratio(count, length) for count in (length - english, decimal, _urls(view.text), white, paren)
        ]
        paragraphs = _paragraphs(view)
        lines, marks = _lines(view)
        values = [
            *shares,
            _boilerplate(view, paragraphs),
            *_distinct(view, lines),
            *_distinct(view, paragraphs),
            ratio(marks[0], len(lines)),
            ratio(marks[1], len(lines)) if unmarked * 2 <= alpha else None,
            ratio(marks[2], len(lines)),
            ratio(marks[3], len(lines)),
        ]
        spaced = unspaced * 2 <= alpha
        return (*values, spaced, *_word_measures(view, view.tokens if spaced else view.words, spaced))


def _word_measures(view: TextView, words: Spans, spaced: bool) -> list[Any]:
    """From `words` to `repeated_10_gram`."""
    length, count = len(view), len(words)
    hashes, lengths = view.hashes(words), words.lengths
    symbols, alphabetic, total, longest = _count_words(view.code_points, words.starts, words.ends, _table())
    common = count_among(hashes, _common_words())
    values: list[Any] = [count, ratio(symbols, count), ratio(alphabetic, count), common]
    values += [ratio(total, count), longest if count else None]
    glue = " " if spaced else ""
    for n, start in enumerate(most_frequent_ngrams(hashes, *TOP_NGRAMS).tolist(), TOP_NGRAMS[0]):
        if start < 0:
            values.append(None)
            continue
        phrase = glue.join(words[start : start + n].of(view.text))
        values.append(view.text.count(phrase) * len(phrase) / length)
    repeated = repeated_ngrams(hashes, lengths, *REPEATED_NGRAMS, len(glue))
    for n, covered in enumerate(repeated.tolist(), REPEATED_NGRAMS[0]):
        values.append(covered / length if count >= n else None)
    return values


@functools.cache
def _common_words() -> npt.NDArray[np.uint64]:
    views = [TextView(word) for word in COMMON_WORDS]
    return np.concatenate([view.hashes(view.tokens) for view in views])


@kernel
def _count(code_points: CodePoints, table: Table) -> Offsets:
    """How many code points have each flag of the table."""
    histogram = np.zeros(1 << 12, np.int64)
    for code_point in code_points:
        histogram[table[code_point]] += 1
    counts = np.zeros(_COUNTED, np.int64)
    for flags in range(1 << _COUNTED):
        if histogram[flags]:
            for bit in range(_COUNTED):
                counts[bit] += histogram[flags] * ((flags >> bit) & 1)
    return counts


@kernel
def _count_words(
    code_points: CodePoints, starts: Offsets, ends: Offsets, table: Table
) -> tuple[int, int, int, int]:
    """Words that are symbols, words with a letter, characters of all words, and of the longest."""
    symbols = alphabetic = total = longest = 0
    for start, end in zip(starts, ends):  # noqa: B905 - compiled
        length = end - start
        total += length
        longest = max(longest, length)
        hashes = 0
        letter = False
        for i in range(start, end):
            letter |= (table[code_points[i]] & _ALPHA) != 0
            # Curator's quirk: a run of hash signs counts once.
            hashes += code_points[i] == 0x23 and (i == start or code_points[i - 1] != 0x23)
        alphabetic += letter
        symbols += 2 * hashes > length or _is_ellipsis(code_points, start, end)
    return symbols, alphabetic, total, longest


@kernel
def _is_ellipsis(code_points: CodePoints, start: int, end: int) -> bool:
    """Whether a word is one of ELLIPSES or "-»"."""
    length = end - start
    first, last = code_points[start], code_points[end - 1]
    if length <= 2:
        return bool((length == 1 and first == 0x2026) or (length == 2 and first == 0x2D and last == 0xBB))
    square = first == 0x5B and last == 0x5D
    if length == 3 and square:
        return bool(code_points[start + 1] == 0x2026)
    if length == 5 and (square or (first == 0x28 and last == 0x29)):
        return _dots(code_points, end - 1) == 3
    return length == 3 and _dots(code_points, end) == 3


def _lines(view: TextView) -> tuple[Spans, tuple[int, int, int, int]]:
    """The lines that are not blank, untrimmed; and how many of them have no end mark, no ending of any
    script, an ellipsis at the end, a bullet at the beginning."""
    lines = _pieces(len(view), view.newlines, 1)
    filled, *marks = _count_lines(view.code_points, lines.starts, lines.ends, _table())
    return lines[filled], (marks[0], marks[1], marks[2], marks[3])


@kernel
def _count_lines(
    code_points: CodePoints, starts: Offsets, ends: Offsets, table: Table
) -> tuple[npt.NDArray[np.bool_], int, int, int, int]:
    filled = np.zeros(len(starts), np.bool_)
    unmarked = unended = trailing = bullets = 0
    for line in range(len(starts)):
        start, end = starts[line], ends[line]
        while start < end and not table[code_points[start]] & _VISIBLE:
            start += 1
        while start < end and not table[code_points[end - 1]] & _VISIBLE:
            end -= 1
        if start == end:
            continue
        filled[line] = True
        last = table[code_points[end - 1]]
        unmarked += (last & _END) == 0
        unended += (last & _ENDING) == 0
        bullets += (table[code_points[start]] & _BULLET) != 0
        trailing += _ends_with_ellipsis(code_points, start, end)
    return filled, unmarked, unended, trailing, bullets


@kernel
def _ends_with_ellipsis(code_points: CodePoints, start: int, end: int) -> bool:
    """Whether a trimmed line ends with one of ELLIPSES, "-»", "read more" or "read more..", in small letters
    or capitals."""
    length = end - start
    last = code_points[end - 1]
    before = code_points[end - 2] if length > 1 else last
    if last == 0xBB:
        return length > 1 and before == 0x2D
    if last == 0x5D and before == 0x2026:
        return length > 2 and code_points[end - 3] == 0x5B
    if last in (0x5D, 0x29):
        opener = 0x5B if last == 0x5D else 0x28
        return length > 4 and code_points[end - 5] == opener and _dots(code_points, end - 1) == 3
    dots = _dots(code_points, end)
    return last == 0x2026 or dots == 3 or (dots != 1 and _ends_with_read_more(code_points, start, end - dots))


@kernel
def _ends_with_read_more(code_points: CodePoints, start: int, end: int) -> bool:
    if end - start < len(_READ_MORE):
        return False
    for i in range(len(_READ_MORE)):
        wanted = _READ_MORE[i]
        found = code_points[end - len(_READ_MORE) + i]
        if found != wanted and not (wanted != 0x20 and found == wanted - 0x20):
            return False
    return True


@kernel
def _dots(code_points: CodePoints, end: int) -> int:
    """How many full stops, at most three, stand before `end`."""
    count = 0
    while count < 3 and end - count > 0 and code_points[end - count - 1] == 0x2E:
        count += 1
    return count


_READ_MORE = np.array([ord(mark) for mark in "read more"], np.uint32)


def _paragraphs(view: TextView) -> Spans:
    """`str.split` at two line feeds."""
    newlines = view.newlines
    second = _second_of_pairs(newlines)
    return _pieces(len(view), newlines[second] - 1, 2)


def _pieces(length: int, at: Offsets, width: int) -> Spans:
    """What separators of one width leave."""
    return Spans(np.concatenate(([0], at + width)), np.concatenate((at, [length])))


@kernel
def _second_of_pairs(newlines: Offsets) -> npt.NDArray[np.bool_]:
    """Which line feeds end a pair, from the left, no feed in two pairs."""
    second = np.zeros(len(newlines), np.bool_)
    for i in range(1, len(newlines)):
        second[i] = newlines[i] == newlines[i - 1] + 1 and not second[i - 1]
    return second


def _distinct(view: TextView, pieces: Spans) -> tuple[float | None, float | None]:
    """Different pieces to all, and their characters to those of all."""
    characters = int(pieces.lengths.sum())
    again, repeated = duplicates(view.hashes(pieces), pieces.lengths)
    return ratio(len(pieces) - again, len(pieces)), ratio(characters - repeated, characters)


def _urls(text: str) -> int:
    """Characters of URLs."""
    if "http" not in text:
        return 0
    return sum(match.end() - match.start() for match in URL.finditer(text))


def _boilerplate(view: TextView, paragraphs: Spans) -> float:
    """Paragraphs that hold a boilerplate phrase, to all; 1 where one says "lorem ipsum"."""
    lowered = view.lowered
    if "lorem ipsum" in lowered:
        return 1.0
    if not any(word in lowered for word in _BOILERPLATE_WORDS):
        return 0.0
    places = []
    for phrase in BOILERPLATE:
        at = lowered.find(phrase)
        while at >= 0:
            places.append(at)
            at = lowered.find(phrase, at + 1)
    if not places:
        return 0.0
    holders = set(np.searchsorted(paragraphs.starts, places, side="right").tolist())
    return len(holders) / len(paragraphs)

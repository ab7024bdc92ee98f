"""The line and page measures of C4 (Raffel et al. 2020, JMLR 21/140, section 2.2), as datatrove's
C4QualityFilter has them.

The filter removes lines and pages; this annotator says how many lines it would remove, and why, and leaves
the text as it is. The checks of a line stand in the filter's order, and a line counts for the first that it
fails.
"""
# ruff: noqa: PLR0917 (kernels take arrays one by one)

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerRow
from filters.base import Offsets, Spans, TextView
from filters.characters import P_CATEGORY, SPACE, TERMINAL
from filters.jit import loop

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
"""tensorflow_datasets/text/c4_utils.py: Wikipedia's citation marks, taken out of a line before it is judged.
"""
_STOP, _QUESTION, _EXCLAMATION, _QUOTE, _APOSTROPHE = (ord(mark) for mark in ".?!\"'")
"""c4_utils.py, _END_MARKS."""
_SPACE = ord(" ")
POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
"""c4_utils.py, _POLICY_SUBSTRINGS."""
MIN_WORDS, MAX_WORD_LENGTH = 3, 1000
"""c4_utils.py: words a line, characters a word."""

Classes = npt.NDArray[np.uint32]

_LOREM, _JAVASCRIPT, _CURLY, _POLICY = range(4)
_MARKS = (
    (_LOREM, b"lorem ipsum", (b"lorem ipsum",)),
    (_JAVASCRIPT, b"javascript", (b"javascript",)),
    (_CURLY, b"{", (b"{",)),
    (_POLICY, b"terms of use", (b"terms of use",)),
    (_POLICY, b"privacy policy", (b"privacy policy",)),
    (_POLICY, b"cookie", tuple(phrase.encode() for phrase in POLICY if "cookie" in phrase)),
)
"""What a line is dropped or stopped at for: kind, what must occur for any of the phrases to, the phrases."""
_NOWHERE = np.zeros((0, 2), np.int64)


class C4(PerRow):
    """Measures behind C4's rules (`filters/rulesets/c4.yaml`).

    c4.lines: all lines. c4.long_word_lines: with a word over 1000 characters; c4.unpunctuated_lines: without
    a terminal mark at the end, or with an ellipsis; c4.short_lines: under three words; c4.javascript_lines,
    c4.policy_lines: that mention JavaScript, or cookies and terms of use; c4.kept_lines: the rest.
    c4.lorem_ipsum, c4.curly_bracket: whether a line that came as far says "lorem ipsum", or has a "{".
    c4.sentences: sentences of the kept lines, as spaCy's sentencizer counts them, which is simpler than
    `TextView.sentences`: the filter's threshold was set with it.

    Args:
        terminal_marks: whether a line must end with a terminal mark; FineWeb did without that.
    """

    name = "c4"
    version = "2"
    columns = {
        "c4.lines": pa.int64(),
        "c4.long_word_lines": pa.int64(),
        "c4.unpunctuated_lines": pa.int64(),
        "c4.short_lines": pa.int64(),
        "c4.javascript_lines": pa.int64(),
        "c4.policy_lines": pa.int64(),
        "c4.kept_lines": pa.int64(),
        "c4.lorem_ipsum": pa.bool_(),
        "c4.curly_bracket": pa.bool_(),
        "c4.sentences": pa.int64(),
    }

    def __init__(self, terminal_marks: bool = True) -> None:
        self.terminal_marks = terminal_marks

    def fill(self, view: TextView, row: npt.NDArray[np.float64]) -> None:
        lines = view.lines
        clean, moved = _without_citations(view, lines)
        words = clean.words
        _measure(
            view.classes,
            lines.starts,
            lines.ends,
            clean.code_points,
            clean.classes,
            moved.starts,
            moved.ends,
            words.starts,
            words.ends,
            _find(clean),
            self.terminal_marks,
            row,
        )


@loop
def _measure(
    classes: Classes,
    starts: Offsets,
    ends: Offsets,
    clean_points: npt.NDArray[np.uint32],
    clean_classes: Classes,
    clean_starts: Offsets,
    clean_ends: Offsets,
    word_starts: Offsets,
    word_ends: Offsets,
    phrases: Offsets,
    terminal_marks: bool,
    row: npt.NDArray[np.float64],
) -> None:
    """All columns in their order.

    Lines lie at `starts` to `ends`, and at `clean_starts` to `clean_ends` of the text without citations,
    which all other arguments describe. `phrases` are places in that text, and the kind of what stands there:
    int64[k, 2], in order.
    """
    long_word = unpunctuated = few = javascripts = policies = kept = sentences = phrase = word = 0
    lorem = curly = False
    for line in range(len(starts)):
        # What is stripped off the line is stripped off the clean one: no citation begins or ends with space.
        start, end = starts[line], ends[line]
        first, last = clean_starts[line], clean_ends[line]
        while start < end and classes[end - 1] & SPACE:
            end -= 1
            last -= 1
        while start < end and classes[start] & SPACE:
            start += 1
            first += 1
        while phrase < len(phrases) and phrases[phrase, 0] < first:
            phrase += 1
        found = 0
        while phrase < len(phrases) and phrases[phrase, 0] < last:
            found |= 1 << phrases[phrase, 1]
            phrase += 1
        if _has_long_word(classes, start, end):
            long_word += 1
        elif terminal_marks and not _is_punctuated(clean_points, first, last):
            unpunctuated += 1
        elif not _has_words(classes, start, end):
            few += 1
        else:
            lorem |= found & 1 << _LOREM != 0
            if found & 1 << _JAVASCRIPT:
                javascripts += 1
                continue
            curly |= found & 1 << _CURLY != 0
            if found & 1 << _POLICY:
                policies += 1
                continue
            kept += 1
            while word < len(word_starts) and word_starts[word] < first:
                word += 1
            sentences += _sentences(clean_points, clean_classes, word_starts, word_ends, word, last)
    row[0] = len(starts)
    row[1], row[2], row[3] = long_word, unpunctuated, few
    row[4], row[5], row[6] = javascripts, policies, kept
    row[7], row[8], row[9] = lorem, curly, sentences


@loop
def _has_words(classes: Classes, start: int, end: int) -> bool:
    """Whether a line has at least MIN_WORDS words, as `str.split` cuts them."""
    count = 0
    for at in range(start, end):
        if not classes[at] & SPACE and (at == start or classes[at - 1] & SPACE):
            count += 1
            if count == MIN_WORDS:
                return True
    return False


@loop
def _has_long_word(classes: Classes, start: int, end: int) -> bool:
    """Whether a line has a word of more than MAX_WORD_LENGTH characters."""
    if end - start <= MAX_WORD_LENGTH:
        return False
    length = 0
    for at in range(start, end):
        length = 0 if classes[at] & SPACE else length + 1
        if length > MAX_WORD_LENGTH:
            return True
    return False


@loop
def _is_punctuated(code_points: npt.NDArray[np.uint32], start: int, end: int) -> bool:
    """Whether a line ends with a terminal mark, but not with an ellipsis of three points."""
    if start == end:
        return False
    last = code_points[end - 1]
    if last == _STOP:
        return not (end - start >= 3 and code_points[end - 2] == _STOP and code_points[end - 3] == _STOP)
    return last in (_QUESTION, _EXCLAMATION, _QUOTE, _APOSTROPHE)


@loop
def _sentences(
    code_points: npt.NDArray[np.uint32],
    classes: Classes,
    starts: Offsets,
    ends: Offsets,
    word: int,
    last: int,
) -> int:
    """How many sentences the line up to `last` has that begins with the given word.

    A word that is one terminal mark ends a sentence, and the next word that is not all punctuation begins
    another (spacy/pipeline/sentencizer.pyx). White space but a single space is a word to spaCy, and here too.
    """
    count = 1
    ended = False
    before = -1
    while word < len(starts) and starts[word] < last:
        start, end = starts[word], ends[word]
        if ended and start > before and (start - before > 1 or code_points[before] != _SPACE):
            count += 1
            ended = False
        if end - start == 1 and classes[start] & TERMINAL:
            ended = True
        elif ended:
            for at in range(start, end):
                if not classes[at] & P_CATEGORY:
                    count += 1
                    ended = False
                    break
        before = end
        word += 1
    return count


def _find(view: TextView) -> Offsets:
    """Where phrases occur, and of which kind they are: int64[k, 2], in order."""
    folded = view.folded
    places: list[tuple[int, int]] = []
    for kind, sign, phrases in _MARKS:
        if sign in folded:
            for phrase in phrases:
                pattern = re.escape(phrase.decode())
                places += ((match.start(), kind) for match in re.finditer(pattern, view.lowered))
    return np.array(sorted(places), np.int64).reshape(len(places), 2) if places else _NOWHERE


def _without_citations(view: TextView, lines: Spans) -> tuple[TextView, Spans]:
    """The text without citation marks, and where its lines are there."""
    if "[" not in view.text:
        return view, lines
    keep = np.ones(len(view) + 1, np.int64)
    for match in CITATION.finditer(view.text):
        keep[match.start() : match.end()] = 0
    if keep.all():
        return view, lines
    moved = np.concatenate(([0], np.cumsum(keep[:-1])))
    return TextView(CITATION.sub("", view.text)), Spans(moved[lines.starts], moved[lines.ends])

"""The line and page measures of C4 (Raffel et al. 2020, JMLR 21/140, section 2.2), as datatrove's
C4QualityFilter has them.

The filter removes lines and pages; this annotator says how many lines it would remove, and why, and leaves
the text as it is. The checks of a line stand in the filter's order, and a line counts for the first that it
fails.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.per_text import PerText
from filters.base import Spans, TextView
from filters.characters import among, ascii_marks

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
"""tensorflow_datasets/text/c4_utils.py: Wikipedia's citation marks, taken out of a line before it is judged.
"""
END_MARKS = ascii_marks(".?!\"'")
"""c4_utils.py, _END_MARKS."""
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

Bits = npt.NDArray[np.bool_]


class C4(PerText):
    """Measures behind C4's rules (`filters/rulesets/c4.yaml`).

    c4.lines: all lines. c4.long_word_lines: with a word over 1000 characters; c4.unpunctuated_lines: without
    a terminal mark at the end, or with an ellipsis; c4.short_lines: under three words; c4.javascript_lines,
    c4.policy_lines: that mention JavaScript, or cookies and terms of use; c4.kept_lines: the rest.
    c4.lorem_ipsum, c4.curly_bracket: whether a line that came as far says "lorem ipsum", or has a "{".
    c4.sentences: sentences of the kept lines.
    """

    name = "c4"
    version = "1"
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

    def measure(self, view: TextView) -> tuple[Any, ...]:
        lines = view.trimmed(view.lines)
        words = view.tokens
        long_word = _holds(lines, words.starts[words.lengths > MAX_WORD_LENGTH])
        words_per_line = np.diff(np.searchsorted(words.starts, np.append(lines.starts, len(view))))
        view, lines = _without_citations(view, lines)
        left = ~long_word
        counts = [len(lines), int(np.count_nonzero(long_word))]
        lowered = view.lowered
        for fails in (
            ~_punctuated(view.code_points, lines),
            words_per_line < MIN_WORDS,
        ):
            counts.append(int(np.count_nonzero(left & fails)))
            left &= ~fails
        lorem = left & _holds(lines, _find(lowered, "lorem ipsum"))
        javascript = left & _holds(lines, _find(lowered, "javascript"))
        left &= ~javascript
        curly = left & _holds(lines, _find(lowered, "{"))
        policy = left & _holds(lines, np.concatenate([_find(lowered, phrase) for phrase in POLICY]))
        left &= ~policy
        counts += [int(np.count_nonzero(marked)) for marked in (javascript, policy, left)]
        kept = lines[left]
        sentences = view.sentences.starts
        inside = np.searchsorted(sentences, kept.ends) - np.searchsorted(sentences, kept.starts)
        return (*counts, bool(lorem.any()), bool(curly.any()), int(inside.sum()))


def _holds(lines: Spans, at: npt.NDArray[np.int64]) -> Bits:
    """Which lines hold at least one of the places."""
    found = np.zeros(len(lines), np.bool_)
    if len(at):
        line = np.searchsorted(lines.starts, at, side="right") - 1
        found[line[(line >= 0) & (at < lines.ends[line])]] = True
    return found


def _find(text: str, phrase: str) -> npt.NDArray[np.int64]:
    """Where a phrase occurs."""
    places = []
    at = text.find(phrase)
    while at >= 0:
        places.append(at)
        at = text.find(phrase, at + 1)
    return np.array(places, np.int64)


def _punctuated(code_points: npt.NDArray[np.uint32], lines: Spans) -> Bits:
    """Which lines end with a terminal mark, but not with an ellipsis of three points."""
    if not len(code_points):
        return np.zeros(len(lines), np.bool_)
    good: Bits = among(code_points[lines.ends - 1], END_MARKS) & (lines.lengths > 0)
    long = np.flatnonzero(lines.lengths >= 3)
    ends = lines.ends[long]
    dots = code_points[ends - 1] == 0x2E
    dots &= (code_points[ends - 2] == 0x2E) & (code_points[ends - 3] == 0x2E)
    good[long[dots]] = False
    return good


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

"""The measures behind OpenCoder's filters of source code (Huang et al. 2024, arXiv 2411.04905, appendix A).

The definitions are those of its code, github.com/OpenCoder-llm/opc_data_filtering: quality_signals/doc.py
and code.py for all files, code_specific/ for eight languages; the limits, in
pipeline/code_filter_config.py, are the rule sets `opencoder-text`, `opencoder-code` and
`opencoder-LANGUAGE`. What is a comment or a string is told by a lexer of our own instead of Pygments,
functions and classes by a scanner instead of syntax trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.annotators.code_language import language_of, path_of
from filters.annotators.per_text import as_arrays
from filters.base import TextView
from filters.code import constructs, measures, prose
from filters.code.languages import languages
from filters.code.lexer import kinds_of
from filters.code.repetition import REPEATED, TOP, lowered_code_points, repetition, words

_AUTOMATIC = ("generate", "autogen", "do not edit")
"""Parts of the first 200 characters of a file that a program made (code.py, `qsc_code_cate_autogen`)."""
_HEADERS = ("h", "hpp", "hxx", "hh", "h++")
"""Extensions for which directives of the preprocessor do not count (code_specific/c.py)."""

_INTEGERS = frozenset(
    {"bytes", "characters", "words", "lines", "longest_line", "mains", "html_characters", "sentences"}
)
_TRUTHS = frozenset({"xml_start", "automatic", "encoded", "no_variables", "go_test"})
_ALL = (
    "bytes", "characters", "words", "mean_word_length", "unique_word_fraction", "entropy",
    *(f"top_{n}_gram" for n in TOP), *(f"repeated_{n}_gram" for n in REPEATED),
    "letter_fraction", "digit_fraction", "whitespace_fraction", "replacement_fraction",
)  # fmt: skip
_CODE = (
    "lines", "longest_line", "mean_line", "comment_fraction", "string_fraction", "long_word_fraction",
    "hex_fraction", "duplicate_line_fraction", "long_strings_per_line", "todo_fraction", "assert_fraction",
    "xml_start", "automatic", "encoded",
)  # fmt: skip
_SPECIFIC = (
    "functions_per_line", "simple_functions_per_line", "no_logic_per_line", "no_variables", "mains",
    "print_fraction", "import_fraction", "pass_fraction", "directive_fraction", "go_test", "html_fraction",
    "html_characters", "draw",
)  # fmt: skip
_PROSE = (
    "text_duplicate_line_fraction", "text_duplicate_character_fraction", "text_ellipsis_line_fraction",
    "text_bullet_line_fraction", "sentences", "text_capital_word_fraction", "text_markup_fraction",
)  # fmt: skip
_NAMES = (*_ALL, *_CODE, *_SPECIFIC, *_PROSE)
_AT = {name: index for index, name in enumerate(_NAMES)}


def _type(name: str) -> pa.DataType:
    if name in _TRUTHS:
        return pa.bool_()
    return pa.int64() if name in _INTEGERS else pa.float64()


class OpenCoder:
    """Measures of a source file.

    All: opencoder.bytes, .characters; .words, .mean_word_length, .unique_word_fraction, .entropy (nats),
    .top_2_gram to .top_4_gram, .repeated_5_gram to .repeated_10_gram (`filters.code.repetition`);
    .letter_fraction, .digit_fraction (of what is visible), .whitespace_fraction, .replacement_fraction
    (U+FFFD).

    Code, data and mark-up: .lines, .longest_line, .mean_line (characters, line feeds with them);
    .comment_fraction of the characters; of those that are no comment .string_fraction, .long_word_fraction
    (words of over 20 characters in strings, addresses aside), .hex_fraction; of the lines of code
    .duplicate_line_fraction, .assert_fraction; .long_strings_per_line: lines of strings of over 20 words for
    each line of code; .todo_fraction: lines that ask for code to come; .xml_start, .automatic (its first 200
    characters say that a program made it), .encoded (data in base 64 or hexadecimal).

    Python, C, C++, Java, JavaScript, Go, C#: .functions_per_line, .no_logic_per_line (functions, classes,
    imports, plain returns and variables), .no_variables (Python, Java, JavaScript), .print_fraction. Python:
    .simple_functions_per_line (whose body is a return), .import_fraction, .pass_fraction. C and C++: .mains,
    .directive_fraction (not of headers). Go: .go_test. HTML: .html_characters, .html_fraction that is text.
    .draw: a number in [0, 1) that depends on the text alone, for rules that drop a share.

    Prose: .lines, .sentences; shares of .text_duplicate_line_fraction, .text_duplicate_character_fraction,
    .text_ellipsis_line_fraction, .text_bullet_line_fraction, .text_capital_word_fraction,
    .text_markup_fraction.
    """

    name = "opencoder"
    version = "1"
    columns: Mapping[str, pa.DataType] = {f"opencoder.{name}": _type(name) for name in _NAMES}

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows = np.full((len(views), len(_NAMES)), np.nan)
        for view, document, row in zip(views, documents, rows, strict=True):
            language, _ = language_of(view, document)
            _measure(view, language, path_of(document) or "", row)
        return as_arrays(rows, self.columns)


def _measure(view: TextView, language: str | None, path: str, row: npt.NDArray[np.float64]) -> None:
    text = view.text
    code_points, classes = view.code_points, view.classes
    known = languages()[language] if language is not None else None
    kinds = kinds_of(code_points, known.syntax if known is not None else "plain")
    hashes, lengths = words(lowered_code_points(view), classes)
    row[0], row[1], row[2] = view.utf8_length, len(text), len(hashes)
    repetition(hashes, lengths, row[3:15])
    shares = np.full(8, np.nan)
    measures.characters(code_points, classes, kinds, shares)
    row[15], row[16], row[17], row[18] = shares[0], shares[1], shares[2], shares[7]
    row[_AT["draw"]] = int(view.prefix_hashes[-1] >> np.uint64(11)) / (1 << 53)
    if known is not None and known.type == "prose":
        row[_AT["lines"]] = text.count("\n") + (text != "" and not text.endswith("\n"))
        start = _AT["text_duplicate_line_fraction"]
        prose.prose_lines(code_points, classes, prose.SUFFIXES, prose.BULLETS, row[start : start + 4])
        prose.prose_words(code_points, classes, row[start + 4 : start + 7])
        return
    automaton, flags = measures.keywords()
    ends, which = automaton.places(code_points)
    counted = np.full(11, np.nan)
    lines = measures.lines(
        code_points, classes, kinds, ends, which, flags, measures.PRINTS.get(language or "", 0), counted
    )
    start = _AT["lines"]
    row[start : start + 3] = counted[:3]
    row[start + 3 : start + 7] = shares[3:7]
    row[start + 7], row[start + 8], row[start + 9], row[start + 10] = (
        counted[3],
        counted[4],
        counted[5],
        counted[6],
    )
    head = text[:200].lower()
    row[start + 11] = "<?xml version=" in text[:100]
    row[start + 12] = any(part in head for part in _AUTOMATIC)
    row[start + 13] = measures.encoded(code_points, classes)
    _specific(view, language, path, kinds, lines, counted, row)


def _specific(  # noqa: PLR0917
    view: TextView,
    language: str | None,
    path: str,
    kinds: npt.NDArray[np.uint8],
    lines: int,
    counted: npt.NDArray[np.float64],
    row: npt.NDArray[np.float64],
) -> None:
    """The measures of single languages."""
    if language in ("HTML", "Vue", "Svelte"):
        visible = measures.visible_text(view.code_points, kinds)
        row[_AT["html_characters"]] = visible
        if len(view):
            row[_AT["html_fraction"]] = visible / len(view)
        return
    if language == "Python":
        counts = constructs.python_constructs(
            view.code_points, view.classes, kinds, view.prefix_hashes, *constructs.word_kinds()
        )
        if lines:
            row[_AT["simple_functions_per_line"]] = counts[constructs.SIMPLE] / lines
        row[_AT["import_fraction"]], row[_AT["pass_fraction"]] = counted[8], counted[9]
        imports = counted[8] * lines if lines else 0.0
    elif language in constructs.DIALECTS:
        counts = constructs.braced_constructs(
            view.code_points,
            view.classes,
            kinds,
            view.prefix_hashes,
            *constructs.word_kinds(),
            constructs.DIALECTS[language],
        )
        imports = float(counts[constructs.IMPORTS])
    else:
        return
    if language in ("C", "C++"):
        row[_AT["mains"]] = counts[constructs.MAINS]
        if path.rpartition(".")[2].lower() not in _HEADERS:
            row[_AT["directive_fraction"]] = counted[10]
    if language in ("Python", "Java", "JavaScript"):
        row[_AT["no_variables"]] = counts[constructs.VARIABLES] == 0
    if language == "Go":
        row[_AT["go_test"]] = path.lower().endswith("_test.go")
    if lines:
        logic = counts[constructs.FUNCTIONS] + counts[constructs.CLASSES] + counts[constructs.RETURNS]
        row[_AT["functions_per_line"]] = counts[constructs.FUNCTIONS] / lines
        row[_AT["no_logic_per_line"]] = (logic + counts[constructs.PLAIN] + imports) / lines
        row[_AT["print_fraction"]] = counted[7]

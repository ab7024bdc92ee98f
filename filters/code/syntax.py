"""Whether a source file parses: Python by its own parser, eleven other languages by tree-sitter's grammars.

The grammars come bundled in `tree-sitter-language-pack` 0.13 (later versions fetch them at run time).
Shell is not among the languages: its grammar takes minutes over some short texts; of the others each is
linear.
"""

from __future__ import annotations

import functools
import re
import symtable
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from filters.code.macros import without_macros
from gristmill.base.errors import missing_extra

GRAMMARS = {
    "C": "c",
    "C#": "csharp",
    "C++": "cpp",
    "Go": "go",
    "Java": "java",
    "JavaScript": "javascript",
    "Kotlin": "kotlin",
    "PHP": "php",
    "Python": "python",
    "Ruby": "ruby",
    "Rust": "rust",
    "TSX": "tsx",
    "TypeScript": "typescript",
}
"""The twelve languages (TSX is TypeScript's other grammar) and their grammars."""

MAX_BYTES = 1_000_000
"""Of the longest file that is parsed; a longer one counts as not parsing. A megabyte that is no program at
all takes up to ten seconds."""
MAX_DOTTED = 20_000
"""Characters of the longest text whose dotted names may have any length: Python's parser takes time by
their square."""
_DOTTED = re.compile(r"\b(?:\w{1,200}+\.){1000}")
MAX_MACROS = 300_000
"""Characters of the longest file of C or C++ that is parsed again without its macros
(`filters.code.macros`)."""
MAX_NODES = 100_000
"""Nodes that are looked at to count a file's errors."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """`errors`: places that could not be parsed, and what is missing. `share`: of the file's bytes, in
    places that could not be parsed. Both None where only Python's parser looked and where the file is too
    long."""

    ok: bool
    errors: int | None
    share: float | None
    parser: Literal["python", "tree-sitter", "macros"] | None


def check(text: str, language: str) -> Syntax:  # noqa: PLR0911 (a parser, a return)
    """Parse a file of one of GRAMMARS.

    C and C++ that only the preprocessor makes a program are right when they parse without their macros;
    `errors` and `share` are then those with them. A Python file is right when Python's own parser takes it
    (that of the version that runs here); what it refuses tree-sitter looks at for the errors.
    """
    if len(text) > MAX_BYTES:
        return Syntax(False, None, None, None)
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        return Syntax(False, None, None, None)
    if language == "Python":
        if is_python(text):
            return Syntax(True, 0, 0.0, "python")
        errors, share = _errors(parser_of("python").parse(data))
        return Syntax(False, errors, share, "python")
    tree = parser_of(GRAMMARS[language]).parse(data)
    if not tree.root_node.has_error:
        return Syntax(True, 0, 0.0, "tree-sitter")
    errors, share = _errors(tree)
    if language in ("C", "C++") and len(text) <= MAX_MACROS:
        plain = without_macros(text).encode("utf-8", "replace")
        # A header of C may be one of C++ behind `#ifdef __cplusplus`.
        for grammar in ("c", "cpp") if language == "C" else ("cpp",):
            if not parser_of(grammar).parse(plain).root_node.has_error:
                return Syntax(True, errors, share, "macros")
    return Syntax(False, errors, share, "tree-sitter")


@contextmanager
def quiet() -> Iterator[None]:
    """Parsers say nothing of what they find doubtful (escapes that Python does not know)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def is_python(text: str) -> bool:
    """Whether Python parses a text. Its symbol table is made too, which finds what the grammar alone lets
    through (two parameters of a name), for half the time of a syntax tree that Python could look at."""
    if len(text) > MAX_DOTTED and _DOTTED.search(text):
        return False
    try:
        symtable.symtable(text.removeprefix("\ufeff"), "", "exec")
    except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
        return False
    return True


@functools.cache
def parser_of(grammar: str) -> Any:
    """The parser of a grammar, made once a process. Raises UserError without the extra."""
    try:
        from tree_sitter_language_pack import get_parser
    except ImportError:
        raise missing_extra("tree-sitter-language-pack", "code", "the annotator 'syntax'") from None
    return get_parser(grammar)  # type: ignore[arg-type]


def _errors(tree: Any) -> tuple[int, float]:
    """How many errors a tree has, and their share of its bytes; an error within an error counts once."""
    cursor = tree.walk()
    count = length = seen = 0
    descend = True
    while seen < MAX_NODES:
        if descend:
            seen += 1
            node = cursor.node
            bad = node.is_error or node.is_missing
            if bad:
                count += 1
                length += node.end_byte - node.start_byte
            if not bad and node.has_error and cursor.goto_first_child():
                continue
        if cursor.goto_next_sibling():
            descend = True
        elif cursor.goto_parent():
            descend = False
        else:
            break
    # An error in a node that the tree does not show is one all the same.
    count = max(count, int(tree.root_node.has_error))
    return count, min(1.0, length / max(1, tree.root_node.end_byte))

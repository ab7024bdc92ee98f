"""Whether a source file parses (`filters.code.syntax`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.annotators.code_language import language_of
from filters.base import TextView
from filters.code.syntax import GRAMMARS, check, quiet


class SyntaxAnnotator:
    """Syntax of source files of twelve languages: C, C++, C#, Go, Java, JavaScript, Kotlin, PHP, Python,
    Ruby, Rust, TypeScript. Needs the extra `code`.

    syntax.ok: the file parses; false for one of more than a million bytes. syntax.errors: places that do
    not, and what is missing; .error_share: their share of the bytes. syntax.parser: `python`,
    `tree-sitter`, or `macros` for C and C++ that parse once their macros and directives are resolved (the
    errors are those before). All null for other languages.
    """

    name = "syntax"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "syntax.ok": pa.bool_(),
        "syntax.errors": pa.int64(),
        "syntax.error_share": pa.float64(),
        "syntax.parser": pa.string(),
    }

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        rows: list[tuple[Any, ...]] = []
        with quiet():
            for view, document in zip(views, documents, strict=True):
                language, _ = language_of(view, document)
                if language not in GRAMMARS:
                    rows.append((None,) * len(self.columns))
                    continue
                found = check(view.text, language)
                rows.append((found.ok, found.errors, found.share, found.parser))
        return {
            name: pa.array([row[index] for row in rows], kind)
            for index, (name, kind) in enumerate(self.columns.items())
        }

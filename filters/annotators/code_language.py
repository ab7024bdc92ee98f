"""The language of a source file (`filters.code.language`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import pyarrow as pa

from filters.base import TextView
from filters.code.language import detect, type_of


def path_of(document: Mapping[str, Any]) -> str | None:
    """The file's path in its repository, with `/` between its parts; None for a document that is no file."""
    path = document.get("path")
    return path.replace("\\", "/") if isinstance(path, str) and path else None


_Found = tuple[str | None, Any, tuple[str | None, str | None]]
_FOUND: WeakKeyDictionary[TextView, _Found] = WeakKeyDictionary()


def language_of(view: TextView, document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """A document's language and what told it, for all annotators of source files: looked for once a view."""
    path, declared = path_of(document), document.get("language")
    known = _FOUND.get(view)
    if known is not None and known[:2] == (path, declared):
        return known[2]
    found = detect(path, view.text, declared if isinstance(declared, str) else None)
    _FOUND[view] = (path, declared, found)
    return found


class CodeLanguage:
    """Which language a source file is written in.

    code.language: by GitHub Linguist's names. code.by: what told it, `modeline`, `name`, `shebang`,
    `extension`, `content` or `declared` (the document's own field). code.type: `programming`, `markup`,
    `data` or `prose`. All null where nothing tells.
    """

    name = "code_language"
    version = "1"
    columns: Mapping[str, pa.DataType] = {
        "code.language": pa.string(),
        "code.by": pa.string(),
        "code.type": pa.string(),
    }

    def annotate(
        self, views: Sequence[TextView], documents: Sequence[Mapping[str, Any]]
    ) -> dict[str, pa.Array]:
        """One array a column, as long as the batch."""
        found = [language_of(view, document) for view, document in zip(views, documents, strict=True)]
        return {
            "code.language": pa.array([language for language, _ in found], pa.string()),
            "code.by": pa.array([by for _, by in found], pa.string()),
            "code.type": pa.array([type_of(language) for language, _ in found], pa.string()),
        }

"""Whole repositories as documents: files in the order of their imports, each behind a line that names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from datatrove.data import Document

from corpus.ledger import Ledger
from corpus.manifest import RepositoriesSource
from corpus.sources.base import clean, present
from corpus.sources.repositories.imports import ending
from corpus.sources.repositories.members import KIND, Text
from corpus.sources.repositories.order import order_files
from gristmill.base.digest import stable_id

_SLASHES = (
    *(".c", ".h", ".cc", ".hh", ".cpp", ".hpp", ".cxx", ".hxx", ".m", ".mm", ".cu", ".cuh", ".java", ".kt"),
    *(".kts", ".scala", ".cs", ".go", ".rs", ".php", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts"),
    *(
        ".cts",
        ".swift",
        ".dart",
        ".proto",
        ".groovy",
        ".gradle",
        ".sol",
        ".zig",
        ".v",
        ".sv",
        ".scss",
        ".less",
    ),
)
COMMENTS = {
    **dict.fromkeys(_SLASHES, ("// ", "")),
    **dict.fromkeys((".sql", ".hs", ".lua", ".elm", ".ada", ".adb", ".ads", ".vhd", ".vhdl"), ("-- ", "")),
    **dict.fromkeys(
        (".html", ".htm", ".xml", ".svg", ".vue", ".svelte", ".md", ".markdown"), ("<!-- ", " -->")
    ),
    **dict.fromkeys((".lisp", ".cl", ".el", ".clj", ".cljs", ".scm", ".rkt", ".asm"), ("; ", "")),
    **dict.fromkeys((".tex", ".sty", ".bib", ".erl", ".hrl", ".pro"), ("% ", "")),
    **dict.fromkeys((".ml", ".mli", ".fs", ".fsi"), ("(* ", " *)")),
    **dict.fromkeys((".css",), ("/* ", " */")),
    **dict.fromkeys((".f90", ".f95", ".f03"), ("! ", "")),
    **dict.fromkeys((".vb", ".bas"), ("' ", "")),
}
"""How languages begin and end a comment, as their references have it; all others as Python does."""


def header(path: str, form: str) -> str:
    """The line that names a file."""
    name = clean(path).replace("\n", " ")
    if form == "file_sep":
        return f"<file_sep>{name}\n"
    before, behind = COMMENTS.get(ending(path), ("# ", ""))
    return f"{before}{name}{behind}\n"


def joined(
    found: Iterable[Text], options: RepositoriesSource, source: str, ledger: Ledger
) -> Iterator[Document]:
    """The documents of one commit.

    `metadata.files` holds path, id, `start` and `end` (characters of the document's text, without the header)
    of each file.
    """
    by_path: dict[str, Text] = {}
    size = 0
    for one in found:
        count = len(one.text.encode())
        if size + count > options.max_repository_bytes:
            member = one.member
            ledger.drop(member.shown, "repository_too_large", stage="extract", id=member.id)
            continue
        size += count
        by_path[one.member.path] = one
    ordered = order_files({path: one.text for path, one in by_path.items()})
    pieces: list[tuple[Text, str]] = []
    length = 0
    for path in ordered:
        one = by_path[path]
        # A file begins on a line of its own, a blank line behind the one before.
        end = "\n" if one.text.endswith(("\n", "\r")) else "\n\n"
        piece = header(path, options.header) + one.text + end
        if pieces and length + len(piece) > options.max_characters:
            yield _document(pieces, options, source)
            pieces, length = [], 0
        pieces.append((one, piece))
        length += len(piece)
    if pieces:
        yield _document(pieces, options, source)


def _document(pieces: list[tuple[Text, str]], options: RepositoriesSource, source: str) -> Document:
    first, last = pieces[0][0].member, pieces[-1][0].member
    files, at = [], 0
    for one, piece in pieces:
        start = at + len(header(one.member.path, options.header))
        files.append(
            present(
                path=clean(one.member.path),
                id=one.member.id,
                start=start,
                end=start + len(one.text),
                blob=one.member.blob,
                language=one.member.language,
                **one.more,
            )
        )
        at += len(piece)
    key = stable_id(f"{KIND} documents", first.repo, first.commit or "", first.path, last.path)
    fields: dict[str, Any] = {"language": options.language} if options.language else {}
    fields |= present(
        source=source,
        language=first.language if len({one.member.language for one, _ in pieces}) == 1 else None,
        license=first.license or options.license,
        repo=clean(first.repo),
        commit=first.commit,
        files=files,
    )
    return Document(text="".join(piece for _, piece in pieces), id=key, metadata=fields)

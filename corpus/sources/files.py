"""Files as documents: source code, plain text.

A file's native key is the name of its tree, the revision if there is one, and the path; the id is a hash of
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from datatrove.data import Document

from corpus.extraction.charset import NotText, decode
from corpus.inputs import Input, open_input, walk
from corpus.ledger import Ledger
from corpus.manifest import FileRoot, FilesSource
from corpus.sources.base import Meter, Task, Unusable, clean, present
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|.", re.DOTALL)


class Files:
    """Trees of files, cut into parts by number and size in the order of their paths."""

    unit = "B"

    def __init__(self, options: FilesSource, name: str) -> None:
        self.options, self.name = options, name
        roots = [FileRoot(path=root) if isinstance(root, str) else root for root in options.roots]
        self.roots = {
            root.name or PurePosixPath(root.path.rstrip("/")).name or "root": root for root in roots
        }
        if len(self.roots) < len(roots):
            raise UserError(
                "two roots have the same name", where="source.roots", mend="give them different `name`s"
            )

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """Tasks of at most `files_per_part` files and `bytes_per_part` bytes; never across roots."""
        include = [translate(pattern) for pattern in self.options.include]
        exclude = [translate(pattern) for pattern in self.options.exclude]
        tasks = []
        for name, root in sorted(self.roots.items()):
            batch: list[Input] = []
            total = 0
            for item in walk(root.path, self.options):
                if not matches(item.name, include) or matches(item.name, exclude):
                    continue
                size = min(item.size or 0, self.options.max_file_bytes)
                full = len(batch) >= self.options.files_per_part or total + size > self.options.bytes_per_part
                if batch and full:
                    tasks.append(Task(tuple(batch), size=total))
                    batch, total = [], 0
                batch.append(Input(f"{name}/{item.name}", item.path, item.size, item.stamp))
                total += size
            if batch:
                tasks.append(Task(tuple(batch), size=total))
        if not tasks:
            raise UserError(
                "no file matches", where="source.include", mend="check `roots`, `include` and `exclude`"
            )
        return tasks

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of a task's files."""
        done = 0
        for item in task.inputs:
            ledger.records += 1
            document = self._document(item, ledger)
            done += min(item.size or 0, self.options.max_file_bytes)
            meter(done)
            if document is not None:
                yield document

    def _document(self, item: Input, ledger: Ledger) -> Document | None:
        """A file as a document, or None and a word to the ledger."""
        name, _, path = item.name.partition("/")
        root = self.roots[name]
        key = stable_id("file", name, root.commit or "", path)
        shown = clean(item.name)
        try:
            data = self._read(item)
            ledger.input_bytes += len(data)
            text, charset = file_text(data)
        except OSError as error:
            ledger.give_up(shown, "cannot_read", describe(error))
            return None
        except Unusable as bad:
            ledger.drop(shown, bad.reason, stage=bad.stage, id=key, detail=bad.detail)
            return None
        fields = present(
            source=self.name,
            language=root.language or self.options.language,
            license=root.license or self.options.license,
            repo=name,
            commit=root.commit,
            path=clean(path),
            charset=None if charset == "utf-8" or data.isascii() else charset,
        )
        return Document(text=text, id=key, metadata=fields)

    def _read(self, item: Input) -> bytes:
        """A file's bytes. Raises Unusable where they are too many, and OSError."""
        limit = self.options.max_file_bytes
        if item.size is not None and item.size > limit:
            raise Unusable("too_large", "read", f"{item.size} bytes")
        with open_input(item.path, self.options, item.size) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise Unusable("too_large", "read", f"more than {limit} bytes")
        return data


def file_text(data: bytes) -> tuple[str, str]:
    """A file's text, line ends as they are, and its charset. Raises Unusable."""
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unusable("not_text", "decode", "holds zero bytes")
    try:
        text, charset = decode(data, _cookie(data), html=False)
    except NotText as error:
        raise Unusable("not_text", "decode", str(error)) from None
    if not text.strip():
        raise Unusable("empty_text", "extract")
    return clean(text), charset


_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)


def _cookie(data: bytes) -> str | None:
    """The encoding that a source file declares in its first two lines (PEP 263; Ruby and Emacs do the
    same)."""
    head = b"\n".join(data[:400].split(b"\n")[:2])
    match = _COOKIE.search(head)
    return match[1].decode("ascii", "replace") if match else None


def translate(pattern: str) -> re.Pattern[str]:
    """A file pattern as a regular expression over relative paths.

    `*` and `?` stay within a folder, `**/` stands for any folders (also none), `**` for anything, `[a-z]`
    and `[!a-z]` for one character.
    """
    return re.compile("".join(_piece(token) for token in _TOKEN.findall(pattern.lstrip("/"))), re.DOTALL)


def _piece(token: str) -> str:
    if token.startswith("[") and len(token) > 1:
        return "[^" + token[2:] if token[1] == "!" else token
    return {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token, re.escape(token))


def matches(name: str, patterns: list[re.Pattern[str]]) -> bool:
    """Whether one of the translated patterns fits a relative path."""
    return any(pattern.fullmatch(name) for pattern in patterns)

"""Files of repositories, wherever they were read, and what becomes of them: a text, or a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from corpus.ledger import Ledger
from corpus.manifest import RepositoriesSource
from corpus.sources.base import Unusable, clean, present
from corpus.sources.files import file_text
from corpus.sources.repositories.notebooks import NotNotebook, read_notebook
from corpus.transfer import GaveUp
from gristmill.base.digest import stable_id
from gristmill.base.errors import describe

KIND = "repository"
"""Part of the ids: a file of a commit has the same id wherever it was read."""
LFS = b"version https://git-lfs.github.com/spec/v1\n"
LFS_BYTES = 1024
"""How a pointer to a large file begins, and what it is smaller than (git-lfs, docs/spec.md)."""


@dataclass(slots=True)
class Member:
    """A file of a repository."""

    repo: str
    commit: str | None
    path: str
    data: bytes | Exception
    """Its bytes, or why there are none: Unusable, or OSError."""
    size: int | None = None
    executable: bool = False
    blob: str | None = None
    """Hash of its contents, as git has it."""
    language: str | None = None
    """Language, where a list states it."""
    license: str | None = None

    @property
    def id(self) -> str:
        """Id of the file."""
        return stable_id(KIND, self.repo, self.commit or "", self.path)

    @property
    def shown(self) -> str:
        """What the ledger calls it."""
        return clean(f"{self.repo}/{self.path}")


@dataclass(slots=True)
class Text:
    """A file as text."""

    member: Member
    text: str
    more: dict[str, Any]
    """For the column `metadata`: charset, notebook."""


def largest(path: str, options: RepositoriesSource) -> int:
    """Most bytes of a file of this name."""
    if options.notebooks is not None and path.lower().endswith(".ipynb"):
        return options.notebooks.max_file_bytes
    return options.max_file_bytes


def too_large(size: int) -> Unusable:
    """Why a file was not read."""
    return Unusable("too_large", "read", f"{size} bytes")


def as_text(member: Member, options: RepositoriesSource) -> Text:
    """A file as text. Raises Unusable, and OSError where it could not be had."""
    data = member.data
    if isinstance(data, Exception):
        raise data
    if len(data) > largest(member.path, options):
        raise too_large(len(data))
    if len(data) < LFS_BYTES and data.startswith(LFS):
        raise Unusable("lfs_pointer", "read")
    text, charset = file_text(data)
    more: dict[str, Any] = {} if charset == "utf-8" or data.isascii() else {"charset": charset}
    if options.notebooks is not None and member.path.lower().endswith(".ipynb"):
        try:
            book = read_notebook(text, options.notebooks.output_characters)
        except NotNotebook as error:
            raise Unusable("broken_notebook", "decode", str(error)) from None
        if not book.text.strip():
            raise Unusable("empty_text", "extract")
        about = present(language=book.language, cells=book.cells, format=book.version)
        text, more["notebook"] = clean(book.text), about
    return Text(member, text, more)


def texts(members: Iterable[Member], options: RepositoriesSource, ledger: Ledger) -> Iterator[Text]:
    """What of the files is text; the ledger is told of the rest."""
    lost: set[str] = set()
    for member in members:
        ledger.records += 1
        data = member.data
        if isinstance(data, bytes):
            ledger.input_bytes += len(data)
        try:
            yield as_text(member, options)
        except Unusable as bad:
            ledger.drop(member.shown, bad.reason, stage=bad.stage, id=member.id, detail=bad.detail)
        except FileNotFoundError as error:
            ledger.drop(member.shown, "not_found", stage="fetch", id=member.id, detail=describe(error))
        except PermissionError as error:
            ledger.drop(member.shown, "forbidden", stage="fetch", id=member.id, detail=describe(error))
        except OSError as error:
            ledger.drop(member.shown, "not_fetched", stage="fetch", id=member.id, detail=describe(error))
            name = f"{member.repo}@{member.commit or ''}"
            if isinstance(error, GaveUp) and name not in lost:
                # It may be there next time: the same command tries again.
                lost.add(name)
                ledger.give_up(name, "connection_lost", describe(error))


def repositories(found: Iterable[Text]) -> Iterator[Iterator[Text]]:
    """The files of one commit after the other's; each lasts until the next is asked for."""
    for _, group in groupby(found, key=lambda one: (one.member.repo, one.member.commit)):
        yield group

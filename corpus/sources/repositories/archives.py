"""Archives of repositories: tar, whatever it is compressed with, and zip, read from front to back.

What `git archive` and GitHub write is known: a folder around everything (`name-commit/`) is taken away, and
the commit is read from the comment that both formats carry (git-archive(1), git-get-tar-commit-id(1)).
Nothing is unpacked: names cannot lead anywhere, and a file's size is looked at before its bytes.
"""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from corpus.inputs import Input, open_blocks, open_input
from corpus.ledger import Ledger
from corpus.manifest import RepositoriesSource
from corpus.sources.base import Meter, Unusable
from corpus.sources.repositories.git import HASH
from corpus.sources.repositories.members import Member, largest, too_large
from corpus.sources.streams import Lost, Piece, Tally, unpack_named
from corpus.sources.streams import Member as Packed
from corpus.transfer import reason_of
from gristmill.base.errors import describe

ENDINGS = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4")
MOST_HEADER = 1 << 20
"""Bytes that a header of an archive may have: a longer extended header is an attack, not a name."""
_ZIP = b"PK"
_SUFFIX = re.compile(r"-[0-9a-f]{40}(?:[0-9a-f]{24})?$")
Wanted = Callable[[str], bool]


def repository_name(name: str) -> str:
    """What an archive's repository is called: the archive's name without ending and commit."""
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            break
    return _SUFFIX.sub("", name)


def safe(path: str) -> bool:
    """Whether a path stays in its folder on every system."""
    parts = path.replace("\\", "/").split("/")
    return bool(path) and ".." not in parts and parts[0] != "" and ":" not in parts[0] and "\0" not in path


def read_archive(
    item: Input, options: RepositoriesSource, wanted: Wanted, ledger: Ledger, meter: Meter
) -> Iterator[Member]:
    """The files of an archive, in its order. What breaks the archive off is told to the ledger."""
    try:
        with open_input(item.path, options, item.size) as stream:
            head = stream.read(4)
            if not head.startswith(_ZIP):
                stream.seek(0)
                yield from _guarded(_tar(stream, item, options, wanted, meter), item, ledger)
                return
        with open_blocks(item, options) as blocks:
            yield from _guarded(_zip(blocks, item, options, wanted, meter), item, ledger)
    except OSError as error:
        ledger.give_up(item.name, reason_of(error, "cannot_open"), describe(error))


class Broken(Exception):
    """An archive that cannot be read to its end."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def _guarded(members: Iterator[Member], item: Input, ledger: Ledger) -> Iterator[Member]:
    try:
        yield from members
    except Broken as broken:
        ledger.give_up(item.name, broken.reason, broken.detail)
    except tarfile.ReadError as error:
        reason = "truncated" if "unexpected end" in str(error) else "corrupt_to_end"
        ledger.give_up(item.name, reason, describe(error))
    except (tarfile.TarError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        ledger.give_up(item.name, "corrupt_to_end", describe(error))


class _Forward:
    """Decompressed pieces as the file that `tarfile` wants: only forward, and no header without end."""

    def __init__(self, pieces: Iterator[Piece], most: int) -> None:
        self.pieces, self.most = pieces, most
        self.at = 0
        self._held, self._used = b"", 0

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go forward."""
        if whence or offset < self.at:
            raise tarfile.ReadError("the archive leads backwards")
        while self.at < offset and self._fill():
            step = min(offset - self.at, len(self._held) - self._used)
            self._used += step
            self.at += step
        return self.at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all that is left."""
        if size < 0 or size > self.most:
            raise Broken("corrupt_to_end", "a header too large")
        pieces = []
        while size and self._fill():
            piece = self._held[self._used : self._used + size]
            pieces.append(piece)
            self._used += len(piece)
            self.at += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _fill(self) -> bool:
        while self._used >= len(self._held):
            piece = next(self.pieces, None)
            if piece is None:
                return False
            if isinstance(piece, Lost):
                raise Broken(piece.reason, piece.detail)
            if not isinstance(piece, Packed):
                self._held, self._used = piece, 0
        return True


def _tar(
    stream: BinaryIO, item: Input, options: RepositoriesSource, wanted: Wanted, meter: Meter
) -> Iterator[Member]:
    tally = Tally(stream)
    forward = _Forward(unpack_named(tally, _known(item.name)), MOST_HEADER)
    repo, commit, top = repository_name(item.name), None, ""
    seen: set[str] = set()
    first = True
    with tarfile.open(fileobj=cast(BinaryIO, forward), mode="r:") as archive:
        # Without this list the library remembers every header.
        while (info := archive.next()) is not None:
            cast(Any, archive).members.clear()
            meter(tally.count)
            if first:
                first = False
                commit = _commit(archive.pax_headers.get("comment"), info.name, item.name)
                top = _top(f"{info.name}/" if info.isdir() else info.name, item.name, commit)
            if info.isdir():
                continue
            path = _inner(info.name, top)
            if safe(path) and not wanted(path):
                continue
            member = Member(repo, commit, path, b"", info.size, executable=bool(info.mode & stat.S_IXUSR))
            bad = _unusable(path, seen, link=info.issym() or info.islnk(), plain=info.isreg())
            limit = largest(path, options)
            if bad is None and info.size > limit:
                bad = too_large(info.size)
            if bad is not None:
                yield replace(member, data=bad)
                continue
            forward.most = max(limit, MOST_HEADER)
            file = archive.extractfile(info)
            data = file.read() if file is not None else b""
            forward.most = MOST_HEADER
            if len(data) < info.size:
                raise Broken("truncated", "the last file is cut off")
            yield replace(member, data=data)


def _known(name: str) -> str:
    """A name by which the compression is known."""
    return name.replace(".tbz2", ".bz2").replace(".txz", ".xz")


def _zip(
    stream: BinaryIO, item: Input, options: RepositoriesSource, wanted: Wanted, meter: Meter
) -> Iterator[Member]:
    repo, top = repository_name(item.name), ""
    seen: set[str] = set()
    done = 0
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
        commit = _commit(
            archive.comment.decode("ascii", "replace"), infos[0].filename if infos else "", item.name
        )
        if infos:
            top = _top(infos[0].filename, item.name, commit)
        for info in infos:
            done += info.compress_size
            meter(done)
            if info.is_dir():
                continue
            path = _inner(info.filename, top)
            if safe(path) and not wanted(path):
                continue
            mode = info.external_attr >> 16
            member = Member(repo, commit, path, b"", info.file_size, executable=bool(mode & stat.S_IXUSR))
            bad = _unusable(path, seen, link=stat.S_ISLNK(mode), plain=True)
            if bad is None and info.file_size > largest(path, options):
                bad = too_large(info.file_size)
            if bad is None and info.flag_bits & 1:
                bad = Unusable("encrypted", "read")
            if bad is None:
                try:
                    with archive.open(info) as file:
                        yield replace(member, data=file.read())
                    continue
                except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                    bad = Unusable("corrupt", "read", describe(error))
            yield replace(member, data=bad)


def _unusable(path: str, seen: set[str], *, link: bool, plain: bool) -> Unusable | None:
    """Why an entry is no file to be read."""
    if not safe(path):
        return Unusable("unsafe_path", "read")
    if link:
        return Unusable("symlink", "read")
    if not plain:
        return Unusable("special_file", "read")
    if path in seen:
        return Unusable("duplicate_path", "read")
    seen.add(path)
    return None


def _commit(comment: str | None, first: str, name: str) -> str | None:
    """The commit that an archive names: in its comment, its folder or its own name."""
    for text in (comment or "", first.partition("/")[0], PurePosixPath(name).name.partition(".")[0]):
        match = re.search(rf"(?:^|-)({HASH.pattern})$", text.strip())
        if match:
            return match[1]
    return None


def _top(first: str, name: str, commit: str | None) -> str:
    """The folder around everything, with its slash, or an empty string.

    There is one if the first entry lies in a folder that is called like the archive, or if git wrote the
    archive: it puts a folder entry of the prefix first.
    """
    head, slash, rest = first.removeprefix("./").partition("/")
    called = PurePosixPath(name).name.startswith((f"{head}.", f"{head}-")) and head != ""
    if slash and (called or (commit is not None and (not rest or head.endswith(commit)))):
        return f"{head}/"
    return ""


def _inner(name: str, top: str) -> str:
    path = name.removeprefix("./")
    return path.removeprefix(top) if top and path.startswith(top) else path

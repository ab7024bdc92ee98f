"""Inputs: finding them, opening them, and knowing whether they have changed."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

import fsspec

from corpus.http import HttpRemote
from corpus.manifest import MEBIBYTE, Transfer
from corpus.objects import FsspecRemote, version
from corpus.pace import Pace
from corpus.transfer import BlockFile, Changed, Patience, Remote, StreamFile, Unavailable, facts
from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read."""

    name: str
    """What ids, ledger and summary call it: the same on every machine."""
    path: str
    """Where it is now."""
    size: int | None
    """Bytes; None where the server does not say."""
    stamp: str = ""
    """Changes when the file changes: modification time, or what the server says of it."""


def is_remote(path: str) -> bool:
    """Whether a path is a URL for fsspec."""
    return "://" in path


class Access(Protocol):
    """How a source reaches its inputs; every source of a manifest is one."""

    @property
    def storage_options(self) -> dict[str, Any]:
        """Options of the file system (fsspec)."""
        ...

    @property
    def transfer(self) -> Transfer:
        """How patiently, and how politely."""
        ...


@dataclass(frozen=True, slots=True)
class Plainly:
    """No options, and the usual patience."""

    storage_options: dict[str, Any] = field(default_factory=dict)
    transfer: Transfer = field(default_factory=Transfer)


def remote(path: str, access: Access) -> Remote:
    """What is behind a URL. Raises UserError where the package of its file system is not installed, or
    nobody knows the protocol."""
    policy = access.transfer
    protocol, _, rest = path.partition("://")
    pace = None
    if policy.requests_per_second is not None:
        pace = Pace(f"{protocol}://{rest.partition('/')[0]}", policy.requests_per_second)
    if path.startswith(("http://", "https://")):
        return HttpRemote(path, headers(access.storage_options), policy.timeout_seconds, pace)
    try:
        return FsspecRemote(path, access.storage_options, pace)
    except ImportError as error:
        raise _no_driver(path, error) from None
    except ValueError as error:
        raise UserError(f"cannot open: {error}", where=path) from None


def headers(options: Mapping[str, Any]) -> Mapping[str, str]:
    """HTTP headers among the options of a file system, spelled as fsspec does."""
    found: Mapping[str, str] = options.get("headers") or options.get("client_kwargs", {}).get("headers") or {}
    return found


def open_input(path: str, access: Access | None = None, size: int | None = None) -> BinaryIO:
    """Open a local path or a URL for reading bytes from front to back.

    With `size`, where it is known, the end of a remote file need not be asked for. Raises OSError.
    """
    access = access or Plainly()
    if not is_remote(path):
        return Path(path).open("rb")
    return cast(BinaryIO, StreamFile(remote(path, access), access.transfer, size))


def read_whole(path: str, access: Access | None = None) -> bytes:
    """All bytes of a small file; one that changes while it is read is read anew. Raises OSError."""
    access = access or Plainly()
    patience = Patience(access.transfer)
    while True:
        try:
            with open_input(path, access) as stream:
                return b"".join(iter(lambda: stream.read(MEBIBYTE), b""))
        except Changed:
            patience.wait(Unavailable("the file changed while it was read"))


def open_blocks(item: Input, access: Access | None = None) -> BinaryIO:
    """Open an input for reading here and there: a remote one in the version that was listed, or reading
    raises Changed. Raises OSError."""
    access = access or Plainly()
    if not is_remote(item.path):
        return Path(item.path).open("rb")
    file, size, stamp = remote(item.path, access), item.size, item.stamp
    if size is None:
        size, stamp = facts(file, access.transfer)
    if size is None:
        raise OSError("the server does not say how large the file is")
    return cast(BinaryIO, BlockFile(file, access.transfer, size, stamp))


def find(
    paths: Iterable[str],
    access: Access | None = None,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    where: str = "source.paths",
) -> list[Input]:
    """All files that paths, folders and patterns name, sorted by name.

    A file is named relative to the folder or to the fixed beginning of the pattern, a single file by its
    own name. In folders only files are taken whose name is `wanted`; hidden files and folders are left
    out.

    Raises UserError for a path where there is nothing, and where two files would have the same name.
    """
    found: dict[str, Input] = {}
    access = access or Plainly()
    for path in paths:
        some = list(_remote(path, access, wanted) if is_remote(path) else _local(path, wanted))
        if not some:
            raise UserError(
                "no such file, folder or match" if "*" in path else "missing, or nothing to read there",
                where=f"{where}: {path}",
            )
        for item in some:
            other = found.get(item.name)
            if other is not None and other.path != item.path:
                raise UserError(
                    f"two inputs are both called '{item.name}'",
                    where=where,
                    mend="name the folder that holds both, or build two stores",
                )
            found[item.name] = item
    return [found[name] for name in sorted(found)]


def walk(root: str, access: Access | None = None, where: str = "source.roots") -> list[Input]:
    """All files under a folder, named relative to it, sorted by name; hidden ones too. A single file is
    itself."""
    if is_remote(root):
        found = _remote(root, access or Plainly(), lambda name: True, hidden=True)
        return sorted(found, key=lambda item: item.name)
    path = Path(root)
    if path.is_file():
        return [_stat(path, path.name)]
    if not path.is_dir():
        raise UserError("missing, or nothing to read there", where=f"{where}: {root}")
    files = (file for file in path.rglob("*") if file.is_file())
    return sorted(
        (_stat(file, file.relative_to(path).as_posix()) for file in files), key=lambda item: item.name
    )


def _stat(path: Path, name: str) -> Input:
    stat = path.stat()
    return Input(name, str(path), stat.st_size, str(stat.st_mtime_ns))


def _visible(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/"))


def _local(path: str, wanted: Callable[[str], bool]) -> Iterable[Input]:
    here = Path(path)
    if here.is_file():
        yield _stat(here, here.name)
    elif here.is_dir():
        for file in here.rglob("*"):
            name = file.relative_to(here).as_posix()
            if file.is_file() and _visible(name) and wanted(name):
                yield _stat(file, name)
    elif glob.has_magic(path):
        fixed = Path(path)
        while glob.has_magic(str(fixed)):
            fixed = fixed.parent
        for match in glob.glob(path, recursive=True):  # noqa: PTH207 - absolute patterns too
            if Path(match).is_file():
                yield _stat(Path(match), Path(match).relative_to(fixed).as_posix())


def _remote(
    path: str, access: Access, wanted: Callable[[str], bool], hidden: bool = False
) -> Iterable[Input]:
    if path.startswith(("http://", "https://")):
        yield from _http(path, access)
        return
    try:
        files, where = fsspec.url_to_fs(path, **access.storage_options)
        # What an earlier listing said may be old.
        files.invalidate_cache()
    except ImportError as error:
        raise _no_driver(path, error) from None
    except Exception as error:
        raise UserError(f"cannot list: {type(error).__name__}: {error}", where=path) from None
    patience = Patience(access.transfer)
    while True:
        try:
            fixed, listing, named = _listing(files, where)
            break
        except FileNotFoundError:
            return
        except Exception as error:
            try:
                patience.wait(error)
            except Exception:
                raise UserError(f"cannot list: {type(error).__name__}: {error}", where=path) from None
    for match, info in listing.items():
        name = match[len(fixed) :].lstrip("/")
        if named or (info.get("type", "file") == "file" and (hidden or _visible(name)) and wanted(name)):
            yield _remote_input(files, match, name, info)


def _listing(files: Any, where: str) -> tuple[str, Mapping[str, Any], bool]:
    """What a path, folder or pattern of a file system names, the part that all names share, and whether
    it is one file, named as such."""
    if glob.has_magic(where) and "?" not in where:
        fixed = where
        while glob.has_magic(fixed):
            fixed = fixed.rpartition("/")[0]
        return fixed, files.glob(where, detail=True), False
    if files.isfile(where):
        return where.rpartition("/")[0], {where: files.info(where)}, True
    return where.rstrip("/"), files.find(where, detail=True), False


def _http(url: str, access: Access) -> Iterable[Input]:
    """A file behind a URL; a server that cannot be reached is an input that cannot be opened, not a
    mistake."""
    name = PurePosixPath(urlsplit(url).path).name or "index"
    try:
        size, stamp = facts(remote(url, access), access.transfer)
    except FileNotFoundError:
        return
    except OSError:
        size, stamp = None, ""
    yield Input(name, url, size, stamp)


def _remote_input(files: Any, path: str, name: str, info: Mapping[str, Any]) -> Input:
    return Input(name.partition("?")[0], files.unstrip_protocol(path), info.get("size"), version(info))


def _no_driver(path: str, error: ImportError) -> UserError:
    return UserError(
        f"cannot open {path.partition('://')[0]}:// paths: {error}",
        where=path,
        mend="install the named package",
    )


def listing_digest(inputs: Iterable[Input]) -> str:
    """What inputs are called and how large they are."""
    return digest_json([[ascii(item.name), item.size] for item in inputs])


def stamps_digest(inputs: Iterable[Input]) -> str:
    """As `listing_digest`, and whether they were touched since."""
    return digest_json([[ascii(item.name), item.size, item.stamp] for item in inputs])


def content_digest(inputs: Iterable[Input]) -> str | None:
    """SHA-256 over names and bytes of local inputs; None if one is remote, gone or cannot be read."""
    total = hashlib.sha256()
    for item in inputs:
        if is_remote(item.path):
            return None
        try:
            with Path(item.path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
        total.update(f"{len(item.name)}:{item.name}:{digest}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()

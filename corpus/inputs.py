"""Inputs: finding them, opening them, and knowing whether they have changed."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import fsspec

from corpus.http import HttpFile, facts
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


def is_http(path: str) -> bool:
    """Whether a path is read by `corpus.http`."""
    return path.startswith(("http://", "https://"))


def headers(options: Mapping[str, Any] | None) -> Mapping[str, str]:
    """HTTP headers among the options of a file system, spelled as fsspec does."""
    options = options or {}
    found: Mapping[str, str] = options.get("headers") or options.get("client_kwargs", {}).get("headers") or {}
    return found


def open_input(path: str, options: Mapping[str, Any] | None = None) -> BinaryIO:
    """Open a local path or a URL for reading bytes.

    Raises OSError (also for whatever a remote file system raises on opening).
    """
    if not is_remote(path):
        return Path(path).open("rb")
    if is_http(path):
        return cast(BinaryIO, HttpFile(path, headers(options)))
    try:
        return fsspec.open(path, "rb", **(options or {})).open()  # type: ignore[no-any-return]
    except (OSError, UserError):
        raise
    except ImportError as error:
        raise _no_driver(path, error) from None
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def find(
    paths: Iterable[str],
    options: Mapping[str, Any] | None = None,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    where: str = "source.paths",
) -> list[Input]:
    """All files that paths, folders and patterns name, sorted by name.

    A file is named relative to the folder or to the fixed beginning of the pattern, a single file by its own
    name. In folders only files are taken whose name is `wanted`; hidden files and folders are left out.

    Raises UserError for a path where there is nothing, and where two files would have the same name.
    """
    found: dict[str, Input] = {}
    for path in paths:
        some = list(_remote(path, options, wanted) if is_remote(path) else _local(path, wanted))
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


def walk(root: str, options: Mapping[str, Any] | None = None, where: str = "source.roots") -> list[Input]:
    """All files under a folder, named relative to it, sorted by name; hidden ones too. A single file is
    itself."""
    if is_remote(root):
        return sorted(_remote(root, options, lambda name: True, hidden=True), key=lambda item: item.name)
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
    path: str, options: Mapping[str, Any] | None, wanted: Callable[[str], bool], hidden: bool = False
) -> Iterable[Input]:
    if is_http(path):
        yield from _http(path, headers(options))
        return
    try:
        files, where = fsspec.url_to_fs(path, **(options or {}))
        if glob.has_magic(where) and "?" not in where:
            fixed = where
            while glob.has_magic(fixed):
                fixed = fixed.rpartition("/")[0]
            listing = files.glob(where, detail=True)
        elif files.isfile(where):
            yield _remote_input(files, where, where.rpartition("/")[2], files.info(where))
            return
        else:
            fixed = where.rstrip("/")
            listing = files.find(where, detail=True)
    except ImportError as error:
        raise _no_driver(path, error) from None
    except FileNotFoundError:
        return
    except Exception as error:
        raise UserError(f"cannot list: {type(error).__name__}: {error}", where=path) from None
    for match, info in listing.items():
        name = match[len(fixed) :].lstrip("/")
        if info.get("type", "file") == "file" and (hidden or _visible(name)) and wanted(name):
            yield _remote_input(files, match, name, info)


def _http(url: str, given: Mapping[str, str]) -> Iterable[Input]:
    """A file behind a URL; a server that cannot be reached is an input that cannot be opened, not a
    mistake."""
    name = PurePosixPath(urlsplit(url).path).name or "index"
    try:
        size, version = facts(url, given)
    except FileNotFoundError:
        return
    except OSError:
        size, version = None, ""
    yield Input(name, url, size, version)


def _remote_input(files: Any, path: str, name: str, info: Mapping[str, Any]) -> Input:
    marks = [
        str(info[key])
        for key in ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated")
        if info.get(key)
    ]
    return Input(name.partition("?")[0], files.unstrip_protocol(path), info.get("size"), " ".join(marks))


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

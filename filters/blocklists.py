"""Lists of hosts and addresses by category, as the University of Toulouse publishes them (UT1: one folder a
category, with a file `domains`, a file `urls`, or both; dsi.ut-capitole.fr/blacklists).

Entries become 64-bit hashes in sorted arrays: UT1's five million hosts take 50 MB and half a microsecond a
look-up, where a Python set would take a gigabyte. Two different names among five million share a hash with a
probability of one in a million."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from filters.hashing import BASE, Hashes, scramble
from filters.jit import kernel
from filters.urls import Url, parse_url
from gristmill.base.errors import UserError, did_you_mean

KINDS = ("domains", "urls")
MAX_PREFIXES = 12
"""Folders of a path that are looked up: deeper entries do not occur."""
_CHUNK = 1 << 22
_BASE, _ONE = np.uint64(BASE), np.uint64(1)


@dataclass(frozen=True, slots=True)
class _Table:
    """Hashes in order, and the category of each."""

    hashes: Hashes
    categories: npt.NDArray[np.uint16]

    def find(self, keys: Hashes) -> npt.NDArray[np.int64]:
        """Category of each key, -1 for those not in the list."""
        if not len(self.hashes) or not len(keys):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(np.searchsorted(self.hashes, keys), len(self.hashes) - 1)
        return np.where(self.hashes[places] == keys, self.categories[places].astype(np.int64), -1)


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Hosts and addresses, each with its category."""

    categories: tuple[str, ...]
    domains: _Table
    urls: _Table

    def match(self, addresses: Sequence[Url | None]) -> list[tuple[str, str] | None]:
        """For each address the category and what was listed (`url`, `host`, `domain` for a parent of the
        host), or None.

        A listed address covers whatever lies below it. A host counts before its parents, those before a
        listed address. Of several categories the first in the list's order counts.
        """
        hosts: list[str] = []
        paths: list[str] = []
        spans: list[tuple[int, int]] = []
        for url in addresses:
            if url is not None:
                hosts.extend(_parents(url.host))
                paths.extend(_prefixes(url))
            spans.append((len(hosts), len(paths)))
        by_host = self.domains.find(_hash_all(hosts)).tolist()
        by_path = self.urls.find(_hash_all(paths)).tolist()
        found: list[tuple[str, str] | None] = []
        host = path = 0
        for host_end, path_end in spans:
            listed = [(at, number) for at, number in enumerate(by_host[host:host_end]) if number >= 0]
            at, category = listed[0] if listed else (0, -1)
            kind = "domain" if at else "host"
            if category < 0:
                category, kind = next((number for number in by_path[path:path_end] if number >= 0), -1), "url"
            found.append((self.categories[category], kind) if category >= 0 else None)
            host, path = host_end, path_end
        return found


def list_files(folders: Sequence[Path], categories: Sequence[str] | None) -> list[tuple[str, str, Path]]:
    """Category, kind and path of the files of lists, the categories in the order that counts.

    A folder that holds `domains` or `urls` itself is one category of its own name. Raises UserError for a
    folder without lists, and for a category that no folder has."""
    found: list[tuple[str, str, Path]] = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError("no such folder of blocklists", where=str(folder))
        here = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
        files = [
            ("" if place == folder else place.relative_to(folder).as_posix(), kind, place / name)
            for place in here
            for kind in KINDS
            for name in (kind, f"{kind}.gz")
            if (place / name).is_file()
        ]
        if not files:
            raise UserError(
                "holds no blocklist",
                where=str(folder),
                mend="a folder a category, with a file `domains` or `urls` in it",
            )
        found += [(category or folder.name, kind, path) for category, kind, path in files]
    if categories is None:
        return sorted(found, key=lambda item: item[0])
    known = {category for category, _, _ in found}
    for category in categories:
        if category not in known:
            raise UserError(
                f"no category '{category}' among the blocklists", mend=did_you_mean(category, known)
            )
    return sorted(
        (item for item in found if item[0] in categories), key=lambda item: categories.index(item[0])
    )


def digest_files(files: Sequence[tuple[str, str, Path]]) -> str:
    """SHA-256 of what the lists say, wherever they lie."""
    digest = hashlib.sha256()
    for category, kind, path in files:
        digest.update(f"{category}\0{kind}\0".encode())
        for chunk in _chunks(path):
            digest.update(chunk)
    return digest.hexdigest()


@functools.lru_cache(maxsize=2)
def load_blocklist(files: tuple[tuple[str, str, Path], ...]) -> Blocklist:
    """The lists in memory, once a process."""
    categories = tuple(dict.fromkeys(category for category, _, _ in files))
    tables = {}
    for kind in KINDS:
        hashes, numbers = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint16)]
        for category, of_kind, path in files:
            if of_kind == kind:
                read = _read_domains(path) if kind == "domains" else _read_urls(path)
                hashes.append(read)
                numbers.append(np.full(len(read), categories.index(category), np.uint16))
        # `unique` keeps the first of equal hashes: the first category.
        together, first = np.unique(np.concatenate(hashes), return_index=True)
        tables[kind] = _Table(together, np.concatenate(numbers)[first])
    return Blocklist(categories, tables["domains"], tables["urls"])


def _chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes in chunks that end with a line, unpacked. Raises UserError for what cannot be read."""
    rest = b""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while data := file.read(_CHUNK):
                lines, end, rest = (rest + data).rpartition(b"\n")
                yield lines + end
    except (OSError, EOFError) as error:
        raise UserError(
            f"cannot read the blocklist: {getattr(error, 'strerror', None) or error}", where=str(path)
        ) from None
    yield rest


def _read_domains(path: Path) -> Hashes:
    read = [np.zeros(0, np.uint64)]
    for chunk in _chunks(path):
        data = chunk.lower().replace(b"\r", b"")
        if not data.isascii():
            data = b"\n".join(map(_ascii_domain, data.split(b"\n")))
        read.append(_hash_lines(np.frombuffer(data + b"\n", np.uint8)))
    return np.concatenate(read)


def _ascii_domain(line: bytes) -> bytes:
    """A line of domains with its host in ASCII; an empty line for none."""
    if line.isascii():
        return line
    url = parse_url(f"http://{line.decode('utf-8', 'replace').strip()}/")
    return url.host.encode() if url else b""


def _read_urls(path: Path) -> Hashes:
    keys = []
    for chunk in _chunks(path):
        for raw in chunk.decode("utf-8", "replace").splitlines():
            line = raw.strip()
            if line and not line.startswith("#"):
                url = parse_url(line if "://" in line else f"http://{line}")
                if url is not None:
                    keys.append(_prefixes(url)[0])
    return _hash_all(keys)


def _parents(host: str) -> list[str]:
    """A host, and the domains that it is part of, the top-level domain apart; an address stands for
    itself."""
    labels = host.split(".")
    if labels[-1].isdigit() or host.startswith("["):
        return [host]
    return [".".join(labels[first:]) for first in range(max(1, len(labels) - 1))]


def _prefixes(url: Url) -> list[str]:
    """An address without scheme, port, `www.` and case, and what it lies below: `a.b/c/d?e`, `a.b/c/d`,
    `a.b/c`."""
    host = url.host.removeprefix("www.")
    path = url.path.lower()
    keys = [f"{host}{path}?{url.query.lower()}"] if url.query else []
    segments = path.split("/")
    return keys + [host + "/".join(segments[:end]) for end in range(len(segments), 1, -1)[:MAX_PREFIXES]]


def _hash_all(keys: Sequence[str]) -> Hashes:
    """Hash of each key; none holds a line feed, and an empty one is not to be found."""
    if not keys:
        return np.zeros(0, np.uint64)
    data = "\n".join(key or "#" for key in keys).encode("utf-8", "surrogatepass")
    hashes = _hash_lines(np.frombuffer(data + b"\n", np.uint8), True)
    assert len(hashes) == len(keys)
    return hashes


@kernel
def _hash_lines(data: npt.NDArray[np.uint8], keep: bool = False) -> Hashes:
    """Hash of each line: uint64[lines]. Space, a point at either end and "*." before a line do not count;
    without `keep`, blank lines and those that begin with "#" have none."""
    hashes = np.empty((data == 10).sum(), np.uint64)
    count = 0
    start = 0
    for at in range(len(data)):
        if data[at] != 10:
            continue
        first, end = start, at
        start = at + 1
        while first < end and (data[first] <= 32 or data[first] == 42 or data[first] == 46):
            first += 1
        while end > first and (data[end - 1] <= 32 or data[end - 1] == 46):
            end -= 1
        if not keep and (first == end or data[first] == 35):
            continue
        total = np.uint64(0)
        for index in range(first, end):
            total = total * _BASE + scramble(np.uint64(data[index]) + _ONE)
        hashes[count] = scramble(total)
        count += 1
    return hashes[:count]

"""Lists that name files of repositories: repository, commit, path, language; the texts are fetched.

The lists are read once, by DuckDB, out of core: sorted by repository, commit and path, each file once, and
kept beside the store, so that files of one commit come together, and parts follow from the lists' contents
alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa

from corpus.inputs import Input, is_remote, open_input, remote
from corpus.ledger import Ledger
from corpus.manifest import RepositoriesSource, Transfer
from corpus.sources.base import Meter, Task, Unusable
from corpus.sources.ranges import in_order
from corpus.sources.repositories.archives import safe
from corpus.sources.repositories.git import (
    EXECUTABLE,
    HASH,
    SUBMODULE,
    SYMLINK,
    Blobs,
    Entry,
    GitError,
    Repository,
    asked_commit,
    fetched,
    is_remote_git,
)
from corpus.sources.repositories.members import Member, largest, too_large
from corpus.sources.slices import rows as slice_of
from corpus.transfer import fetch_small
from gristmill.base.atomic import atomic_open, atomic_path
from gristmill.base.digest import digest_json, sha256_file, stable_id
from gristmill.base.errors import UserError, describe, did_you_mean

PARQUET, CSV = (".parquet",), (".csv", ".csv.gz", ".csv.zst")
JSONL = tuple(kind + packing for kind in (".jsonl", ".ndjson", ".json") for packing in ("", ".gz", ".zst"))
ENDINGS = (*PARQUET, *CSV, *JSONL)
LOCAL = "file://"
GROUP_ROWS = 65_536
_REPO = re.compile(r"[\w.-]+(?:/[\w.-]+)*")
_COMMIT = re.compile(r"[0-9A-Za-z][\w.-]*")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list."""

    repo: str
    commit: str
    path: str
    language: str | None

    def usable(self) -> bool:
        """Whether all names are names, and none leads elsewhere."""
        named = _REPO.fullmatch(self.repo) and _COMMIT.fullmatch(self.commit)
        return bool(named) and safe(self.repo) and safe(self.path) and "\n" not in self.path


def list_tasks(items: list[Input], options: RepositoriesSource, cache: Path) -> list[Task]:
    """Tasks over the files that lists name: about `files_per_part` each, never within a commit's.

    Raises UserError for a list that cannot be read or lacks a field.
    """
    local = [_local(item, options, cache) for item in items]
    contents = [[item.name, sha256_file(path)] for item, path in zip(items, local, strict=True)]
    key = digest_json([contents, options.fields.model_dump(mode="json")])[:32]
    resolved = cache / f"list-{key}.parquet"
    if not resolved.is_file():
        _resolve(local, options, resolved)
    item = Input(f"list-{key}", f"{LOCAL}{resolved.absolute()}", None)
    return [Task((item,), (low, high), records=high - low) for low, high in _cuts(resolved, options)]


def _local(item: Input, options: RepositoriesSource, cache: Path) -> Path:
    """A list on this machine: a remote one is copied once for each of its versions."""
    if not is_remote(item.path):
        return Path(item.path)
    kept = cache / f"copy-{stable_id('list', item.path, str(item.size), item.stamp)}-{Path(item.name).name}"
    if not kept.is_file():
        try:
            with open_input(item.path, options, item.size) as stream, atomic_open(kept) as file:
                shutil.copyfileobj(stream, file, 1 << 20)
        except OSError as error:
            raise UserError(f"cannot read the list: {describe(error)}", where=item.name) from None
    return kept


def _reader(path: Path) -> str:
    """How DuckDB reads a list."""
    name, quoted = path.name.lower(), str(path).replace("'", "''")
    if name.endswith(PARQUET):
        return f"read_parquet('{quoted}')"
    if name.endswith(CSV):
        return f"read_csv('{quoted}', header = true, all_varchar = true)"
    return f"read_ndjson('{quoted}', ignore_errors = true, union_by_name = true)"


def _resolve(lists: list[Path], options: RepositoriesSource, target: Path) -> None:
    fields = options.fields
    wanted = {"repo": fields.repo, "commit": fields.commit, "path": fields.path}
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2,
        "temp_directory": str(target.parent),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config=config) as database:
        selects = []
        for path in lists:
            try:
                names = database.sql(f"SELECT * FROM {_reader(path)} LIMIT 0").columns
            except duckdb.Error as error:
                what = (str(error).splitlines() or [""])[0]
                raise UserError(f"cannot read the list: {what}", where=path.name) from None
            for field, column in wanted.items():
                if column not in names:
                    mend = did_you_mean(column, names)
                    raise UserError(
                        f"{path.name}: no column '{column}'", where=f"source.fields.{field}", mend=mend
                    )
            stated = fields.language is not None and fields.language in names
            columns = [_column(column, name) for name, column in wanted.items()]
            columns.append(_column(fields.language or "", "language") if stated else "NULL AS language")
            selects.append(f"SELECT {', '.join(columns)} FROM {_reader(path)}")
        query = (
            "SELECT repo, commit, path, min(language) AS language, count(*) AS times"
            f" FROM ({' UNION ALL '.join(selects)}) GROUP BY repo, commit, path ORDER BY repo, commit, path"
        )
        try:
            with atomic_path(target) as path:
                database.sql(query).write_parquet(
                    str(path), compression="zstd", row_group_size=GROUP_ROWS, overwrite=True
                )
        except duckdb.Error as error:
            what = (str(error).splitlines() or [""])[0]
            raise UserError(f"cannot read the lists: {what}", where="source.paths") from None


def _column(column: str, name: str) -> str:
    quoted = column.replace('"', '""')
    return f'CAST("{quoted}" AS VARCHAR) AS {name}'


def _cuts(resolved: Path, options: RepositoriesSource) -> Iterator[tuple[int, int]]:
    with duckdb.connect() as database:
        rows = database.execute(
            "SELECT count(*) FROM read_parquet($path) GROUP BY repo, commit ORDER BY repo, commit",
            {"path": str(resolved)},
        ).fetchall()
    low = at = 0
    for (count,) in rows:
        if at > low and at + count - low > options.files_per_part:
            yield low, at
            low = at
        at += count
    if at > low:
        yield low, at


def read_list(
    task: Task,
    options: RepositoriesSource,
    cache: Path,
    *,
    wanted: Callable[[str], bool],
    ledger: Ledger,
    meter: Meter,
) -> Iterator[Member]:
    """The files that a run of a list's rows names, in its order."""
    assert task.span is not None
    table = slice_of(Path(task.inputs[0].path.removeprefix(LOCAL)), *task.span)
    done = 0
    for (repo, commit), group in groupby(_rows(table, ledger), key=lambda row: (row.repo, row.commit)):
        found = list(group)
        chosen = [row for row in found if wanted(row.path)]
        good = [row for row in chosen if row.usable()]
        for row in chosen:
            if not row.usable():
                yield _member(row, Unusable("bad_row", "read"))
        for number, member in enumerate(_members(repo, commit, good, options, cache) if good else ()):
            meter(done + number)
            yield member
        done += len(found)
        meter(done)


def _rows(table: pa.Table, ledger: Ledger) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            if row["times"] > 1:
                ledger.ignored["listed twice"] += row["times"] - 1
            yield Row(row["repo"] or "", row["commit"] or "", row["path"] or "", row["language"])


def _member(row: Row, data: bytes | Exception) -> Member:
    return Member(row.repo, row.commit, row.path, data, language=row.language)


def _members(
    repo: str, commit: str, rows: list[Row], options: RepositoriesSource, cache: Path
) -> Iterator[Member]:
    """The files of one commit, from the first place of `base_url` that has the repository."""
    error: OSError = FileNotFoundError("no such repository")
    for template in options.base_url:
        if "{rel_path}" in template:
            yield from _single(template, rows, options)
            return
        place = template.format(repo=repo, commit_id=commit)
        try:
            if is_remote_git(place):
                whole = commit if HASH.fullmatch(commit) else asked_commit(place, commit, options.transfer)
                repository = fetched(place, whole, cache, most_bytes(options), options.transfer)
            else:
                repository = Repository(place)
                whole = repository.commit(commit)
            entries = {entry.path: entry for entry in repository.entries(whole)}
        except GitError as failed:
            error = FileNotFoundError(str(failed) or "no such commit")
            continue
        except OSError as failed:
            error = failed
            continue
        with Blobs(repository) as blobs:
            for row in rows:
                yield git_file(_member(row, b""), entries.get(row.path), blobs, largest(row.path, options))
        return
    for row in rows:
        yield _member(row, error)


def most_bytes(options: RepositoriesSource) -> int:
    """Most bytes of any file."""
    return max(options.max_file_bytes, options.notebooks.max_file_bytes if options.notebooks else 0)


def git_file(member: Member, entry: Entry | None, blobs: Blobs, limit: int) -> Member:
    """A file of a git tree with its bytes, or with the reason why there are none."""
    if entry is None:
        member.data = FileNotFoundError("not in the commit")
        return member
    if entry.mode in (SYMLINK, SUBMODULE):
        member.data = Unusable("symlink" if entry.mode == SYMLINK else "submodule", "read")
        return member
    member.executable, member.blob = entry.mode == EXECUTABLE, entry.blob
    try:
        member.size = blobs.size(entry.blob)
        if member.size is None:
            # Left out when the commit was fetched.
            member.data = Unusable("too_large", "read", f"more than {limit} bytes")
        else:
            member.data = blobs.read(entry.blob) if member.size <= limit else too_large(member.size)
    except GitError as error:
        member.data = Unusable("corrupt", "read", str(error))
    return member


def _single(template: str, rows: Iterable[Row], options: RepositoriesSource) -> Iterator[Member]:
    """Files that have addresses of their own, several on their way at a time."""

    def get(row: Row, policy: Transfer) -> bytes:
        names: Mapping[str, str] = {"repo": row.repo, "commit_id": row.commit, "rel_path": row.path}
        limit = largest(row.path, options)
        if not is_remote(template):
            with Path(template.format(**names)).open("rb") as file:
                return file.read(limit + 1)
        address = template.format(**{name: quote(value) for name, value in names.items()})
        return fetch_small(remote(address, options), limit, policy)

    for row, data in in_order(rows, get, options.transfer):
        member = _member(row, data)
        if isinstance(data, bytes):
            member.size = len(data)
            if len(data) > largest(row.path, options):
                member.data = Unusable("too_large", "read", f"more than {largest(row.path, options)} bytes")
        yield member

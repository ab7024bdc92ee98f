"""The source `repositories`: files, or whole repositories, as documents.

A file's native key is repository, commit and path, wherever it was read: from git, from an archive, or
fetched because a list names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from datatrove.data import Document

from corpus.inputs import Input, find
from corpus.ledger import Ledger
from corpus.manifest import GitRoot, RepositoriesSource
from corpus.sources.base import Meter, Task, clean, present
from corpus.sources.files import matches, translate
from corpus.sources.repositories import archives, lists
from corpus.sources.repositories.git import (
    HASH,
    SUBMODULE,
    Blobs,
    Entry,
    GitError,
    Repository,
    asked_commit,
    default_name,
    fetched,
    is_remote_git,
    need_git,
    plain_url,
)
from corpus.sources.repositories.joined import joined
from corpus.sources.repositories.members import Member, Text, largest, repositories, texts
from corpus.sources.repositories.stated import stated_license
from corpus.transfer import reason_of
from gristmill.base.atomic import atomic_write
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError, describe
from gristmill.base.progress import Progress

GIT = "git "
"""Begins the stamp of an input that is a repository; its commit follows."""


class Repositories:
    """Git repositories, archives and lists. `cache` is the folder for fetched commits and resolved names."""

    unit = "B"

    def __init__(self, options: RepositoriesSource, name: str, cache: Path) -> None:
        self.options, self.name, self.cache = options, name, cache
        roots = [GitRoot(path=root) if isinstance(root, str) else root for root in options.roots]
        self.roots = {root.name or default_name(root.path): root for root in roots}
        if len(self.roots) < len(roots):
            raise UserError(
                "two repositories have the same name",
                where="source.roots",
                mend="give them different `name`s",
            )
        self.include = [translate(pattern) for pattern in options.include]
        self.exclude = [translate(pattern) for pattern in options.exclude]
        if roots or any("{rel_path}" not in template for template in options.base_url):
            need_git("source.roots" if roots else "source.base_url")

    def wanted(self, path: str) -> bool:
        """Whether a path is asked for."""
        return matches(path, self.include) and not matches(path, self.exclude)

    def tasks(self, progress: Progress | None = None) -> list[Task]:
        """Tasks over the git repositories in the order of their names, then over archives and lists.

        Raises UserError for what is no repository or has no such commit, and for lists that cannot be read.
        """
        tasks = [*self._git_tasks()]
        if self.options.paths:
            endings = (*archives.ENDINGS, *lists.ENDINGS)
            found = find(self.options.paths, self.options, wanted=lambda n: n.lower().endswith(endings))
            listed = [item for item in found if item.name.lower().endswith(lists.ENDINGS)]
            tasks += [Task((item,), size=item.size) for item in found if item not in listed]
            if listed:
                tasks += lists.list_tasks(listed, self.options, self.cache)
        if not tasks:
            raise UserError("no file matches", where="source.include", mend="check `include` and `exclude`")
        return tasks

    def _git_tasks(self) -> Iterator[Task]:
        """Small local repositories together, large ones in pieces, remote ones alone."""
        held: list[Input] = []
        files = size = 0
        for name, root in sorted(self.roots.items()):
            commit = self._commit(root)
            item = Input(f"{name}@{commit}", root.path, None, GIT + commit)
            if is_remote_git(root.path):
                yield Task((Input(item.name, plain_url(root.path), None, item.stamp),))
                continue
            try:
                repository = Repository(root.path)
                entries = self._asked(repository.entries(commit))
                sizes = [
                    min(bytes_, largest(entry.path, self.options))
                    for entry, bytes_ in zip(entries, repository.sizes(entries), strict=True)
                ]
            except GitError as error:
                raise UserError(f"cannot read the repository: {error}", where=root.path) from None
            if not entries:
                continue
            spans = [*self._cut(sizes)]
            if len(spans) > 1 and self.options.documents == "files":
                for low, high in spans:
                    yield Task((item,), (low, high), sum(sizes[low:high]), high - low)
                continue
            if held and self._full(files + len(sizes), size + sum(sizes)):
                yield Task(tuple(held), size=size, records=files)
                held, files, size = [], 0, 0
            held.append(item)
            files, size = files + len(sizes), size + sum(sizes)
        if held:
            yield Task(tuple(held), size=size, records=files)

    def _full(self, files: int, size: int) -> bool:
        return files > self.options.files_per_part or size > self.options.bytes_per_part

    def _cut(self, sizes: list[int]) -> Iterator[tuple[int, int]]:
        low = total = 0
        for number, size in enumerate(sizes):
            if number > low and self._full(number - low + 1, total + size):
                yield low, number
                low, total = number, 0
            total += size
        yield low, len(sizes)

    def _asked(self, listed: list[Entry]) -> list[Entry]:
        """What is asked for of a commit's files; submodules in any case, for they are always left out."""
        return [
            entry
            for entry in listed
            if self.wanted(entry.path) or (entry.mode == SUBMODULE and not matches(entry.path, self.exclude))
        ]

    def _commit(self, root: GitRoot) -> str:
        """The full hash of a root's commit; what is no hash is looked up once and kept."""
        if HASH.fullmatch(root.commit):
            return root.commit
        remote = is_remote_git(root.path)
        place = plain_url(root.path) if remote else str(Path(root.path).resolve())
        kept = self.cache / f"commit-{stable_id('commit', place, root.commit)}"
        if kept.is_file():
            return kept.read_text().strip()
        try:
            if remote:
                commit = asked_commit(root.path, root.commit, self.options.transfer)
            else:
                commit = Repository(root.path).commit(root.commit)
        except OSError as error:
            what = f"cannot find the commit '{root.commit}': {error}"
            raise UserError(what, where=f"source.roots: {plain_url(root.path)}") from None
        atomic_write(kept, f"{commit}\n")
        return commit

    def read(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Document]:
        """The documents of a task, in order."""
        found = texts(self._members(task, ledger, meter), self.options, ledger)
        if self.options.documents == "files":
            yield from map(self._document, found)
            return
        for group in repositories(found):
            yield from joined(group, self.options, self.name, ledger)

    def _members(self, task: Task, ledger: Ledger, meter: Meter) -> Iterator[Member]:
        done = 0
        for item in task.inputs:
            if item.stamp.startswith(GIT):
                for member in self._git_members(item, task.span, ledger):
                    done += min(member.size or 0, largest(member.path, self.options))
                    meter(done)
                    yield member
            elif task.span is not None:
                yield from lists.read_list(
                    task, self.options, self.cache, wanted=self.wanted, ledger=ledger, meter=meter
                )
            else:
                yield from archives.read_archive(item, self.options, self.wanted, ledger, meter)

    def _git_members(self, item: Input, span: tuple[int, int] | None, ledger: Ledger) -> Iterator[Member]:
        name, _, commit = item.name.rpartition("@")
        root = self.roots[name]
        try:
            if is_remote_git(root.path):
                limit = lists.most_bytes(self.options)
                repository = fetched(root.path, commit, self.cache, limit, self.options.transfer)
            else:
                repository = Repository(root.path)
            listed = repository.entries(commit)
        except OSError as error:
            ledger.give_up(item.name, reason_of(error, "cannot_open"), describe(error))
            return
        entries = self._asked(listed)
        with Blobs(repository) as blobs:
            license_ = root.license or self.options.license or stated_license(listed, blobs)
            for entry in entries[slice(*span)] if span else entries:
                member = Member(name, commit, entry.path, b"", license=license_, language=root.language)
                yield lists.git_file(member, entry, blobs, largest(entry.path, self.options))

    def _document(self, one: Text) -> Document:
        member = one.member
        fields = present(
            source=self.name,
            language=member.language or self.options.language,
            license=member.license or self.options.license,
            repo=clean(member.repo),
            commit=member.commit,
            path=clean(member.path),
            size=member.size,
            executable=True if member.executable else None,
            blob=member.blob,
        )
        return Document(text=one.text, id=member.id, metadata={**fields, **one.more})

"""Small repositories, made with git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from datatrove.data import Document

from corpus.ledger import Ledger
from corpus.manifest import RepositoriesSource
from corpus.sources.repositories.source import Repositories

IDENTITY = {
    **{
        f"GIT_{who}_{what}": "mill@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    **{f"GIT_{who}_DATE": "2024-08-02T12:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


def git(folder: Path, *arguments: str) -> str:
    """What git prints in a folder."""
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env={**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null"},
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


def commit(folder: Path, files: Mapping[str, bytes | str]) -> str:
    """Write files into a repository, which is made if there is none, and commit all; its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "more")
    return git(folder, "rev-parse", "HEAD")


def bare(folder: Path, target: Path) -> Path:
    """A bare clone that serves any commit, and leaves out blobs if asked."""
    git(folder, "clone", "--quiet", "--bare", str(folder), str(target))
    for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(target, "config", name, "true")
    return target


def source(cache: Path, **options: object) -> Repositories:
    """The source, with its folder for what is fetched."""
    model = RepositoriesSource.model_validate({"type": "repositories", **options})
    return Repositories(model, "code", cache)


def read(repositories: Repositories) -> tuple[list[Document], Ledger]:
    """All documents, and one ledger for all parts."""
    ledger = Ledger()
    found = [
        document
        for task in repositories.tasks()
        for document in repositories.read(task, ledger, lambda done: None)
    ]
    return found, ledger


def paths(documents: list[Document]) -> list[str]:
    """The paths of documents of one file each."""
    return [document.metadata["path"] for document in documents]

"""Reading git repositories with the system's git: no checkout, no hooks, nothing larger than asked for.

A commit's files come from `ls-tree` and `cat-file`; a remote repository is fetched first, one commit deep,
and without the blobs that are larger than wanted where the server can leave them out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from corpus.manifest import Transfer
from corpus.pace import Pace
from corpus.transfer import Patience, Unavailable
from gristmill.base.atomic import atomic_folder
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A full commit hash: SHA-1, or SHA-256 (git-hash-function-transition)."""
SYMLINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"
"""Modes of tree entries (git-fast-import(1), `filemodify`)."""
_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)")
_FOREIGN = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("COMMON_DIR", "NAMESPACE", "PREFIX"),
    )
)
"""Variables by which a surrounding git would point at its own repository."""
_MISSING = re.compile(
    r"not found|does not exist|not our ref|unadvertised object|no such|does not appear to be a git"
    r"|couldn't find remote ref|unable to find remote",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"authentication failed|permission denied|could not read username", re.IGNORECASE)
_NOT_SERVED = re.compile(r"not our ref|unadvertised object|couldn't find remote", re.IGNORECASE)


class GitError(OSError):
    """What git said when it failed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit's tree."""

    path: str
    mode: str
    blob: str


def need_git(where: str) -> None:
    """Raises UserError where there is no git."""
    if shutil.which("git") is None:
        raise UserError("reading repositories needs git, which is not installed", where=where)


def is_remote_git(path: str) -> bool:
    """Whether git has to fetch: a URL, or `host:path` as ssh spells it."""
    return "://" in path or (_SCP.fullmatch(path) is not None and not Path(path).exists())


def plain_url(path: str) -> str:
    """A repository's address as a URL without user and password."""
    scp = _SCP.fullmatch(path)
    if "://" not in path and scp is not None:
        return f"ssh://{scp[1]}/{scp[2].lstrip('/')}"
    parts = urlsplit(path)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def default_name(path: str) -> str:
    """What a repository is called: `owner/name` of a URL, the folder's name of a local one."""
    if is_remote_git(path):
        return urlsplit(plain_url(path)).path.strip("/").removesuffix(".git") or "repository"
    here = Path(path).resolve()
    return (here.parent if here.name == ".git" else here).name.removesuffix(".git") or "repository"


def git(*arguments: str, at: Path | None = None, data: bytes | None = None) -> bytes:
    """Run git and return what it prints. Raises GitError with its last words."""
    done = subprocess.run(
        _command(arguments), input=data, capture_output=True, check=False, env=_environment(at), cwd=at
    )
    if done.returncode:
        raise GitError(_last_words(done.stderr))
    return done.stdout


def _command(arguments: Sequence[str]) -> list[str]:
    return ["git", "--no-replace-objects", "-c", "gc.auto=0", *arguments]


def _environment(at: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    kept |= {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    if at is not None:
        # A folder that is no repository shall not be taken for the one that it lies in.
        kept["GIT_CEILING_DIRECTORIES"] = str(at.resolve().parent)
    return kept


def _last_words(printed: bytes) -> str:
    lines = printed.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines or ["failed"]
    # URLs may hold passwords.
    return re.sub(r"://[^/\s]*@", "://", said[0].removeprefix("fatal:").removeprefix("error:").strip())


class Repository:
    """A repository on this machine: bare, or with a work tree (which is not looked at).

    Raises GitError where the folder is none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise GitError("no such folder")
        git("rev-parse", "--git-dir", at=self.path)

    def commit(self, revision: str) -> str:
        """The full hash of a commit. Raises GitError."""
        found = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", at=self.path)
        return found.decode().strip()

    def entries(self, commit: str) -> list[Entry]:
        """All files of a commit, symbolic links and submodules among them, sorted by path."""
        listed = git("ls-tree", "-r", "-z", "--full-tree", commit, at=self.path)
        found = []
        for line in listed.split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _, blob = facts.decode().split(" ")
            found.append(Entry(path.decode("utf-8", "surrogateescape"), mode, blob))
        return sorted(found, key=lambda entry: entry.path)

    def sizes(self, entries: Sequence[Entry]) -> list[int]:
        """Bytes of each entry; 0 for what is not there."""
        asked = "".join(f"{entry.blob}\n" for entry in entries).encode()
        lines = git("cat-file", "--batch-check=%(objectsize)", "--buffer", at=self.path, data=asked)
        return [int(line) if line.isdigit() else 0 for line in lines.decode().splitlines()]


class Blobs:
    """Objects of a repository by hash: two running gits, asked for one after the other. A context manager."""

    def __init__(self, repository: Repository) -> None:
        self.path = repository.path
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Blobs:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._running.values():
            _end(process)
        self._running.clear()

    def size(self, blob: str) -> int | None:
        """Bytes of an object, None where the repository lacks it. Raises GitError."""
        return self._ask("--batch-check", blob)

    def read(self, blob: str) -> bytes:
        """An object, which is there. Raises GitError, for a damaged one too."""
        size = self._ask("--batch", blob)
        if size is None:
            raise GitError("the object is missing")
        data = _open(self._running["--batch"].stdout).read(size + 1)
        if len(data) <= size:
            raise self._broken("--batch")
        return data[:-1]

    def _ask(self, option: str, blob: str) -> int | None:
        if option not in self._running:
            self._running[option] = subprocess.Popen(
                _command(("cat-file", option)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(self.path),
                cwd=self.path,
            )
        process = self._running[option]
        try:
            asked = _open(process.stdin)
            asked.write(f"{blob}\n".encode())
            asked.flush()
        except BrokenPipeError:
            raise self._broken(option) from None
        words = _open(process.stdout).readline().split()
        if len(words) == 2 and words[1] == b"missing":
            return None
        if len(words) != 3:
            raise self._broken(option)
        return int(words[2])

    def _broken(self, option: str) -> GitError:
        """A git that met damage has ended; the next question starts another."""
        _end(self._running.pop(option))
        return GitError("damaged object")


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def remote_commit(url: str, revision: str) -> str:
    """The commit that a name stands for at a remote repository. Raises OSError as `fetch` does."""
    listed = git("ls-remote", "--", url, *_names(revision)).decode("utf-8", "replace")
    refs = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
    for name in _names(revision):
        if name in refs:
            return refs[name]
    raise FileNotFoundError(f"the repository has no '{revision}'")


def _names(revision: str) -> list[str]:
    """The names that a revision may mean, the first that there is counts; `^{}` is the commit of a tag."""
    ways = ("{}^{{}}", "{}", "refs/tags/{}^{{}}", "refs/tags/{}", "refs/heads/{}")
    return [way.format(revision) for way in ways]


def patiently(url: str, policy: Transfer) -> Iterator[Patience]:
    """Tries at a remote repository, each at the pace of the manifest. Whoever fails waits with what is
    yielded, and tries again."""
    patience = Patience(policy)
    while True:
        if policy.requests_per_second is not None:
            parts = urlsplit(plain_url(url))
            Pace(f"{parts.scheme}://{parts.netloc}", policy.requests_per_second).wait()
        yield patience


def meaning(error: GitError) -> OSError:
    """What git's last words mean: gone, refused, or to be tried again."""
    if _MISSING.search(str(error)):
        return FileNotFoundError(str(error))
    if _REFUSED.search(str(error)):
        return PermissionError(str(error))
    return Unavailable(str(error))


def asked_commit(url: str, revision: str, policy: Transfer) -> str:
    """`remote_commit`, with patience. Raises OSError: FileNotFoundError, PermissionError, GaveUp."""
    for patience in patiently(url, policy):
        try:
            return remote_commit(url, revision)
        except GitError as error:
            patience.wait(meaning(error))
    raise AssertionError


def fetched(url: str, commit: str, cache: Path, limit: int, policy: Transfer) -> Repository:
    """A repository on this machine with the files of one commit of a remote one.

    Args:
        url: what git can fetch from.
        commit: full hash.
        cache: folder in which fetched commits are kept.
        limit: blobs that are larger need not come, where the server can leave them out.
        policy: how patiently, and how politely.

    Raises OSError: FileNotFoundError, PermissionError, GaveUp.
    """
    target = cache / f"{stable_id('git', plain_url(url), commit, limit)}.git"
    cache.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not target.is_dir():
            for patience in patiently(url, policy):
                try:
                    with atomic_folder(target) as folder:
                        _fetch(url, commit, folder, limit, policy)
                    break
                except GitError as error:
                    patience.wait(meaning(error))
    return Repository(target)


def _fetch(url: str, commit: str, folder: Path, limit: int, policy: Transfer) -> None:
    form = ["--object-format=sha256"] if len(commit) == 64 else []
    git("init", "--quiet", "--bare", *form, str(folder.resolve()))
    git("remote", "add", "origin", url, at=folder)
    slow = int(max(1, policy.timeout_seconds))
    options = ["-c", "http.lowSpeedLimit=1", "-c", f"http.lowSpeedTime={slow}", "fetch", "--quiet"]
    options += ["--no-tags", "--no-recurse-submodules", f"--filter=blob:limit={limit + 1}"]
    try:
        git(*options, "--depth=1", "origin", commit, at=folder)
    except GitError as error:
        if not _NOT_SERVED.search(str(error)):
            raise
        # A server that serves branches only: everything, and then see.
        git(*options, "origin", "+refs/*:refs/fetched/*", at=folder)
        try:
            git("cat-file", "-e", f"{commit}^{{commit}}", at=folder)
        except GitError:
            raise FileNotFoundError("the server has no such commit") from None
    # Without a remote to promise them, missing blobs are missing, and git does not go and get them. And the
    # URL may hold a password.
    for change in (("--remove-section", "remote.origin"), ("--unset", "extensions.partialclone")):
        with contextlib.suppress(GitError):
            git("config", *change, at=folder)

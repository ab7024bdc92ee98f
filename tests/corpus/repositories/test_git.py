"""Files of git repositories: what is read, what is left out and why, and that a build reads one commit."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import pytest

from corpus.build import build
from corpus.manifest import CorpusManifest
from corpus.sources.repositories import git as git_module
from corpus.sources.repositories.git import (
    Blobs,
    GitError,
    Repository,
    default_name,
    is_remote_git,
    plain_url,
)
from corpus.store import Store
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError
from tests.corpus.repositories.made import bare, commit, git, paths, read, source

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "mill"
    inner = commit(tmp_path / "inner", {"x.py": "x = 1\n"})
    commit(
        root,
        {
            "a.py": "a = 1\r\nb = 2\r\n",
            "lib/latin.py": "# coding: latin-1\ns = 'Stra\xdfe'\n".encode("latin-1"),
            "lib/utf16.py": "s = 'x'\n".encode("utf-16"),
            "lib/größe\tname.py": "s = 'Straße'\n",
            "lib/empty.py": b"",
            "lib/binary.py": b"\x7fELF\0\0\0",
            "lib/large.py": b"#" * 3000,
            "lib/pointer.py": LFS,
            "notes.txt": "words\n",
        },
    )
    (root / "loop.py").symlink_to("loop2.py")
    (root / "loop2.py").symlink_to("loop.py")
    (root / "away.py").symlink_to("/etc/passwd")
    (root / "a.py").chmod(0o755)
    git(root, "add", "--all")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{inner},vendored/inner")
    git(root, "commit", "--quiet", "-m", "links")
    return root


@pytest.mark.parametrize("kind", ["work tree", "bare", "fetched"])
def test_files_keys_and_reasons(tree: Path, tmp_path: Path, kind: str) -> None:
    head = git(tree, "rev-parse", "HEAD")
    place = str(tree)
    if kind != "work tree":
        place = str(bare(tree, tmp_path / "bare.git"))
    if kind == "fetched":
        place = f"file://{place}"
    root = {"path": place, "name": "owner/mill", "license": "MIT"}
    documents, ledger = read(
        source(tmp_path / "cache", roots=[root], include=["**/*.py"], max_file_bytes=1000)
    )
    assert paths(documents) == ["a.py", "lib/größe\tname.py", "lib/latin.py", "lib/utf16.py"]
    first = documents[0]
    assert first.text == "a = 1\r\nb = 2\r\n"
    assert first.id == stable_id("repository", "owner/mill", head, "a.py")
    assert first.metadata == {
        "source": "code",
        "license": "MIT",
        "repo": "owner/mill",
        "commit": head,
        "path": "a.py",
        "size": 14,
        "executable": True,
        "blob": git(tree, "rev-parse", "HEAD:a.py"),
    }
    assert "Straße" in documents[1].text
    assert "Straße" in documents[2].text
    assert documents[3].text == "s = 'x'\n"
    assert ledger.reasons() == {
        "decode:not_text": 1,
        "extract:empty_text": 1,
        "read:lfs_pointer": 1,
        "read:submodule": 1,
        "read:symlink": 3,
        "read:too_large": 1,
    }
    assert ledger.records == len(documents) + 8
    assert not ledger.incomplete


def test_a_pinned_commit_is_read_whatever_the_work_tree_holds(tree: Path, tmp_path: Path) -> None:
    old = git(tree, "rev-parse", "HEAD")
    commit(tree, {"a.py": "changed = 1\n"})
    (tree / "a.py").write_text("not committed\n")
    documents, _ = read(source(tmp_path, roots=[{"path": str(tree), "commit": old}], include=["a.py"]))
    assert [d.text for d in documents] == ["a = 1\r\nb = 2\r\n"]


def test_a_name_is_looked_up_once(tree: Path, tmp_path: Path) -> None:
    remote = bare(tree, tmp_path / "bare.git")
    for place in (str(tree), f"file://{remote}"):
        options = {"roots": [{"path": place, "commit": "main"}], "include": ["a.py"]}
        before = source(tmp_path / "cache", **options).tasks()
        commit(tree, {"a.py": "changed = 1\n"})
        git(tree, "push", "--quiet", str(remote), "main")
        assert source(tmp_path / "cache", **options).tasks() == before
        assert source(tmp_path / "other", **options).tasks() != before


def test_large_blobs_do_not_come_and_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "big"
    commit(root, {"a.py": "a = 1\n"})
    with (root / "huge.py").open("wb") as file:
        file.truncate(200 << 20)
    head = commit(root, {})
    remote = bare(root, tmp_path / "big.git")
    shutil.rmtree(root)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for place in (str(remote), f"file://{remote}"):
        documents, ledger = read(source(tmp_path / "cache", roots=[place]))
        assert paths(documents) == ["a.py"]
        assert ledger.reasons() == {"read:too_large": 1}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    (fetched,) = (tmp_path / "cache").glob("*.git")
    with Blobs(Repository(fetched)) as blobs:
        assert blobs.size(git(remote, "rev-parse", f"{head}:huge.py")) is None
    assert "file://" not in (fetched / "config").read_text()


def test_damage_is_a_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    root = tmp_path / "mill"
    commit(root, {name: f"{name} = 1\n" for name in ("a.py", "b.py", "c.py")})
    blob = git(root, "rev-parse", "HEAD:b.py")
    file = root / ".git/objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(b"garbage")
    documents, ledger = read(source(tmp_path / "cache", roots=[str(root)]))
    assert paths(documents) == ["a.py", "c.py"]
    assert sum(ledger.reasons().values()) == 1


def test_parts_hold_so_many_files_and_small_repositories_share_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        commit(tmp_path / name, {"a.py": "a = 1\n", "b.py": "b = 1\n"})
    commit(tmp_path / "three", {f"{n}.py": f"n = {n}\n" for n in range(7)})
    roots = [str(tmp_path / name) for name in ("one", "two", "three")]
    whole = source(tmp_path / "cache", roots=roots)
    cut = source(tmp_path / "cache", roots=roots, files_per_part=4)
    assert [len(task.inputs) for task in whole.tasks()] == [3]
    assert [(len(task.inputs), task.span, task.records) for task in cut.tasks()] == [
        (1, (0, 4), 4),
        (1, (4, 7), 3),
        (2, None, 4),
    ]
    ids = {document.id for document in read(cut)[0]}
    assert len(ids) == 11
    assert ids == {document.id for document in read(whole)[0]}


def test_what_is_no_repository_is_a_clear_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A folder inside of a repository is none.
    commit(tmp_path / "mill", {"lib/a.py": "a = 1\n"})
    for place in (tmp_path / "mill/lib", tmp_path / "nothing"):
        with pytest.raises(UserError, match="commit"):
            source(tmp_path / "cache", roots=[str(place)]).tasks()
    with pytest.raises(UserError, match="no-such"):
        source(tmp_path / "cache", roots=[{"path": str(tmp_path / "mill"), "commit": "no-such"}]).tasks()
    url = f"file://{tmp_path}/mill"
    with pytest.raises(UserError, match="no-such"):
        source(tmp_path / "cache", roots=[{"path": url, "commit": "no-such"}]).tasks()
    with pytest.raises(UserError, match="same name"):
        source(tmp_path, roots=["/a/mill", "/b/mill.git"])
    with pytest.raises(UserError, match="no file matches"):
        source(tmp_path / "cache", roots=[str(tmp_path / "mill")], include=["*.xyz"]).tasks()
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UserError, match="git, which is not installed"):
        source(tmp_path, roots=[str(tmp_path / "mill")])


def test_a_remote_repository_that_is_gone_is_an_incomplete_input(tree: Path, tmp_path: Path) -> None:
    remote = bare(tree, tmp_path / "bare.git")
    repositories = source(
        tmp_path / "cache", roots=[f"file://{remote}"], transfer={"first_pause_seconds": 0, "tries": 2}
    )
    tasks = repositories.tasks()
    shutil.rmtree(remote)
    from corpus.ledger import Ledger

    ledger = Ledger()
    assert not list(repositories.read(tasks[0], ledger, lambda done: None))
    assert [one.reason for one in ledger.incomplete] == ["cannot_open"]


def test_a_commit_that_no_branch_holds(tree: Path, tmp_path: Path) -> None:
    """The server serves it by its hash, or says that it has none."""
    lost = commit(tree, {"lost.py": "lost = 1\n"})
    remote = bare(tree, tmp_path / "bare.git")
    git(tree, "reset", "--quiet", "--hard", "HEAD~1")
    git(tree, "push", "--quiet", "--force", str(remote), "main")
    documents, _ = read(
        source(tmp_path / "c1", roots=[{"path": f"file://{remote}", "commit": lost}], include=["lost.py"])
    )
    assert paths(documents) == ["lost.py"]
    nowhere = {"path": f"file://{remote}", "commit": "0" * 40}
    documents, ledger = read(source(tmp_path / "c2", roots=[nowhere], transfer={"first_pause_seconds": 0}))
    assert not documents
    assert [one.reason for one in ledger.incomplete] == ["cannot_open"]


def test_addresses() -> None:
    assert default_name("https://github.com/owner/name.git") == "owner/name"
    assert default_name("git@github.com:owner/name.git") == "owner/name"
    assert default_name("/data/mirrors/name.git") == "name"
    assert plain_url("https://user:secret@example.org/owner/name") == "https://example.org/owner/name"
    assert is_remote_git("git@github.com:owner/name")
    assert not is_remote_git("/data/name")
    with pytest.raises(GitError) as caught:
        git_module.git("ls-remote", "https://user:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)


def test_a_store_is_built_and_built_again_of_the_same_commit(tree: Path, tmp_path: Path) -> None:
    manifest = CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "code",
            "output": str(tmp_path / "store"),
            "source": {"type": "repositories", "roots": [str(tree)], "files_per_part": 4},
            "executor": {"type": "local", "workers": 1},
        }
    )
    first = build(manifest)
    assert first.exit_code == 0
    assert first.dropped["read:symlink"] == 3
    rows = [
        row
        for batch in Store.open(tmp_path / "store").documents(["repo", "commit", "path", "metadata"])
        for row in batch.to_pylist()
    ]
    assert {row["path"] for row in rows} >= {"a.py", "notes.txt"}
    assert {row["commit"] for row in rows} == {git(tree, "rev-parse", "HEAD")}
    assert json.loads(next(row for row in rows if row["path"] == "a.py")["metadata"])["executable"] is True
    commit(tree, {"b.py": "b = 1\n"})
    assert build(manifest).reused

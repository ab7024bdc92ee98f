"""Trees of files: what is taken, how it is cut into parts, what is left out and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from datatrove.data import Document

from corpus.ledger import Ledger
from corpus.manifest import FilesSource
from corpus.sources.files import Files, translate
from gristmill.base.digest import stable_id
from gristmill.base.errors import UserError


def source(**options: object) -> Files:
    return Files(FilesSource.model_validate({"type": "files", **options}), "code")


def read(files: Files) -> tuple[list[Document], Ledger]:
    ledger = Ledger()
    return [doc for task in files.tasks() for doc in files.read(task, ledger, lambda done: None)], ledger


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    files = {
        "a.py": b"x = 1\n",
        "lib/b.py": "# coding: latin-1\ns = 'Stra\xdfe'\n".encode("latin-1"),
        "lib/deep/c.py": "s = 'Straße'\n".encode(),
        "lib/d.txt": b"words\n",
        "lib/utf16.py": "s = 'x'\n".encode("utf-16"),
        "lib/empty.py": b" \n",
        "lib/binary.py": b"MZ\0\0\0",
        "lib/garbage.py": bytes(range(1, 32)) * 20,
        "lib/large.py": b"#" * 2000,
        "tests/e.py": b"assert True\n",
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_documents_keys_and_reasons(tree: Path) -> None:
    documents, ledger = read(
        source(
            roots=[{"path": str(tree), "commit": "abc", "license": "MIT"}],
            include=["**/*.py"],
            exclude=["tests/**"],
            max_file_bytes=1000,
            language="en",
        )
    )
    assert [doc.metadata["path"] for doc in documents] == [
        "a.py",
        "lib/b.py",
        "lib/deep/c.py",
        "lib/utf16.py",
    ]
    assert "Straße" in documents[1].text
    assert "Straße" in documents[2].text
    assert documents[3].text == "s = 'x'\n"
    first = documents[0]
    assert first.id == stable_id("file", "project", "abc", "a.py")
    expected = {"source": "code", "language": "en", "license": "MIT", "repo": "project", "commit": "abc"}
    assert first.metadata == {**expected, "path": "a.py"}
    assert ledger.reasons() == {"decode:not_text": 2, "extract:empty_text": 1, "read:too_large": 1}
    assert {row[1] for row in ledger.rows} == {
        "project/lib/binary.py", "project/lib/empty.py", "project/lib/garbage.py", "project/lib/large.py",
    }  # fmt: skip
    assert ledger.records == 8


def test_parts_depend_on_names_and_sizes_alone(tree: Path) -> None:
    by_count = source(roots=[str(tree)], files_per_part=3).tasks()
    assert [len(task.inputs) for task in by_count] == [3, 3, 3, 1]
    names = [item.name for task in by_count for item in task.inputs]
    assert names == sorted(names)
    by_size = source(roots=[str(tree)], bytes_per_part=100).tasks()
    assert [item.name for task in by_size for item in task.inputs] == names
    assert all(len(task.inputs) == 1 or (task.size or 0) <= 100 for task in by_size)


def test_roots(tree: Path) -> None:
    (tree.parent / "other").mkdir()
    (tree.parent / "other" / "z.py").write_text("z = 1\n")
    documents, _ = read(source(roots=[str(tree), str(tree.parent / "other" / "z.py")], include=["*.py"]))
    assert [(doc.metadata["repo"], doc.metadata["path"]) for doc in documents] == [
        ("project", "a.py"),
        ("z.py", "z.py"),
    ]
    with pytest.raises(UserError, match="two roots have the same name"):
        source(roots=[str(tree), {"path": str(tree.parent / "other"), "name": "project"}])
    with pytest.raises(UserError, match="nothing to read there"):
        source(roots=[str(tree / "nowhere")]).tasks()
    with pytest.raises(UserError, match="no file matches"):
        source(roots=[str(tree)], include=["*.rs"]).tasks()


def test_a_file_that_goes_away_is_an_incomplete_input(tree: Path) -> None:
    files = source(roots=[str(tree)], include=["*.py", "tests/*"])
    tasks = files.tasks()
    (tree / "a.py").unlink()
    ledger = Ledger()
    documents = [doc for task in tasks for doc in files.read(task, ledger, lambda done: None)]
    assert [doc.metadata["path"] for doc in documents] == ["tests/e.py"]
    assert [(lost.input, lost.reason) for lost in ledger.incomplete] == [("project/a.py", "cannot_read")]


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.py", ["a.py"], ["b/a.py", "a.pyc"]),
        ("**/*.py", ["a.py", "b/a.py", "b/c/a.py"], ["a.txt"]),
        ("lib/**", ["lib/a", "lib/b/c"], ["lib", "a/lib/b"]),
        ("**/test_?.py", ["test_a.py", "x/test_b.py"], ["test_.py", "test_ab.py", "test_/.py"]),
        ("[ab].p*", ["a.py", "b.pl"], ["c.py", "a.x"]),
        ("[!ab].py", ["c.py"], ["a.py"]),
        ("a+(b).py", ["a+(b).py"], ["aab.py"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    assert all(translate(pattern).fullmatch(name) for name in yes)
    assert not any(translate(pattern).fullmatch(name) for name in no)

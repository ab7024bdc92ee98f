"""Repositories as documents: order, headers, cuts at files, and where each file is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.ledger import Ledger
from corpus.manifest import RepositoriesSource
from corpus.sources.repositories.joined import header, joined
from corpus.sources.repositories.members import Member, Text
from tests.corpus.repositories.made import commit, read, source

FILES = {
    "README.md": "# Mill\n",
    "app/main.py": "from app import stone\nstone.grind()\n",
    "app/stone.py": "from app.wheel import turn\r\ndef grind(): turn()",
    "app/wheel.py": "def turn(): pass\n",
    "lib/x.c": '#include "x.h"\n',
    "lib/x.h": "int x;\n",
}


def test_a_repository_in_order_with_headers(tmp_path: Path) -> None:
    head = commit(tmp_path / "mill", FILES)
    documents, _ = read(source(tmp_path / "cache", roots=[str(tmp_path / "mill")], documents="repository"))
    (document,) = documents
    assert document.text == (
        "<!-- README.md -->\n# Mill\n\n"
        "# app/wheel.py\ndef turn(): pass\n\n"
        "# app/stone.py\nfrom app.wheel import turn\r\ndef grind(): turn()\n\n"
        "# app/main.py\nfrom app import stone\nstone.grind()\n\n"
        "// lib/x.h\nint x;\n\n"
        '// lib/x.c\n#include "x.h"\n\n'
    )
    assert (document.metadata["repo"], document.metadata["commit"]) == ("mill", head)
    assert "path" not in document.metadata
    members = document.metadata["files"]
    single, _ = read(source(tmp_path / "cache", roots=[str(tmp_path / "mill")]))
    whole = {one.metadata["path"]: one for one in single}
    for member in members:
        assert document.text[member["start"] : member["end"]] == whole[member["path"]].text
        assert member["id"] == whole[member["path"]].id
        assert member["blob"] == whole[member["path"]].metadata["blob"]


def test_the_header_of_starcoder2(tmp_path: Path) -> None:
    commit(tmp_path / "mill", {"a.py": "a = 1\n"})
    documents, _ = read(
        source(tmp_path / "cache", roots=[str(tmp_path / "mill")], documents="repository", header="file_sep")
    )
    assert documents[0].text == "<file_sep>a.py\na = 1\n\n"


def test_repositories_are_not_mixed_and_too_large_ones_are_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        commit(tmp_path / name, FILES)
    roots = [str(tmp_path / name) for name in ("one", "two")]
    options = {"roots": roots, "documents": "repository"}
    documents, _ = read(source(tmp_path / "cache", **options))
    assert [d.metadata["repo"] for d in documents] == ["one", "two"]
    assert documents[0].id != documents[1].id
    documents, ledger = read(source(tmp_path / "cache", **options, max_repository_bytes=60))
    assert ledger.reasons() == {"extract:repository_too_large": 6}
    assert [[f["path"] for f in d.metadata["files"]] for d in documents] == [
        ["README.md", "app/main.py", "app/wheel.py"]
    ] * 2


@given(
    st.dictionaries(st.sampled_from([f"{n}.py" for n in range(12)]), st.text(min_size=1, max_size=40)),
    st.integers(1, 120),
    st.sampled_from(["comment", "file_sep"]),
)
def test_cuts_lie_between_files(files: dict[str, str], most: int, form: str) -> None:
    options = RepositoriesSource.model_validate(
        {"type": "repositories", "roots": ["x"], "max_characters": most, "header": form}
    )
    found = [Text(Member("mill", "c", path, b""), text, {}) for path, text in sorted(files.items())]
    documents = list(joined(found, options, "code", Ledger()))
    seen = {}
    for document in documents:
        members = document.metadata["files"]
        assert len(document.text) <= most or len(members) == 1
        for member in members:
            seen[member["path"]] = document.text[member["start"] : member["end"]]
            before = header(member["path"], form)
            assert document.text[: member["start"]].endswith(before)
    assert seen == files
    assert len({document.id for document in documents}) == len(documents)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "# a.py\n"),
        ("x/Makefile", "# x/Makefile\n"),
        ("a.RS", "// a.RS\n"),
        ("a.css", "/* a.css */\n"),
        ("a.sql", "-- a.sql\n"),
        ("a\nb.py", "# a b.py\n"),
    ],
)
def test_headers(path: str, line: str) -> None:
    assert header(path, "comment") == line

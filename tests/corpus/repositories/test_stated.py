"""The licence that a repository states is its files'."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.repositories.made import bare, commit, read, source

APACHE = "Licensed under the Apache License, Version 2.0.\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"LICENSE": APACHE}, "Apache-2.0"),
        ({"LICENSES/MIT.txt": "SPDX-License-Identifier: MIT\n"}, "MIT"),
        ({"package.json": '{"license": "ISC"}'}, "ISC"),
        ({"LICENSE": APACHE, "package.json": '{"license": "ISC"}'}, "Apache-2.0"),
        ({"LICENSE": b"\xff\x00\xfe binary", "setup.cfg": "[metadata]\nlicense = MIT\n"}, "MIT"),
        ({"sub/LICENSE": APACHE}, None),
        ({"README.md": APACHE}, None),
        ({"LICENSE": "x" * (1 << 21)}, None),
        ({}, None),
    ],
)
def test_it_is_read_from_the_root_whatever_files_are_asked_for(
    tmp_path: Path, files: dict[str, str | bytes], expected: str | None
) -> None:
    commit(tmp_path / "tree", {"a.py": "x = 1\n", **files})
    documents, _ = read(source(tmp_path / "cache", roots=[str(tmp_path / "tree")], include=["**/*.py"]))
    assert [document.metadata.get("license") for document in documents] == [expected]


def test_a_manifest_overrides_it_and_fetched_repositories_state_it_too(tmp_path: Path) -> None:
    commit(tmp_path / "tree", {"a.py": "x = 1\n", "LICENSE": APACHE})
    said = [{"path": str(tmp_path / "tree"), "license": "MIT"}]
    documents, _ = read(source(tmp_path / "cache", roots=said, include=["**/*.py"]))
    assert documents[0].metadata["license"] == "MIT"
    place = f"file://{bare(tmp_path / 'tree', tmp_path / 'bare.git')}"
    documents, _ = read(source(tmp_path / "other", roots=[place], include=["**/*.py"]))
    assert documents[0].metadata["license"] == "Apache-2.0"

"""The demonstration's source code: a copy of the standard library's Python files."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from gristmill.base.atomic import atomic_folder

SKIPPED_FOLDERS = frozenset(
    ["test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "turtledemo", "__pycache__"]
)
"""Tests are many and alike, idlelib and turtledemo are programs, site-packages is somebody else's."""


def source_files(root: Path) -> Iterator[Path]:
    """Python files under a folder, sorted, without `SKIPPED_FOLDERS` and build-time configuration."""
    for path in sorted(root.rglob("*.py")):
        folders = path.relative_to(root).parts[:-1]
        if not SKIPPED_FOLDERS.intersection(folders) and not path.name.startswith("_sysconfigdata"):
            yield path


def write_sources(folder: Path) -> int:
    """Copy the standard library's sources, all or nothing; returns the number of files."""
    root = Path(sysconfig.get_paths()["stdlib"])
    count = 0
    with atomic_folder(folder) as temporary:
        for path in source_files(root):
            target = temporary / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            count += 1
    return count

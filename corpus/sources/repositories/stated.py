"""The licence that a repository states for all its files, read from its root before any of them."""

from __future__ import annotations

from collections.abc import Iterable

from corpus.extraction.charset import NotText, decode
from corpus.sources.repositories.git import SUBMODULE, SYMLINK, Blobs, Entry, GitError
from filters.code.repository_license import may_state_license, repository_license

MOST_BYTES = 1 << 20
"""Bytes of the largest licence or metadata file that is read."""
MOST_FILES = 50


def stated_license(entries: Iterable[Entry], blobs: Blobs) -> str | None:
    """The SPDX expression of a commit's licence files, else of its package metadata; None where they say
    nothing or cannot be read.

    Args:
        entries: all files of the commit, those that nobody asked for too.
    """
    chosen = [
        entry for entry in entries if entry.mode not in (SYMLINK, SUBMODULE) and may_state_license(entry.path)
    ]
    files = {}
    for entry in chosen[:MOST_FILES]:
        try:
            size = blobs.size(entry.blob)
            if size is not None and size <= MOST_BYTES:
                files[entry.path] = decode(blobs.read(entry.blob), None, html=False)[0]
        except (GitError, NotText):
            continue
    found = repository_license(files)
    return found.expression if found is not None else None

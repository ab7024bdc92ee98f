"""Manifests and stores for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from corpus.executors import LOGS
from corpus.manifest import CorpusManifest
from tests.corpus.archives import http, pack, page, pages, record

RULES = [
    {"drop": "gopher.words < 100", "reason": "short"},
    {"drop": "NOT exact.keep", "reason": "duplicate"},
    {"tier": "long", "when": "gopher.words > 300"},
]


def crawl(folder: Path, archives: int = 4, count: int = 30) -> Path:
    """Archives of pages; the last page of every archive is the same, and one page of each is short."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(archives):
        records = [
            *pages(count, first=number * 1000, sentences=12),
            record(number * 1000 + 900, http(page(5, sentences=2))),
            record(number * 1000 + 901, http(page(77))),
            record(number * 1000 + 902, http(b"", status="404 Not Found")),
        ]
        (folder / f"crawl-{number}.warc.gz").write_bytes(pack(records, "members"))
    return folder


def manifest(output: Path, paths: list[Path], **fields: Any) -> CorpusManifest:
    """A manifest over web archives."""
    return CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "test",
            "output": str(output),
            "source": {
                "type": "warc",
                "paths": [str(path) for path in paths],
                "extract": {"engine": "resiliparse"},
            },
            "annotators": ["gopher"],
            "dedup": "exact",
            "policy": {"name": "strict", "rules": RULES},
            "executor": {"type": "local", "workers": 1},
            **fields,
        }
    )


def contents(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store but its logs, by relative path."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.relative_to(store).parts[0] != LOGS
    }

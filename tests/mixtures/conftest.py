"""Small document stores and mixtures to work on."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.schema import DOCUMENTS, parquet_writer
from corpus.store import FORMAT, VERSION
from corpus.store import write_store as write_content
from filters.decide import DECISION_SCHEMA
from gristmill.base.digest import sha256_file
from mixtures.manifest import MixtureManifest

WORDS = [
    *(
        "the",
        "of",
        "a",
        "to",
        "and",
        "in",
        "is",
        "it",
        "that",
        "was",
        "for",
        "on",
        "are",
        "as",
        "with",
        "his",
    ),
    *(
        "they",
        "at",
        "be",
        "this",
        "from",
        "have",
        "or",
        "by",
        "one",
        "had",
        "not",
        "but",
        "what",
        "all",
        "were",
    ),
    *("naïve", "café", "größe", "数学", "данные", "12345", "x=1;", "def", "return", "\N{GRINNING FACE}"),
]


def texts(seed: int, count: int, longest: int = 60) -> list[str]:
    """Word salad, some of it with special tokens, line breaks and other scripts; all different."""
    chance = random.Random(seed)
    ends = ["", "\n", " </s> end", "\t."]
    return [
        f"{seed} {number} "
        + " ".join(chance.choices(WORDS, k=chance.randint(0, longest)))
        + chance.choice(ends)
        for number in range(count)
    ]


def document_id(part: int, row: int) -> str:
    """The id that `write_store` gives."""
    return hashlib.md5(f"{part}/{row}".encode()).hexdigest()


def write_store(folder: Path, parts: Sequence[Sequence[str]], dropped: Sequence[str] = ()) -> Path:
    """A document store in the layout of `corpus.store`: texts by part, some dropped by policy `p`."""
    parts_described: list[dict[str, Any]] = []
    decided: dict[str, str] = {}
    for number, part in enumerate(parts):
        name = f"part-{number:05d}"
        ids = [document_id(number, row) for row in range(len(part))]
        keep = [text not in dropped for text in part]
        tables = {
            "documents": pa.Table.from_pylist(
                [{"id": id_, "text": text, "language": "en"} for id_, text in zip(ids, part, strict=True)],
                DOCUMENTS,
            ),
            "decisions/p": pa.Table.from_pylist(
                [{"id": id_, "keep": kept} for id_, kept in zip(ids, keep, strict=True)], DECISION_SCHEMA
            ),
        }
        digests = {}
        for kind, table in tables.items():
            path = folder / kind / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            with parquet_writer(path, table.schema) as writer:
                writer.write_table(table)
            digests[kind] = sha256_file(path)
        documents = {"sha256": digests["documents"]}
        parts_described.append({"part": name, "rows": len(part), "files": {"documents": documents}})
        decided[name] = digests["decisions/p"]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": folder.name,
        "parts": parts_described,
        "annotations": {},
        "decisions": {"p": {"parts": decided}},
    }
    write_content(folder, content)
    return folder


def small_mixture(**fields: Any) -> MixtureManifest:
    """Two sources in `stores/`, two phases of 32 tokens and one of 48, in the folder `out`."""

    def phase(name: str, tokens: int, length: int, a: float, b: float) -> dict[str, Any]:
        entries = [{"source": "a", "weight": a}, {"source": "b", "weight": b}]
        return {
            "name": name,
            "budget": {"tokens": tokens},
            "sequence_length": length,
            "batch": 4,
            "entries": entries,
        }

    return MixtureManifest.model_validate(
        {
            "name": "small",
            "output": "out",
            "tokenizer": {"type": "train", "vocab_size": 500},
            "sources": {
                "a": {"address": "stores/a", "select": {"policy": "p"}},
                "b": {"address": "stores/b"},
            },
            "phases": [
                phase("one", 9000, 32, 3, 1),
                phase("two", 4000, 48, 1, 1),
                phase("three", 5000, 32, 1, 2),
            ],
            "seed": 11,
        }
        | fields
    )


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Document stores `stores/a` (three parts, some dropped, some empty) and `stores/b` (one part empty)."""
    monkeypatch.chdir(tmp_path)
    a = [texts(part, 40) for part in range(3)]
    a[1][5] = a[2][0] = ""
    b = [texts(7, 30), [], texts(8, 5, longest=3)]
    write_store(Path("stores/a"), a, dropped=a[0][:7])
    write_store(Path("stores/b"), b)
    return {"a": [a[0][7:], *a[1:]], "b": b}


@pytest.fixture
def locked(stores: dict[str, list[list[str]]]) -> MixtureManifest:
    """The small mixture, tokenised and locked in `out`."""
    from mixtures.locking import make_lock
    from mixtures.tokenize import tokenize

    manifest = small_mixture()
    tokenize(manifest)
    make_lock(manifest)
    return manifest


def tree(folder: str | Path) -> dict[str, bytes]:
    """Every file under a folder."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".logs" not in path.parts
    }

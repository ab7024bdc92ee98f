"""Which files of a transformer's folder decide its values, and their digest."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from filters.hub import model_folder
from gristmill.base.digest import digest_json, sha256_file
from gristmill.base.errors import UserError

FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "modules.json",
    "*_Pooling/config.json",
)
"""Beside the weights."""
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")


def transformer_folder(ref: str | Path) -> Path:
    """The folder of a transformer: a path, or a repository of the Hub (`hf://org/name@commit`).

    Weights are safetensors, which hold numbers and no code. Raises UserError where there is no such folder.
    """
    folder = model_folder(ref, [*FILES, *WEIGHTS], "classifier")
    if not (folder / "config.json").is_file():
        raise UserError("no transformer there (no config.json)", where=str(ref))
    if not _matches(folder, WEIGHTS):
        raise UserError("no weights there (no model.safetensors)", where=str(ref))
    return folder


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files that decide a transformer's values."""
    files = {*_matches(folder, FILES), *_matches(folder, WEIGHTS)}
    return digest_json(sorted([file.relative_to(folder).as_posix(), file_digest(file)] for file in files))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, computed once a process as long as the file stays as it is."""
    stat = path.stat()
    return _file_digest(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _file_digest(path: Path, size: int, modified: int) -> str:
    return sha256_file(path)


def _matches(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return [file for pattern in patterns for file in folder.glob(pattern) if file.is_file()]

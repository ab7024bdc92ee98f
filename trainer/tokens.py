"""The tokenizer that travels with a run and its weights, in the layout that `transformers` reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from gristmill.base.atomic import atomic_write
from gristmill.base.errors import UserError
from mixtures import tokenizer as mixture_tokenizer
from mixtures.lock import Lock

FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"


@dataclass(frozen=True)
class TextCodec:
    """Text to token ids as the mixture had them, and back.

    Attributes:
        bos: id that begins a document, None if documents begin with their own first token.
        eos: id that ends a document, None if nothing does.
    """

    tokenizer: Tokenizer
    bos: int | None
    eos: int | None

    def encode(self, text: str) -> list[int]:
        """The ids of a document's beginning."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids if self.bos is None else [self.bos, *ids]

    def decode(self, ids: list[int]) -> str:
        """The text of ids, special tokens left out."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text


def write(lock: Lock, folder: Path) -> None:
    """Put a mixture's tokenizer into a folder: the file itself, and which of its tokens bound a document."""
    tokenizer = mixture_tokenizer.load(lock.tokenizer_path)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": lock.add_bos,
        "add_eos_token": lock.add_eos,
        "clean_up_tokenization_spaces": False,
    }
    for name, token_id in (("bos_token", lock.bos_id), ("eos_token", lock.eos_id)):
        if token_id is not None:
            config[name] = tokenizer.id_to_token(token_id)
    _write_if_new(folder / FILE, lock.tokenizer_path.read_bytes())
    _write_if_new(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True).encode() + b"\n")


def copy(source: Path, target: Path) -> None:
    """Copy a tokenizer's files, where there are any."""
    for name in (FILE, CONFIG):
        if (source / name).is_file():
            _write_if_new(target / name, (source / name).read_bytes())


def read(folder: Path) -> TextCodec:
    """The tokenizer of a folder. Errors: UserError when it is missing or not readable."""
    tokenizer = mixture_tokenizer.load(folder / FILE)
    path = folder / CONFIG
    try:
        config = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f"is not JSON ({error})", where=str(path)) from None
    bos, eos = (_id(tokenizer, config.get(name)) for name in ("bos_token", "eos_token"))
    return TextCodec(tokenizer, bos if config.get("add_bos_token") else None, eos)


def _id(tokenizer: Tokenizer, token: Any) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token  # both forms occur on the Hub
    found: int | None = tokenizer.token_to_id(text) if isinstance(text, str) else None
    return found


def _write_if_new(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        atomic_write(path, content)

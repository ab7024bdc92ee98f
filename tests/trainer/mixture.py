"""A locked mixture of two token stores, made with the mixtures' own writers; no document store is needed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from gristmill.base.digest import sha256_file, stable_id
from mixtures import order, tokenizer
from mixtures.lock import FORMAT, NAME, VERSION, write_lock
from mixtures.tokenstore import Identity, TokenStore, finish, write_part

WORDS = [
    "the",
    "of",
    "a",
    "to",
    "and",
    "in",
    "is",
    "that",
    "was",
    "for",
    "on",
    "are",
    "as",
    "with",
    "his",
    "they",
    "größe",
    "数学",
    "данные",
    "def",
    "return",
    "x",
    "=",
    "1",
]
SPECIAL = ("<s>", "</s>")


def texts(seed: int, count: int, longest: int = 50) -> list[str]:
    """Sentences in which every word has few successors, so that context tells much."""
    chance = random.Random(seed)
    result = []
    for number in range(count):
        at = chance.randrange(len(WORDS))
        words = []
        for _ in range(chance.randint(1, longest)):
            words.append(WORDS[at])
            at = (at * 5 + chance.choice((1, 2, 3))) % len(WORDS)
        result.append(f"{number}: " + " ".join(words))
    return result


def make_mixture(folder: Path, seed: int = 11, phases: tuple[tuple[str, int, int], ...] = ()) -> Path:
    """Write tokenizer, stores `a` and `b` and a lock; returns the lock's path.

    Args:
        phases: name, sequence length, sequences of each; three quarters of them come from `a`.
    """
    phases = phases or (("one", 32, 200), ("two", 48, 80), ("three", 32, 120))
    documents = {"a": texts(1, 300), "b": texts(2, 200, longest=15)}
    file = folder / "tokenizer.json"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(tokenizer.train(iter([documents["a"]]), 320, SPECIAL))
    encoder = tokenizer.load(file)
    ends: dict[str, Any] = {
        "vocab_size": encoder.get_vocab_size(),
        "bos_id": encoder.token_to_id("<s>"),
        "eos_id": encoder.token_to_id("</s>"),
        "add_bos": False,
        "add_eos": True,
    }
    stores = {
        name: _store(folder / name, encoder, name, content, ends | {"tokenizer": sha256_file(file)})
        for name, content in documents.items()
    }
    content = {
        "format": FORMAT,
        "version": VERSION,
        "order": order.ALGORITHM,
        "name": "small",
        "seed": seed,
        "tokenizer": {"path": "tokenizer.json", "sha256": sha256_file(file), **ends},
        "sources": {
            name: {
                "store": {"path": name, "sha256": store.digest},
                "documents": {"path": f"no/{name}", "digest": "none"},
                "measured": {"tokens": store.tokens, "documents": store.documents},
                "stated": {},
            }
            for name, store in stores.items()
        },
        "phases": [
            {
                "name": name,
                "sequence_length": length,
                "batch": 4,
                "sequences": {"a": count - count // 4, "b": count // 4},
            }
            for name, length, count in phases
        ],
        "policy": {},
    }
    write_lock(folder / NAME, content)
    return folder / NAME


def _store(folder: Path, encoder: Any, name: str, content: list[str], ends: dict[str, Any]) -> TokenStore:
    identity = Identity(documents=name, policy=None, where=None, **ends)
    with write_part(folder, "part-00000", identity) as writer:
        ids = [encoding.ids for encoding in encoder.encode_batch(content, add_special_tokens=False)]
        writer.add([stable_id("test", name, number) for number in range(len(content))], ids)
    return finish(folder, identity, ["part-00000"])

"""Small document stores and mixtures to work on."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = tuple(
    "the of a to and in is it that was for on are as with his they at be this from have or by one had not but "
    "what all were when we there can an your which their said if do will each about how up out them then she "
    "naïve café größe 数学 данные 12345 x=1; def return".split()  # noqa: SIM905 (a list of words reads worse)
)


def texts(seed: int, count: int, longest: int = 60) -> list[str]:
    """Random word salad, some of it with special tokens, line breaks and other scripts."""
    chance = random.Random(seed)
    return [
        " ".join(chance.choices(WORDS, k=chance.randint(1, longest)))
        + chance.choice(["", "\n", " </s> end", "\t."])
        for _ in range(count)
    ]


def write_store(folder: Path, parts: Sequence[Sequence[str]], dropped: Sequence[str] = ()) -> Path:
    """A document store in the layout of `corpus.store`: one list of texts a part, some dropped by policy `p`."""
    described = []
    for number, part in enumerate(parts):
        ids = [hashlib.md5(f"{number}/{row}/{text}".encode()).hexdigest() for row, text in enumerate(part)]
        name = f"part-{number:05d}"
        files = {
            f"documents/{name}.parquet": {"id": ids, "text": list(part), "language": ["en"] * len(ids)},
            f"decisions/p/{name}.parquet": {"id": ids, "keep": [text not in dropped for text in part]},
        }
        for path, columns in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            table = pa.table(columns)
            if not ids:
                types_ = [pa.bool_() if field == "keep" else pa.string() for field in columns]
                table = pa.table(
                    {field: pa.array([], kind) for field, kind in zip(columns, types_, strict=True)}
                )
            pq.write_table(table, folder / path)
        described.append(
            {"part": name, "sha256": [hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in files]}
        )
    (folder / "store.json").write_text(json.dumps({"parts": described}))
    return folder

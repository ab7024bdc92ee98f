"""The order of training: looking it up, starting up, and reading tokens by it.

- `lookups_per_core_second`: sequences looked up a second of CPU time (component, epoch, sequence number), in
  batches of 768 random indices of a phase of 10^12 sequences over 24 components; `..._65536`: in larger ones.
- `startup_ratio_megatron`: CPU time to the first batch of 768 look-ups, ours against an index built as
  Megatron-LM builds it (documents repeated and shuffled; a sample index of document and offset for every
  sequence; a shuffle index), restated here in vectorised NumPy, for `sequences` sequences of 8,192 tokens and
  documents of 1,000 tokens on average. Left out in Megatron's favour: the blending index over several
  datasets, and writing and reading the cache files. Ours does the same work whatever the number of sequences.
- `reader_tokens_per_core_second`: tokens and segments of random sequences of 8,192 tokens, read from a token
  store of four parts in the page cache (vocabulary of 131,072, documents of 1,000 tokens on average), a
  second of CPU time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mixtures.lock import NAME, read_lock, write_lock
from mixtures.order import ALGORITHM, Phase, orders
from mixtures.reader import SequenceReader
from mixtures.tokenstore import Identity, finish, write_part

LENGTH, BATCH, MEAN_DOCUMENT = 8192, 768, 1000


def cpu_seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """CPU seconds of this process for one call."""
    start = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - start) / repeats


def lookup_rate(batch: int, turns: int) -> float:
    """Look-ups a CPU second, median of the turns."""
    chance = np.random.default_rng(0)
    weights = chance.dirichlet(np.ones(24))
    counts = {f"source-{number:02d}": int(weight * 1e12) + 1 for number, weight in enumerate(weights)}
    tokens = {name: int(count * LENGTH * chance.uniform(0.2, 3)) for name, count in counts.items()}
    (order,) = orders(1, [Phase(LENGTH, counts)], tokens)
    indices = chance.integers(0, order.sequences, batch)
    repeats = max(1, (1 << 19) // batch)
    return statistics.median(
        batch / cpu_seconds(lambda: order.locate(indices), repeats) for _ in range(turns)
    )


def megatron_style(lengths: np.ndarray[Any, Any], sequences: int, seed: int) -> np.ndarray[Any, Any]:
    """Build document, sample and shuffle index and look the first batch up: rows of document and offset."""
    chance = np.random.RandomState(seed)
    tokens_per_epoch = int(lengths.sum())
    epochs = -(-(sequences * LENGTH + 1) // tokens_per_epoch)
    documents = np.tile(np.arange(len(lengths), dtype=np.int32), epochs)
    chance.shuffle(documents)
    ends = np.cumsum(lengths[documents], dtype=np.int64)
    starts = np.arange(sequences + 1, dtype=np.int64) * LENGTH
    position = np.searchsorted(ends, starts, side="right")
    begins = np.where(position > 0, ends[position - 1], 0)
    samples = np.stack([position, starts - begins], axis=1).astype(np.int32)
    shuffle = np.arange(sequences, dtype=np.int32)
    chance.shuffle(shuffle)
    return samples[shuffle[:BATCH]]


def startup(sequences: int, turns: int) -> dict[str, float]:
    """CPU seconds to the first batch, both ways, turn by turn."""
    chance = np.random.default_rng(0)
    total = sequences * LENGTH + 1
    lengths = chance.geometric(1 / MEAN_DOCUMENT, total // MEAN_DOCUMENT).astype(np.int32)
    tokens = {"all": int(lengths.sum())}
    first = np.arange(BATCH)

    def ours() -> None:
        (order,) = orders(1, [Phase(LENGTH, {"all": sequences})], tokens)
        order.locate(first)

    times: dict[str, list[float]] = {"ours": [], "megatron": []}
    for _ in range(turns):
        times["ours"].append(cpu_seconds(ours, 20))
        times["megatron"].append(cpu_seconds(lambda: megatron_style(lengths, sequences, 1)))
    return {name: statistics.median(values) for name, values in times.items()}


def synthetic_mixture(folder: Path, tokens: int) -> Path:
    """A lock over one token store of random tokens, in four parts."""
    chance = np.random.default_rng(0)
    identity = Identity("0" * 64, None, None, "0" * 64, 131_072, 1, 2, add_bos=False, add_eos=True)
    parts = [f"part-{number:05d}" for number in range(4)]
    for part in parts:
        with write_part(folder / "store", part, identity) as writer:
            while writer.tokens < tokens // 4:
                lengths = chance.geometric(1 / MEAN_DOCUMENT, 256)
                documents = [chance.integers(3, 131_072, length).tolist() for length in lengths]
                writer.add([f"{writer.tokens + row:032x}" for row in range(256)], documents)
    store = finish(folder / "store", identity, parts)
    content = {
        "format": "gristmill mixture lock",
        "version": 1,
        "order": ALGORITHM,
        "name": "benchmark",
        "seed": 1,
        "tokenizer": {
            "path": "none",
            "sha256": "0" * 64,
            "vocab_size": 131_072,
            "bos_id": 1,
            "eos_id": 2,
            "add_bos": False,
            "add_eos": True,
        },
        "sources": {
            "all": {
                "store": {"path": "store", "sha256": store.digest},
                "documents": {"path": "none", "digest": "0" * 64},
                "measured": {"tokens": store.tokens, "documents": store.documents},
                "stated": {},
            }
        },
        "phases": [
            {"name": "one", "sequence_length": LENGTH, "batch": BATCH, "sequences": {"all": BATCH * 1000}}
        ],
    }
    write_lock(folder / NAME, content)
    return folder / NAME


def reader_rate(tokens: int, turns: int) -> float:
    """Tokens a CPU second, median of the turns."""
    with tempfile.TemporaryDirectory(prefix="gristmill-benchmark-") as folder:
        reader = SequenceReader(read_lock(synthetic_mixture(Path(folder), tokens)))
        chance = np.random.default_rng(0)
        indices = [chance.integers(0, reader.phases[0].sequences, 32) for _ in range(turns)]
        reader.read(0, np.arange(BATCH))  # every page is in memory from here on
        times = [cpu_seconds(partial(reader.read, 0, rows), 10) for rows in indices]
    return 32 * LENGTH / statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    turns, sequences, tokens = (3, 1 << 17, 4_000_000) if options.quick else (9, 1 << 20, 16_000_000)
    started = startup(sequences, turns)
    result = {
        "lookups_per_core_second": round(lookup_rate(BATCH, turns)),
        "lookups_per_core_second_65536": round(lookup_rate(1 << 16, turns)),
        "startup_ratio_megatron": round(started["megatron"] / started["ours"], 1),
        "startup_seconds": round(started["ours"], 6),
        "startup_seconds_megatron": round(started["megatron"], 4),
        "sequences": sequences,
        "reader_tokens_per_core_second": round(reader_rate(tokens, turns)),
    }
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:32} {value:,}")


if __name__ == "__main__":
    main()

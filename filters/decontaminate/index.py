"""An index of the n-grams of benchmark items: a folder of arrays that worker processes map into memory.

    index.json        settings, counts, digests of the files
    items.parquet     benchmark, item, question, choices, answer
    sieve.npy         Bloom filter of the first words of all sequences: what makes a miss cheap
    keys.npy, numbers.npy     hash table: sequence -> its number
    weights.npy       weight of each sequence
    offsets.npy, entries.npy, positions.npy   where each sequence stands: entry, and place in the entry
    totals.npy, entry_items.npy, entry_fields.npy   of each entry (one text of an item): the sum of its
                      weights, its item, its field
    similar_*.npy     the words of the questions (`filters.decontaminate.similar`)

Entries with n words or more are cut into all their n-grams; questions (with or without choices) of fewer, but
at least `least` words, are one sequence. A sequence that stands in d items of one benchmark weighs 1/d: it
says with a chance of 1/d which item is meant (inverse document frequency; of several benchmarks the largest d
counts, so that the same item in two benchmarks loses nothing). One that stands in more than `common` items,
or in documents of a clean reference corpus, is no evidence and left out; so is one of numbers and less than
two different words besides.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from filters.decontaminate.items import FIELDS, Item
from filters.decontaminate.matching import (
    clusters,
    expand,
    fill_filter,
    fill_table,
    grams_of,
    matches,
)
from filters.decontaminate.similar import ARRAYS as SIMILAR
from filters.decontaminate.similar import similar_arrays
from filters.decontaminate.words import tables, words
from filters.hashing import slots
from filters.quality.files import file_digest
from gristmill.base.atomic import atomic_folder
from gristmill.base.digest import canonical_json, digest_json, sha256_file
from gristmill.base.errors import UserError

FORMAT = 1
NORMALISATION = 1
"""Counted up when `filters.decontaminate.words` gives other words."""
N = 13
"""Words of a sequence: GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C) and most reports since."""
LEAST = 8
"""Words from which a question shorter than N is looked for as a whole: GPT-3's least n, appendix C."""
COMMON = 10
"""GPT-3 takes no n-gram for evidence that occurs in more than ten documents, appendix C."""
NAMES = 2
"""A sequence with fewer different words that are no numbers is a table, a matrix, or counting."""
SIEVE_BITS = 16
"""A key: about one miss in a hundred passes."""
DESCRIPTION = "index.json"
ITEMS = pa.schema(
    [
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("question", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("answer", pa.string()),
    ]
)
_ARRAYS = (
    *("sieve", "keys", "numbers", "weights", "offsets", "entries", "positions"),
    *("totals", "entry_items", "entry_fields"),
    *SIMILAR,
)


@dataclass(frozen=True)
class Hit:
    """A text of an item in a document.

    `item` counts in the order of items.parquet; `start` and `end` are code points of the document around what
    was found; `share` of the weight of the text's sequences is there, `matched` different ones.
    """

    item: int
    field: str
    start: int
    end: int
    share: float
    matched: int


@dataclass(frozen=True)
class Index:
    """An index in memory or mapped from its folder."""

    description: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    benchmarks: Sequence[str]
    items: Sequence[str]

    @property
    def digest(self) -> str:
        """Digest of everything that decides what is found."""
        return str(self.description["digest"])

    @functools.cached_property
    def _scan(self) -> tuple[Any, ...]:
        """The arguments of `matches` behind the text."""
        lengths = np.array(self.description["lengths"], np.int64)
        searched = [self.arrays[name] for name in ("sieve", "keys", "numbers")]
        return (*tables(), int(self.description["settings"]["least"]), lengths, *searched)

    def scan(self, code_points: npt.NDArray[np.uint32]) -> Any:
        """`filters.decontaminate.matching.matches` of a text."""
        return matches(code_points, *self._scan)

    def find(self, code_points: npt.NDArray[np.uint32], least_share: float, gap: int) -> list[Hit] | None:
        """The items that stand in a text, ordered by where they begin; None where the text has no words.

        Args:
            code_points: the text.
            least_share: hits with a smaller share are not returned.
            gap: so many words may lie between sequences of one hit.
        """
        count, places, grams, sizes, starts, ends = self.scan(code_points)
        if not len(places):
            return [] if count else None
        arrays = self.arrays
        which, entry, position = expand(grams, arrays["offsets"], arrays["entries"], arrays["positions"])
        order = np.lexsort((position, places[which], entry))
        which, entry, position = which[order], entry[order], position[order]
        begin = places[which]
        weight = arrays["weights"][grams[which]].astype(np.float64)
        found = clusters(entry, begin, begin + sizes[which], position, weight, gap)
        hits = []
        for number, first, end, matched, total in zip(*(column.tolist() for column in found), strict=True):
            share = min(1.0, total / float(arrays["totals"][number]))
            if share >= least_share:
                field = FIELDS[int(arrays["entry_fields"][number])]
                item = int(arrays["entry_items"][number])
                hits.append(Hit(item, field, int(starts[first]), int(ends[end - 1]), share, matched))
        return _best(hits)


def _best(hits: Iterable[Hit]) -> list[Hit]:
    """Of hits of one item that overlap the one with the greatest share, then the most sequences."""
    kept: dict[int, list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: (-hit.share, -hit.matched, FIELDS.index(hit.field), hit.start)):
        others = kept.setdefault(hit.item, [])
        if all(hit.end <= other.start or other.end <= hit.start for other in others):
            others.append(hit)
    return sorted(
        (hit for hits in kept.values() for hit in hits), key=lambda hit: (hit.start, hit.end, hit.item)
    )


def build_index(
    items: Sequence[Item],
    target: Path,
    *,
    n: int = N,
    least: int = LEAST,
    common: int = COMMON,
    clean: Callable[[], Iterable[str]] | None = None,
    clean_documents: int = 1,
) -> dict[str, Any]:
    """Write the index of items into a folder; returns its description.

    Args:
        items: of any benchmarks; benchmark and id together are unique.
        target: the folder, which is replaced.
        n: words of a sequence.
        least: words from which a shorter question is looked for.
        common: sequences in more items of a benchmark are left out.
        clean: texts of a reference corpus that is known to be clean.
        clean_documents: sequences in at least so many of its documents are left out.

    The bytes depend on the items, their order, the settings and the clean texts alone.
    Raises UserError for wrong settings, repeated items, and where nothing is left to look for.
    """
    if not 1 <= least <= n:
        raise UserError(f"'least' must be between 1 and n = {n}, not {least}")
    names = [(item.benchmark, item.id) for item in items]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two items of {twice[0]} are called '{twice[1]}'")
    grams = _grams(items, n, least)
    unique, gram = np.unique(grams.keys, return_inverse=True)
    share, most = _weights(gram, grams, items, len(unique))
    kept = most <= common
    settings: dict[str, Any] = {"n": n, "least": least, "common": common}
    read = 0
    if clean is not None and kept.any():
        probe = _assemble(items, grams, unique, gram, share, kept, settings)
        seen, read = _seen(Index({**probe[0], "digest": ""}, probe[1], (), ()), clean(), int(kept.sum()))
        numbers = np.flatnonzero(kept)
        kept[numbers[seen >= clean_documents]] = False
        settings["clean_documents"] = clean_documents
    if not kept.any():
        raise UserError(
            "the items have no text that could be looked for", mend="more items, or a smaller 'least'"
        )
    description, arrays = _assemble(items, grams, unique, gram, share, kept, settings)
    if clean is not None:
        description["counts"]["clean_texts"] = read
    arrays |= similar_arrays(items)
    with atomic_folder(target) as folder:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        pq.write_table(_item_table(items), folder / "items.parquet", compression="zstd")
        files = {file.name: sha256_file(file) for file in sorted(folder.iterdir())}
        description |= {"files": files}
        description["digest"] = digest_json(description)
        (folder / DESCRIPTION).write_bytes(canonical_json(description) + b"\n")
    return description


def load_index(folder: Path) -> Index:
    """The index of a folder, mapped into memory.

    Raises UserError where the folder holds no index, one of another format, or one that was damaged."""
    return checked_index(folder, describe_index(folder)["digest"])


def describe_index(folder: Path) -> dict[str, Any]:
    """What index.json says, once all files have the digests that it states."""
    try:
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_bytes())
        stated = {key: value for key, value in description.items() if key != "digest"}
        files, digest = dict(description["files"]), description["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            "no contamination index there",
            where=str(folder),
            mend="an index is a folder with index.json",
        ) from None
    if (description.get("format"), description.get("normalisation")) != (FORMAT, NORMALISATION):
        raise UserError("a contamination index of another version", where=str(folder), mend="build it again")
    for name, stated_digest in files.items():
        try:
            good = file_digest(folder / name) == stated_digest
        except OSError:
            good = False
        if not good:
            raise UserError(
                "the contamination index is damaged", where=str(folder / name), mend="build it again"
            )
    if digest_json(stated) != digest:
        raise UserError(
            "the contamination index is damaged", where=str(folder / DESCRIPTION), mend="build it again"
        )
    return description


@functools.lru_cache(maxsize=4)
def checked_index(folder: Path, digest: str) -> Index:
    """The index of a folder that `describe_index` looked at, with the digest that it had: one a process."""
    description = json.loads((folder / DESCRIPTION).read_bytes())
    arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
    names = pq.read_table(folder / "items.parquet", columns=["benchmark", "item"])
    return Index(description, arrays, names["benchmark"].to_pylist(), names["item"].to_pylist())


def read_items(folder: Path) -> list[Item]:
    """The items of an index, in its order."""
    return [
        Item(row["benchmark"], row["item"], row["question"], tuple(row["choices"]), row["answer"])
        for row in pq.read_table(folder / "items.parquet").to_pylist()
    ]


@dataclass(frozen=True)
class _Grams:
    """All sequences of all entries: keys, raw hashes of their first words, entry, position; and item and
    field of the entries."""

    keys: npt.NDArray[np.uint64]
    anchors: npt.NDArray[np.uint64]
    entries: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    entry_items: npt.NDArray[np.uint32]
    entry_fields: npt.NDArray[np.uint8]
    lengths: tuple[int, ...]
    short: int


def _grams(items: Sequence[Item], n: int, least: int) -> _Grams:
    keys, anchors, entries, positions = [], [], [], []
    entry_items: list[int] = []
    entry_fields: list[int] = []
    lengths: set[int] = set()
    short = 0
    for number, item in enumerate(items):
        any_found = False
        for field, hashes in _entries(item, n):
            length = min(n, len(hashes))
            if length < (n if field == "answer" else least):
                continue
            any_found = True
            lengths.add(length)
            found, first, different = grams_of(hashes, length, least)
            good = np.flatnonzero(different >= NAMES)
            keys.append(found[good])
            anchors.append(first[good])
            entries.append(np.full(len(good), len(entry_items), np.int64))
            positions.append(good)
            entry_items.append(number)
            entry_fields.append(FIELDS.index(field))
        short += not any_found
    empty = [np.zeros(0, np.uint64)]
    return _Grams(
        np.concatenate(keys or empty),
        np.concatenate(anchors or empty),
        np.concatenate(entries or empty).astype(np.int64),
        np.concatenate(positions or empty).astype(np.int64),
        np.array(entry_items, np.uint32),
        np.array(entry_fields, np.uint8),
        tuple(sorted(lengths, reverse=True)),
        short,
    )


def _entries(item: Item, n: int) -> Iterator[tuple[str, npt.NDArray[np.uint64]]]:
    """Field and words of every entry of an item.

    A single letter at the edge of a text becomes one word with a letter that stands beside it in the document
    (`find x` before `A. 5`). Texts of so few words that all their sequences would be lost with it are looked
    for without that word too.
    """
    for field, text in item.texts():
        found = words(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32))
        yield field, found.hashes
        if 2 < len(found) < n + 3:
            first, last = (_is_run(text[found.starts[edge] : found.ends[edge]]) for edge in (0, -1))
            for low, high in ((1, 0), (0, 1), (1, 1)):
                if low <= first and high <= last:
                    yield field, found.hashes[low : len(found) - high]


def _is_run(word: str) -> bool:
    """Whether a word is made of single letters that stood apart, or is one letter."""
    return word[:1].isalpha() and (len(word) == 1 or not word.isalpha())


def _weights(
    gram: npt.NDArray[np.int64], grams: _Grams, items: Sequence[Item], count: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Weight of every sequence, and in how many items of one benchmark it stands at the most."""
    benchmarks = {name: number for number, name in enumerate(dict.fromkeys(item.benchmark for item in items))}
    benchmark = np.array([benchmarks[item.benchmark] for item in items], np.int64)
    pairs = np.unique(gram * len(items) + grams.entry_items[grams.entries])
    of_gram, of_item = np.divmod(pairs, len(items))
    per_benchmark, times = np.unique(of_gram * len(benchmarks) + benchmark[of_item], return_counts=True)
    most = np.zeros(count, np.int64)
    np.maximum.at(most, per_benchmark // len(benchmarks), times)
    return (1 / np.maximum(most, 1)).astype(np.float32), most


def _assemble(  # noqa: PLR0917
    items: Sequence[Item],
    grams: _Grams,
    unique: npt.NDArray[np.uint64],
    gram: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    kept: npt.NDArray[np.bool_],
    settings: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Description and arrays of the sequences that are kept."""
    renumbered = np.cumsum(kept) - 1
    which = np.flatnonzero(kept[gram])
    which = which[np.lexsort((grams.positions[which], grams.entries[which], gram[which]))]
    number = renumbered[gram[which]]
    count = int(kept.sum())
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(number, minlength=count), out=offsets[1:])
    anchors = np.unique(grams.anchors[which])
    size = 1024
    while size * 64 < SIEVE_BITS * len(anchors):
        size *= 2
    keys, numbers = fill_table(unique[kept], slots(count))
    totals = np.bincount(
        grams.entries[which], weights[gram[which]].astype(np.float64), minlength=len(grams.entry_items)
    )
    evident = np.zeros(len(items), np.bool_)
    evident[grams.entry_items[totals > 0]] = True
    names = dict.fromkeys(item.benchmark for item in items)
    found = {
        name: {
            "items": sum(item.benchmark == name for item in items),
            "without_evidence": sum(
                item.benchmark == name and not evident[place] for place, item in enumerate(items)
            ),
        }
        for name in names
    }
    description: dict[str, Any] = {
        "format": FORMAT,
        "normalisation": NORMALISATION,
        "settings": dict(settings),
        "lengths": list(grams.lengths),
        "benchmarks": found,
        "counts": {
            "items": len(items),
            "without_evidence": int(len(items) - evident.sum()),
            "entries": len(grams.entry_items),
            "sequences": count,
            "left_out": len(unique) - count,
        },
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        "sieve": fill_filter(anchors, size),
        "keys": keys,
        "numbers": numbers,
        "weights": weights[kept],
        "offsets": offsets,
        "entries": grams.entries[which].astype(np.uint32),
        "positions": grams.positions[which].astype(np.uint32),
        "totals": totals,
        "entry_items": grams.entry_items,
        "entry_fields": grams.entry_fields,
    }
    return description, arrays


def _seen(index: Index, texts: Iterable[str], count: int) -> tuple[npt.NDArray[np.int64], int]:
    """In how many texts each sequence stands, and how many texts there are."""
    seen = np.zeros(count, np.int64)
    read = 0
    for text in texts:
        read += 1
        grams = index.scan(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32))[2]
        seen[np.unique(grams)] += 1
    return seen, read


def _item_table(items: Sequence[Item]) -> pa.Table:
    return pa.table(
        {
            "benchmark": [item.benchmark for item in items],
            "item": [item.id for item in items],
            "question": [item.question for item in items],
            "choices": [list(item.choices) for item in items],
            "answer": [item.answer for item in items],
        },
        schema=ITEMS,
    )

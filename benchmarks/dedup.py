"""Near-duplicate detection: against datatrove's MinHash stages, in bounded memory at millions of documents,
and against what is known of the copies.

1. Speed: the annotator `minhash` (recipe fineweb) and all stages of `near`, from a store's Parquet files to
   annotations and ledger, against datatrove's four stages on the same real texts, one process each, turn by
   turn. Each side runs on few documents and on many, and the processor seconds of those between count:
   starting costs a real corpus nothing. The floor reads the texts and sorts a key a band.
2. Bounded: generated documents, few and five times as many, by two workers that have two gigabytes together.
   Memory is the greatest sum of the resident memory of all processes; a run over a thousand documents says
   what starting costs, which is taken off before time a document is compared.
3. Quality: reported pairs are compared again, as sets of tuples of words; planted copies of known similarity
   that were found, beside what the S-curve promises; pairs judged by people.

    python benchmarks/dedup.py [--quick] [--json] [--folder FOLDER]

Needs the extra `bench`; the full run needs about 15 GB of disk in the folder (a temporary one by default) and
half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import _dedup_corpus as generated
import _dedup_gold as gold
import pyarrow as pa
import pyarrow.parquet as pq
from _dedup_sides import BANDS, THRESHOLD

from corpus.schema import DOCUMENTS, ROW_GROUP_ROWS, parquet_writer
from filters.dedup.minhash import probability
from filters.dedup.shingles import RECIPES

SIDES = Path(__file__).with_name("_dedup_sides.py")
LIMIT_MB = 2000
WORKERS = 2
TASKS = 4
SHARE_MB = 850
"""What a worker may use; the command that starts them is a third process."""
FEW = 100
STARTING = 1000
RECHECKED = 20_000
"""Reported pairs, and planted ones, that are looked at again."""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Watch:
    """What the processes of a job use, as /proc shows it."""

    peak_kb: int = 0
    ticks: dict[str, int] = field(default_factory=dict)

    def look(self, pid: int) -> None:
        """At a process and all that it has started."""
        total = 0
        for each in _family(str(pid)):
            try:
                fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += int(fields[21]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
            # Workers are children of one process that the command has started: what ended ones have used is
            # counted there.
            if each == str(pid):
                self.ticks[each] = int(fields[11]) + int(fields[12])
            elif fields[1] == str(pid):
                self.ticks[each] = sum(map(int, fields[11:15]))
        self.peak_kb = max(self.peak_kb, total)

    @property
    def cpu_seconds(self) -> float:
        """Of all processes, those that have ended too."""
        return sum(self.ticks.values()) / TICK


def _family(pid: str) -> Iterator[str]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(child)


def run_side(side: str, *folders: Path, **options: Any) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [sys.executable, str(SIDES), side, json.dumps(options), *map(str, folders)]
    environment = {**os.environ, "PYTHONPATH": str(SIDES.parents[1])}
    watch, start = Watch(), time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        while process.poll() is None:
            watch.look(process.pid)
            time.sleep(0.02)
        wall = time.perf_counter() - start
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{side}: {errors.read()[-3000:]}")
        result: dict[str, Any] = json.loads(out.read().strip().splitlines()[-1])
    return {
        **result,
        "cpu_seconds": watch.cpu_seconds,
        "wall_seconds": wall,
        "peak_mb": watch.peak_kb / 1024,
    }


# 1. Speed


def write_texts(folder: Path, texts: list[str]) -> None:
    """Texts as one part of a store."""
    (folder / "documents").mkdir(parents=True)
    known = {"id": [f"{number:032x}" for number in range(len(texts))], "text": texts}
    arrays = [known.get(f.name, pa.nulls(len(texts), f.type)) for f in DOCUMENTS]
    table = pa.table([pa.array(a, f.type) for a, f in zip(arrays, DOCUMENTS, strict=True)], schema=DOCUMENTS)
    with parquet_writer(folder / "documents/part-00000.parquet", DOCUMENTS) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)


def real_texts(count: int) -> list[str]:
    """English web pages and pieces of articles, of which a fifth come again with a paragraph or so less."""
    rng = random.Random(1)
    texts = [row["text"] for row in _rows("quality/dclm_human_labels")]
    for article in _rows("text/wiki_en_featured"):
        text = article["text"]
        texts += [text[at : at + 4000] for at in range(0, len(text) - 4000, 4000)]
    texts = rng.sample(texts, min(len(texts), count * 4 // 5))
    for text in list(islice(texts, count - len(texts))):
        start = rng.randrange(len(text) + 1)
        texts.append(text[:start] + text[start + rng.choice([0, 100, 400]) :])
    rng.shuffle(texts)
    return texts


def _rows(name: str) -> Iterator[dict[str, Any]]:
    import zstandard

    with zstandard.open(gold.TESTDATA / f"{name}.jsonl.zst", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def speed(folder: Path, count: int, turns: int) -> dict[str, Any]:
    """Processor milliseconds a document of both sides and of the floor."""
    texts = real_texts(count)
    costs: dict[str, list[float]] = {"ours": [], "datatrove": [], "floor": []}
    cutting: list[float] = []
    last: dict[str, Any] = {}
    for turn in range(turns):
        for side, found in costs.items():
            # The first one loads and compiles whatever there is to.
            places = [folder / f"{side}-{turn}-{step}" for step in ("warm", "few", "many")]
            for place, some in zip(places, (FEW, FEW, len(texts)), strict=True):
                write_texts(place, texts[:some])
            last[side] = run_side(side, *places)
            _, few, many = last[side]["own_cpu_seconds"]
            found.append((many - few) / (len(texts) - FEW) * 1000)
            if side == "datatrove":
                cutting.append(last[side]["cutting"] / many)
            shutil.rmtree(folder)
    each = {side: statistics.median(found) for side, found in costs.items()}
    return {
        "ratio_minhash": round(each["datatrove"] / each["ours"], 1),
        "docs_per_core_second": round(1000 / each["ours"]),
        "docs_per_core_second_datatrove": round(1000 / each["datatrove"], 1),
        "ms_per_document": round(each["ours"], 4),
        "ms_per_document_datatrove": round(each["datatrove"], 3),
        "ms_per_document_floor": round(each["floor"], 4),
        "share_of_floor": round(each["floor"] / each["ours"], 3),
        "word_cutting_datatrove": round(statistics.median(cutting), 3),
        "speed_documents": len(texts),
        "speed_characters": round(statistics.mean(map(len, texts))),
        "duplicates": last["ours"]["duplicates"],
        "duplicates_datatrove": last["datatrove"]["duplicates"],
    }


# 2. Bounded


def bounded(folder: Path, small: int, large: int) -> dict[str, Any]:
    """Memory, time, and what was found of the planted copies."""
    options = {"workers": WORKERS, "memory_mb": SHARE_MB, "tasks": TASKS}
    runs = {}
    result: dict[str, Any] = {}
    for count in (STARTING, STARTING, small, large):
        place = folder / f"{count}"
        shutil.rmtree(place, ignore_errors=True)
        generator = generated.Generator(count)
        generator.write(place / "documents")
        runs[count] = run_side("ours", place, **options)
        if count == large:
            result = quality(place, generator)
            result["disk_mb"] = round(sum(f.stat().st_size for f in place.rglob("*") if f.is_file()) / 2**20)
        shutil.rmtree(place)
    start = runs[STARTING]

    def each(count: int, what: str) -> float:
        return float(runs[count][what] - start[what]) / (count - STARTING)

    return {
        "peak_memory_mb": round(runs[large]["peak_mb"]),
        "peak_memory_mb_small": round(runs[small]["peak_mb"]),
        "limit_mb": LIMIT_MB,
        "linearity": round(each(large, "cpu_seconds") / each(small, "cpu_seconds"), 3),
        "linearity_wall": round(each(large, "wall_seconds") / each(small, "wall_seconds"), 3),
        "us_per_document": round(each(large, "cpu_seconds") * 1e6, 1),
        "us_per_document_small": round(each(small, "cpu_seconds") * 1e6, 1),
        "starting_cpu_seconds": round(start["cpu_seconds"], 1),
        "cpu_seconds": round(runs[large]["cpu_seconds"]),
        "wall_seconds": round(runs[large]["wall_seconds"]),
        "documents": large,
        "documents_small": small,
        "clusters": runs[large]["clusters"],
        "duplicates_found": runs[large]["duplicates"],
        **{f"seconds_{_plain(name)}": value for name, value in runs[large]["seconds"].items()},
        **result,
    }


def _plain(name: str) -> str:
    return name.removeprefix("near: ").replace(" ", "_")


# 3. Quality


def true_jaccard(left: str, right: str) -> float:
    """By sets of tuples of five words: generated texts have nothing that would be simplified."""
    one, two = (
        {tuple(some[at : at + 5]) for at in range(len(some) - 4)} for some in (left.split(), right.split())
    )
    return len(one & two) / len(one | two)


def quality(folder: Path, generator: generated.Generator) -> dict[str, Any]:
    """Reported pairs that are right, and planted ones that were found (not both are kept), of a sample of
    each."""
    rng = random.Random(1)
    ledger = pq.read_table(folder / "ledger.parquet", columns=["id", "cluster", "similarity"])
    chosen = sorted(rng.sample(range(ledger.num_rows), min(RECHECKED, ledger.num_rows)))
    right = 0
    for row in ledger.take(chosen).to_pylist():
        similarity = true_jaccard(
            *(generator.text(generated.number(row[side])) for side in ("id", "cluster"))
        )
        right += similarity >= THRESHOLD and abs(similarity - row["similarity"]) < 1e-12
    planted, documents = [], generator.documents
    for document in rng.sample(range(documents), min(4 * RECHECKED, documents)):
        source = generated.origin(document, documents)
        if generated.kind(document) in {generated.CUT, generated.REPLACED}:
            similarity = true_jaccard(generator.text(document), generator.text(source))
            if similarity >= THRESHOLD:
                planted.append((generated.identity(document), generated.identity(source), similarity))
    wanted = pa.array(sorted({identity for pair in planted for identity in pair[:2]}))
    inside = ledger.filter(pa.compute.is_in(ledger.column("id"), wanted)).to_pylist()
    copies = {row["id"] for row in inside if row["id"] != row["cluster"]}
    rows = RECIPES["fineweb"].rows
    result: dict[str, Any] = {"precision": right / len(chosen), "rechecked": len(chosen)}
    for low, high in ((0.8, 0.85), (0.85, 0.9), (0.9, 0.95), (0.95, 1.01)):
        some = [pair for pair in planted if low <= pair[2] < high]
        found = sum(one in copies or two in copies for one, two, _ in some)
        name = f"{round(100 * low)}_{min(round(100 * high), 100)}"
        result[f"recall_{name}"] = round(found / max(len(some), 1), 4)
        curve = statistics.mean(probability(pair[2], BANDS, rows) for pair in some) if some else 0.0
        result[f"s_curve_{name}"] = round(curve, 4)
        result[f"planted_{name}"] = len(some)
    return result


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2,000 texts, 50,000 and 250,000 documents")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="where a temporary folder is made")
    parser.add_argument("--only", choices=["speed", "bounded", "people"])
    options = parser.parse_args()
    small, large, count, turns = (
        (50_000, 250_000, 2000, 1) if options.quick else (1_000_000, 5_000_000, 6000, 3)
    )
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="gristmill-bench-", dir=options.folder) as place:
        if options.only in {None, "speed"}:
            result |= speed(Path(place) / "speed", count, turns)
        if options.only in {None, "bounded"}:
            result |= bounded(Path(place) / "bounded", small, large)
    if options.only in {None, "people"}:
        people, novels = gold.human_pairs(), gold.novels()
        result |= {name: round(value, 4) for name, value in people.items() if name != "pairs"}
        result["human_pairs"] = people["pairs"]
        result |= {f"novels_{name}": round(value, 4) for name, value in novels.items()}
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:32} {value}")


if __name__ == "__main__":
    main()

"""Repeated pieces of texts: stages that keep to their memory against a suffix array over all texts.

1. Speed: all stages of `substring` (100 bytes, also within a document), from a store's Parquet files to
   annotations and ledger, against what deduplicate-text-datasets does, on the same real texts, turn by turn:
   join the texts, sort all suffixes (libdivsufsort, by the wheel `pydivsufsort`), find the lengths that
   neighbours have in common (Kasai), and mark every window of 100 bytes that stands earlier. Both sides find
   spans by the same definition, so they must agree.
2. Bounded: generated documents (Zipf's law, a third of them copies of others), few and five times as many,
   in one process whose memory is limited; disk by the byte of text.

Seconds are the processor's, of the process that does the work, after a first small job that compiles.

    python benchmarks/substring.py [--quick] [--json] [--folder FOLDER]

Needs the extra `bench`, and for the full run 10 GB of disk in the folder (a temporary one by default).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.schema import ROW_GROUP_ROWS
from filters.dedup.base import Job, Part, run_stages
from filters.dedup.numbering import number_stage
from filters.dedup.substring.method import Substring
from filters.dedup.substring.units import utf8
from gristmill.base.progress import Silent

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
LENGTH = 100
LIMIT_MB = 1000
BETWEEN = 0xFF
"""A byte that stands in no text."""
Int64 = npt.NDArray[np.int64]


# Texts


def real_texts(megabytes: float) -> list[str]:
    """Articles and web pages in English, German, Korean, Chinese, French and Swedish; every tenth has a piece
    of another one, and every twentieth a notice that all of those share."""
    import zstandard

    rng = random.Random(1)
    texts: list[str] = []
    for name in (
        "quality/dclm_human_labels",
        "multilingual/register_web_fr_sv",
        "multilingual/wiki_de",
        "multilingual/wiki_ko",
        "multilingual/wiki_zh",
        "text/wiki_en_featured",
    ):
        with zstandard.open(TESTDATA / f"{name}.jsonl.zst", "rt", encoding="utf-8") as file:
            texts += [json.loads(line)["text"] for line in file]
    rng.shuffle(texts)
    chosen, size = [], 0
    for text in texts:
        chosen.append(text)
        size += len(text.encode())
        if size > megabytes * 1e6:
            break
    notice = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz     ", k=500))
    for number in range(0, len(chosen), 10):
        other = rng.choice(chosen)
        start = rng.randrange(len(other) + 1)
        chosen[number] += other[start : start + rng.randrange(50, 3000)] + notice * (number % 20 == 0)
    return chosen


def write_texts(folder: Path, texts: list[str]) -> None:
    """The texts as two parts."""
    folder.mkdir(parents=True)
    for part in range(2):
        table = pa.table(
            {
                "id": [f"{number:09}" for number in range(part, len(texts), 2)],
                "text": texts[part::2],
            }
        )
        pq.write_table(
            table, folder / f"part-{part:05d}.parquet", compression="zstd", row_group_size=ROW_GROUP_ROWS
        )


def parts(folder: Path) -> tuple[Part, ...]:
    return tuple(Part(file.stem, (str(file),)) for file in sorted(folder.glob("*.parquet")))


# Sides


def ours(folder: Path, work: Path, memory_mb: int = LIMIT_MB) -> dict[str, Any]:
    """All stages; spans go to `work/out`."""
    job = Job(parts(folder), str(work / "scratch"), prefer="id", memory_mb=memory_mb)
    method = Substring(LENGTH)
    run_stages([number_stage(job), *method.stages(job)])
    (work / "out").mkdir(parents=True)
    facts = method.conclude(job, work / "out", work / "ledger.parquet", Silent())
    files = [file for file in (work / "scratch/substring").rglob("*") if file.is_file()]
    return {**facts, "disk": sum(file.stat().st_size for file in files)}


def suffix_array(folder: Path, work: Path) -> dict[str, Any]:
    """The suffix array of all texts together; spans go to `work/out`."""
    import pydivsufsort

    tables = [pq.read_table(part.files[0]) for part in parts(folder)]
    table = pa.concat_tables(tables).sort_by("id")
    data, offsets = utf8(table.column("text").cast(pa.large_string()).combine_chunks())
    joined, begins = joined_texts(data, offsets)
    del data
    array = pydivsufsort.divsufsort(joined)
    common = pydivsufsort.kasai(joined, array)
    first = first_places(array, common, len(joined))
    used = sum(one.nbytes for one in (joined, array, common))
    del array, common
    text, start, end = marked(joined, begins, first)
    (work / "out").mkdir(parents=True)
    pq.write_table(
        pa.table({"id": table.column("id").take(pa.array(text)), "start": start, "end": end}),
        work / "out/spans.parquet",
        compression="zstd",
    )
    return {"documents": len(np.unique(text)), "spans": len(text), "disk": used}


@numba.njit(cache=True)
def joined_texts(data: npt.NDArray[np.uint8], offsets: Int64) -> tuple[npt.NDArray[np.uint8], Int64]:
    """The texts with a byte between them that stands in none, and where each begins."""
    joined = np.empty(len(data) + len(offsets), np.uint8)
    begins = np.empty(len(offsets), np.int64)
    at = 0
    for text in range(len(offsets) - 1):
        begins[text] = at
        for index in range(offsets[text], offsets[text + 1]):
            joined[at] = data[index]
            at += 1
        joined[at] = BETWEEN
        at += 1
    begins[-1] = at
    return joined[:at], begins


@numba.njit(cache=True)
def first_places(array: npt.NDArray[np.int32], common: npt.NDArray[np.int32], size: int) -> Int64:
    """Where the window that begins at each place stands first, -1 where there is no window."""
    first = np.full(size, -1, np.int64)
    begin = 0
    while begin < len(array):
        end, least = begin + 1, array[begin]
        while end < len(array) and common[end - 1] >= LENGTH:
            least = min(least, array[end])
            end += 1
        for index in range(begin, end):
            if array[index] + LENGTH <= size:
                first[array[index]] = least
        begin = end
    return first


@numba.njit(cache=True)
def marked(joined: npt.NDArray[np.uint8], begins: Int64, first: Int64) -> tuple[Int64, Int64, Int64]:
    """Text, start and end, in code points, of what the repeated windows cover."""
    found = np.empty((1024, 3), np.int64)
    count = 0
    for text in range(len(begins) - 1):
        begin, end = begins[text], begins[text + 1] - 1
        reached, points, inside = begin, 0, False
        for at in range(begin, end + 1):
            if at + LENGTH <= end:
                place = first[at]
                if place < begin or place + LENGTH <= at:
                    reached = at + LENGTH
            starts = at == end or (joined[at] & 0xC0) != 0x80
            if starts and at < end and not inside and at < reached:
                if count == len(found):
                    grown = np.empty((2 * count, 3), np.int64)
                    grown[:count] = found
                    found = grown
                found[count, 0], found[count, 1] = text, points
                inside = True
                count += 1
            if starts and inside and at <= reached:
                found[count - 1, 2] = points
            if inside and at >= reached:
                inside = False
            points += starts
    kept = found[:count][found[:count, 2] > found[:count, 1]]
    return kept[:, 0].copy(), kept[:, 1].copy(), kept[:, 2].copy()


def side(name: str, warm: Path, folder: Path, work: Path, memory_mb: int) -> None:
    """Run one side twice, on few texts and on all; print what the second run took."""
    run = {"ours": lambda *p: ours(*p, memory_mb=memory_mb), "suffix_array": suffix_array}[name]
    run(warm, work / "warm")
    start, wall = time.process_time(), time.perf_counter()
    result = run(folder, work / "all")
    print(
        json.dumps(
            {
                **result,
                "cpu_seconds": time.process_time() - start,
                "wall_seconds": time.perf_counter() - wall,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def run_side(name: str, warm: Path, folder: Path, work: Path, memory_mb: int = LIMIT_MB) -> dict[str, Any]:
    """`side` in a process of its own."""
    command = [sys.executable, __file__, "--side", name, str(warm), str(folder), str(work), str(memory_mb)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


# Comparisons


def covered(rows: Iterator[tuple[str, int, int]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for key, start, end in rows:
        found.setdefault(key, set()).update(range(start, end))
    return found


def agreement(work: Path) -> float:
    """Characters that both sides cut, of those that any does."""
    mine = covered(
        (row["id"], span["start"], span["end"])
        for file in sorted((work / "ours/all/out").glob("*.parquet"))
        for row in pq.read_table(file).to_pylist()
        for span in row["substring.spans"]
    )
    other = covered(
        (row["id"], row["start"], row["end"])
        for row in pq.read_table(work / "suffix_array/all/out/spans.parquet").to_pylist()
    )
    both = sum(len(mine[key] & other[key]) for key in mine.keys() & other.keys())
    either = sum(len(mine.get(key, set()) | other.get(key, set())) for key in mine.keys() | other.keys())
    return both / either


def speed(folder: Path, megabytes: float, turns: int) -> dict[str, Any]:
    """Both sides on real texts."""
    texts = real_texts(megabytes)
    size = sum(len(text.encode()) for text in texts)
    write_texts(folder / "real", texts)
    write_texts(folder / "warm", texts[:50])
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "suffix_array": []}
    for _ in range(turns):
        for name, found in runs.items():
            shutil.rmtree(folder / "work" / name, ignore_errors=True)
            found.append(run_side(name, folder / "warm", folder / "real", folder / "work" / name))
    agreed = agreement(folder / "work")
    seconds = {name: statistics.median(run["cpu_seconds"] for run in found) for name, found in runs.items()}
    memory = {name: statistics.median(run["peak_mb"] for run in found) for name, found in runs.items()}
    mine = runs["ours"][-1]
    return {
        "mb_per_core_second": round(size / 1e6 / seconds["ours"], 1),
        "mb_per_core_second_suffix_array": round(size / 1e6 / seconds["suffix_array"], 1),
        "ratio": round(seconds["suffix_array"] / seconds["ours"], 1),
        "agreement": round(agreed, 6),
        "speed_megabytes": round(size / 1e6, 1),
        "speed_spans": mine["spans"],
        "speed_characters_cut": mine["characters"],
        "speed_peak_mb": round(memory["ours"]),
        "speed_peak_mb_suffix_array": round(memory["suffix_array"]),
        "disk_per_byte": round(mine["disk"] / size, 2),
        "memory_per_byte_suffix_array": round(runs["suffix_array"][-1]["disk"] / size, 1),
    }


def bounded(folder: Path, small: int, large: int) -> dict[str, Any]:
    """Generated documents under a limit of memory."""
    import _dedup_corpus as generated

    write_texts(folder / "warm-generated", [f"text {number}" * 40 for number in range(50)])
    result: dict[str, Any] = {}
    runs = {}
    for name, documents in (("small", small), ("large", large)):
        source = folder / name
        footers = [pq.read_metadata(file) for file in generated.Generator(documents).write(source)]
        column = footers[0].schema.names.index("text")
        size = sum(
            footer.row_group(group).column(column).total_uncompressed_size
            for footer in footers
            for group in range(footer.num_row_groups)
        )
        work = folder / "work-generated" / name
        runs[name] = {**run_side("ours", folder / "warm-generated", source, work), "size": size}
        shutil.rmtree(source)
        shutil.rmtree(work)
    pace = {name: run["cpu_seconds"] / run["size"] for name, run in runs.items()}
    large_run = runs["large"]
    result |= {
        "bounded_limit_mb": LIMIT_MB,
        "peak_memory_mb": round(large_run["peak_mb"]),
        "linearity": round(pace["large"] / pace["small"], 3),
        "bounded_documents": large,
        "bounded_megabytes": round(large_run["size"] / 1e6),
        "bounded_mb_per_core_second": round(1e-6 / pace["large"], 1),
        "bounded_disk_per_byte": round(large_run["disk"] / large_run["size"], 2),
        "bounded_characters_cut": large_run["characters"],
    }
    return result


def main() -> None:
    """Both parts, and print."""
    if sys.argv[1:2] == ["--side"]:
        name, warm, folder, work, memory_mb = sys.argv[2:]
        side(name, Path(warm), Path(folder), Path(work), int(memory_mb))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="16 MB of real texts, 100,000 documents, one turn"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="where files of the comparison lie for a while")
    options = parser.parse_args()
    if not TESTDATA.is_dir():
        raise SystemExit(f"no test data at {TESTDATA}; set GRISTMILL_TESTDATA to its folder")
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        result = speed(folder, 16 if options.quick else 66, 1 if options.quick else 3)
        result |= bounded(folder, *((20_000, 100_000) if options.quick else (400_000, 2_000_000)))
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:40} {value:>15,}")


if __name__ == "__main__":
    main()

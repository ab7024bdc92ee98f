"""Repeated sentences, lines, paragraphs, exact copies and pages of one address: what finding them costs.

Three measurements, processor time of one core:

- the first pass, µs a document, medians, turn by turn, on judged web pages: the keys of exact copies and of
  addresses, the hashes of lines, paragraphs and three-sentence spans, and those of datatrove's sentence
  deduplication (SentenceDedupSignature) over sentences and over lines;
- C4's rule, all but one of any three-sentence span, over articles cut to pages that quote each other: all of
  our stages against datatrove's three, in one run on the same input, and how far they cut the same words;
- grouping, seconds per million documents: exact copies of generated keys, and repeated lines of generated
  documents of 15 lines (a third of them boilerplate), in a process of its own with `memory_mb` 600, its peak
  memory included.

    python benchmarks/pieces.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from filters.annotators.exact_hash import ExactHash
from filters.annotators.url_key import UrlKey
from filters.base import TextView
from filters.dedup.base import Job, Method, Part, run_stages
from filters.dedup.exact import Exact
from filters.dedup.numbering import number_stage
from filters.dedup.pieces import Repeated
from filters.dedup.repeats import Settings
from gristmill.base.progress import Silent

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
PART = 50_000
"""Documents of a generated part."""
MEMORY_MB = 600


def rows(name: str, count: int) -> Iterator[dict[str, Any]]:
    """The first rows of a file of the test data."""
    with zstandard.open(TESTDATA / name, "rt", encoding="utf-8") as file:
        yield from map(json.loads, islice(file, count))


def articles(count: int) -> list[str]:
    """Pages of about 3,000 characters of featured articles, a quarter of which quote another one."""
    pages: list[str] = []
    for row in rows("text/wiki_en_featured.jsonl.zst", count):
        paragraphs = [" ".join(part.split()) for part in row["text"].split("\n\n") if len(part) > 200]
        for at in range(0, len(paragraphs), 6):
            pages.append("\n".join(paragraphs[at : at + 6]))
    pages = pages[:count]
    rng = random.Random(0)
    for at in range(0, len(pages), 4):
        quoted = rng.choice(pages).split("\n")[:2]
        pages[at] = "\n".join([*pages[at].split("\n")[:2], *quoted, *pages[at].split("\n")[2:]])
    return pages


def part(file: Path, table: pa.Table) -> Part:
    """A part of one file."""
    pq.write_table(table, file, row_group_size=1000)
    return Part(file.stem, (str(file),))


def find(method: Method, job: Job, folder: Path) -> dict[str, float]:
    """Run a method; processor seconds of the numbering, of each stage, and of the end."""
    seconds = {}
    for stage in [number_stage(job), *method.stages(job)]:
        start = time.process_time()
        run_stages([stage])
        seconds[stage.name.rpartition(": ")[2]] = time.process_time() - start
    start = time.process_time()
    (folder / "out").mkdir()
    method.conclude(job, folder / "out", folder / "ledger.parquet", Silent())
    return {**seconds, "conclude": time.process_time() - start}


def kept(texts: Sequence[str], folder: Path) -> tuple[list[str], float]:
    """What C4's rule leaves of the texts by ours, and processor seconds."""
    table = pa.table({"id": [f"{n:08}" for n in range(len(texts))], "text": list(texts)})
    job = Job((part(folder / "part-00000.parquet", table),), str(folder / "work"), "id")
    start = time.process_time()
    find(Repeated("sentence", least_documents=1), job, folder)
    seconds = time.process_time() - start
    left = []
    spans = pq.read_table(folder / "out/part-00000.parquet").column("repeated.spans").to_pylist()
    for text, cuts in zip(texts, spans, strict=True):
        ends, starts = [0, *(cut["end"] for cut in cuts)], [*(cut["start"] for cut in cuts), len(text)]
        left.append("".join(text[end:start] for end, start in zip(ends, starts, strict=True)))
    return left, seconds


def peer_config(**options: Any) -> Any:
    """datatrove's, but that documents are not dropped; sha1, as its xxhash does not take strings."""
    from datatrove.pipeline.dedup.sentence_dedup import SentDedupConfig
    from datatrove.utils.hashing import HashConfig

    return SentDedupConfig(
        min_doc_words=0, min_num_sentences=0, hash_config=HashConfig(hash_fc="sha1"), **options
    )


def kept_by_datatrove(texts: Sequence[str], folder: Path) -> tuple[list[str], float]:
    """The same by datatrove."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import sentence_dedup as peer

    config = peer_config()
    documents = [Document(text=text, id=str(n)) for n, text in enumerate(texts)]
    signatures, duplicates = str(folder / "signatures"), str(folder / "duplicates")
    start = time.process_time()
    list(peer.SentenceDedupSignature(signatures, 1, config).run(iter(documents)) or ())
    peer.SentenceFindDedups(signatures, duplicates, config=config).run()
    found = {d.id: d.text for d in peer.SentenceDedupFilter(duplicates, config).run(iter(documents))}
    seconds = time.process_time() - start
    return [found.get(str(n), "") for n in range(len(texts))], seconds


def agreement(texts: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Share of the words cut by either that both cut."""
    both = either = 0
    for text, one, other in zip(texts, ours, theirs, strict=True):
        whole = Counter(text.split())
        mine, yours = whole - Counter(one.split()), whole - Counter(other.split())
        both += (mine & yours).total()
        either += (mine | yours).total()
    return both / max(1, either)


def compare(count: int, turns: int) -> dict[str, float]:
    """C4's rule over articles, turn by turn."""
    texts = articles(count)
    with tempfile.TemporaryDirectory() as folder:
        kept(texts[:50], Path(folder))
    mine, yours = [], []
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            ours, seconds = kept(texts, Path(folder))
            mine.append(seconds)
            theirs, seconds = kept_by_datatrove(texts, Path(folder))
            yours.append(seconds)
    ratios = [other / one for one, other in zip(mine, yours, strict=True)]
    return {
        "ratio_sentences": round(statistics.median(ratios), 1),
        "ms_per_document": round(1000 * statistics.median(mine) / len(texts), 4),
        "ms_per_document_datatrove": round(1000 * statistics.median(yours) / len(texts), 3),
        "agreement_sentences": round(agreement(texts, ours, theirs), 4),
        "characters_per_document": round(sum(map(len, texts)) / len(texts)),
    }


def first_pass(count: int, turns: int) -> dict[str, float]:
    """µs a document of every key."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup.sentence_dedup import SentenceDedupSignature

    found = list(rows("quality/dclm_human_labels.jsonl.zst", count))
    texts = [row["text"] for row in found]
    urls = [row.get("url") or "https://www.example.com/a/b?utm_source=c&d=e" for row in found]
    exact, url = ExactHash(), UrlKey()
    methods = {unit: Repeated(unit).settings for unit in ("line", "paragraph", "sentence")}
    work: dict[str, Callable[[], object]] = {
        "exact_hash": lambda: [exact.measure(TextView(text)) for text in texts],
        "url_key": lambda: [url.key(address) for address in urls],
    }
    for unit, settings in methods.items():
        work[unit] = functools.partial(_look, settings, texts)
    with tempfile.TemporaryDirectory() as folder:
        for name, split in (("sentence_datatrove", True), ("line_datatrove", False)):
            step = SentenceDedupSignature(folder, config=peer_config(split_sentences=split))
            work[name] = functools.partial(_hash, step, [Document(text=text, id="") for text in texts])
        times: dict[str, list[float]] = {name: [] for name in work}
        for turn in range(turns + 1):
            for name, job in work.items():
                start = time.process_time()
                job()
                if turn:
                    times[name].append(1e6 * (time.process_time() - start) / len(texts))
    return {f"us_{name}": round(statistics.median(values), 1) for name, values in times.items()}


def _look(settings: Settings, texts: Sequence[str]) -> None:
    for text in texts:
        settings.look(TextView(text))


def _hash(step: Any, documents: Sequence[Any]) -> None:
    for document in documents:
        step.get_hashes(document, 0)


def generate(kind: str, count: int, folder: Path) -> None:
    """Parts of documents with keys, some of them equal; or with lines, a third of them boilerplate."""
    rng = np.random.default_rng(0)
    words = np.array([f"{number:x}" for number in range(20_000)])
    for first in range(0, count, PART):
        ids = [f"{number:032x}" for number in range(first, min(first + PART, count))]
        columns: dict[str, Any] = {"id": ids}
        if kind == "exact":
            keys = rng.integers(0, 2 * count, len(ids)).tolist()
            columns["exact.hash"] = [f"{key:032x}" for key in keys]
        else:
            own = words[rng.integers(0, len(words), (len(ids), 10, 8))]
            menus = rng.zipf(1.3, (len(ids), 5)).tolist()
            columns["text"] = [
                "\n".join([*(" ".join(line) for line in lines), *(f"entry {_letters(n)}" for n in menu)])
                for lines, menu in zip(own, menus, strict=True)
            ]
        pq.write_table(pa.table(columns), folder / f"part-{first // PART:05d}.parquet", row_group_size=1000)


def _letters(number: int) -> str:
    """A number in letters: digits are all folded to one."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def group(kind: str, folder: Path) -> None:
    """In a process of its own: run over the generated parts, print what it took."""
    files = sorted(folder.glob("part-*.parquet"))
    parts = tuple(Part(file.stem, (str(file),)) for file in files)
    method: Method = Exact() if kind == "exact" else Repeated("line")
    job = Job(parts, str(folder / "work"), "id", memory_mb=MEMORY_MB, tasks=2)
    seconds = find(method, job, folder)
    print(json.dumps({"seconds": seconds, "peak_memory_mb": peak_memory_mb()}))


def peak_memory_mb() -> int:
    """Of this process: the kernel's `ru_maxrss` would count what its parent held when it was started."""
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20)


def grouping(kind: str, count: int) -> dict[str, Any]:
    """Seconds per million documents, stage by stage, and the peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        generate(kind, count, Path(folder))
        command = [sys.executable, __file__, "--group", kind, "--folder", folder]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found = json.loads(output.splitlines()[-1])
    stages = {name: seconds * 1e6 / count for name, seconds in found["seconds"].items()}
    return {
        f"seconds_per_million_{kind}": round(sum(stages.values()), 2),
        **{f"seconds_per_million_{kind}_{name}": round(value, 2) for name, value in stages.items()},
        f"peak_memory_mb_{kind}": found["peak_memory_mb"],
    }


def main() -> None:
    """Print times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer documents, fewer turns")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--group", choices=["exact", "line"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.group:
        group(options.group, options.folder)
        return
    results: dict[str, Any] = {
        **first_pass(60 if options.quick else 300, 3 if options.quick else 5),
        **compare(150 if options.quick else 1000, 1 if options.quick else 3),
        **grouping("exact", 100_000 if options.quick else 1_000_000),
        **grouping("line", 50_000 if options.quick else 500_000),
        "memory_mb": MEMORY_MB,
    }
    if options.json:
        print(json.dumps(results))
        return
    for name, value in results.items():
        print(f"{name:42}{value:>12,}")


if __name__ == "__main__":
    main()

"""One side of `dedup.py` at a time, in a process of its own: `_dedup_sides.py SIDE OPTIONS FOLDER...`.

FOLDER/documents holds the parts of a store; the folders are taken one after the other. Prints what came out
of the last one, as a JSON object, with the processor seconds that each has cost this process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

THRESHOLD = 0.8
BANDS = 14


def parts(folder: Path) -> list[Path]:
    """The files of the documents."""
    return sorted((folder / "documents").glob("*.parquet"))


class Annotate(PipelineStep):
    """Annotates the parts of a store with `minhash`, a row group at a time: what a build does in passing."""

    type = "BENCH"
    name = "annotate"

    def __init__(self, files: list[Path]) -> None:
        super().__init__()
        self.files = files

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """One part a rank."""
        from corpus.schema import ROW_GROUP_ROWS, annotation_schema, parquet_writer
        from filters.base import annotate_texts
        from filters.registry import build_annotator

        annotator = build_annotator("minhash")
        schema = annotation_schema(dict(annotator.columns))
        file = self.files[rank]
        target = file.parents[1] / "minhash" / file.name
        target.parent.mkdir(exist_ok=True)
        with pq.ParquetFile(file) as opened, parquet_writer(target, schema) as writer:
            for batch in opened.iter_batches(ROW_GROUP_ROWS, columns=["id", "text"]):
                (values,) = annotate_texts([annotator], batch.column("text").to_pylist()).values()
                table = values.add_column(0, "id", batch.column("id"))
                writer.write_table(table.cast(schema), row_group_size=ROW_GROUP_ROWS)
        yield from data or ()


def ours(folder: Path, workers: int = 1, memory_mb: int = 2000, tasks: int = 1) -> dict[str, Any]:
    """The annotator, all stages, annotations and ledger."""
    from filters.dedup.base import Job, Part, Stage, run_stages
    from filters.dedup.near.method import Near
    from filters.dedup.numbering import number_stage
    from filters.dedup.shingles import RECIPES
    from gristmill.base.progress import Silent

    spent: dict[str, float] = {}
    files = parts(folder)
    job = Job(
        tuple(Part(f.stem, (str(f), str(folder / "minhash" / f.name))) for f in files),
        str(folder / "work"),
        "fetched_at ASC NULLS LAST",
        memory_mb=memory_mb,
        tasks=tasks,
    )
    method = Near(RECIPES["fineweb"], THRESHOLD)
    for stage in [Stage("annotate", Annotate(files), len(files)), number_stage(job), *method.stages(job)]:
        start = time.perf_counter()
        run_stages([stage], workers)
        spent[stage.name] = time.perf_counter() - start
    start = time.perf_counter()
    target = folder / "near"
    target.mkdir(exist_ok=True)
    facts = method.conclude(job, target, folder / "ledger.parquet", Silent())
    spent["conclude"] = time.perf_counter() - start
    return {**facts, "seconds": {name: round(seconds, 2) for name, seconds in spent.items()}}


def datatrove(folder: Path) -> dict[str, Any]:
    """The four stages of datatrove, one worker, with the settings that made FineWeb (examples/fineweb.py) and
    its word tokenizer as it comes. The last one writes no documents, as ours does not."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(hash_config=HashConfig(hash_fc="sha1", precision=64))
    cutting = 0.0
    signatures = MinhashDedupSignature(f"{folder}/signatures", config)
    cut = signatures.word_tokenizer.word_tokenize

    def timed(text: str) -> list[str]:
        nonlocal cutting
        start = time.process_time()
        found: list[str] = cut(text)
        cutting += time.process_time() - start
        return found

    signatures.word_tokenizer.word_tokenize = timed
    reader = ParquetReader(str(folder / "documents"))
    filtered = MinhashDedupFilter(f"{folder}/removed")
    stages: list[tuple[list[Any], int]] = [
        ([reader, signatures], 1),
        (
            [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)],
            config.num_buckets,
        ),
        ([MinhashDedupCluster(f"{folder}/buckets", f"{folder}/removed", config=config)], 1),
        ([reader, filtered], 1),
    ]
    statistics: dict[str, Any] = {}
    for number, (steps, tasks) in enumerate(stages):
        executor = LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=f"{folder}/logs/{number}")
        statistics = json.loads(executor.run().to_json())[-1]["stats"]
    dropped = statistics.get("dropped", 0)
    return {
        "duplicates": dropped["total"] if isinstance(dropped, dict) else dropped,
        "cutting": cutting,
    }


def floor(folder: Path) -> dict[str, Any]:
    """Read the texts and sort as many keys as there are bands: nobody can do less."""
    rows = 0
    for file in parts(folder):
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(columns=["text"]):
                rows += len(pa.array(batch.column(0)))
    random = np.random.default_rng(1)
    for _ in range(BANDS):
        random.integers(0, 1 << 63, rows).sort()
    return {"documents": rows}


SIDES = {"ours": ours, "datatrove": datatrove, "floor": floor}


def main() -> None:
    """Run one side."""
    side, options, *folders = sys.argv[1:]
    found: dict[str, Any] = {}
    spent = []
    for folder in folders:
        start = time.process_time()
        found = SIDES[side](Path(folder), **json.loads(options))
        spent.append(time.process_time() - start)
    print("\n" + json.dumps({**found, "own_cpu_seconds": spent}))


if __name__ == "__main__":
    main()

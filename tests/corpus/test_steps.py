"""Every stage is a datatrove step that works in anybody's pipeline."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document, DocumentsPipeline
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.filters import LambdaFilter

from corpus.ledger import Ledger
from corpus.manifest import WarcSource
from corpus.parts import StoreWriter, dump
from corpus.sources.warc import Warc
from corpus.steps import SourceStep, early_drop_step
from filters.decide import bind
from filters.registry import build_annotator
from filters.rules import load_ruleset
from filters.step import AnnotatorStep
from tests.corpus.stores import crawl


def test_our_source_in_a_foreign_pipeline(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    def write(data: DocumentsPipeline, rank: int, world_size: int) -> DocumentsPipeline:
        for document in data or ():
            with (tmp_path / "out" / f"{rank}").open("a") as file:
                file.write(f"{document.id}\n")
            yield document

    source = Warc(WarcSource(type="warc", paths=(str(crawl(tmp_path / "crawl", 3, 4)),)), "crawl")
    pipeline = [
        SourceStep(source, source.tasks()),
        LambdaFilter(lambda doc: doc.metadata["url"].endswith(("0", "1"))),
        write,
    ]
    LocalPipelineExecutor(pipeline, tasks=2, workers=1, logging_dir=str(tmp_path / "logs")).run()
    rows = "".join(path.read_text() for path in (tmp_path / "out").iterdir()).splitlines()
    assert len(rows) == 3 * (2 + 2)


def test_foreign_documents_into_our_store(tmp_path: Path) -> None:
    annotator = build_annotator("gopher")
    ledger = Ledger()
    columns = {**annotator.columns, "url": pa.string()}
    rules = bind(load_ruleset([{"drop": "gopher.words < 3", "reason": "short"}]), columns)
    documents = [
        Document(
            text="one two three four", id="a", metadata={"url": "http://x", "extra": {"b": float("nan")}}
        ),
        Document(text="one", id="b"),
        Document(text="\ud800 is no character of any text", id="c", metadata={"path": "p/q", "tier": "x"}),
        Document(text="the same once more", id="a"),
    ]
    data = iter(documents)
    for step in (
        AnnotatorStep([annotator]),
        early_drop_step(rules, columns, ledger),
        StoreWriter(tmp_path, [annotator], ledger),
    ):
        data = step(data, 0, 1)
    assert [doc.id for doc in data] == ["a", "c"]
    table = pq.read_table(tmp_path / "documents" / "part-00000.parquet")
    assert table.column("text").to_pylist() == ["one two three four", "\ufffd is no character of any text"]
    assert table.column("metadata").to_pylist() == ['{"extra":{"b":null}}', "{}"]
    measured = pq.read_table(tmp_path / "annotations" / "gopher@2" / "part-00000.parquet", partitioning=None)
    assert measured.column("gopher.words").to_pylist() == [4, 7]
    assert [(row[0], row[4]) for row in ledger.rows] == [("b", "short"), ("a", "duplicate_id")]


def test_row_groups_depend_on_the_documents_alone(tmp_path: Path) -> None:
    """4,096 rows or 32 MB of text, whichever comes first."""
    documents = [Document(text="x" * 100, id=str(n)) for n in range(5000)]
    documents += [Document(text="y" * 12_000_000, id=f"large {n}") for n in range(4)]
    writer = StoreWriter(tmp_path)
    assert sum(1 for _ in writer(iter(documents), 0, 1)) == 5004
    meta = pq.ParquetFile(tmp_path / "documents" / "part-00000.parquet").metadata
    assert [meta.row_group(n).num_rows for n in range(meta.num_row_groups)] == [4096, 907, 1]


def test_metadata_is_json_whatever_it_holds() -> None:
    assert dump({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'
    assert dump({"when": Path("x"), 3: b"y", "inf": float("inf")}) == '{"3":"b\'y\'","inf":null,"when":"x"}'
    assert dump({"lone": "\ud800"}) == '{"lone":"?"}'

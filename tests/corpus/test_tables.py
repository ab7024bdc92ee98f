"""JSON lines, Parquet and `datasets`: the same rows become the same documents, however they are cut."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datatrove.data import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.ledger import Ledger
from corpus.manifest import DatasetSource, JsonlSource, ParquetSource
from corpus.sources.base import Source
from corpus.sources.dataset import Dataset
from corpus.sources.jsonl import Jsonl
from corpus.sources.parquet import Parquet
from gristmill.base.errors import UserError
from tests.corpus import archives
from tests.corpus.archives import prose

ROWS: list[dict[str, Any]] = [
    {"text": prose(n), "key": f"k{n}", "url": f"http://x/{n}", "score": n / 3, "language": "en"}
    for n in range(50)
]


def read(source: Source) -> tuple[list[Document], Ledger]:
    ledger = Ledger()
    return [doc for task in source.tasks() for doc in source.read(task, ledger, lambda done: None)], ledger


def jsonl(*paths: Path, **options: Any) -> Jsonl:
    return Jsonl(
        JsonlSource.model_validate({"type": "jsonl", "paths": [str(p) for p in paths], **options}), "rows"
    )


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 20_000), st.booleans(), st.lists(st.integers(0, 300), min_size=1, max_size=30))
def test_cuts_never_lose_or_double_a_line(
    tmp_path_factory: pytest.TempPathFactory, step: int, end: bool, sizes: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    data = lines([{"text": f"{n} " + "x" * size} for n, size in enumerate(sizes)])
    path.write_bytes(data if end else data.rstrip(b"\n"))
    whole, _ = read(jsonl(path))
    source = jsonl(path, bytes_per_part=step)
    cut, _ = read(source)
    assert [(doc.id, doc.text) for doc in cut] == [(doc.id, doc.text) for doc in whole]
    assert len(whole) == len(sizes)
    assert sum(task.size or 0 for task in source.tasks()) == path.stat().st_size


def zst(data: bytes) -> bytes:
    return archives.pack([data], "zst")


@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_packings(tmp_path: Path, packing: str) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zst}
    path = tmp_path / f"a.jsonl{packing}"
    path.write_bytes(pack[packing](lines(ROWS)))
    documents, ledger = read(jsonl(path, id="key"))
    assert [doc.text for doc in documents] == [row["text"] for row in ROWS]
    assert documents[4].metadata == {
        "source": "rows", "url": "http://x/4", "language": "en", "score": 4 / 3, "native_id": "k4",
    }  # fmt: skip
    assert not ledger.rows
    if packing:
        path.write_bytes(path.read_bytes()[:-20])
        documents, ledger = read(jsonl(path, id="key"))
        assert [doc.text for doc in documents] == [row["text"] for row in ROWS][: len(documents)]
        assert [lost.reason for lost in ledger.incomplete] == ["truncated"]


def test_lines_that_are_no_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    bad = [
        b"{broken", b"[1, 2]", b'"text"', b'{"text": 3}', b'{"no": "text"}', b'{"text": " "}', b"\xff\xfe{}",
        b'{"text": "' + b"x" * 5000 + b'"}', b"[" * 100_000, b"",
    ]  # fmt: skip
    good = b'{"text": "lone \\ud800 surrogate", "metadata": {"a.b": 1}, "x.y": NaN}'
    path.write_bytes(b"\n".join([*bad, good, good]))
    documents, ledger = read(jsonl(path, max_record_bytes=4000))
    assert [doc.text for doc in documents] == ["lone \ufffd surrogate"] * 2
    assert documents[0].id != documents[1].id
    assert documents[0].metadata["a_b"] == 1
    assert ledger.reasons() == {
        "extract:empty_text": 1, "read:bad_json": 4, "read:no_text": 2, "read:too_large": 2,
    }  # fmt: skip
    assert ledger.records == 11


def parquet(*paths: Path, **options: Any) -> Parquet:
    return Parquet(
        ParquetSource.model_validate({"type": "parquet", "paths": [str(p) for p in paths], **options}), "rows"
    )


def test_parquet_is_cut_between_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{**row, "fetched_at": datetime(2024, 1, 1)} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=7)
    whole, ledger = read(parquet(path))
    assert [doc.text for doc in whole] == [row["text"] for row in ROWS]
    assert whole[3].metadata["fetched_at"] == datetime(2024, 1, 1)
    assert not ledger.rows
    source = parquet(path, bytes_per_part=1)
    assert [task.span for task in source.tasks()] == [(n, n + 1) for n in range(8)]
    assert [doc.id for doc in read(source)[0]] == [doc.id for doc in whole]
    by_key, _ = read(parquet(path, id="key"))
    assert len({doc.id for doc in by_key} | {doc.id for doc in whole}) == 100
    with pytest.raises(UserError, match="no column 'txt'; did you mean 'text'"):
        parquet(path, text="txt").tasks()


def test_damaged_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=10, compression="zstd")
    data = bytearray(path.read_bytes())
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    _, ledger = read(parquet(tmp_path / "cut.parquet"))
    assert [lost.reason for lost in ledger.incomplete] == ["not_parquet"]
    column = pq.ParquetFile(path).metadata.row_group(2).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(data)
    documents, ledger = read(parquet(path))
    assert len(documents) == 40
    assert [lost.reason for lost in ledger.incomplete] == ["corrupt"]


@pytest.mark.parametrize("streaming", [True, False])
def test_datasets(tmp_path: Path, streaming: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(2):
        pq.write_table(
            pa.Table.from_pylist(ROWS[number * 25 : number * 25 + 25]), folder / f"train-{number}.parquet"
        )
    options: dict[str, Any] = {
        "type": "dataset",
        "path": str(folder),
        "streaming": streaming,
        "rows_per_part": 20,
    }
    source = Dataset(DatasetSource.model_validate(options), "rows")
    tasks = source.tasks()
    assert len(tasks) == (2 if streaming else 3)
    documents, ledger = read(source)
    assert [doc.text for doc in documents] == [row["text"] for row in ROWS]
    assert documents[7].metadata["url"] == "http://x/7"
    assert not ledger.rows
    assert len({doc.id for doc in documents}) == 50
    (tmp_path / "b.jsonl").write_bytes(lines(ROWS[:5]))
    options = {
        "type": "dataset",
        "path": "json",
        "data_files": [str(tmp_path / "b.jsonl")],
        "streaming": streaming,
    }
    assert len(read(Dataset(DatasetSource.model_validate(options), "rows"))[0]) == 5
    with pytest.raises(UserError, match="no column 'body'"):
        Dataset(DatasetSource.model_validate({**options, "text": "body"}), "rows").tasks()
    with pytest.raises(UserError, match="cannot load the data set"):
        Dataset(DatasetSource.model_validate({**options, "path": str(tmp_path / "nowhere")}), "rows").tasks()

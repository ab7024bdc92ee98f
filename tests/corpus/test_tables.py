"""JSON lines, Parquet and `datasets`: the same rows become the same documents, however they are cut."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
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
from tests.corpus.crawl_server import FAULTS, SeededPlan, serving

QUICK: dict[str, Any] = {
    "first_pause_seconds": 0.001,
    "longest_pause_seconds": 0.004,
    "requests_per_second": None,
}
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


NESTED: list[dict[str, Any]] = [
    {
        "content": {"text": prose(n), "words": n, "more": {"a": 1, "b": None}},
        "key": {"own": f"k{n}"},
        "link": {"url": f"http://x/{n}"},
        "score": n / 3,
        "language": "en",
        "metadata": {"crawl": "x", "n": n},
    }
    for n in range(30)
]
PATHS = {"text": "content.text", "id": "key.own", "url": "link.url"}


def nested(kind: str, folder: Path, **options: Any) -> Source:
    options = {**PATHS, **options}
    if kind == "jsonl":
        path = folder / "a.jsonl.zst"
        path.write_bytes(zst(lines(NESTED)))
        return jsonl(path, **options)
    (folder / "data").mkdir(exist_ok=True)
    path = folder / "data" / "a.parquet"
    pq.write_table(pa.Table.from_pylist(NESTED), path, row_group_size=7)
    if kind == "parquet":
        return parquet(path, **options)
    options |= {"type": "dataset", "path": str(folder / "data"), "streaming": kind == "streamed"}
    return Dataset(DatasetSource.model_validate(options), "rows")


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "streamed", "prepared"])
def test_fields_within_fields_and_what_is_kept(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    always = {"source": "rows", "url": "http://x/4", "language": "en", "native_id": "k4"}
    for keep, more in (
        (None, {"content": {"words": 4, "more": {"a": 1}}, "score": 4 / 3, "crawl": "x", "n": 4}),
        ([], {}),
        (["score"], {"score": 4 / 3}),
        (["content.words", "metadata"], {"content_words": 4, "crawl": "x", "n": 4}),
        (["metadata.n", "content.more"], {"metadata_n": 4, "content_more": {"a": 1, "b": None}}),
    ):
        documents, ledger = read(nested(kind, tmp_path, keep=keep))
        assert [document.text for document in documents] == [row["content"]["text"] for row in NESTED]
        assert not ledger.rows
        found = documents[4].metadata
        if keep is None:
            found["content"]["more"].pop("b", None)
        assert found == {**always, **more}
    if kind != "jsonl":
        with pytest.raises(UserError, match=r"no column 'content.txt'; did you mean 'content.text'"):
            nested(kind, tmp_path, text="content.txt").tasks()
        with pytest.raises(UserError, match=r"no column 'scores'; did you mean 'score'"):
            nested(kind, tmp_path, keep=["scores"]).tasks()


def test_a_name_with_a_dot_comes_before_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines([{"a.b": "the name", "a": {"b": "the path"}}, {"a": {"b": "the path"}}]))
    assert [document.text for document in read(jsonl(path, text="a.b"))[0]] == ["the name", "the path"]


def test_what_is_not_kept_is_not_read(tmp_path: Path) -> None:
    """Columns whose bytes are rubbish do no harm as long as nobody wants them."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path, compression="zstd")
    column = pq.ParquetFile(path).metadata.row_group(0).column(ROWS_COLUMNS.index("score"))
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    documents, ledger = read(parquet(path, keep=["key"]))
    assert [document.metadata["key"] for document in documents] == [row["key"] for row in ROWS]
    assert not ledger.incomplete
    assert [lost.reason for lost in read(parquet(path))[1].incomplete] == ["corrupt"]


ROWS_COLUMNS = list(ROWS[0])


def test_a_build_reads_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch may move on while parts are made; what it was when the build was planned is what all parts
    read."""
    datasets = pytest.importorskip("datasets")
    hub = pytest.importorskip("huggingface_hub")
    asked: list[str | None] = []
    commit = "0123456789abcdef0123456789abcdef01234567"

    def load(path: str, *arguments: Any, revision: str | None, **options: Any) -> Any:
        asked.append(revision)
        return datasets.Dataset.from_list(ROWS[:3]).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(
        hub.HfApi, "dataset_info", lambda self, path, revision: type("Info", (), {"sha": commit})
    )
    options = {"type": "dataset", "path": "org/name", "revision": "main"}
    source = Dataset(DatasetSource.model_validate(options), "rows")
    documents, _ = read(pickle.loads(pickle.dumps(source)))
    assert len(documents) == 3
    assert asked == [commit] * 2

    def unreachable(*arguments: Any, **options: Any) -> Any:
        raise ConnectionError("no network")

    monkeypatch.setattr(hub.HfApi, "dataset_info", unreachable)
    asked.clear()
    read(source)
    assert asked == ["main"] * 2
    pinned = Dataset(DatasetSource.model_validate({**options, "revision": commit}), "rows")
    asked.clear()
    read(pinned)
    assert asked == [commit] * 2


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_tables_over_http_with_faults(tmp_path: Path, kind: str) -> None:
    local, _ = read(nested(kind, tmp_path))
    path = "a.jsonl.zst" if kind == "jsonl" else "data/a.parquet"
    for seed in range(6):
        plan = SeededPlan(seed, most=7, faults=[fault for fault in FAULTS if fault != "changed"])
        with serving(tmp_path, plan) as server:
            options = {**PATHS, "paths": [f"{server.url}{path}"], "bytes_per_part": 1, "transfer": QUICK}
            source: Source = (
                Jsonl(JsonlSource.model_validate({"type": kind, **options}), "rows")
                if kind == "jsonl"
                else Parquet(ParquetSource.model_validate({"type": kind, **options}), "rows")
            )
            documents, ledger = read(source)
        assert [(doc.id, doc.text, doc.metadata) for doc in documents] == [
            (doc.id, doc.text, doc.metadata) for doc in local
        ]
        assert not ledger.rows


def test_a_table_that_changes_between_its_parts(tmp_path: Path) -> None:
    """Rows of two versions of one file never get into one store."""
    nested("parquet", tmp_path)
    with serving(tmp_path) as server:
        options = {"type": "parquet", **PATHS, "paths": [f"{server.url}data/a.parquet"], "bytes_per_part": 1}
        source = Parquet(ParquetSource.model_validate({**options, "transfer": QUICK}), "rows")
        first, *others = source.tasks()
        assert len(list(source.read(first, Ledger(), lambda done: None))) == 7
        server.version = '"two"'
        ledger = Ledger()
        assert [doc for task in others for doc in source.read(task, ledger, lambda done: None)] == []
        assert {lost.reason for lost in ledger.incomplete} == {"changed"}
    with pytest.raises(UserError, match="cannot be read now"):
        source.tasks()

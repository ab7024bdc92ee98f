"""Object stores: the same store from S3 as from anywhere, also where the way there is bad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from datatrove.data import Document

from corpus.build import build
from corpus.inputs import Plainly, find, open_blocks, open_input, read_whole, remote
from corpus.ledger import Ledger
from corpus.manifest import CorpusManifest, FilesSource, Transfer, WarcSource
from corpus.sources.files import Files
from corpus.sources.warc import Warc
from corpus.transfer import Changed, GaveUp, fetch
from gristmill.base.errors import UserError
from tests.corpus.archives import pack, pages
from tests.corpus.crawl_server import SeededPlan, lay_out, made_archive, made_wet, serving
from tests.corpus.stores import contents
from tests.corpus.test_common_crawl import LOOKUP, wanted

moto = pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

QUICK = Transfer(first_pause_seconds=0.001, longest_pause_seconds=0.004, requests_per_second=None)
BUCKET = "commoncrawl"


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crawl")
    return lay_out(root, [made_archive(n, 30) for n in range(2)], [made_wet(n, 20) for n in range(2)])


@pytest.fixture(scope="module")
def endpoint(crawl: Path) -> Iterator[str]:
    """Moto's server with the crawl in a bucket."""
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        files = fsspec.filesystem("s3", **keys(url), s3_additional_kwargs={"ACL": "public-read"})
        files.mkdir(BUCKET)
        files.put(f"{crawl}/", f"{BUCKET}/", recursive=True)
        yield url
    finally:
        server.stop()


def keys(url: str) -> dict[str, Any]:
    return {
        "key": "test",
        "secret": "test",
        "client_kwargs": {"endpoint_url": url, "region_name": "eu-west-1"},
    }


def anonymous(url: str) -> dict[str, Any]:
    return {"anon": True, "client_kwargs": {"endpoint_url": url, "region_name": "eu-west-1"}}


WAYS: dict[str, dict[str, Any]] = {"warc": {}, "wet": {"kind": "wet"}, "lookup": {"lookup": LOOKUP}}


@pytest.mark.parametrize("options", [keys, anonymous])
@pytest.mark.parametrize("way", WAYS)
def test_a_crawl_in_a_bucket(tmp_path: Path, crawl: Path, endpoint: str, way: str, options: Any) -> None:
    build(wanted(tmp_path / "local", str(crawl), **WAYS[way]))
    summary = build(
        wanted(tmp_path / "s3", f"s3://{BUCKET}/", storage_options=options(endpoint), **WAYS[way])
    )
    assert summary.exit_code == 0
    assert contents(tmp_path / "s3") == contents(tmp_path / "local")


def hasty(url: str) -> dict[str, Any]:
    """Without the retries of the S3 library itself."""
    return {**keys(url), "config_kwargs": {"retries": {"max_attempts": 0}}, "skip_instance_cache": True}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(2))
def test_a_bad_way_to_the_bucket(tmp_path: Path, crawl: Path, endpoint: str, way: str, seed: int) -> None:
    build(wanted(tmp_path / "local", str(crawl), **WAYS[way]))
    plan = SeededPlan(seed, share=0.4, faults=["reset", "reset_early", "503:0", "429:0", "500", "truncated"])
    with serving(crawl, plan, endpoint) as proxy:
        options = hasty(proxy.url.rstrip("/"))
        summary = build(wanted(tmp_path / "s3", f"s3://{BUCKET}/", storage_options=options, **WAYS[way]))
    assert summary.exit_code == 0
    assert plan.happened
    assert contents(tmp_path / "s3") == contents(tmp_path / "local")


def test_archives_in_a_bucket_by_pattern(tmp_path: Path, crawl: Path, endpoint: str) -> None:
    """The plain source lists folders and patterns, sizes and versions; a folder of the same files gives
    the same."""
    source = {
        "type": "warc",
        "paths": [f"s3://{BUCKET}/crawl-data/**/*.warc.gz"],
        "transfer": QUICK.model_dump(),
    }
    manifests = []
    for name, place in (("s3", source["paths"]), ("local", [str(crawl / "crawl-data/**/*.warc.gz")])):
        manifest = wanted(tmp_path / name, "").model_dump()
        manifest["source"] = {**source, "paths": place, "storage_options": keys(endpoint)}
        manifests.append(CorpusManifest.model_validate(manifest))
    assert [build(manifest).documents for manifest in manifests] == [60, 60]
    for folder in ("documents", "annotations", "ledger"):
        for file in (tmp_path / "local" / folder).rglob("*.parquet"):
            assert file.read_bytes() == (tmp_path / "s3" / file.relative_to(tmp_path / "local")).read_bytes()


def test_one_version_of_an_object(endpoint: str) -> None:
    """An object that is replaced while it is read is told, and never spliced."""
    files = fsspec.filesystem("s3", **keys(endpoint))
    access = Plainly(keys(endpoint), QUICK)
    old, new = bytes(20 << 20), b"x" * (20 << 20)
    files.pipe(f"{BUCKET}/changing", old)
    (item,) = find([f"s3://{BUCKET}/changing"], access)
    assert item.size == len(old)
    with open_input(item.path, access) as stream, open_blocks(item, access) as blocks:
        assert stream.read(1 << 20) == old[: 1 << 20]
        assert blocks.read(100) == old[:100]
        files.pipe(f"{BUCKET}/changing", new)
        read: list[bytes] = []
        with pytest.raises(Changed):
            read.extend(iter(lambda: stream.read(1 << 20), b""))
        assert not b"".join(read).strip(b"\0")
        blocks.seek(10 << 20)
        with pytest.raises(Changed):
            blocks.read(100)
    assert read_whole(item.path, access) == new
    (again,) = find([f"s3://{BUCKET}/changing"], access)
    assert again.stamp != item.stamp
    with open_blocks(again, access) as blocks:
        blocks.seek(15 << 20)
        assert blocks.read(9) == new[:9]


def test_what_is_not_in_the_bucket(endpoint: str) -> None:
    access = Plainly(keys(endpoint), QUICK)
    with pytest.raises(FileNotFoundError):
        open_input(f"s3://{BUCKET}/nothing", access)
    with pytest.raises(UserError, match="nothing to read there"):
        find([f"s3://{BUCKET}/nothing"], access)
    with pytest.raises(UserError, match="no such file, folder or match"):
        find([f"s3://{BUCKET}/no/such/*.gz"], access)


def test_a_server_that_is_gone() -> None:
    access = Plainly(hasty("http://127.0.0.1:9"), QUICK.model_copy(update={"tries": 2}))
    with pytest.raises(GaveUp):
        fetch(remote("s3://bucket/x", access), 0, 10, access.transfer)
    with pytest.raises(UserError, match="cannot list"):
        find(["s3://bucket/x/*"], access)


def test_other_file_systems(tmp_path: Path) -> None:
    """fsspec's `memory://` stands for all the others."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/crawl/x/a.warc.gz", pack(pages(60), "members"))
    memory.pipe("/crawl/x/.hidden/b.warc.gz", b"hidden")
    memory.pipe("/crawl/x/readme.txt", b"no archive")
    for path in ("memory://crawl/x", "memory://crawl/x/*.gz", "memory://crawl/x/a.warc.gz"):
        source = Warc(WarcSource(type="warc", paths=(path,)), "crawl")
        (task,) = source.tasks()
        assert [item.name for item in task.inputs] == ["a.warc.gz"]
        assert len(list(source.read(task, Ledger(), lambda done: None))) == 60
    with pytest.raises(UserError, match="nothing to read there"):
        find(["memory://nowhere"])
    with pytest.raises(UserError, match=r"cannot list|cannot open"):
        find(["nosuchprotocol://x"])


def test_trees_of_files_in_a_bucket(tmp_path: Path, endpoint: str) -> None:
    files = fsspec.filesystem("s3", **keys(endpoint))
    tree = {
        "a.py": b"print(1)\n",
        "x/b.py": b"print(2)\n",
        "x/c.txt": b"text\n",
        ".hidden/d.py": b"print(4)\n",
    }
    for name, data in tree.items():
        files.pipe(f"{BUCKET}/tree/{name}", data)
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(data)

    def documents(root: str) -> list[Document]:
        options = {"type": "files", "roots": [root], "storage_options": keys(endpoint), "transfer": QUICK}
        source = Files(FilesSource.model_validate(options), "code")
        return [doc for task in source.tasks() for doc in source.read(task, Ledger(), lambda done: None)]

    remote_ones, local_ones = documents(f"s3://{BUCKET}/tree"), documents(str(tmp_path / "tree"))
    assert len(local_ones) == 4
    assert [(d.id, d.text, d.metadata) for d in remote_ones] == [
        (d.id, d.text, d.metadata) for d in local_ones
    ]

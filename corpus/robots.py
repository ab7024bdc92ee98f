"""Collecting robots.txt files from web archives into one table, for the annotator `opt_out`.

Common Crawl keeps the answers to its requests for robots.txt in archives of their own (`robotstxt.paths.gz`
of a crawl); other crawlers put them among the pages. Each archive becomes a file of rows, so that an
interrupted collection goes on; then the rows are sorted on disk, and of the answers of one scheme and host
the newest stays that says anything."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.inputs import Input, find, stamps_digest
from corpus.ledger import TRANSIENT, Ledger
from corpus.manifest import CommonCrawlSource, WarcSource
from corpus.sources.arc import FramedArc
from corpus.sources.base import Task, Unusable, clean
from corpus.sources.common_crawl import CommonCrawl
from corpus.sources.framing import Framed
from corpus.sources.warc import Met, Warc, fetched_at, is_archive, parse, payload
from filters.robots import DIGEST, SCHEMA
from filters.urls import parse_url
from gristmill.base.atomic import atomic_path, atomic_write, sweep
from gristmill.base.digest import canonical_json
from gristmill.base.progress import Progress, Silent
from gristmill.base.workers import worker_pool

MAX_BYTES = 500 << 10
"""RFC 9309, section 2.5: crawlers must read at least 500 kibibytes."""
MEMORY_LIMIT = "1GB"
ROW_GROUP_ROWS, ROW_GROUP_BYTES = 2048, 2 << 20
"""What a look-up reads at a time."""


@dataclass(frozen=True, slots=True)
class RobotsSummary:
    """What was collected."""

    output: str
    archives: int
    records: int
    """Answers in the archives."""
    hosts: int
    """Rows of the table: pairs of scheme and host."""
    reused: int = 0
    """Archives that an interrupted collection had read."""
    incomplete: list[list[str]] = field(default_factory=list)
    """Archives that could not be read to their end: name, reason, detail."""

    @property
    def exit_code(self) -> int:
        """1 if an archive could not be read to its end, else 0."""
        return 1 if self.incomplete else 0


def collect(
    archives: Sequence[str],
    output: str | Path,
    *,
    base_url: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> RobotsSummary:
    """Collect robots.txt files into a table at `output`; the same command goes on where it was interrupted.

    Args:
        archives: archives, folders, patterns or URLs, and names of crawls of Common Crawl.
        output: the table, a Parquet file.
        base_url: where crawls lie, as in a manifest's `source.base_url`.
        workers: processes that read.
        progress: where to show it.

    Raises UserError for paths with nothing to read, and crawls that are not there.
    """
    progress = progress or Silent()
    output = Path(output)
    work = output.with_name(f".{output.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    sweep(work)
    inputs = _inputs(archives, base_url, work)
    done, reused = _read_all(inputs, work, workers, progress)
    files = [work / f"{name}.parquet" for name in done]
    hosts = _merge(files, output, work)
    incomplete = [lost for about in done.values() for lost in about["incomplete"]]
    summary = RobotsSummary(
        str(output), len(inputs), sum(about["records"] for about in done.values()), hosts, reused, incomplete
    )
    if not any(reason in TRANSIENT for _, reason, _ in incomplete):
        shutil.rmtree(work, ignore_errors=True)
    return summary


def _inputs(archives: Sequence[str], base_url: str | None, work: Path) -> list[Input]:
    """All archives, those of crawls by the crawls' own lists."""
    paths = [path for path in archives if not path.startswith("CC-MAIN-")]
    found = find(paths, wanted=is_archive, where="archives") if paths else []
    names = [name for name in archives if name.startswith("CC-MAIN-")]
    if names:
        options = {"type": "common_crawl", "crawls": names, **({"base_url": base_url} if base_url else {})}
        crawl = CommonCrawl(CommonCrawlSource.model_validate(options), "robots", work)
        found += [
            Input(path, crawl.address(path), None)
            for name in names
            for path in crawl.listing(name, "robotstxt")
        ]
    return found


def _read_all(
    inputs: Sequence[Input], work: Path, workers: int, progress: Progress
) -> tuple[dict[str, dict[str, Any]], int]:
    """Read the archives that were not; what was found in each, by the name of its file of rows."""
    names = {
        hashlib.sha256(f"{item.name}\0{stamps_digest([item])}".encode()).hexdigest()[:32]: item
        for item in inputs
    }
    done = {
        name: json.loads((work / f"{name}.json").read_bytes())
        for name in names
        if (work / f"{name}.json").is_file()
    }
    done = {
        name: about
        for name, about in done.items()
        if not any(lost[1] in TRANSIENT for lost in about["incomplete"])
    }
    reused = len(done)
    bar = progress.task("robots.txt", total=len(names), unit="archives", done=reused)
    waiting = [(name, item) for name, item in names.items() if name not in done]
    try:
        if workers == 1:
            for name, item in waiting:
                done[name] = read_archive(item, work / name)
                bar.advance()
        else:
            with worker_pool(workers) as pool:
                jobs = {pool.submit(read_archive, item, work / name): name for name, item in waiting}
                for job in as_completed(jobs):
                    done[jobs[job]] = job.result()
                    bar.advance()
    finally:
        bar.close()
    return {name: done[name] for name in names}, reused


def read_archive(item: Input, target: Path) -> dict[str, Any]:
    """Rows of an archive into `target`.parquet, and what became of it into `target`.json, which is
    returned."""
    archive = _Archive(item)
    ledger = Ledger()
    rows = archive.answers(item, ledger)
    with atomic_path(target.with_suffix(".parquet")) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), temporary, compression="zstd")
    about = {
        "records": len(rows),
        "incomplete": [[lost.input, lost.reason, lost.detail] for lost in ledger.incomplete],
    }
    atomic_write(target.with_suffix(".json"), canonical_json(about))
    return about


class _Archive(Warc):
    """An archive of which only the answers to requests for robots.txt are wanted: no engine is loaded."""

    def __init__(self, item: Input) -> None:
        self.options, self.name = WarcSource(type="warc", paths=(item.path,)), "robots"

    def answers(self, item: Input, ledger: Ledger) -> list[dict[str, Any]]:
        """Rows of the table."""
        self.rows: list[dict[str, Any]] = []
        for tell, _ in self._records(Task((item,), size=item.size), ledger, lambda done: None):
            assert callable(tell)
            tell()
        return self.rows

    def record(self, found: Framed | FramedArc, item: Input, ledger: Ledger) -> Met | None:
        """Take a record's row, if it is such an answer; never a page."""
        data = found.as_warc() if isinstance(found, FramedArc) else found.data
        # Most records of an archive of pages need not be parsed.
        if b"/robots.txt" not in data[:8192]:
            return None
        try:
            record = parse(data)
        except Unusable:
            return None
        address = (record.headers.get("WARC-Target-URI") or "").strip("<>")
        url = parse_url(address)
        if record.headers.get("WARC-Type") != "response" or url is None or url.path != "/robots.txt":
            return None
        body, record, _ = payload(record, data, MAX_BYTES)
        status = record.http_headers.status_code
        location = record.http_headers.get("Location") if status is not None and 300 <= status < 400 else None
        self.rows.append(
            {
                "host": url.authority,
                "scheme": url.scheme,
                "status": status,
                "location": clean(urljoin(address, location.strip())) if location else None,
                "body": _text(body) if status == 200 else None,
                "fetched_at": fetched_at(record.headers.get("WARC-Date")),
            }
        )
        return None


def _text(body: bytes) -> str:
    """A robots.txt as text (RFC 9309: UTF-8); nothing of a page that was sent in its place."""
    text = body[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff").replace("\0", "\ufffd")
    return "" if text.lstrip().startswith("<") else text


def _merge(files: Sequence[Path], output: Path, work: Path) -> int:
    """Sort rows of all files into the table, one a scheme and host; returns how many there are."""
    config: dict[str, Any] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(work / "sort"),
        "threads": 1,
    }
    digest = hashlib.sha256()
    count = 0
    with duckdb.connect(config=config) as database, atomic_path(output) as temporary:
        rows = database.sql(
            f"SELECT {', '.join(SCHEMA.names)} FROM read_parquet($files) ORDER BY host, scheme, "
            "coalesce(status >= 500 OR status = 429, true), fetched_at DESC NULLS LAST, "
            "status, body, location",
            params={"files": [str(file) for file in files]},
        )
        batches = cast(Any, rows.to_arrow_reader(ROW_GROUP_ROWS))
        with pq.ParquetWriter(
            temporary,
            SCHEMA,
            compression="zstd",
            use_dictionary=["scheme", "status"],
            write_statistics=["host", "scheme"],
        ) as writer:
            for group in _groups(_first_of_each(batches)):
                for row in group.to_pylist():
                    digest.update(repr(tuple(row.values())).encode())
                writer.write_table(group, row_group_size=len(group))
                count += len(group)
            writer.add_key_value_metadata({DIGEST: digest.hexdigest()})
    return count


def _first_of_each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Of rows in order, the first of each pair of host and scheme."""
    last = (None, None)
    for batch in batches:
        table = pa.Table.from_batches([batch]).cast(SCHEMA)
        keys = list(zip(table["host"].to_pylist(), table["scheme"].to_pylist(), strict=True))
        new = [key != before for key, before in zip(keys, [last, *keys], strict=False)]
        last = keys[-1] if keys else last
        yield table.filter(pa.array(new))


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables that end at ROW_GROUP_ROWS rows or ROW_GROUP_BYTES of bodies."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        start = 0
        for at, length in enumerate(pc.binary_length(table["body"]).fill_null(0).to_pylist(), 1):
            rows, size = rows + 1, size + length
            if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
                yield pa.concat_tables([*waiting, table.slice(start, at - start)]).combine_chunks()
                waiting, start, rows, size = [], at, 0, 0
        waiting.append(table.slice(start))
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()

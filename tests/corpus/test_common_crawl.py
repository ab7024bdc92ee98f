"""Crawls by name, over a server with the layout of data.commoncrawl.org and every fault that we could
think of."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from corpus.build import build
from corpus.executors import LOGS
from corpus.manifest import CommonCrawlSource, CorpusManifest
from corpus.plan import make_plan, outlook
from corpus.sources.common_crawl import CommonCrawl
from corpus.sources.crawl_index import ISO_639_3
from corpus.sources.ranges import MOST_BYTES, stretches
from gristmill.base.errors import UserError
from tests.corpus.crawl_server import (
    CRAWL,
    Asked,
    CrawlServer,
    SeededPlan,
    index_rows,
    lay_out,
    made_archive,
    made_wet,
    serving,
)
from tests.corpus.stores import contents
from tests.corpus.test_watch import Recorder

QUICK: dict[str, Any] = {
    "first_pause_seconds": 0.001,
    "longest_pause_seconds": 0.004,
    "requests_per_second": None,
}
LOOKUP: dict[str, Any] = {"domains": ["mill.example"], "languages": ["de"]}
WAYS: dict[str, dict[str, Any]] = {
    "warc": {},
    "wet": {"kind": "wet"},
    "lookup": {"lookup": LOOKUP, "gap_bytes": 500, "records_per_part": 7},
}


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("crawl")
    return lay_out(root, [made_archive(n, 40) for n in range(3)], [made_wet(n, 20) for n in range(2)])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, crawl: Path) -> dict[str, Path]:
    """What undisturbed builds from the local folder make."""
    folder = tmp_path_factory.mktemp("stores")
    for way, options in WAYS.items():
        build(wanted(folder / way, str(crawl), **options))
    return {way: folder / way for way in WAYS}


def wanted(output: Path, base: str, *, workers: int = 1, **source: Any) -> CorpusManifest:
    transfer = {**QUICK, **source.pop("transfer", {})}
    return CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "crawl",
            "output": str(output),
            "source": {
                "type": "common_crawl",
                "crawls": [CRAWL],
                "base_url": base,
                "transfer": transfer,
                **source,
            },
            "annotators": ["stats"],
            "executor": {"type": "local", "workers": workers},
        }
    )


def documents(store: Path) -> dict[str, dict[str, Any]]:
    rows = pa.concat_tables(
        pq.read_table(file) for file in sorted(store.glob("documents/*.parquet"))
    ).to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def archives(crawl: Path, kind: str = "warc") -> list[str]:
    return gzip.decompress((crawl / f"crawl-data/{CRAWL}/{kind}.paths.gz").read_bytes()).decode().split()


def all_rows(crawl: Path) -> list[dict[str, Any]]:
    return [row for path in archives(crawl) for row in index_rows(path, (crawl / path).read_bytes())]


@pytest.mark.parametrize("way", WAYS)
def test_the_store_does_not_depend_on_where_the_crawl_lies(
    tmp_path: Path, crawl: Path, stores: dict[str, Path], way: str
) -> None:
    with serving(crawl) as server:
        summary = build(wanted(tmp_path / "s", server.url.rstrip("/"), workers=2, **WAYS[way]))
    assert (summary.exit_code, summary.dropped) == (0, {})
    assert contents(tmp_path / "s") == contents(stores[way])
    assert summary.documents == {"warc": 120, "wet": 40, "lookup": 24}[way]


def test_pages_are_those_of_the_plain_source(tmp_path: Path, crawl: Path, stores: dict[str, Path]) -> None:
    plain = wanted(tmp_path / "s", str(crawl)).model_dump()
    plain["source"] = {"type": "warc", "paths": [str(crawl / path) for path in archives(crawl)]}
    build(CorpusManifest.model_validate(plain))
    whole = documents(stores["warc"])
    assert documents(tmp_path / "s") == whole
    some = documents(stores["lookup"])
    assert {key: whole[key] for key in some} == some


@pytest.mark.parametrize(
    ("lookup", "chosen"),
    [
        ({"domains": ["Mill.example"]}, lambda row: row["url_host_registered_domain"] == "mill.example"),
        ({"domains": ["mill.example", "molen.nl"]}, lambda row: row["url_host_tld"] in ("example", "nl")),
        ({"hosts": ["mill.example"]}, lambda row: row["url_host_name"] == "mill.example"),
        ({"tlds": ["de", ".nl"]}, lambda row: row["url_host_tld"] in ("de", "nl")),
        ({"languages": ["de"]}, lambda row: row["content_languages"].startswith("deu")),
        ({"languages": ["deu", "nl"]}, lambda row: row["content_languages"][:3] in ("deu", "nld")),
        ({"mime_types": ["text/plain"]}, lambda row: row["content_mime_detected"] == "text/plain"),
        ({"statuses": [200], "hosts": ["molen.nl"]}, lambda row: row["url_host_name"] == "molen.nl"),
        ({"where": "url_path LIKE '/1/%' -- first"}, lambda row: row["url_path"].startswith("/1/")),
        (
            {"tlds": ["example"], "languages": ["de"], "where": "url_path > '/1' OR url_path < '/0'"},
            lambda row: (
                row["url_host_name"] == "blog.mill.example" and row["url_path"] > "/1"
            ),
        ),
    ],
)  # fmt: skip
def test_look_ups(
    tmp_path: Path,
    crawl: Path,
    stores: dict[str, Path],
    lookup: dict[str, Any],
    chosen: Callable[[dict[str, Any]], bool],
) -> None:
    build(wanted(tmp_path / "s", str(crawl), lookup=lookup))
    expected = {row["url"] for row in all_rows(crawl) if chosen(row)}
    found = documents(tmp_path / "s")
    assert {row["url"] for row in found.values()} == expected
    whole = documents(stores["warc"])
    assert {key: whole[key] for key in found} == found


def test_nothing_is_asked_for_that_is_not_needed(tmp_path: Path, crawl: Path) -> None:
    """Row groups are left out by their statistics, other subsets by their names, and archives but for the
    records."""
    wide = tmp_path / "wide"
    lay_out(wide, [made_archive(0, 400)], index_files=1)
    table = wide / f"cc-index/table/cc-main/warc/crawl={CRAWL}/subset=warc/part-00000.c000.gz.parquet"
    rows = pq.read_table(table).to_pylist()
    for number, row in enumerate(rows):
        # An index of a size that matters: text that does not compress.
        row["url_surtkey"] += random.Random(number).randbytes(12_000).hex()
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(table)), table, row_group_size=40)
    with serving(wide) as server:
        build(wanted(tmp_path / "s", server.url, lookup={"hosts": ["molen.nl"]}))
        index = [asked for asked in server.asked if asked.path.endswith("parquet")]
        archive = [asked for asked in server.asked if asked.path.endswith("warc.gz")]
    assert not [asked for asked in server.asked if "robotstxt" in asked.path]
    size = table.stat().st_size
    assert size > 8 << 20
    fetched = sum(_length(asked) for asked in index)
    assert fetched < size / 2
    # 80 records with 4 others between each two: in one request, by default.
    assert len(archive) == 1
    assert len(documents(tmp_path / "s")) == 80


def _length(asked: Asked) -> int:
    if asked.range is None:
        return 0
    low, _, high = asked.range.removeprefix("bytes=").partition("-")
    return int(high) + 1 - int(low)


def test_stretches() -> None:
    records = [
        ("a", 0, 10),
        ("a", 15, 10),
        ("a", 26, 4),
        ("b", 31, 5),
        ("b", 33, 9),
        ("b", MOST_BYTES + 40, 1),
    ]
    joined = list(stretches(records, 5))
    assert [(s.file, s.start, s.stop, len(s.records)) for s in joined] == [
        ("a", 0, 30, 3),
        ("b", 31, 42, 2),
        ("b", MOST_BYTES + 40, MOST_BYTES + 41, 1),
    ]
    assert len(list(stretches(records, 0))) == 5
    huge = [("a", 0, 2 * MOST_BYTES), ("a", 2 * MOST_BYTES, 10)]
    assert [s.stop - s.start for s in stretches(huge, 1 << 40)] == [2 * MOST_BYTES, 10]


@pytest.mark.parametrize(
    ("way", "seed"), [(way, seed) for way in WAYS for seed in range(8 if way == "warc" else 3)]
)
def test_faults_leave_no_trace(
    tmp_path: Path, crawl: Path, stores: dict[str, Path], way: str, seed: int
) -> None:
    """Any plan of faults that ends some time gives the store that no faults give, byte for byte."""
    plan = SeededPlan(seed)
    with serving(crawl, plan) as server:
        summary = build(wanted(tmp_path / "s", server.url, **WAYS[way]))
    assert plan.happened
    assert (summary.exit_code, summary.incomplete) == (0, [])
    assert contents(tmp_path / "s") == contents(stores[way])


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_many_faults_leave_no_trace(tmp_path: Path, crawl: Path, stores: dict[str, Path], way: str) -> None:
    for seed in range(100, 160):
        with serving(crawl, SeededPlan(seed, share=0.8, most=8)) as server:
            build(wanted(tmp_path / f"s{seed}", server.url, workers=1 + seed % 2, **WAYS[way]))
        assert contents(tmp_path / f"s{seed}") == contents(stores[way]), seed


def refuses(part: str) -> Callable[[Asked], str | None]:
    """A server that has had enough, as far as one path is concerned."""
    return lambda asked: "503:0" if part in asked.path else None


@pytest.mark.parametrize("way", ["warc", "lookup"])
def test_giving_up_and_going_on(tmp_path: Path, crawl: Path, stores: dict[str, Path], way: str) -> None:
    """What could be read is kept, the rest is named, and the same command makes it good."""
    whole = documents(stores[way])
    with serving(crawl, refuses("00001.warc.gz")) as server:
        manifest = wanted(tmp_path / "s", server.url, transfer={"tries": 2}, **WAYS[way])
        summary = build(manifest)
        assert summary.exit_code == 1
        names = {name.rpartition("-")[2] for name, _, _ in summary.incomplete}
        assert names == {"00001.warc.gz"}
        assert {reason for _, reason, _ in summary.incomplete} <= {"cannot_open", "connection_lost"}
        kept = documents(tmp_path / "s")
        assert kept == {key: row for key, row in whole.items() if "00001" not in row["warc_file"][-20:]}
        if way == "lookup":
            assert summary.dropped == {"read:not_fetched": len(whole) - len(kept)}
            assert summary.records == len(whole)
        # The server is still not in the mood.
        assert build(manifest).exit_code == 1
        server.plan = lambda asked: None
        before = len(server.asked)
        again = build(manifest)
        assert (again.exit_code, again.reused) == (0, False)
        asked = {a.path for a in server.asked[before:] if a.method == "GET"}
        assert all("00001.warc.gz" in path or way == "lookup" for path in asked)
    assert contents(tmp_path / "s") == contents(stores[way])
    # Now that all is there nothing is asked for: the server is gone, and nobody notices.
    last = build(manifest)
    assert (last.reused, last.exit_code) == (True, 0)


def test_a_plain_archive_behind_a_server_that_is_back(tmp_path: Path, crawl: Path) -> None:
    """Also where not even its size could be told when the store was built."""
    (path, *_) = archives(crawl)
    with serving(crawl, lambda asked: "503:0") as server:
        plain = wanted(tmp_path / "s", "").model_dump()
        plain["source"] = {"type": "warc", "paths": [server.url + path], "transfer": {**QUICK, "tries": 2}}
        manifest = CorpusManifest.model_validate(plain)
        assert build(manifest).exit_code == 1
        server.plan = lambda asked: None
        assert build(manifest).exit_code == 0
    assert len(documents(tmp_path / "s")) == 40


def test_an_interrupted_look_up_goes_on(tmp_path: Path, crawl: Path, stores: dict[str, Path]) -> None:
    with serving(crawl, refuses("part-00002")) as server:
        manifest = wanted(tmp_path / "s", server.url, transfer={"tries": 2, "parallel": 1}, **WAYS["lookup"])
        with pytest.raises(UserError, match=r"part-00002.*cannot read the index.*goes on where it stopped"):
            build(manifest)
        server.plan = lambda asked: None
        before = len(server.asked)
        build(manifest)
        index = {asked.path[-25:] for asked in server.asked[before:] if asked.path.endswith("parquet")}
        assert index == {"part-00002.c000.gz.parquet"[-25:]}
    assert contents(tmp_path / "s") == contents(stores["lookup"])


def test_an_index_that_lies(tmp_path: Path, crawl: Path, stores: dict[str, Path]) -> None:
    """Wrong offsets and lengths cost those records, and are told."""
    root = tmp_path / "crawl"
    shutil.copytree(crawl, root)
    (table, *_) = sorted(root.glob("cc-index/**/subset=warc/part-00000*"))
    rows = pq.read_table(table).to_pylist()
    end = (root / rows[3]["warc_filename"]).stat().st_size
    rows[0]["warc_record_offset"] += 1
    rows[1]["warc_record_length"] //= 2
    rows[2]["warc_record_length"] = 0
    rows[3]["warc_record_offset"] = end + 1000
    rows.append(rows[4])
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(table)), table)
    summary = build(wanted(tmp_path / "s", str(root), lookup={}, gap_bytes=0))
    whole = documents(stores["warc"])
    assert summary.exit_code == 0
    assert sum(summary.dropped.values()) == 4
    assert summary.dropped["read:bad_range"] == 1
    assert summary.records == 120
    found = documents(tmp_path / "s")
    assert len(found) == 116
    assert {key: whole[key] for key in found} == found


def choose(crawl: Path, **options: Any) -> list[str]:
    source = CommonCrawlSource.model_validate(
        {"type": "common_crawl", "crawls": [CRAWL], "base_url": str(crawl), **options}
    )
    cache = crawl.parent / "cache" / str(time.monotonic_ns())
    return [task.inputs[0].name for task in CommonCrawl(source, "x", cache).tasks()]


def test_choosing_archives(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "crawl", [made_archive(n, 1) for n in range(12)])
    lay_out(root, [made_archive(n, 1) for n in range(5)], crawl="CC-MAIN-2024-38")
    listed = archives(root)
    assert choose(root) == listed
    assert choose(root, archives={"first": 3}) == listed[:3]
    assert choose(root, archives={"first": 99}) == listed
    samples = [choose(root, archives={"sample": n, "seed": 1}) for n in range(1, 13)]
    for small, large in itertools.pairwise(samples):
        assert set(small) < set(large)
        assert large == [path for path in listed if path in large]
    assert choose(root, archives={"sample": 4, "seed": 2}) != samples[3]
    both = choose(root, crawls=[CRAWL, "CC-MAIN-2024-38"], archives={"first": 2})
    assert [path.split("/")[1] for path in both] == [CRAWL] * 2 + ["CC-MAIN-2024-38"] * 2


def test_a_sample_of_records(tmp_path: Path, crawl: Path) -> None:
    stores = []
    for n in (5, 20, 1000):
        build(wanted(tmp_path / f"s{n}", str(crawl), lookup={"tlds": ["example"], "sample": n, "seed": 3}))
        stores.append(set(documents(tmp_path / f"s{n}")))
    assert [len(store) for store in stores] == [5, 20, 72]
    assert stores[0] < stores[1] < stores[2]


def test_what_there_is_to_fetch_is_said_first(tmp_path: Path, crawl: Path) -> None:
    """Exactly by an index, and by the sizes of some archives otherwise."""
    with serving(crawl) as server:
        progress = Recorder()
        plan = make_plan(wanted(tmp_path / "l", server.url, **WAYS["lookup"]), progress)
        ahead = outlook(plan)
        rows = [row for row in all_rows(crawl) if row["url_host_name"] == "blog.mill.example"]
        assert (ahead.records, ahead.bytes) == (24, sum(row["warc_record_length"] for row in rows))
        assert (ahead.parts, ahead.estimated) == (4, False)
        assert (progress.tasks["index"].done, progress.tasks["index"].total) == (3, 3)
        assert not [asked for asked in server.asked if asked.path.endswith("warc.gz")]
        build(wanted(tmp_path / "l", server.url, **WAYS["lookup"]), progress)
        assert progress.notes == [f"crawl: {ahead}"]
        assert "24 records" in progress.notes[0]
        shown = progress.tasks["documents"]
        assert (shown.done, shown.total, shown.unit) == (ahead.bytes, ahead.bytes, "B")
        whole = outlook(make_plan(wanted(tmp_path / "w", server.url)))
        assert whole.bytes == sum((crawl / path).stat().st_size for path in archives(crawl))
        assert (whole.inputs, whole.records, whole.estimated) == (3, None, False)
    root = lay_out(tmp_path / "crawl", [made_archive(n % 2, 1 + n % 2) for n in range(40)])
    with serving(root) as server:
        many = outlook(make_plan(wanted(tmp_path / "m", server.url)))
        assert [asked.method for asked in server.asked].count("HEAD") == 8
        # Asked once, and not again by the build.
        before = len(server.asked)
        make_plan(wanted(tmp_path / "m", server.url))
        assert len(server.asked) == before
    assert many.estimated
    assert many.bytes is not None
    sizes = sum((root / path).stat().st_size for path in archives(root))
    assert abs(many.bytes - sizes) < sizes / 2


def test_the_command(tmp_path: Path, crawl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gristmill.cli.main import run_app

    file = tmp_path / "m.yaml"
    manifest = wanted(tmp_path / "s", str(crawl), **WAYS["lookup"])
    file.write_text(yaml.safe_dump(manifest.model_dump(mode="json", exclude_none=True)))
    assert run_app(["corpus", "plan", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["records"], said["parts"], said["estimated"]) == (24, 4, False)
    assert run_app(["corpus", "plan", str(file)]) == 0
    assert "24" in capsys.readouterr().out
    assert not (tmp_path / "s" / "documents").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"crawls": ["CC-MAIN-2099-01"]}, r"no crawl 'CC-MAIN-2099-01' .*commoncrawl.org"),
        ({"lookup": {"where": "url_hots_name = 'x'"}}, r'cannot look up.*url_hots_name'),
        ({"lookup": {"where": "url_path LIKE"}}, "no SQL condition"),
        ({"lookup": {"where": "true) OR (true"}}, "no SQL condition"),
        ({"lookup": {"where": "true; DROP TABLE x"}}, "no SQL condition"),
        ({"lookup": {"languages": ["german"]}}, "'german' is no language code"),
        ({"lookup": {"domains": ["nowhere.example"]}}, "knows no such record"),
        ({"base_url": "nosuchprotocol://x"}, "nosuchprotocol"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, crawl: Path, source: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(wanted(tmp_path / "s", str(crawl), **{"base_url": str(crawl), **source}))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"crawls": ["CC-2024-33"]}, "should match pattern"),
        ({"crawls": [CRAWL, CRAWL]}, "listed twice"),
        ({"kind": "wet", "lookup": {}}, "knows WARC records only"),
        ({"archives": {"first": 1}, "lookup": {}}, "one of `archives` and `lookup`"),
        ({"archives": {}}, "one of `first` and `sample`"),
        ({"archives": {"first": 1, "sample": 1}}, "one of `first` and `sample`"),
    ],
)
def test_manifests_that_make_no_sense(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        wanted(tmp_path, "x", **source)


def test_language_codes() -> None:
    assert len(ISO_639_3) == len(set(ISO_639_3.values()))
    assert (ISO_639_3["de"], ISO_639_3["zh"], ISO_639_3["ja"], ISO_639_3["sv"]) == (
        "deu",
        "zho",
        "jpn",
        "swe",
    )
    assert all(len(two) == 2 and len(three) == 3 for two, three in ISO_639_3.items())


def test_real_archives(tmp_path: Path, testdata: Path) -> None:
    """Records that Common Crawl and others wrote, whole and by range, with faults and without."""
    names = [
        "cc2024_whirlwind.warc.gz",
        "dolma_sample-0000.warc.gz",
        "dolma_sample-0001.warc.gz",
        "govuk_2014.warc.gz",
    ]
    warcs = [(testdata / "web" / "archives" / name).read_bytes() for name in names]
    wets = [(testdata / "web" / "archives" / "cc2024_whirlwind.warc.wet.gz").read_bytes()]
    root = lay_out(tmp_path / "crawl", warcs, wets)
    ways: dict[str, dict[str, Any]] = {
        "warc": {},
        "wet": {"kind": "wet"},
        "lookup": {"lookup": {"statuses": [200]}},
    }
    for way, options in ways.items():
        build(wanted(tmp_path / way, str(root), **options))
        with serving(root, SeededPlan(5, share=0.7)) as server:
            summary = build(wanted(tmp_path / f"{way}-faults", server.url, **options))
        assert contents(tmp_path / f"{way}-faults") == contents(tmp_path / way)
        assert summary.documents > 0
    whole, some = documents(tmp_path / "warc"), documents(tmp_path / "lookup")
    assert some == whole


COMMAND = [sys.executable, "-m", "gristmill.cli.main", "corpus", "build"]


@pytest.fixture(scope="module")
def long_crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("long")
    return lay_out(root, [made_archive(n, 60) for n in range(6)])


def kill_at_random(folder: Path, server: CrawlServer, kills: int, seed: int, **source: Any) -> None:
    """Kill the command, with all its workers, at random places, then let it end."""
    dice = random.Random(seed)
    store = folder / "store"
    file = folder / "m.yaml"
    done = 0
    while done <= kills:
        manifest = wanted(store, server.url, workers=dice.choice((1, 2)), **source)
        file.write_text(yaml.safe_dump(manifest.model_dump(mode="json", exclude_none=True)))
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen([*COMMAND, str(file)], start_new_session=True, stdout=log, stderr=log)
        if done == kills:
            assert process.wait() == 0, (folder / "log").read_text()
            return
        # Requests and files, not seconds, tell how far it is.
        requests, files = len(server.asked) + dice.randrange(1, 12), dice.randrange(40)
        while process.poll() is None and (
            len(server.asked) < requests and sum(len(found) for _, _, found in os.walk(store)) < files
        ):
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.05))
        if process.poll() is not None:
            shutil.rmtree(store, ignore_errors=True)
            continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done += 1


@pytest.mark.parametrize(
    ("kills", "way"),
    [(3, "warc"), *(pytest.param(10, way, marks=pytest.mark.slow) for way in ("warc", "lookup"))],
)
def test_kills_leave_no_trace(tmp_path: Path, long_crawl: Path, kills: int, way: str) -> None:
    """Killed again and again while a server misbehaves, the build ends in the store of an undisturbed
    one."""
    source: dict[str, Any] = (
        {} if way == "warc" else {"lookup": {"tlds": ["example", "de"]}, "records_per_part": 20}
    )
    build(wanted(tmp_path / "undisturbed", str(long_crawl), **source))
    with serving(long_crawl, SeededPlan(kills, share=0.3, most=3)) as server:
        kill_at_random(tmp_path, server, kills, seed=kills, **source)
    assert contents(tmp_path / "store") == contents(tmp_path / "undisturbed")
    logs = {path.name for path in (tmp_path / "store" / LOGS).iterdir()}
    assert "crawl" in logs


def test_iterators_are_closed(tmp_path: Path, crawl: Path) -> None:
    """Who stops reading in the middle leaves no threads and no connections behind."""
    import threading

    from corpus.ledger import Ledger

    with serving(crawl) as server:
        source = CommonCrawl(
            CommonCrawlSource.model_validate(
                {
                    "type": "common_crawl",
                    "crawls": [CRAWL],
                    "base_url": server.url,
                    "lookup": {},
                    "gap_bytes": 0,
                }
            ),
            "x",
            tmp_path,
        )
        (task,) = source.tasks()
        stream: Iterator[Any] = source.read(task, Ledger(), lambda done: None)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any("ThreadPool" in t.name for t in threading.enumerate()):
            time.sleep(0.01)
        assert not [t.name for t in threading.enumerate() if "ThreadPool" in t.name]

"""The whole path on real text: what the demonstration promises; a second call reuses everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.e2e.conftest import STEPS, Demo, gristmill


def test_counts_reconcile_from_page_to_token(demo: Demo) -> None:
    for name in ("web", "code"):
        corpus = demo.result["corpora"][name]
        assert corpus["documents"] > 300
        decided = corpus["dropped"].values()
        assert corpus["kept"] > 0
        assert corpus["kept"] < corpus["records"]
        assert sum(decided) + corpus["kept"] == corpus["records"]
    assert all(count > 200_000 for count in demo.result["tokens"].values())


def test_the_crawl_has_something_to_drop(demo: Demo) -> None:
    dropped = demo.result["corpora"]["web"]["dropped"]
    assert len(dropped) >= 3
    assert any("exact" in reason or "duplicate" in reason for reason in dropped)


def test_training_learns_more_than_word_counts(demo: Demo) -> None:
    training = demo.result["training"]
    assert training["steps"] == STEPS
    assert training["last_loss"] < demo.result["unigram"] - 0.4
    assert demo.result["completion"]["completion"].strip()


def test_a_second_call_reuses_everything_and_says_so(demo: Demo) -> None:
    assert demo.again["reused"] == ["code", "crawl", "tokenize", "train", "web"]
    for key in ("tokens", "lock_digest", "completion", "corpora"):
        again, first = demo.again[key], demo.result[key]
        if key == "corpora":
            keep = ("kept", "dropped", "documents")
            again, first = ([{k: c[k] for k in keep} for c in v.values()] for v in (again, first))
        if key == "completion":
            again, first = again["completion"], first["completion"]
        assert again == first
    assert sum(demo.again["seconds"].values()) < sum(demo.result["seconds"].values()) / 2


def test_trace_goes_both_ways(demo: Demo) -> None:
    done = gristmill("trace", "demo/run", "--step", "7", "--json", cwd=demo.folder)
    assert done.returncode == 0, done.stderr
    readings = json.loads(done.stdout)["documents"]
    assert readings
    reading = next(one for one in readings if one["source"] == "web")
    assert reading["page"]["url"].startswith("https://docs.example.org/")
    back = gristmill("trace", "demo/run", "--document", reading["document"], "--json", cwd=demo.folder)
    assert 7 in json.loads(back.stdout)["documents"][0]["steps"]
    domain = gristmill("trace", "demo/run", "--domain", "example.org", "--json", cwd=demo.folder)
    of_domain = {one["document"]: one["steps"] for one in json.loads(domain.stdout)["documents"]}
    assert 7 in of_domain[reading["document"]]


def test_a_policy_is_re_decided_without_reading_text(demo: Demo) -> None:
    decide = ("corpus", "decide", "demo/web", "--set", "policy.name=strict", "--set", "policy.rules=gopher")
    done = gristmill(*decide, "--json", cwd=demo.folder)
    assert done.returncode == 0, done.stderr
    files = str(demo.folder / "stores/web/decisions/strict/*.parquet")
    query = f"SELECT count(*) FILTER (keep), count(*) FROM '{files}'"
    kept, all_ = duckdb.connect().execute(query).fetchone() or (0, 0)
    assert 0 < kept < all_ == demo.result["corpora"]["web"]["documents"]


def test_stores_open_with_no_code_of_ours(demo: Demo) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra 'hub' is not installed")
    pandas = pytest.importorskip("pandas")
    files = str(demo.folder / "stores/web/documents/*.parquet")
    rows = duckdb.connect().execute(f"SELECT count(*) FROM '{files}'").fetchone()
    loaded = datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(demo.folder / "hf-cache")
    )
    frame = pandas.concat(pandas.read_parquet(path) for path in sorted(Path(files).parent.glob("*.parquet")))
    assert rows is not None
    assert len(loaded) == len(frame) == rows[0] == demo.result["corpora"]["web"]["documents"]
    assert {"id", "text", "url", "license", "metadata"} <= set(loaded.column_names)


def test_a_lock_whose_store_changed_is_refused(demo: Demo, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(demo.folder), str(copy)], check=True)
    lock = copy / "mixture" / "mixture.lock.json"
    token_store = next(copy.glob("mixture/stores/code-*/store.json"))
    token_store.write_text(token_store.read_text().replace('"tokens":', '"tokens": ', 1))
    done = gristmill("train", "demo/run", "--set", "output=runs/other", cwd=copy)
    assert done.returncode == 2
    digest = json.loads(lock.read_text())["sources"]["code"]["store"]["sha256"]
    assert f"changed under the lock: locked {digest}, found " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_crawl_is_the_same_on_every_run(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "gristmill.demo.crawl"]
    for name in ("a", "b"):
        subprocess.run([*command, str(tmp_path / name)], check=True, env=environment, capture_output=True)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()

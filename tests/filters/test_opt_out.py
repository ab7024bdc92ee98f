"""What owners say: headers, meta elements, robots.txt; and that the shipped rules honour it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.annotators.opt_out import OptOut
from filters.base import annotate_texts
from filters.decide import bind
from filters.registry import known_columns
from filters.robots import SCHEMA, Robots, RobotsTable, disallowed, training_refused
from filters.rules import load_ruleset
from filters.urls import parse_url
from gristmill.base.errors import UserError

URL = "https://example.com/a/page"


def annotate(documents: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    (table,) = annotate_texts([OptOut(**options)], [""] * len(documents), documents).values()
    rows = table.to_pylist()
    return [{name.partition(".")[2]: value for name, value in row.items()} for row in rows]


def said(**fields: Any) -> set[str]:
    """Which of the flags are true."""
    (row,) = annotate([{"url": URL, **fields}])
    return {name for name, value in row.items() if value is True}


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        ("", set()),
        ("noai", {"noai"}),
        ("NoAI, noimageai", {"noai", "noimageai"}),
        ("noindex", {"noindex"}),
        ("none", {"noindex"}),
        ("index, follow, max-snippet:-1, max-image-preview:large", set()),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noai", {"noai"}),
        ("googlebot: noindex, noai", set()),
        ("CCBot: noindex", {"noindex"}),
        ("gptbot: noai, nofollow", {"noai"}),
        ("otherbot: noindex, nofollow, GPTBot: noai", {"noai"}),
        ("otherbot: noindex\nnoai", {"noai"}),
        ("*: noai", {"noai"}),
        ("noairport", set()),
    ],
)
def test_robots_headers(header: str, flags: set[str]) -> None:
    assert said(http={"x-robots-tag": header}) == flags


@pytest.mark.parametrize(
    ("robots", "flags"),
    [
        ({"robots": "noai,noimageai"}, {"noai", "noimageai"}),
        ({"robots": "index; NOAI"}, {"noai"}),
        ({"googlebot": "noindex"}, set()),
        ({"CCBot": "noindex"}, {"noindex"}),
        ({"google-extended": "none", "robots": "all"}, {"noindex"}),
        ({"robots": 5}, set()),
        ("noai", set()),
    ],
)
def test_robots_meta_elements(robots: Any, flags: set[str]) -> None:
    assert said(page={"robots": robots}) == flags


@pytest.mark.parametrize(
    ("http", "tdm", "expected", "policy"),
    [
        ({"tdm-reservation": "1"}, {}, {"tdm"}, None),
        ({"tdm-reservation": "0", "tdm-policy": "https://a.b/p"}, {}, set(), None),
        ({"tdm-reservation": "1", "tdm-policy": "https://a.b/p"}, {"policy": "x"}, {"tdm"}, "https://a.b/p"),
        ({}, {"reservation": "1", "policy": "https://a.b/p"}, {"tdm"}, "https://a.b/p"),
        ({"tdm-reservation": "0"}, {"reservation": "1"}, {"tdm"}, None),
        ({"tdm-reservation": "2"}, {"reservation": "yes"}, set(), None),
        ({"content-usage": "train-ai=n"}, {}, {"no_training"}, None),
        ({"content-usage": "bots=y, train-ai=y"}, {}, set(), None),
        ({"content-signal": "search=yes, ai-train=no"}, {}, {"no_training"}, None),
        ({"content-signal": "ai-train=yes, ai-input=no"}, {}, set(), None),
    ],
)
def test_reservations_and_preferences(http: Any, tdm: Any, expected: set[str], policy: str | None) -> None:
    document = {"url": URL, "http": http, "page": {"tdm": tdm}}
    (row,) = annotate([document])
    assert said(**document) == expected
    assert row["tdm_policy"] == policy


def test_documents_without_an_address_have_no_owner_to_ask() -> None:
    rows = annotate([{}, {"url": None}, {"url": "urn:x"}, {"http": {"x-robots-tag": "noai"}}])
    assert all(value is None for row in rows for value in row.values())


def table(path: Path, rows: list[dict[str, Any]], rows_per_group: int = 2) -> Path:
    blank = {"status": 200, "location": None, "body": "", "fetched_at": datetime(2024, 5, 1)}
    rows = sorted(
        ({"scheme": "https", **blank, **row} for row in rows), key=lambda row: (row["host"], row["scheme"])
    )
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, row_group_size=rows_per_group)
    return path


NO_TRAINING = "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n\nUser-agent: *\nDisallow: /private\n"


def test_robots_txt_is_asked_for_each_address(tmp_path: Path) -> None:
    path = table(
        tmp_path / "robots.parquet",
        [
            {"host": "a.example", "body": NO_TRAINING},
            {"host": "b.example", "scheme": "http", "body": "User-agent: *\nDisallow: /x"},
            {"host": "c.example", "status": 404},
            {"host": "d.example", "status": 503},
            {"host": "e.example", "status": 301, "location": "https://a.example/robots.txt"},
            {"host": "f.example", "status": 302, "location": "https://f.example/login"},
            {"host": "g.example:8443", "body": "User-agent: *\nDisallow: /"},
            {"host": "h.example", "status": 301, "location": "https://h.example/robots.txt"},
            {"host": "i.example", "body": "User-Agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /"},
            *({"host": f"x{number}.example", "body": "User-agent: *\nDisallow:"} for number in range(20)),
        ],
    )
    everybody = ",".join(OptOut().agents)
    expected = {
        "https://a.example/": (True, "CCBot,GPTBot", False),
        "http://a.example/other": (True, "CCBot,GPTBot", False),
        "https://a.example/private/1": (True, everybody, False),
        "https://b.example/": (False, "", False),
        "https://b.example/x": (True, everybody, False),
        "https://c.example/": (False, "", False),
        "https://d.example/": (None, None, False),
        "https://e.example/": (True, "CCBot,GPTBot", False),
        "https://f.example/": (None, None, False),
        "https://g.example:8443/": (True, everybody, False),
        "https://g.example/": (None, None, False),
        "https://h.example/": (None, None, False),
        "https://i.example/": (False, "", True),
        "https://x7.example/": (False, "", False),
        "https://unknown.example/": (None, None, False),
    }
    rows = annotate([{"url": url} for url in expected], robots=path)
    found = {
        url: (row["robots"], row["robots_agents"], row["no_training"])
        for url, row in zip(expected, rows, strict=True)
    }
    assert found == expected
    alone = [annotate([{"url": url}], robots=path)[0] for url in expected]
    assert alone == rows


def test_only_the_agents_that_are_asked_for_count(tmp_path: Path) -> None:
    path = table(tmp_path / "robots.parquet", [{"host": "a.example", "body": NO_TRAINING}])
    (row,) = annotate([{"url": "https://a.example/"}], robots=path, agents=["ClaudeBot"])
    assert (row["robots"], row["robots_agents"]) == (False, "")
    (row,) = annotate([{"url": URL, "http": {"x-robots-tag": "ccbot: noai"}}], agents=["MyBot"])
    assert row["noai"] is False
    with pytest.raises(UserError, match="not the name of a crawler"):
        OptOut(agents=["a b"])


@pytest.mark.parametrize(
    ("body", "path", "refused"),
    [
        ("User-agent: *\nContent-Usage: train-ai=n", "/a", True),
        ("User-agent: *\nAllow: /\nContent-Usage: bots=y, train-ai=n", "/a", True),
        ("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /docs/ train-ai=y", "/docs/a", False),
        ("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /docs/ train-ai=y", "/a", True),
        ("User-agent: *\nContent-Usage: /api/ train-ai=n", "/docs", False),
        ("User-agent: otherbot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", "/a", False),
        ("User-agent: otherbot\nUser-agent: CCBot\nContent-Signal: ai-train=no", "/a", True),
        ("User-agent: CCBot\nAllow: /\nUser-agent: otherbot\nContent-Signal: ai-train=no", "/a", False),
        ("# User-agent: *\n# Content-Signal: ai-train=no", "/a", False),
        ("Content-Signal: ai-train=no", "/a", False),
    ],
)
def test_usage_preferences_in_robots_txt(body: str, path: str, refused: bool) -> None:
    assert training_refused(body, path, ("CCBot",)) is refused


@pytest.mark.parametrize(
    "body", ["", "\x00" * 100, "User-agent: *\nDisallow: " + "*" * 5000, "a:b\n" * 50_000, "\ud800"]
)
def test_hostile_robots_txt_bars_nobody_and_harms_nobody(body: str) -> None:
    assert disallowed(Robots(200, None, body), "https://example.com/page", ("CCBot",)) in ([], ["CCBot"])


def test_few_row_groups_are_held_and_every_host_is_found(tmp_path: Path) -> None:
    hosts = [f"h{number:04}.example" for number in range(1000)]
    path = table(
        tmp_path / "robots.parquet", [{"host": host, "body": host} for host in hosts], rows_per_group=7
    )
    robots = RobotsTable(path)
    for host in reversed(hosts):
        assert robots.find([(host, "https"), (f"{host}x", "https")]) == {
            (host, "https"): Robots(200, None, host)
        }
        assert len(robots._held) <= 16
    answers = robots.answers([parse_url(f"https://{host}/") for host in hosts])
    assert [answer.body if answer else None for answer in answers] == hosts


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "y.parquet")
    for name in ("nowhere", "x"):
        with pytest.raises(UserError, match=r"cannot read the table of robots\.txt"):
            OptOut(robots=tmp_path / f"{name}.parquet")
    with pytest.raises(UserError, match="not a table of robots"):
        annotate([{"url": URL}], robots=tmp_path / "y.parquet")


def test_the_shipped_rules_honour_what_was_said() -> None:
    rules = bind(load_ruleset("opt-out"), known_columns())
    documents: list[dict[str, Any]] = [
        {"url": URL},
        {"url": URL, "http": {"x-robots-tag": "noai"}},
        {"url": URL, "page": {"tdm": {"reservation": "1"}}},
        {"url": URL, "http": {"content-usage": "train-ai=n"}},
        {"url": URL, "page": {"robots": {"robots": "noindex, follow"}}},
        {"url": URL, "page": {"robots": {"robots": "noimageai"}}},
        {},
    ]
    (columns,) = annotate_texts([OptOut()], [""] * len(documents), documents).values()
    columns = columns.append_column("id", pa.array([str(number) for number in range(len(documents))]))
    reasons = [decision["reason"] for decision in rules.decide(columns).to_pylist()]
    assert reasons == [
        None,
        "opt_out_noai",
        "opt_out_tdm",
        "opt_out_no_training",
        "opt_out_noindex",
        None,
        None,
    ]

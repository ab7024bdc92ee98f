"""Documents of one address: joined by its key, however the address is written; nothing is said of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filters.dedup.base import Job
from filters.dedup.same_url import SameUrl
from tests.filters.dedup.jobs import by_id, compare, parts


def test_one_page_under_many_addresses(tmp_path: Path) -> None:
    urls = [
        "http://www.example.com/a?b=1&a=2#top",
        "https://example.com/a?a=2&b=1",
        "https://example.com/a/?a=2&b=1",
        None,
        None,
        "no address",
        "no address",
        "HTTPS://EXAMPLE.COM:443/%61?a=2&b=1&utm_source=x",
    ]
    rows: list[dict[str, Any]] = [
        {"id": f"{n}", "text": f"text {n}", "url": url, "score": float(n)} for n, url in enumerate(urls)
    ]
    job = Job(parts(tmp_path, [rows[:3], rows[3:]], ["url_key"]), str(tmp_path / "work"), "score DESC")
    outcome = compare(SameUrl(), job, tmp_path)
    found = by_id(outcome)
    assert {key: row["same_url.keep"] for key, row in found.items()} == {
        "0": False, "1": False, "2": True, "3": True, "4": True, "5": True, "6": True, "7": True,
    }  # fmt: skip
    assert [found[key]["same_url.size"] for key in "012345"] == [3, 3, 1, 1, 1, 1]
    assert [(row["id"], row["cluster"], row["keep"], row["similarity"]) for row in outcome.ledger] == [
        ("7", "7", True, None),
        ("1", "7", False, None),
        ("0", "7", False, None),
    ]
    assert outcome.facts == {"clusters": 1, "duplicates": 2}

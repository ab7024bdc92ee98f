"""Two policies over one store: what one keeps and the other drops."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from corpus.store import Store
from gristmill.base.errors import UserError


@dataclass(frozen=True, slots=True)
class Difference:
    """How two policies differ. Counts are of documents."""

    first: str
    second: str
    both: int
    """Kept by both."""
    neither: int
    only_first: int
    only_second: int
    reasons: list[tuple[bool, str, int, list[str]]]
    """Of the documents that one keeps and the other drops: whether the first keeps them, the reason of the
    other, how many, and the ids of some."""
    tiers: list[tuple[str | None, str | None, int]]
    """Of the documents that both keep, where a tier is another: the first's, the second's, how many."""


def compare(store: Store, first: str, second: str, samples: int = 3) -> Difference:
    """Compare the decisions of two policies. Raises UserError for an unknown one and for one given twice."""
    for policy in (first, second):
        store.decisions(policy)
    if first == second:
        raise UserError(
            f"policy '{first}' compared with itself", mend=f"policies: {', '.join(store.policies)}"
        )
    if not store.parts:
        return Difference(first, second, 0, 0, 0, 0, [], [])
    with duckdb.connect() as database:
        database.execute(
            "CREATE TEMP VIEW both_decided AS"
            " SELECT id, a.keep AS a, b.keep AS b, a.tier AS ta, b.tier AS tb,"
            " coalesce(a.reason, b.reason) AS reason"
            f" FROM {store.scan(f'decisions/{first}')} AS a"
            f" JOIN {store.scan(f'decisions/{second}')} AS b USING (id)"
        )
        counts = database.execute(
            "SELECT count(*) FILTER (a AND b), count(*) FILTER (NOT a AND NOT b),"
            " count(*) FILTER (a AND NOT b), count(*) FILTER (b AND NOT a) FROM both_decided"
        ).fetchone()
        assert counts is not None
        both, neither, only_first, only_second = counts
        reasons = database.execute(
            "SELECT a, reason, count(*), min(id, $samples) FROM both_decided WHERE a <> b"
            " GROUP BY ALL ORDER BY 1 DESC, 3 DESC, 2",
            {"samples": samples},
        ).fetchall()
        tiers = database.execute(
            "SELECT ta, tb, count(*) FROM both_decided WHERE a AND b AND ta IS DISTINCT FROM tb"
            " GROUP BY ALL ORDER BY 3 DESC, 1, 2"
        ).fetchall()
    return Difference(first, second, both, neither, only_first, only_second, reasons, tiers)

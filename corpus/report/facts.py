"""What a policy does to a store, seen rule by rule: effects, histograms of scores, sampled documents.

All of it is computed over a uniform sample of the documents, taken by their ids (which are hashes), so that a
report of any store is made in bounded memory, and twice the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.store import Store
from filters.conditions import thresholds
from filters.decide import BoundRules, bind, read_columns
from filters.rules import Rule, RuleSet
from gristmill.base.errors import UserError

SAMPLE = 1_000_000
"""Most documents that are looked at."""
BINS = 48
TAIL = 0.005
"""Share of the documents beyond each end of a histogram."""
LOG_SPREAD = 50
"""A score whose upper end is so many times its median is drawn on a logarithmic axis."""
_ID_BITS = 32


@dataclass(frozen=True, slots=True)
class Facts:
    """A sample of a store: the columns that a policy's rules read, and what was decided."""

    table: pa.Table
    """`id`, the rules' columns but the text, `keep`, `reason`, `tier`; ordered by id."""
    share: float
    """Share of the store's documents that are in it."""
    bound: BoundRules
    """The policy's rules."""
    matches: npt.NDArray[np.bool_]
    """Whether a rule matches a document, whatever the other rules say: bool[rules, documents]."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one rule does to the sample."""

    rule: Rule
    first: int
    """Documents that get the rule's label: it is the first that matches."""
    matching: int
    """Documents that it matches, whatever the other rules say."""
    alone: int
    """Documents that only this drop rule matches: what would come back without it."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """The values of a score, and where rules cut it."""

    column: str
    edges: list[float]
    """One more than there are bins."""
    kept: list[int]
    dropped: list[int]
    log: bool
    """Whether the bins are equal on a logarithmic axis."""
    marks: list[tuple[float, str]]
    """Thresholds and the label of the rule that has them."""
    missing: int
    """Documents where the score is null."""
    below: int
    """Documents left of the first edge (on a logarithmic axis those at zero, too)."""
    above: int
    """Documents right of the last edge."""


def gather(store: Store, policy: str, rules: RuleSet, limit: int = SAMPLE) -> Facts:
    """The sample of a store under a policy.

    Raises UserError where the policy has not decided yet, or has decided by other rules.
    """
    entry = store.decisions(policy)
    if entry["rules"] != rules.digest:
        raise UserError(
            f"policy '{policy}' has decided by other rules than the manifest's",
            where=str(store.path),
            mend="run `gristmill corpus decide` with this manifest",
        )
    bound = bind(rules, store.schema)
    names = [name for name in bound.columns if name != "text"]
    bound_to = min(1.0, limit / store.rows) if store.rows else 1.0
    last = f"{math.ceil(bound_to * (1 << _ID_BITS)) - 1:0{_ID_BITS // 4}x}"
    tables, matched = [], []
    for part in store.parts:
        files = store.files(part.name, policy)
        table = read_columns(files, [*bound.columns, "keep", "reason", "tier"])
        if bound_to < 1:
            table = table.filter(pc.less_equal(pc.utf8_slice_codeunits(table.column("id"), 0, 8), last))
        matched.append(bound.matches(table))
        tables.append(table.select(["id", *names, "keep", "reason", "tier"]))
    if not tables:
        return Facts(pa.table({}), 1.0, bound, np.zeros((len(rules.rules), 0), np.bool_))
    table = pa.concat_tables(tables)
    order = pc.sort_indices(table.column("id"))
    table, matches = table.take(order), np.concatenate(matched, axis=1)[:, order.to_numpy()]
    return Facts(table, table.num_rows / store.rows if store.rows else 1.0, bound, matches)


def effects(facts: Facts) -> list[Effect]:
    """What every rule does, in the rules' order."""
    rules = facts.bound.ruleset.rules
    is_drop = np.array([rule.action == "drop" for rule in rules], np.bool_)
    drops = facts.matches[is_drop].sum(axis=0) if len(rules) else np.zeros(0)
    free = np.ones(facts.matches.shape[1], np.bool_)
    untiered = drops == 0
    found = []
    for rule, matching in zip(rules, facts.matches, strict=True):
        undecided = free if rule.action == "drop" else untiered
        first = matching & undecided
        found.append(
            Effect(
                rule,
                int(first.sum()),
                int(matching.sum()),
                int((matching & (drops == 1)).sum()) if rule.action == "drop" else 0,
            )
        )
        if rule.action == "drop":
            free = free & ~matching
        else:
            untiered = untiered & ~matching
    return found


def histograms(facts: Facts) -> list[Histogram]:
    """A histogram of every numeric column that a rule reads, in the order of the rules."""
    marks: dict[str, list[tuple[float, str]]] = {}
    for rule, condition in zip(facts.bound.ruleset.rules, facts.bound.conditions, strict=True):
        for column in condition.columns:
            marks.setdefault(column, [])
        for column, value in thresholds(condition):
            marks[column].append((value, rule.label))
    found = []
    for column, cuts in marks.items():
        if column not in facts.table.column_names or not _numeric(facts.table.schema.field(column).type):
            continue
        values = facts.table.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
        kept = facts.table.column("keep").to_numpy(zero_copy_only=False)
        if np.isfinite(values).any():
            found.append(_histogram(column, values, kept, cuts))
    return found


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _histogram(
    column: str,
    values: npt.NDArray[np.float64],
    kept: npt.NDArray[np.bool_],
    marks: list[tuple[float, str]],
) -> Histogram:
    there = np.isfinite(values)
    some, kept = values[there], kept[there]
    low, middle, high = (float(value) for value in np.quantile(some, [TAIL, 0.5, 1 - TAIL]))
    cuts = [value for value, _ in marks]
    # A threshold out in the tail is shown, unless it would squeeze everything else into one bin.
    low = min([low, *(cut for cut in cuts if cut >= low - 2 * (high - low))])
    high = max([high, *(cut for cut in cuts if cut <= high + 2 * (high - low))])
    log = middle > 0 and high / middle > LOG_SPREAD and low >= 0
    if log:
        low = max(low, min(1.0, float(some[some > 0].min())))
        high = max([high, *cuts])
        edges = np.geomspace(low, max(high, low * 1.01), BINS + 1)
    else:
        span = (high - low) or abs(high) or 1.0
        edges = np.linspace(low, low + span, BINS + 1)
    counts = [np.histogram(some[which], edges)[0].tolist() for which in (kept, ~kept)]
    return Histogram(
        column,
        [float(edge) for edge in edges],
        counts[0],
        counts[1],
        log,
        marks,
        int((~there).sum()),
        int((some < edges[0]).sum()),
        int((some > edges[-1]).sum()),
    )


def sample_ids(facts: Facts, number: int, count: int) -> tuple[list[str], list[str]]:
    """Documents to look at for one rule: (that it drops, that it keeps).

    Dropped: at random among those that the rule is the first to drop. Kept: where the rule compares one
    score with one threshold, the kept documents nearest to it, else kept documents at random. Random means by
    id, which is a hash.
    """
    rule, condition = facts.bound.ruleset.rules[number], facts.bound.conditions[number]
    ids = facts.table.column("id").to_numpy(zero_copy_only=False)
    keep = facts.table.column("keep").to_numpy(zero_copy_only=False)
    earlier = [
        place
        for place, other in enumerate(facts.bound.ruleset.rules[:number])
        if other.action == "drop" and rule.action == "drop"
    ]
    first = facts.matches[number] & ~facts.matches[earlier].any(axis=0)
    dropped = ids[first][:count].tolist()
    cuts = thresholds(condition)
    if len(cuts) == 1 and cuts[0][0] in facts.table.column_names:
        column, cut = cuts[0]
        values = facts.table.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
        distance = np.where(keep & np.isfinite(values), np.abs(values - cut), np.inf)
        nearest = np.argsort(distance, kind="stable")[:count]
        return dropped, ids[nearest[np.isfinite(distance[nearest])]].tolist()
    return dropped, ids[keep][:count].tolist()


def read_documents(
    store: Store, ids: Sequence[str], columns: Sequence[str], characters: int
) -> dict[str, dict[str, Any]]:
    """Documents by id: url, the first characters of the text, their length, and the wanted annotations."""
    if not ids:
        return {}
    database, relation = store.relation()
    wanted = "".join(f', "{name}"' for name in columns)
    with database:
        database.register("wanted", pa.table({"id": pa.array(sorted(set(ids)))}))
        found = database.sql(
            f"SELECT id, url, left(text, {int(characters)}) AS text, length(text) AS characters{wanted}"
            f" FROM {relation} WHERE id IN (SELECT id FROM wanted)"
        ).to_arrow_table()
    return {row["id"]: row for row in found.to_pylist()}


def domains(store: Store, policy: str, count: int = 20) -> list[tuple[str, int, int]]:
    """The hosts with most documents: (host, documents, kept)."""
    if not store.parts:
        return []
    database, relation = store.relation(policy)
    host = r"regexp_extract(url, '^[a-z][a-z0-9+.-]*://(?:[^/@]*@)?([^/:?#]+)', 1)"
    with database:
        return database.execute(
            f"SELECT {host} AS host, count(*), count(*) FILTER (keep) FROM {relation}"
            f" WHERE url IS NOT NULL AND {host} <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {int(count)}"
        ).fetchall()

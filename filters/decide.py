"""Decisions: a rule set applied to columns, by DuckDB, over a batch in memory or over the files of a store.

Both ways run the same engine on the same Arrow columns, so they decide alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.conditions import Condition, check_boolean, engine, parse_condition
from filters.rules import Rule, RuleSet
from gristmill.base.atomic import atomic_path
from gristmill.base.errors import UserError

DECISION_SCHEMA = pa.schema(
    [("id", pa.string()), ("keep", pa.bool_()), ("reason", pa.string()), ("tier", pa.string())]
)
"""A decision: kept or not, the reason if not, the tier if kept and if a tier matched."""


@dataclass(frozen=True, slots=True)
class BoundRules:
    """A rule set checked against columns, ready to decide. Small and picklable."""

    ruleset: RuleSet
    conditions: tuple[Condition, ...]
    """As many as rules, in their order."""

    @property
    def columns(self) -> list[str]:
        """All columns that the rules read, sorted."""
        return sorted({name for condition in self.conditions for name in condition.columns})

    def _case(self, action: str) -> str:
        arms = [
            f"WHEN {condition.sql} THEN '{rule.label}'"
            for rule, condition in zip(self.ruleset.rules, self.conditions, strict=True)
            if rule.action == action
        ]
        return f"CASE {' '.join(arms)} END" if arms else "NULL"

    def decide(self, table: pa.Table) -> pa.Table:
        """Decide every row of a table that holds `id` and the columns; returns DECISION_SCHEMA, same rows,
        same order.

        Raises UserError, naming the rule, where a condition cannot be computed (a cast of text that is no
        number).
        """
        ids = table.column("id").cast(pa.string())
        if not table.num_rows:
            return DECISION_SCHEMA.empty_table()
        query = (
            "SELECT reason, CASE WHEN reason IS NULL THEN tier END AS tier FROM (SELECT"
            f" ({self._case('drop')})::VARCHAR AS reason, ({self._case('tier')})::VARCHAR AS tier FROM batch)"
        )
        cursor = engine()
        cursor.register("batch", table.select(self.columns) if self.columns else table.select(["id"]))
        try:
            found = cursor.sql(query).to_arrow_table()
        except duckdb.Error as error:
            raise self._blame(cursor, error) from None
        reason = found.column("reason")
        return pa.table([ids, pc.is_null(reason), reason, found.column("tier")], schema=DECISION_SCHEMA)

    def matches(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rules match which rows, each by itself: bool[rules, rows]; a null is no match."""
        found = np.zeros((len(self.conditions), table.num_rows), np.bool_)
        if not found.size:
            return found
        cursor = engine()
        cursor.register("batch", table.select(self.columns) if self.columns else table.select(["id"]))
        wanted = ", ".join(f"coalesce({condition.sql}, false)" for condition in self.conditions)
        try:
            columns = cursor.sql(f"SELECT {wanted} FROM batch").to_arrow_table().columns
        except duckdb.Error as error:
            raise self._blame(cursor, error) from None
        for row, column in zip(found, columns, strict=True):
            row[:] = column.to_numpy()
        return found

    def _blame(self, cursor: duckdb.DuckDBPyConnection, error: duckdb.Error) -> Exception:
        """The rule whose condition fails on this batch, as a user's error."""
        for rule, condition in zip(self.ruleset.rules, self.conditions, strict=True):
            try:
                cursor.execute(f"SELECT count(*) FILTER (WHERE {condition.sql}) FROM batch").fetchall()
            except duckdb.Error as own:
                message = str(own).splitlines()[0]
                return UserError(f"the condition `{rule.condition}` fails: {message}", where=rule.where)
        return error


def bind(ruleset: RuleSet, columns: Mapping[str, pa.DataType]) -> BoundRules:
    """Check every condition of a rule set against the columns that there will be.

    Raises UserError for the first rule that is wrong, naming file, line and rule, and the nearest column for
    a mistyped one.
    """
    return BoundRules(ruleset, tuple(_bind_rule(rule, columns) for rule in ruleset.rules))


def _bind_rule(rule: Rule, columns: Mapping[str, pa.DataType]) -> Condition:
    condition = parse_condition(rule.condition, columns, rule.where)
    check_boolean(condition, rule.condition, columns, rule.where)
    return condition


@dataclass(frozen=True, slots=True)
class Counts:
    """What a rule set did to a part."""

    rows: int
    kept: int
    reasons: dict[str, int]
    """Dropped documents by reason, sorted by name."""
    tiers: dict[str, int]
    """Kept documents by tier, sorted by name."""


def count(decisions: pa.Table) -> Counts:
    """Totals of a table of decisions."""

    def tally(name: str) -> dict[str, int]:
        counted = pc.value_counts(decisions.column(name).combine_chunks().drop_null())
        return dict(sorted(Counter({row["values"]: row["counts"] for row in counted.to_pylist()}).items()))

    kept = pc.sum(decisions.column("keep")).as_py() or 0
    return Counts(decisions.num_rows, kept, tally("reason"), tally("tier"))


def read_columns(files: Sequence[str | Path], columns: Sequence[str]) -> pa.Table:
    """`id` and the named columns of one part, gathered from its documents file (first) and annotation files.

    Every file holds the same rows in the same order; that their ids agree is checked, and a ValueError names
    the file that does not fit.
    """
    wanted = set(columns) - {"id"}
    table: pa.Table | None = None
    for file in files:
        present = [name for name in pq.read_schema(file).names if name in wanted]
        wanted -= set(present)
        if table is not None and not present:
            continue
        piece = pq.read_table(file, columns=["id", *present], partitioning=None)
        if table is None:
            table = piece
            continue
        if not table.column("id").equals(piece.column("id")):
            raise ValueError(f"{file}: its rows are not those of {files[0]}")
        for name in present:
            table = table.append_column(piece.schema.field(name), piece.column(name))
    if wanted:
        raise ValueError(f"columns not found: {', '.join(sorted(wanted))}")
    assert table is not None
    return table


def decide_part(bound: BoundRules, files: Sequence[str | Path], target: str | Path) -> Counts:
    """Decide one part of a store: read its documents file (first) and annotation files, write `target`
    atomically.

    The text is read only where a rule mentions `text`. The bytes written depend on the decisions alone.
    """
    decisions = bound.decide(read_columns(files, bound.columns))
    with atomic_path(target) as temporary:
        pq.write_table(decisions, temporary, compression="zstd")
    return count(decisions)

"""The conditions of rules: one scalar boolean SQL expression over named columns, and nothing else.

DuckDB's own parser reads a condition; what it found is checked node by node before anything runs, so a
condition cannot read a file, call a table function, run a query of its own, or depend on the clock, on chance
or on a setting. Dotted names may be written with or without quotes: gopher.words and "gopher.words" are the
same column.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from gristmill.base.errors import UserError, did_you_mean

_CLASSES = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT"}
    | {"FUNCTION", "LAMBDA", "OPERATOR", "TYPE"}
)
"""Kinds of expression that compute a value from a row (LAMBDA is how DuckDB reads `metadata -> '$.key'`)."""

_REFUSED = {
    "SUBQUERY": "a subquery",
    "WINDOW": "a window function",
    "STAR": "a star",
    "PARAMETER": "a parameter",
    "DEFAULT": "DEFAULT",
}

_MACROS = frozenset(
    ("fdiv", "fmod", "if", "list_avg", "list_max", "list_min", "list_sum", "nullif", "split_part")
)
"""DuckDB's built-in macros that compute a value from their arguments alone."""


_SURROUNDINGS = re.compile(r"current_|get_?(current|env|variable)|(curr|next|set)val|pg_|txid_")
"""Functions that read settings, variables, sequences or the clock; DuckDB 1.4 calls some of them pure."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition."""

    sql: str
    """The expression as DuckDB spells it, every column name quoted."""
    columns: tuple[str, ...]
    """The columns that it reads, in order of first mention."""


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "threads": 1,
            "lock_configuration": "true",
        },
    )


def engine() -> duckdb.DuckDBPyConnection:
    """A connection of its own to this process's sealed engine: no files, no network, one thread."""
    return _database().cursor()


@functools.cache
def _functions() -> frozenset[str]:
    """Scalar functions whose value depends on their arguments alone."""
    rows = (
        engine()
        .execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
            " WHERE function_type = 'scalar' AND stability = 'CONSISTENT'"
            " AND function_name NOT IN (SELECT function_name FROM duckdb_functions()"
            " WHERE function_type = 'scalar' AND stability <> 'CONSISTENT')"
        )
        .fetchall()
    )
    return frozenset(name for (name,) in rows if not _SURROUNDINGS.match(name)) | _MACROS


def parse_condition(text: str, columns: Iterable[str], where: str) -> Condition:
    """Check a condition against the names of the available columns.

    Raises UserError at `where` for a syntax error, an unknown column or function (with the nearest name),
    and for anything that is no scalar expression.
    """
    parsed = _parse(f"SELECT {text}\n", f"the condition `{text}`", where)
    node = parsed["statements"][0]["node"]
    if not (_plain(parsed, "EMPTY") and len(node["select_list"]) == 1 and not node["modifiers"]):
        raise UserError(f"the condition `{text}` is not one expression", where=where)
    used: dict[str, None] = {}
    known = {name.casefold(): name for name in columns}
    _check(node["select_list"][0], f"the condition `{text}`", known, used, where)
    return Condition(_spell(parsed).removeprefix("SELECT "), tuple(used))


def parse_order(text: str, columns: Iterable[str], where: str) -> Condition:
    """Check a list of order terms ("fetched_at ASC NULLS LAST, exact.length DESC"), as `parse_condition`
    does.

    Returns them in `sql`, as DuckDB spells them.
    """
    parsed = _parse(f"SELECT 1 FROM t ORDER BY {text}\n", f"the order `{text}`", where)
    node = parsed["statements"][0]["node"]
    modifiers = node["modifiers"]
    if not (
        _plain(parsed, "BASE_TABLE") and len(modifiers) == 1 and modifiers[0]["type"] == "ORDER_MODIFIER"
    ):
        raise UserError(f"the order `{text}` is not a list of columns or expressions", where=where)
    used: dict[str, None] = {}
    known = {name.casefold(): name for name in columns}
    for term in node["modifiers"][0]["orders"]:
        before: dict[str, None] = {}
        _check(term["expression"], f"the order `{text}`", known, before, where)
        if not before:
            raise UserError(f"a term of the order `{text}` names no column", where=where)
        used |= before
    return Condition(_spell(parsed).split(" ORDER BY ", 1)[1], tuple(used))


def _parse(query: str, what: str, where: str) -> Any:
    """DuckDB's syntax tree of a query."""
    row = engine().execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    assert row is not None
    parsed = json.loads(row[0])
    if parsed["error"]:
        raise UserError(f"cannot read {what}: {parsed['error_message']}", where=where)
    return parsed


def _spell(parsed: Any) -> str:
    """A syntax tree as SQL."""
    row = engine().execute("SELECT json_deserialize_sql(?)", [json.dumps(parsed)]).fetchone()
    assert row is not None
    return str(row[0])


def _plain(parsed: Any, table: str) -> bool:
    """Whether a syntax tree is one SELECT with nothing that we did not write ourselves."""
    node = parsed["statements"][0]["node"]
    parts = ("where_clause", "group_expressions", "having", "qualify", "sample")
    return (
        len(parsed["statements"]) == 1
        and node["type"] == "SELECT_NODE"
        and node["from_table"]["type"] == table
        and not any(node[part] for part in parts)
        and not node["cte_map"]["map"]
    )


def _check(node: Any, what: str, known: Mapping[str, str], used: dict[str, None], where: str) -> None:
    """Walk an expression; resolve its column names in place."""
    if isinstance(node, list):
        for child in node:
            _check(child, what, known, used, where)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind is not None and kind not in _CLASSES:
        raise UserError(
            f"{what} contains {_REFUSED.get(kind, kind)}",
            where=where,
            mend="only expressions over the columns of one document may stand there",
        )
    if kind == "COLUMN_REF":
        name = ".".join(node["column_names"])
        column = known.get(name.casefold())
        if column is None:
            raise UserError(
                f"unknown column '{name}'", where=where, mend=nearest_column(name, known.values())
            )
        node["column_names"] = [column]
        used[column] = None
    if kind == "FUNCTION":
        name = node["function_name"].lower()
        if name not in _functions():
            raise UserError(
                f"{what} calls '{name}', which is no function of a single document's columns",
                where=where,
                mend=did_you_mean(name, (known for known in _functions() if re.fullmatch(r"\w+", known))),
            )
    for child in node.values():
        _check(child, what, known, used, where)


def nearest_column(name: str, columns: Iterable[str]) -> str:
    """A hint for a mistyped column: the nearest one, else the columns of the same group, else the groups."""
    columns = sorted(columns)
    hint = did_you_mean(name, columns)
    if hint.startswith("did"):
        return hint
    group = [column for column in columns if column.split(".")[0] == name.split(".", maxsplit=1)[0]]
    if group:
        return f"columns there: {', '.join(group)}"
    return f"available: {', '.join(sorted({c.split('.')[0] + ('.*' if '.' in c else '') for c in columns}))}"


def check_boolean(condition: Condition, text: str, columns: Mapping[str, pa.DataType], where: str) -> None:
    """Let DuckDB's binder check the types; raises UserError unless the condition is boolean."""
    cursor = engine()
    empty = pa.schema([(name, columns[name]) for name in condition.columns]).empty_table()
    if not condition.columns:
        empty = pa.table({"no column": pa.array([], pa.bool_())})
    cursor.register("batch", empty)
    try:
        kind = cursor.sql(f"SELECT {condition.sql} AS value FROM batch").types[0]
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise UserError(f"cannot use the condition `{text}`: {message}", where=where) from None
    if str(kind) != "BOOLEAN":
        raise UserError(f"the condition `{text}` is {kind}, not true or false", where=where)


def thresholds(condition: Condition) -> list[tuple[str, float]]:
    """Columns and the numbers that a condition compares them with, in the order in which they stand there:
    `a < 5 OR b NOT BETWEEN 1 AND 2` has (a, 5), (b, 1), (b, 2).
    """
    parsed = _parse(f"SELECT {condition.sql}\n", "the condition", "")
    found: list[tuple[str, float]] = []
    _compared(parsed["statements"][0]["node"]["select_list"], parsed, found)
    return found


_SIDES: dict[str, tuple[str, ...]] = {
    "COMPARISON": ("left", "right"),
    "BETWEEN": ("input", "lower", "upper"),
}


def _compared(node: Any, parsed: Any, found: list[tuple[str, float]]) -> None:
    if isinstance(node, list):
        for child in node:
            _compared(child, parsed, found)
    if not isinstance(node, dict):
        return
    sides = _SIDES.get(str(node.get("class")), ())
    columns = [node[side] for side in sides if node[side]["class"] == "COLUMN_REF"]
    if len(columns) == 1:
        for side in sides:
            value = _number(node[side], parsed) if node[side]["class"] == "CONSTANT" else None
            if value is not None:
                found.append((".".join(columns[0]["column_names"]), value))
    for child in node.values():
        _compared(child, parsed, found)


def _number(constant: Any, parsed: Any) -> float | None:
    """The value of a numeric constant; the engine itself reads it, so its JSON may look as it likes."""
    query = json.loads(json.dumps(parsed))
    query["statements"][0]["node"]["select_list"] = [constant]
    kind = engine().sql(_spell(query)).types[0]
    if str(kind) == "BOOLEAN" or not (
        str(kind).startswith("DECIMAL") or "INT" in str(kind) or kind == "DOUBLE"
    ):
        return None
    row = engine().execute(f"SELECT ({_spell(query).removeprefix('SELECT ')})::DOUBLE").fetchone()
    return float(row[0]) if row is not None and row[0] is not None else None

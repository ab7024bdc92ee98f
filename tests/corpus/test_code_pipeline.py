"""The shipped manifest of source code on a small repository: what is kept, and why the rest is not."""
# ruff: noqa: E501 (a file, a line)

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from corpus.build import build
from corpus.manifest import CorpusManifest
from filters.code.syntax import GRAMMARS
from gristmill.manifests import load_as
from tests.corpus.repositories.made import commit
from tests.filters.code.test_opencoder import GOOD

pytest.importorskip("tree_sitter_language_pack")

LICENSE = "Licensed under the Apache License, Version 2.0.\n"
C = """#include <stdio.h>

/* Sums of the rows of a table. */
static double row_sum(const double *row, int count) {
    double total = 0.0;
    for (int place = 0; place < count; place++) {
        total += row[place];
    }
    return total;
}

void print_sums(const double *table, int rows, int columns) {
    int row = 0;
    while (row < rows) {
        double sum = row_sum(table + row * columns, columns);
        printf("%d: %f\\n", row, sum);
        row++;
    }
}
"""
FILES: dict[str, tuple[str | bytes, str | None]] = {
    "bins.py": (GOOD, "once"),
    "sums.c": (C, None),
    "windows.py": (GOOD.replace("bins", "boxes").replace("value", "number").replace("\n", "\r\n"), "near"),
    "copy/bins.py": (GOOD, "once"),
    "vendor/same.py": (GOOD, "vendored"),
    "latin.c": (C.replace("row_sum", "line_sum").replace("table", "grid").replace("total", "amount").replace("Sums", "Größen").encode("latin-1"), "near"),
    "broken.py": (GOOD.replace("min(", "min(("), "cate_ast"),
    "broken.c": (C.replace("while (", "while (("), "does_not_parse"),
    "two.py": (GOOD.replace("total = sum", 'print "total"\n    total = sum'), "cate_ast"),
    "vendor/bins.py": (GOOD.replace("histogram", "chart"), "vendored"),
    "free.py": ("# SPDX-License-Identifier: GPL-3.0-only\n" + GOOD, "not_permissive"),
    "made_pb2.py": (GOOD.replace("histogram", "message"), "generated"),
    "package-lock.json": (json.dumps({f"name{n}": {"version": f"{n}.0", "url": f"u{n}"} for n in range(40)}, indent=1), "dropped"),
    "short.py": ("x = 1\n", "num_words"),
    "unknown.xyz": ("words of nothing that anybody knows\n" * 3, "unknown_language"),
    "minified.js": ("var a=1;" * 500, "dropped"),
}  # fmt: skip


def test_what_is_kept(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    commit(tree, {"LICENSE": LICENSE, **{name: text for name, (text, _) in FILES.items()}})
    loaded = load_as("corpora/code", CorpusManifest)
    data = loaded.model_dump(mode="json", exclude_unset=True)
    data |= {"output": str(tmp_path / "store"), "executor": {"type": "local", "workers": 1}}
    data["source"] = {"type": "repositories", "roots": [str(tree)]}
    build(CorpusManifest.model_validate(data))
    store = tmp_path / "store"
    rows = duckdb.sql(
        f'SELECT path, license, keep, reason, "syntax.ok", "code.language" FROM \'{store}/documents/*.parquet\''
        f" JOIN '{store}/decisions/code/*.parquet' USING (id) JOIN '{store}/annotations/syntax@*/*.parquet' USING (id)"
        f" JOIN '{store}/annotations/code_language@*/*.parquet' USING (id)"
    ).fetchall()
    assert {license_ for _, license_, *_ in rows} == {"Apache-2.0"}
    found = {path: (keep, reason) for path, _, keep, reason, *_ in rows}
    for path, (_, expected) in FILES.items():
        keep, reason = found[path]
        if expected is None:
            assert keep, (path, reason)
        elif expected == "once":
            assert reason in (None, "exact_duplicate")
        elif expected == "dropped":
            assert not keep, path
        elif expected == "near":
            assert reason in (None, "near_duplicate"), (path, reason)
        else:
            assert reason == expected, (path, reason)
    assert [found[path][0] for path in ("bins.py", "copy/bins.py")].count(True) == 1
    kept = [(language, ok) for _, _, keep, _, ok, language in rows if keep]
    assert kept
    assert all(ok for language, ok in kept if language in GRAMMARS)

"""Seconds to move a threshold on a finished store and decide again, per million documents.

The store is generated: real schemas (documents, Gopher's, C4's and FineWeb's annotations, languages), made-up
values in the ranges of web text, texts of the given length that no rule reads. Measured is what `gristmill
corpus decide` does, from opening the store to its new `store.json`: with a changed threshold, then with the
same rules again (nothing to do), then back to the first rules, whose decisions must be the same bytes. The
floor beside it is DuckDB alone over the same files: count what the rules keep, write nothing.

    python benchmarks/decide.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from corpus.decide import decide
from corpus.manifest import CorpusManifest
from corpus.parts import file_facts, part_name
from corpus.schema import DOCUMENTS, ROW_GROUP_ROWS, annotation_schema, parquet_writer
from corpus.store import FORMAT, VERSION, Store, write_store
from filters.decide import bind
from filters.registry import build_annotator
from filters.rules import load_ruleset

ANNOTATORS = ("c4", "fineweb", "gopher", "gopher_repetition", "language")
RULES = ("gopher", "c4", "fineweb")
ROWS_PER_PART = 20_000
WORDS = ["the", "of", "and", "to", "in", "that", "for", "with", "was", "this", "have", "from", "which"]


def column(name: str, kind: pa.DataType, rows: int, random: np.random.Generator) -> pa.Array:
    """Values as a web corpus might have them: most documents pass most rules."""
    if pa.types.is_boolean(kind):
        return pa.array(random.random(rows) < 0.02)
    if pa.types.is_string(kind):
        return pa.array(random.choice(["en", "de", "fr", "ru", "zh"], rows))
    if pa.types.is_integer(kind):
        return pa.array(random.lognormal(5.5, 1.2, rows).astype(np.int64), kind)
    if "mean" in name:
        return pa.array(random.normal(4.8, 0.8, rows), kind)
    if name in ("gopher.alpha_word_fraction", "language.score", "fineweb.line_punctuation_ratio"):
        return pa.array(random.beta(8, 1.5, rows), kind)
    return pa.array(random.beta(1, 200, rows), kind)


def generate(folder: Path, documents: int, characters: int) -> dict[str, Any]:
    """A finished store of so many documents; returns the fields of its manifest."""
    annotators = [build_annotator(name) for name in ANNOTATORS]
    tables = {
        "documents": DOCUMENTS,
        **{f"annotations/{a.name}@{a.version}": annotation_schema(dict(a.columns)) for a in annotators},
    }
    parts = []
    for number in range(-(-documents // ROWS_PER_PART)):
        random = np.random.default_rng(number)
        rows = min(ROWS_PER_PART, documents - number * ROWS_PER_PART)
        words = random.choice(WORDS, (rows, characters // 4))
        ids = [f"{number:08x}{row:024x}" for row in range(rows)]
        files = {}
        for name, schema in tables.items():
            arrays = []
            for field in schema:
                if field.name == "id":
                    arrays.append(pa.array(ids))
                elif field.name == "text":
                    arrays.append(pa.array([" ".join(line) for line in words]))
                elif name == "documents":
                    arrays.append(
                        pa.array(["{}"] * rows) if field.name == "metadata" else pa.nulls(rows, field.type)
                    )
                else:
                    arrays.append(column(field.name, field.type, rows, random))
            path = folder / name / f"{part_name(number)}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            with parquet_writer(path, schema) as writer:
                writer.write_table(pa.table(arrays, schema=schema), row_group_size=ROW_GROUP_ROWS)
            files[name] = file_facts(path)
        parts.append({"part": part_name(number), "rows": rows, "files": files})
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": "generated",
        "parts": parts,
        "annotations": {f"{a.name}@{a.version}": {} for a in annotators},
        "decisions": {},
    }
    write_store(folder, content)
    return {
        "kind": "corpus",
        "name": "generated",
        "output": str(folder),
        "source": {"type": "warc", "paths": ["-"]},
    }


def rules(threshold: float) -> list[dict[str, str]]:
    """The published rules, and one threshold of our own."""
    published = [rule for name in RULES for rule in load_ruleset(name).drops]
    own = {"drop": f"language.score < {threshold}", "reason": "unsure_language"}
    return [own, *({"drop": rule.condition, "reason": rule.label} for rule in published)]


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def floor(folder: Path, threshold: float) -> int:
    """How many documents the rules keep, asked of DuckDB directly."""
    store = Store.open(folder)
    bound = bind(load_ruleset(rules(threshold)), store.schema)
    dropped = " OR ".join(f"coalesce({condition.sql}, false)" for condition in bound.conditions)
    tables = [f"read_parquet('{folder / 'annotations' / name}/*.parquet')" for name in store.annotations]
    query = f"SELECT count(*) FILTER (NOT ({dropped})) FROM {tables[0]}"
    query += "".join(f" POSITIONAL JOIN {table}" for table in tables[1:])
    with duckdb.connect() as database:
        row = database.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    """Generate, decide, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100,000 documents, 3 turns")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--documents", type=int)
    parser.add_argument(
        "--characters", type=int, default=400, help="length of the texts, which no rule reads"
    )
    options = parser.parse_args()
    documents = options.documents or (100_000 if options.quick else 1_000_000)
    turns = 3 if options.quick else 5
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "store"
        fields = generate(folder, documents, options.characters)

        def apply(threshold: float) -> Any:
            policy = {"name": "own", "rules": rules(threshold)}
            return decide(CorpusManifest.model_validate({**fields, "policy": policy}))

        first = apply(0.5)
        changed, repeated, counted = [], [], []
        for turn in range(turns):
            threshold = 0.6 + turn / 100
            changed.append(seconds(lambda threshold=threshold: apply(threshold)))
            repeated.append(seconds(lambda threshold=threshold: apply(threshold)))
            kept = apply(threshold).kept
            start = time.perf_counter()
            asked = floor(folder, threshold)
            counted.append(time.perf_counter() - start)
            if asked != kept:
                raise SystemExit(f"DuckDB keeps {asked} documents, the policy {kept}")
        again = apply(0.5)
        if (again.digest, again.kept) != (first.digest, first.kept) or not apply(0.5).reused:
            raise SystemExit("the same rules decided otherwise")
    millions = documents / 1e6
    result = {
        "seconds_per_million": round(statistics.median(changed) / millions, 3),
        "seconds_per_million_unchanged": round(statistics.median(repeated) / millions, 3),
        "seconds_per_million_floor": round(statistics.median(counted) / millions, 3),
        "documents": documents,
        "rules": len(rules(0.5)),
        "kept": first.kept,
    }
    if options.json:
        print(json.dumps(result))
        return
    print(f"{documents:,} documents, {result['rules']} rules, {first.kept:,} kept; seconds per million")
    print(f"  decide with a changed threshold   {result['seconds_per_million']:8.2f}")
    print(f"  decide again, nothing to do       {result['seconds_per_million_unchanged']:8.2f}")
    print(f"  floor: DuckDB counts              {result['seconds_per_million_floor']:8.2f}")


if __name__ == "__main__":
    main()

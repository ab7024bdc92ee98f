"""Hashes of 64 bits survive the whole way: annotator, datatrove document, Parquet, DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document

from corpus.parts import StoreWriter
from filters.base import annotate_texts
from filters.decide import bind
from filters.registry import build_annotator
from filters.rules import load_ruleset
from filters.step import AnnotatorStep, RuleFilterStep

TEXTS = [f"Text {word} of a handful of words and more" for word in "abcdefghijklmnopqrstuvwxyz"] + ["", "…"]


def test_bands_are_stored_and_read_as_unsigned(tmp_path: Path) -> None:
    annotators = [
        build_annotator("minhash"),
        build_annotator("minhash", {"recipe": "nemotron-cc", "seed": 5}, label="characters"),
    ]
    (words, characters) = annotate_texts(annotators, TEXTS).values()
    assert max(words.column("minhash.band_00").drop_null().to_pylist()) > 2**63
    documents = [Document(text, f"{number:032x}") for number, text in enumerate(TEXTS)]
    done = AnnotatorStep(annotators).run(iter(documents))
    list(StoreWriter(tmp_path, annotators).run(done))
    for name, table in (("minhash@1", words), ("minhash.characters@1", characters)):
        (file,) = (tmp_path / "annotations" / name).glob("*.parquet")
        assert pq.read_table(file).drop("id").equals(table)
        types = duckdb.sql(f"SELECT * FROM '{file}' LIMIT 0").types
        assert [str(kind) for kind in types] == ["VARCHAR", *["UBIGINT"] * (len(types) - 2), "BIGINT"]
        column = table.column_names[0]
        least = duckdb.sql(f'SELECT min("{column}"), max("{column}") FROM \'{file}\'').fetchall()[0]
        values = table.column(0).drop_null().to_pylist()
        assert least == (min(values), max(values))


def test_rules_read_the_columns() -> None:
    annotator = build_annotator("minhash")
    rules = load_ruleset({"name": "r", "rules": [{"drop": "minhash.shingles = 0", "reason": "nothing"}]})
    columns = {"id": pa.string(), "text": pa.string(), **annotator.columns}
    step = RuleFilterStep(bind(rules, columns), columns)
    documents = [Document(text, str(number)) for number, text in enumerate(TEXTS)]
    kept = list(step.run(AnnotatorStep([annotator]).run(iter(documents))))
    assert len(kept) == len(TEXTS) - 2

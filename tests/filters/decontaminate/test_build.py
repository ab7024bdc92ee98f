"""From files to an index in one call."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.base import TextView
from filters.decontaminate.build import clean_texts, index_benchmarks
from filters.decontaminate.index import load_index
from gristmill.base.errors import UserError

QUOTE = "four score and seven years ago our fathers brought forth on this continent a new nation"


def test_clean_texts_of_stores_and_files_take_evidence_away(tmp_path: Path) -> None:
    row = {"question": f"Who said: {QUOTE}, and where was it said for the first time?", "answer": ""}
    (tmp_path / "b.jsonl").write_text(json.dumps(row) + "\n")
    benchmarks = {"gsm8k": str(tmp_path / "b.jsonl")}
    facts = index_benchmarks(benchmarks, tmp_path / "i")
    assert facts["counts"]["items"] == 1
    assert load_index(tmp_path / "i").find(TextView(QUOTE).code_points, 0, 26)
    (tmp_path / "store" / "documents").mkdir(parents=True)
    pq.write_table(
        pa.table({"id": ["a", "b"], "text": [None, QUOTE]}),
        tmp_path / "store" / "documents" / "part-00000.parquet",
    )
    (tmp_path / "t.jsonl").write_text(
        json.dumps({"body": "Nothing of it."}) + "\n" + json.dumps({"body": QUOTE}) + "\n"
    )
    for clean, field in ((tmp_path / "store", "text"), (tmp_path / "t.jsonl", "body")):
        facts = index_benchmarks(benchmarks, tmp_path / "i", clean=[clean], field=field)
        assert load_index(tmp_path / "i").find(TextView(QUOTE).code_points, 0, 26) == []
    assert facts["counts"]["clean_texts"] == 2
    assert facts["settings"] == {"n": 13, "least": 8, "common": 10, "clean_documents": 1}


def test_mistakes_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"body": "x"}\n')
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "t.parquet")
    for name, fields in (("t.jsonl", "body"), ("t.parquet", "id")):
        with pytest.raises(UserError, match=f"{name}: no field 'text'; fields there are: {fields}"):
            list(clean_texts([tmp_path / name]))
    with pytest.raises(UserError, match="no documents there"):
        list(clean_texts([tmp_path]))
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(UserError, match=r"bad\.parquet: cannot read the clean texts"):
        list(clean_texts([tmp_path / "bad.parquet"]))

"""From benchmark files to a page of hits, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gristmill.cli.main import run_app

QUESTIONS = [
    "A miller grinds forty sacks of rye on Monday and twice as many on Tuesday; how many sacks is that?",
    "If three wheels turn twelve times a minute and two stand still at noon, how often do they turn by one?",
]
MANIFEST = """
kind: corpus
name: leaks
output: store
source: {type: jsonl, paths: [texts.jsonl]}
annotators: [{name: contamination, options: {index: index}}]
policy: {name: clean, rules: [{drop: contamination.share >= 0.5, reason: contaminated}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [{"question": question, "answer": "#### 120"} for question in QUESTIONS]
    Path("gsm8k.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts = [f"From my notebook: {QUESTIONS[0].upper()} I do not know.", "The mill stands still today."]
    Path("texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    Path("m.yaml").write_text(MANIFEST)
    return tmp_path


def test_from_benchmarks_to_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["decontaminate", "index", "index", "gsm8k=gsm8k.jsonl", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["benchmarks"]["gsm8k"]["items"] == 2
    assert run_app(["decontaminate", "report", "m.yaml"]) == 2
    assert "no document store" in capsys.readouterr().err
    assert run_app(["corpus", "build", "m.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dropped"] == {"clean:contaminated": 1}
    assert run_app(["decontaminate", "report", "m.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["benchmarks"] == {"gsm8k": {"items": 1, "documents": 1, "hits": 1}}
    page = (folder / told["html"]).read_text()
    assert "<mark>A MILLER GRINDS FORTY SACKS" in page
    assert "The mill stands still" not in page
    assert run_app(["decontaminate", "report", "m.yaml"]) == 0
    assert "page: store/contamination.html" in capsys.readouterr().out
    # A store's own page says how much there is.
    assert run_app(["corpus", "report", "m.yaml"]) == 0
    assert 'id="contamination"' in (folder / "store" / "report.html").read_text()


def test_clean_texts_are_no_evidence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = ["decontaminate", "index", "index", "gsm8k=gsm8k.jsonl"]
    assert run_app([*index, "--clean", "texts.jsonl"]) == 0
    assert "without evidence" in capsys.readouterr().out
    assert run_app(["corpus", "build", "m.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dropped"] == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index", "i", "gsm8k"], "'gsm8k' is no benchmark; write NAME=FILES"),
        (["index", "i", "a=b", "a=c"], "benchmark 'a' is named twice"),
        (["index", "i", "gsm8k=nowhere.jsonl"], "nowhere.jsonl"),
        (["report", "m.yaml", "--set", "annotators=[]"], "no annotator `contamination`"),
    ],
)
def test_mistakes(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["decontaminate", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert message in said[0]

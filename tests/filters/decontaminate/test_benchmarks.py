"""Benchmarks from files in their published layouts, and what is said of files in others."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from filters.decontaminate.benchmarks import (
    BENCHMARKS,
    BenchmarkFiles,
    layout_of,
    load_benchmark,
    load_benchmarks,
)
from filters.decontaminate.items import Item
from gristmill.base.errors import UserError
from tests.filters.hub_server import HubServer

ROOT = Path(__file__).parents[3]
Rows = Sequence[Mapping[str, Any]]

# Rows as the data sets of the Hub have them (fields that are not read left out where they are many).
MMLU = {
    "question": "What is a quine?",
    "subject": "computer_security",
    "choices": ["a", "b", "c", "d"],
    "answer": 1,
}
MMLU_PRO = {
    "question_id": 70,
    "question": "Typical bodies?",
    "options": ["safe", "unsafe", "loud"],
    "answer": "B",
    "answer_index": 1,
    "cot_content": "",
    "category": "business",
    "src": "ori_mmlu",
}
GSM8K = {"question": "How many eggs?", "answer": "She has <<2*3=6>>6 eggs.\n#### 6"}
MATH = {"problem": "Find $x$.", "level": "Level 1", "type": "Algebra", "solution": "We see $x=\\boxed{2}$."}
MATH_500 = MATH | {"answer": "2", "subject": "Algebra", "unique_id": "test/algebra/1.json"}
AIME_2024 = {
    "id": 60,
    "problem": "Every morning Aya walks.",
    "solution": "204 minutes",
    "answer": "204",
    "url": "u",
}
AIME_CAPITALS = {"ID": "2024-II-4", "Problem": "Let $x$ be.", "Solution": "Denote", "Answer": 33}
AIME_2025 = {"question": "Find the sum of all bases.", "answer": "70"}
ARENA = {"problem_idx": 3, "problem": "Compute the sum.", "answer": "103", "problem_type": ["Algebra"]}
GPQA = {
    "Pre-Revision Question": "Two states?",
    "Question": "Two quantum states?",
    "Correct Answer": "10^-4 eV\n",
    "Incorrect Answer 1": "10^-11 eV",
    "Incorrect Answer 2": "10^-8 eV",
    "Incorrect Answer 3": "10^-9 eV",
    "Explanation": "By the uncertainty principle.",
    "Record ID": "rec06",
    "Subdomain": "Physics",
}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def f(x):\n",
    "canonical_solution": "    return x\n",
    "test": "check(f)",
    "entry_point": "f",
}
MBPP = {"task_id": 11, "text": "Write a function.", "code": "def f(): pass", "test_list": ["assert f()"]}
MBPP_SANITIZED = {
    "source_file": "x",
    "task_id": 2,
    "prompt": "Write it.",
    "code": "def g(): pass",
    "test_list": [],
}
LIVECODEBENCH = {
    "question_title": "A. Short Sort",
    "question_content": "There are three cards.",
    "platform": "codeforces",
    "question_id": "1873_A",
    "contest_date": "2023-08-21T00:00:00",
    "starter_code": "",
    "public_test_cases": "[]",
    "private_test_cases": "x" * 100_000,
}
IFEVAL = {"key": 1000, "prompt": "Write a summary.", "instruction_id_list": ["a"], "kwargs": [{"words": 3}]}

LAYOUTS: list[tuple[str, dict[str, Any], tuple[str, str, tuple[str, ...], str]]] = [
    ("mmlu", MMLU, ("computer_security/0", "What is a quine?", ("a", "b", "c", "d"), "")),
    ("mmlu_pro", MMLU_PRO, ("70", "Typical bodies?", ("safe", "unsafe", "loud"), "")),
    ("gsm8k_train", GSM8K, ("0", "How many eggs?", (), GSM8K["answer"])),
    ("math", MATH, ("0", "Find $x$.", (), MATH["solution"])),
    ("math-500", MATH_500, ("test/algebra/1.json", "Find $x$.", (), MATH["solution"])),
    ("aime_2024", AIME_2024, ("60", "Every morning Aya walks.", (), "204 minutes")),
    ("aime24", AIME_CAPITALS, ("2024-II-4", "Let $x$ be.", (), "Denote")),
    ("aime_2025", AIME_2025, ("0", "Find the sum of all bases.", (), "")),
    ("hmmt_feb_2025", ARENA, ("3", "Compute the sum.", (), "")),
    (
        "gpqa_diamond",
        GPQA,
        (
            "rec06",
            "Two quantum states?",
            ("10^-4 eV\n", "10^-11 eV", "10^-8 eV", "10^-9 eV"),
            "By the uncertainty principle.",
        ),
    ),
    ("humaneval", HUMANEVAL, ("HumanEval/0", "def f(x):\n", (), "    return x\n")),
    ("mbpp", MBPP, ("11", "Write a function.", (), "def f(): pass")),
    ("mbpp", MBPP_SANITIZED, ("2", "Write it.", (), "def g(): pass")),
    ("livecodebench", LIVECODEBENCH, ("1873_A", "There are three cards.", (), "")),
    ("ifeval", IFEVAL, ("1000", "Write a summary.", (), "")),
]


def write(path: Path, rows: Rows) -> Path:
    """Rows in the format of the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.ZstdCompressor().compress(lines.encode()))
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".json":
        path.write_text(json.dumps(list(rows)), encoding="utf-8")
    else:
        path.write_text(lines, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.zst", "jsonl.gz", "json", "parquet", "csv"])
@pytest.mark.parametrize(
    ("name", "row", "expected"), LAYOUTS, ids=[f"{n}-{k}" for k, (n, _, _) in enumerate(LAYOUTS)]
)
def test_published_layouts(
    tmp_path: Path, name: str, row: dict[str, Any], expected: tuple[Any, ...], ending: str
) -> None:
    if ending == "csv" and any(isinstance(row.get(field), list) for field in ("choices", "options")):
        pytest.skip("CSV has no lists")
    path = write(tmp_path / f"file.{ending}", [row])
    assert load_benchmark(name, str(path)) == [Item(name, *expected)]


def test_original_mmlu_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "anatomy_test.csv").write_text(
        '"A lesion, of:",one,two,three,four,B\nNext?,1,2,3,4,A\n'
    )
    items = load_benchmark("mmlu", str(tmp_path))
    assert items == [
        Item("mmlu", "test/anatomy/0", "A lesion, of:", ("one", "two", "three", "four")),
        Item("mmlu", "test/anatomy/1", "Next?", ("1", "2", "3", "4")),
    ]


def test_original_math_is_a_folder_of_problems(tmp_path: Path) -> None:
    for number in (2, 1):
        path = tmp_path / "test" / "algebra" / f"{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(MATH | {"problem": f"Find {number}."}))
    assert [item.question for item in load_benchmark("math", str(tmp_path))] == ["Find 1.", "Find 2."]


def test_files_folders_and_globs_without_repeats(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [GPQA])
    write(tmp_path / "b.csv", [GPQA, GPQA | {"Question": "Another?"}])
    (tmp_path / "README.md").write_text("not a benchmark")
    one = load_benchmark("gpqa", str(tmp_path))
    assert [(item.id, item.question) for item in one] == [
        ("rec06", "Two quantum states?"),
        ("rec06:2", "Another?"),
    ]
    assert load_benchmark("gpqa", [str(tmp_path / "a.jsonl"), str(tmp_path / "*.csv")]) == one
    both = load_benchmarks({"gpqa": str(tmp_path), "gpqa_main": str(tmp_path / "a.jsonl")})
    assert [item.benchmark for item in both] == ["gpqa", "gpqa", "gpqa_main"]


def test_any_other_benchmark_by_its_fields(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "uid": "q1",
            "stem": "Which gas?",
            "choices": {"text": ["N2", "O2"], "label": ["A", "B"]},
            "why": None,
        },
        {"uid": "q2", "stem": "  ", "choices": {"text": [], "label": []}, "why": ""},
        {
            "uid": None,
            "stem": "Which metal?",
            "choices": {"text": ["Fe"], "label": ["A"]},
            "why": "It rusts.",
        },
    ]
    path = write(tmp_path / "arc.jsonl", rows)
    given = BenchmarkFiles(files=str(path), question="stem", choices="choices", answer="why", id="uid")
    assert load_benchmark("arc", given) == [
        Item("arc", "q1", "Which gas?", ("N2", "O2"), ""),
        Item("arc", "2", "Which metal?", ("Fe",), "It rusts."),
    ]
    spread = write(tmp_path / "own.csv", [{"q": "Which?", "one": "x", "two": "y"}])
    given = BenchmarkFiles(files=str(spread), question="q", choices=["one", "two"])
    assert load_benchmark("own", given) == [Item("own", "0", "Which?", ("x", "y"))]
    given = BenchmarkFiles(files=str(write(tmp_path / "m.jsonl", [MATH])), layout="math")
    assert load_benchmark("olympiad", given)[0].answer == MATH["solution"]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "gsm8k",
            {"files": "wrong.jsonl"},
            "wrong.jsonl: no field 'question' for benchmark 'gsm8k'; fields there are: q, a",
        ),
        (
            "mmlu",
            {"files": "plain.jsonl"},
            "no field 'choices' for benchmark 'mmlu'; fields there are: question",
        ),
        ("own", {"files": "wrong.jsonl", "question": "qq"}, "no field 'qq'.*fields there are: q, a"),
        (
            "gsm9k",
            {"files": "wrong.jsonl"},
            "fields of benchmark 'gsm9k' are not known; did you mean 'gsm8k'",
        ),
        ("own", {"files": "wrong.jsonl", "answer": "a"}, "'answer' needs 'question' beside it"),
        ("gsm8k", {"files": "none.jsonl"}, "none.jsonl: no benchmark files there"),
        ("gsm8k", {"files": "empty.jsonl"}, "empty.jsonl: benchmark 'gsm8k' has no items"),
        ("gsm8k", {"files": "broken.jsonl"}, "broken.jsonl:2: not JSON"),
        ("gsm8k", {"files": "list.jsonl"}, "list.jsonl:1: a row is an object with fields"),
        ("gsm8k", {"files": "cut.parquet"}, "cut.parquet: cannot read the benchmark"),
        ("gsm8k", {"files": "latin.csv"}, "latin.csv: cannot read the benchmark"),
        ("gsm8k", {"files": "cut.jsonl.gz"}, "cut.jsonl.gz: cannot read the benchmark"),
        ("gsm8k", {"files": "file.txt"}, "file.txt: a benchmark's file ends with"),
        ("gsm8k", {"files": "hf://openai/gsm8k"}, "the benchmark has no pinned revision"),
        ("gsm8k", {"files": "hf://openai/gsm8k@main/a.parquet"}, "the benchmark has no pinned revision"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("wrong.jsonl"), [{"q": "x", "a": "y"}])
    write(Path("plain.jsonl"), [{"question": "x"}])
    Path("empty.jsonl").write_text("\n")
    Path("broken.jsonl").write_text('{"question": "x", "answer": ""}\n{"question": ')
    Path("list.jsonl").write_text("[1]\n")
    Path("cut.parquet").write_bytes(b"PAR1")
    Path("latin.csv").write_bytes("question,answer\nCafé,1\n".encode("latin-1"))
    Path("cut.jsonl.gz").write_bytes(gzip.compress(b'{"question": "x"}\n' * 100)[:-12])
    Path("file.txt").write_text("x")
    with pytest.raises(UserError, match=message) as caught:
        load_benchmark(name, BenchmarkFiles(**given))
    assert "\n" not in str(caught.value)


def test_names_begin_with_the_name_of_a_known_benchmark() -> None:
    assert layout_of("MMLU-Pro") is layout_of("mmlu_pro_2") is BENCHMARKS["mmlu_pro"]
    assert layout_of("mmlu-redux") is BENCHMARKS["mmlu"]
    assert layout_of("math500") is BENCHMARKS["math"]
    assert layout_of("mathematics") is layout_of("mbppplus") is None


def test_a_benchmark_comes_from_the_hub_once(tmp_path: Path, hub_server: HubServer) -> None:
    """Against a server that answers as the Hub does for data sets: one file, then the same with the server
    gone."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    data = write(tmp_path / "x.parquet", [GSM8K]).read_bytes()
    hub_server.files[f"/datasets/openai/gsm8k/resolve/{commit}/main/test-00000-of-00001.parquet"] = data
    code = (
        "from filters.decontaminate.benchmarks import load_benchmark;"
        f"(i,) = load_benchmark('gsm8k', 'hf://openai/gsm8k@{commit}/main/test-00000-of-00001.parquet');"
        "print(i.question)"
    )
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": hub_server.url,
    }
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert (done.returncode, done.stdout) == (0, "How many eggs?\n"), done.stderr
        hub_server.files.clear()


def test_of_a_repository_the_benchmarks_files_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    write(tmp_path / "main" / "test-00000-of-00001.parquet", [GSM8K])
    write(tmp_path / "socratic" / "test-00000-of-00001.parquet", [{"question": "Other?", "answer": ""}])

    def snapshot(repository: str, revision: str, allow_patterns: list[str], repo_type: str) -> str:
        assert (repository, revision, repo_type) == ("openai/gsm8k", commit, "dataset")
        assert allow_patterns == ["main/test-*", "main/train-*"]
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert [item.question for item in load_benchmark("gsm8k", f"hf://openai/gsm8k@{commit}")] == [
        "How many eggs?"
    ]
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(UserError, match=r"the repository has no files test\*\.jsonl; name one: hf://"):
        load_benchmark("livecodebench", f"hf://x/y@{commit}")


@pytest.mark.parametrize(
    ("name", "file", "count", "answers"),
    [
        ("gsm8k_test", "gsm8k_test", 1319, 1319),
        ("math_test", "math_test", 5000, 5000),
        ("aime_hmmt", "aime24_25_hmmt", 256, 59),
        ("humaneval", "humaneval", 164, 164),
        ("mbpp", "mbpp", 974, 974),
        ("ifeval", "ifeval", 541, 0),
    ],
)
def test_real_files(testdata: Path, name: str, file: str, count: int, answers: int) -> None:
    items = load_benchmark(name, str(testdata / "evaluation" / f"{file}.jsonl.zst"))
    assert len(items) == len({item.id for item in items})
    assert 0 <= count - len(items) <= count // 100  # repeats within a file
    assert sum(bool(item.answer) for item in items) == answers - (count - len(items)) * bool(answers)

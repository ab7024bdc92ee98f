"""OpenCoder's measures against slow twins written from its definitions, and its rules on files that they
are about."""
# ruff: noqa: E501 (a case, a line)

from __future__ import annotations

import ast
import math
import re
import string
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView, annotate_texts
from filters.code import constructs, measures
from filters.code.lexer import COMMENT, STRING, kinds_of
from filters.code.repetition import lowered_code_points, repetition, words
from filters.decide import bind
from filters.registry import build_annotator, known_columns
from filters.rules import load_ruleset
from tests.filters.samples import HOSTILE


def measured(text: str, path: str = "a.py") -> dict[str, Any]:
    (table,) = annotate_texts([build_annotator("opencoder")], [text], [{"path": path}]).values()
    return {name.removeprefix("opencoder."): value for name, value in table.to_pylist()[0].items()}


def modules(step: int) -> Iterator[str]:
    for file in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))[::step]:
        text = file.read_text(encoding="utf-8", errors="replace")
        if 0 < len(text) < 60_000:
            yield text


def normalized_words(text: str) -> list[str]:
    """OpenCoder's normal form, then its tokenizer's pieces."""
    table = str.maketrans(dict.fromkeys(string.punctuation, " "))
    return re.findall(r"\w+|[^\w\s]+", text.translate(table).lower())


def grams(tokens: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))


def twin_of_repetition(text: str) -> list[float]:
    tokens = normalized_words(text)
    if not tokens:
        return []
    total = sum(map(len, tokens))
    counts = Counter(tokens)
    values = [total / len(tokens), len(counts) / len(tokens)]
    values.append(-sum(n / len(tokens) * math.log(n / len(tokens)) for n in counts.values()))
    for n in (2, 3, 4):
        common = Counter(grams(tokens, n)).most_common(1)
        good = common and common[0][1] > 1
        values.append(sum(map(len, common[0][0])) * common[0][1] / total if good else 0.0)
    for n in (5, 6, 7, 8, 9, 10):
        runs = grams(tokens, n)
        repeated = {run for run, count in Counter(runs).items() if count > 1}
        marked = {at + offset for at, run in enumerate(runs) if run in repeated for offset in range(n)}
        values.append(sum(len(tokens[at]) for at in marked) / total)
    return values


def repetition_of(text: str) -> list[float]:
    view = TextView(text)
    row = np.full(12, np.nan)
    repetition(*words(lowered_code_points(view), view.classes), row)
    return [float(value) for value in row if not math.isnan(value)]


@given(st.text(alphabet="abAB _.,(\n12éß", max_size=120))
@settings(max_examples=200, deadline=None)
def test_repetition_against_its_twin(text: str) -> None:
    assert repetition_of(text) == pytest.approx(twin_of_repetition(text))


def test_repetition_of_real_modules() -> None:
    for text in modules(251):
        if text.isascii():
            assert repetition_of(text) == pytest.approx(twin_of_repetition(text))


def twin_of_lines(text: str, kinds: np.ndarray[Any, Any], printing: str) -> dict[str, float]:
    """Lines by the definitions of code.py, on the text without its comments."""
    raw = re.findall(r"[^\n]*\n|[^\n]+$", text)
    code, comments, at = [], [], 0
    for line in raw:
        marks = kinds[at : at + len(line)]
        code.append("".join(c for c, kind in zip(line, marks, strict=True) if kind != COMMENT))
        comments.append("".join(c for c, kind in zip(line, marks, strict=True) if kind == COMMENT))
        at += len(line)
    code = [line for line in code if line.strip()]
    counts = Counter(re.sub(r"\s+", "", line) for line in code)
    repeated = sum(n for line, n in counts.items() if n > 1 and line != "}," and len(line) > 1)
    asked = sum(
        any(word in line.lower() for word in ("your code here", "fixme", "todo")) for line in comments
    )
    total = len(code)
    return {
        "lines": len(raw),
        "longest_line": max(map(len, raw), default=0),
        "mean_line": len(text) / len(raw),
        "todo_fraction": asked / len(raw),
        **({} if total == 0 else {
            "duplicate_line_fraction": repeated / total,
            "assert_fraction": sum("assert" in line.lower() for line in code) / total,
            "print_fraction": sum(printing in line.lower() for line in code) / total,
            "import_fraction": sum("import" in line.lower() for line in code) / total,
            "pass_fraction": sum("pass" in line.lower() for line in code) / total,
        }),
    }  # fmt: skip


def test_lines_of_real_modules() -> None:
    for text in modules(251):
        kinds = kinds_of(TextView(text).code_points, "python")
        row = measured(text)
        for name, value in twin_of_lines(text, kinds, "print").items():
            assert row[name] == pytest.approx(value), name


def test_characters_of_real_modules() -> None:
    for text in modules(499):
        kinds = kinds_of(TextView(text).code_points, "python")
        row = measured(text)
        visible = re.sub(r"\s+", "", text)
        assert row["letter_fraction"] == pytest.approx(sum(map(str.isalpha, visible)) / len(visible))
        assert row["digit_fraction"] == pytest.approx(sum(map(str.isdigit, visible)) / len(visible))
        assert row["comment_fraction"] == pytest.approx(float((kinds == COMMENT).mean()))
        code = int((kinds != COMMENT).sum())
        strings = "".join(c if kind == STRING else "\0" for c, kind in zip(text, kinds, strict=True))
        pieces = [piece for part in strings.split("\0") for piece in part.split()]
        long = [p for p in pieces if len(p) > 20 and not re.match(r".*https?://\S+.*", p)]
        assert row["string_fraction"] == pytest.approx(int((kinds == STRING).sum()) / code)
        assert row["long_word_fraction"] == pytest.approx(sum(map(len, long)) / code)
        plain = "".join(c if kind != COMMENT else "\0" for c, kind in zip(text, kinds, strict=True))
        words = re.findall(r"\b0[xX][0-9a-fA-F]+\b", plain)
        assert row["hex_fraction"] == pytest.approx(sum(map(len, words)) / code)


PATTERNS = (
    re.compile(r"[a-zA-Z0-9+/\n=]{64,}"),
    re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}"),
    re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}"),
)


def twin_of_encoded(text: str) -> bool:
    found = [match[0] for pattern in PATTERNS for match in pattern.finditer(text)]
    return any(len(one) > 1024 for one in found) or sum(map(len, found)) > 0.5 * max(1, len(text))


@given(
    st.lists(
        st.sampled_from(
            ["0x12,", "0x12, ", "ab ", "\\x41", "\\u00e9", "zz", "A" * 70, "\n", "12", " ", "f0,"]
        ),
        max_size=40,
    ).map("".join)
)
@settings(max_examples=300, deadline=None)
def test_encoded_data_against_its_patterns(text: str) -> None:
    view = TextView(text)
    assert bool(measures.encoded(view.code_points, view.classes)) == twin_of_encoded(text)


def test_encoded_data() -> None:
    assert measured("DATA = '" + "QUJD" * 300 + "'")["encoded"] is True
    assert measured("x = [" + "0x12,0x34," * 200 + "]")["encoded"] is True
    assert measured("\n".join(f"name_{n} = {n}" for n in range(100)))["encoded"] is False


def test_constructs_against_syntax_trees() -> None:
    """Functions, classes, returns, plain variables of classes, functions that only return: nearly all agree.

    What follows a colon on its line (`if x: return y`) begins no line and is not counted: a few modules are
    written so.
    """
    differences, total = 0, 0
    for text in modules(101):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        expected = dict.fromkeys(range(8), 0)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                expected[constructs.FUNCTIONS] += 1
                expected[constructs.SIMPLE] += len(node.body) == 1 and isinstance(node.body[0], ast.Return)
            elif isinstance(node, ast.ClassDef):
                expected[constructs.CLASSES] += 1
                for item in node.body:
                    targets = item.targets if isinstance(item, ast.Assign) else []
                    targets = [item.target] if isinstance(item, ast.AnnAssign) else targets
                    expected[constructs.PLAIN] += sum(isinstance(target, ast.Name) for target in targets)
            elif isinstance(node, ast.Return):
                expected[constructs.RETURNS] += 1
        view = TextView(text)
        kinds = kinds_of(view.code_points, "python")
        found = constructs.python_constructs(
            view.code_points, view.classes, kinds, view.prefix_hashes, *constructs.word_kinds()
        )
        for what in (
            constructs.FUNCTIONS,
            constructs.CLASSES,
            constructs.RETURNS,
            constructs.PLAIN,
            constructs.SIMPLE,
        ):
            total += expected[what]
            differences += abs(expected[what] - int(found[what]))
    assert total > 2000
    assert differences < 0.03 * total


@pytest.mark.parametrize(
    ("path", "text", "functions", "logic", "variables"),
    [
        (
            "a.c",
            "#include <a.h>\nint a;\nstatic int f(int x);\nchar *g(void) {\n  return y;\n}\nint main() {\n  if (f(1)) foo(2);\n}\n",
            3,
            6,
            None,
        ),
        (
            "A.java",
            "import a.b;\nclass A {\n  private int x;\n  public A() { }\n  int get() {\n    return x;\n  }\n}\n",
            1,
            5,
            False,
        ),
        ("A.java", "interface A {\n  int f(int a);\n}\n", 1, 1, True),
        (
            "a.js",
            "import a from 'b';\nconst x = 1;\nlet y = f(2);\nvar g = function() {};\nfunction h() {\n  return x + 1;\n}\nclass A {}\n",
            2,
            5,
            False,
        ),
        (
            "a.go",
            'package a\nimport "b"\nvar x int\ntype A struct {\n}\nfunc (a *A) f(b int) int {\n  return b\n}\n',
            1,
            5,
            None,
        ),
        (
            "a.cs",
            "using System;\nclass A {\n  int x;\n  static int F(int a) {\n    return a;\n  }\n}\n",
            1,
            5,
            None,
        ),
        ("a.py", "import a\nclass A:\n    x = 1\n    def f(self):\n        return 2\n", 1, 5, False),
        ("a.py", "import a\nprint(1)\n", 0, 1, True),
    ],
)
def test_constructs_by_hand(path: str, text: str, functions: int, logic: int, variables: bool | None) -> None:
    row = measured(text, path)
    lines = len([line for line in text.splitlines() if line.strip()])
    assert row["functions_per_line"] == pytest.approx(functions / lines)
    assert row["no_logic_per_line"] == pytest.approx(logic / lines)
    assert row["no_variables"] is variables


def test_what_is_measured_of_which_language() -> None:
    html = measured("<p>words</p><script>var a</script><!-- no -->\n", "a.html")
    assert html["html_characters"] == len("words\n")
    assert html["functions_per_line"] is None
    go = measured("package a\n", "x/a_test.go")
    assert go["go_test"] is True
    header = measured("#include <a>\nint f();\n", "a.h")
    assert header["directive_fraction"] is None
    assert measured("#include <a>\nint f();\n", "a.c")["directive_fraction"] == 0.5
    text = measured("# Title\n\nOne sentence here. And another!\n", "README.md")
    assert (text["sentences"], text["lines"], text["longest_line"]) == (2, 3, None)
    assert measured("words", "a.unknown")["characters"] == 5


def test_lots_are_even_and_depend_on_the_text_alone() -> None:
    drawn = [measured(f"x = {n}\n")["draw"] for n in range(300)]
    assert drawn == [measured(f"x = {n}\n", "b.go")["draw"] for n in range(300)]
    assert 0.4 < sum(drawn) / 300 < 0.6
    assert sum(one > 0.2 for one in drawn) == pytest.approx(240, abs=25)


GOOD = '''"""Bins of a histogram."""

import math


def bins(values, width):
    """Counts of values by the bin that they fall into, the lowest first."""
    counts = {}
    for value in values:
        place = math.floor(value / width)
        counts[place] = counts.get(place, 0) + 1
    lowest = min(counts, default=0)
    highest = max(counts, default=-1)
    return [counts.get(place, 0) for place in range(lowest, highest + 1)]


def mean(values):
    total = sum(values)
    if not values:
        raise ValueError("no values, no mean")
    return total / len(values)
'''


def decided(text: str, path: str, rules: str = "opencoder") -> str | None:
    """The reason for which a rule set drops a file, or None."""
    annotators = [build_annotator(name) for name in ("code_language", "opencoder", "syntax")]
    table = pa.table({"id": ["a"]})
    for part in annotate_texts(annotators, [text], [{"path": path}]).values():
        for name in part.column_names:
            table = table.append_column(part.schema.field(name), part[name])
    reason: str | None = bind(load_ruleset(rules), known_columns()).decide(table)["reason"][0].as_py()
    return reason


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (GOOD, "a.py", None),
        (GOOD, "a.unknown", "unknown_language"),
        ("x = 1\n", "a.py", "num_words"),
        (GOOD.replace("min(", "min(("), "a.py", "cate_ast"),
        (GOOD + f"x = '{'word ' * 300}'\n", "a.py", "top_2grams"),
        ("# Generated by a tool\n" + GOOD, "a.py", "cate_autogen"),
        (GOOD + "".join(f"# todo {n} of the list\n" for n in "abcdef"), "a.py", "frac_lines_prompt_comments"),
        ("<?xml version='1.0'?>\n<text>\n" + GOOD.replace("<", "") + "</text>\n", "a.xml", "cate_xml_start"),
        ("\n".join(f"int f{a}{b}(int {a});" for a in "abcdefg" for b in "hijklmn"), "a.c", "frac_lines_func_ratio"),
        ("Words of a note, alone.\n", "README.md", "entropy_unigram"),
    ],
)  # fmt: skip
def test_rules_find_what_they_are_about(text: str, path: str, reason: str | None) -> None:
    assert decided(text, path) == reason


@pytest.mark.parametrize(
    "path", ["a.py", "a.c", "a.js", "a.go", "a.cs", "A.java", "a.html", "a.md", "a.json", "a.sql", None]
)
def test_hostile_texts_are_measured(path: str | None) -> None:
    texts = [
        *HOSTILE.values(),
        "def f(" * 2000,
        "class A {" * 2000,
        "'" * 999,
        "<a" * 2000,
        "(http://" * 500,
        "=begin\n" * 50,
    ]
    (table,) = annotate_texts([build_annotator("opencoder")], texts, [{"path": path}] * len(texts)).values()
    for row in table.to_pylist():
        for name, value in row.items():
            if value is not None and name.endswith("_fraction"):
                assert 0 <= value <= 1, name

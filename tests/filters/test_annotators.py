"""What all annotators promise: their columns, whatever the text; the same values, whatever the company."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from datatrove.data import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import Annotator, TextView, annotate_texts
from filters.registry import annotator_names, build_annotator, known_columns, required_options
from filters.step import AnnotatorStep
from gristmill.base.errors import UserError
from tests.filters.samples import HOSTILE, real_texts
from tests.filters.test_segmentation import TEXTS

FILES = ("contamination",)
NAMES = [name for name in annotator_names() if not required_options(name) and name not in FILES]
"""Annotators that cannot be without a model or an index have tests of their own."""
ALL = [build_annotator(name) for name in NAMES]


def annotate(texts: Sequence[str], url: str | None = None) -> list[dict[str, object]]:
    tables = annotate_texts(ALL, texts, [{"url": url}] * len(texts)).values()
    rows: list[dict[str, object]] = [{} for _ in texts]
    for table in tables:
        for row, values in zip(rows, table.to_pylist(), strict=True):
            row.update(values)
    return rows


@pytest.mark.parametrize("annotator", ALL, ids=NAMES)
def test_columns_are_declared_dotted_and_filled(annotator: Annotator) -> None:
    assert isinstance(annotator, Annotator)
    arrays = annotator.annotate([TextView(text) for text in HOSTILE.values()], [{}] * len(HOSTILE))
    assert list(arrays) == list(annotator.columns)
    for name, array in arrays.items():
        assert name.count(".") == 1
        assert array.type == annotator.columns[name] == known_columns()[name]
        assert len(array) == len(HOSTILE)
        assert all(ord(character) < 128 for character in name)


@pytest.mark.parametrize("annotator", ALL, ids=NAMES)
def test_an_empty_batch_has_empty_columns(annotator: Annotator) -> None:
    (table,) = annotate_texts([annotator], []).values()
    assert table.num_rows == 0
    assert table.schema == pa.schema(list(annotator.columns.items()))


def test_names_of_columns_never_clash() -> None:
    names = [name for annotator in ALL for name in annotator.columns]
    assert len(names) == len(set(names))
    assert {"exact.cluster", "exact.size", "exact.keep"} <= set(known_columns()) - set(names)


@given(st.lists(TEXTS, max_size=6))
@settings(max_examples=80, deadline=None)
def test_fractions_are_fractions_and_company_does_not_matter(texts: list[str]) -> None:
    together = annotate(texts)
    assert together == [annotate([text])[0] for text in texts]
    for row in together:
        for name, value in row.items():
            if value is not None and name.endswith(
                ("_fraction", "score", "punctuation_ratio", "short_line_ratio")
            ):
                assert 0 <= value <= 1, name  # type: ignore[operator]


def test_views_are_shared_and_cached() -> None:
    view = TextView("One word. Two words.")
    for name in (
        "code_points",
        "classes",
        "lines",
        "paragraphs",
        "words",
        "sentences",
        "word_hashes",
    ):
        assert getattr(view, name) is getattr(view, name)


def test_counts_by_hand() -> None:
    row = annotate(["Zwei Mühlen, 12 Räder.\nEin Bach!\r\n"])[0]
    assert row["stats.characters"] == 34
    assert row["stats.bytes"] == 36
    assert row["stats.words"] == 6
    assert row["stats.lines"] == 2
    assert row["stats.sentences"] == 2
    assert row["stats.digit_fraction"] == pytest.approx(2 / 34)
    assert row["stats.alpha_fraction"] == pytest.approx((4 + 6 + 5 + 3 + 4) / 34)
    assert row["stats.whitespace_fraction"] == pytest.approx((3 + 1 + 1 + 2) / 34)
    assert row["stats.mean_word_length"] == pytest.approx((4 + 6 + 2 + 5 + 3 + 4) / 6)


@pytest.mark.parametrize(
    ("text", "formulas", "commands"),
    [
        (r"the sum \(a+b\) and \[c\] and $$d$$", 3, 0),
        (r"\begin{align} x \end{align}", 1, 2),
        ("it costs $5 and then $6, or US$7 = 8$", 0, 0),
        ("where $x^2 + y_1 = z$ holds for $n$", 1, 0),
        (r"a path C:\new\table", 0, 2),
        ("$" * 5000, 1250, 0),
        ("$ =" * 5000, 0, 0),
        ("$a=" * 5000, 0, 0),
        ("$a= " * 5000, 0, 0),
        ("$a=$ " * 5000, 5000, 0),
    ],
)
def test_signs_of_mathematics(text: str, formulas: int, commands: int) -> None:
    row = annotate([text])[0]
    assert (row["math.latex"], row["math.latex_commands"]) == (formulas, commands)


def test_signs_of_code_and_markup() -> None:
    code = "def f(x):\n    return x;\n\n>>> f(1)\nint main() {\n}\nprose here\nhttp://a.b/ <br/> </p>"
    row = annotate([code])[0]
    assert row["markup.code_line_fraction"] == pytest.approx(5 / 7)
    assert (row["markup.tags"], row["markup.urls"]) == (2, 1)


def test_c4_counts_a_line_for_the_first_check_that_it_fails() -> None:
    lines = [
        "This line is kept, as it ends well. It has two sentences.",
        "This line ends without a mark",
        "This line ends with an ellipsis...",
        "Two words.",
        "x" * 1001 + " is a very long word.",
        "Please enable JavaScript to see this.",
        "We use cookies on this page.",
        "A {brace} in a good line.",
        "Cited facts are judged without their marks.[12]",
    ]
    row = annotate(["\n".join(lines)])[0]
    names = (
        "lines",
        "long_word_lines",
        "unpunctuated_lines",
        "short_lines",
        "javascript_lines",
        "policy_lines",
    )
    assert [row[f"c4.{name}"] for name in names] == [9, 1, 2, 1, 1, 1]
    assert (row["c4.kept_lines"], row["c4.curly_bracket"], row["c4.lorem_ipsum"]) == (3, True, False)
    assert row["c4.sentences"] == 4


def test_the_hash_of_duplicates_folds_case_space_and_composition() -> None:
    rows = annotate(["Caf\u00e9 NOIR", " cafe\u0301\n\nnoir ", "cafe noir"])
    assert rows[0]["exact.hash"] == rows[1]["exact.hash"] != rows[2]["exact.hash"]
    assert [row["exact.length"] for row in rows] == [9, 13, 9]
    # Fixed for all time: stores of different ages are compared by it.
    assert rows[0]["exact.hash"] == "8b282c2d5ee2ac07ee8e5249e65aefa9"


@pytest.mark.parametrize("kind", ["one line", "no space", "repeats", "blank", "lines", "marks"])
def test_huge_texts_are_measured(kind: str) -> None:
    size = 10 << 20 if kind == "one line" else 3 << 20
    text = {
        "one line": "lorem ipsum dolor sit amet " * (size // 27),
        "no space": "x" * size,
        "repeats": "a b " * (size // 4),
        "blank": " \n" * (size // 2),
        "lines": "A line that ends. {\n" * (size // 20),
        "marks": "[1]$=\\(" * (size // 7),
    }[kind]
    began = time.process_time()
    row = annotate([text])[0]
    # Not a measure of speed: it would be hours if anything were quadratic.
    assert time.process_time() - began < 300
    assert row["stats.characters"] == len(text)


def test_values_do_not_depend_on_the_process(testdata: Path) -> None:
    """Another hash seed and another process give the same bytes."""
    code = (
        "import sys, hashlib; from pathlib import Path;"
        "from tests.filters.samples import real_texts; from tests.filters.test_annotators import annotate;"
        "rows = annotate(real_texts(Path(sys.argv[1]))[::7]);"
        "print(hashlib.sha256(repr(rows).encode('utf-8', 'surrogatepass')).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(testdata)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_a_pipeline_gets_what_a_call_returns(testdata: Path) -> None:
    texts = [*HOSTILE.values(), *real_texts(testdata)[:50]]
    expected = annotate(texts, url="u")
    for batch_size in (1, 7, 256):
        step = pickle.loads(pickle.dumps(AnnotatorStep(ALL, batch_size)))
        documents = [Document(text=text, id=str(n), metadata={"url": "u"}) for n, text in enumerate(texts)]
        annotated = list(step.run(iter(documents)))
        assert [document.id for document in annotated] == [document.id for document in documents]
        assert [document.metadata for document in annotated] == [{"url": "u"} | row for row in expected]
        assert [document.text for document in annotated] == texts


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("gofer", {}, "unknown annotator 'gofer'; did you mean 'gopher'?"),
        ("zzz", {}, "unknown annotator 'zzz'; valid names: c4, code_language, code_origin"),
        (
            "gopher",
            {"stop_word": []},
            "unknown option 'stop_word' of annotator 'gopher'; did you mean 'stop_words'?",
        ),
        ("stats", {"anything": 1}, "'stats' has no options"),
        ("fineweb", {"short_line": "x"}, "option 'short_line' of annotator 'fineweb'"),
        ("gopher", {"stop_words": "the"}, "option 'stop_words' of annotator 'gopher'"),
        ("language", {"model": 5}, "option 'model' of annotator 'language'"),
        ("language", {"max_characters": -1}, "option 'max_characters' of annotator 'language'"),
    ],
)
def test_a_mistake_in_a_manifest_is_told(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(UserError) as caught:
        build_annotator(name, options)
    assert told in str(caught.value)

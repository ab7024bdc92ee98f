"""Benchmarks by name: the fields of their published files, read as items.

The layouts are those of the data sets on the Hub (and of the original releases where these differ):

    mmlu           cais/mmlu: question, choices, subject; the original CSV without a header (hendrycks/test)
    mmlu_pro       TIGER-Lab/MMLU-Pro: question_id, question, options, category
    gsm8k          openai/gsm8k: question, answer
    math           hendrycks/competition_math, EleutherAI/hendrycks_math: problem, solution;
                   HuggingFaceH4/MATH-500: with unique_id; the original folder of one JSON file a problem
    aime           HuggingFaceH4/aime_2024: id, problem, solution; Maxwell-Jia/AIME_2024: the same, as ID,
                   Problem, Solution; math-ai/aime25: id, problem; MathArena/aime_2025: problem_idx, problem;
                   opencompass/AIME2025: question
    hmmt           MathArena/hmmt_feb_2025: problem_idx, problem
    gpqa           Idavidrein/gpqa: Record ID, Question, Correct Answer, Incorrect Answer 1 to 3,
                   Explanation
    humaneval      openai/openai_humaneval: task_id, prompt, canonical_solution
    mbpp           google-research-datasets/mbpp: task_id, text (sanitized: prompt), code
    livecodebench  livecodebench/code_generation_lite: question_id, question_content
    ifeval         google/IFEval: key, prompt
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from filters.decontaminate.files import ENDINGS, PACKED, Row, find_files, read_rows
from filters.decontaminate.items import Item
from gristmill.base.errors import UserError, did_you_mean

ALL_FILES = tuple(f"*{ending}{packed}" for ending in ENDINGS for packed in ("", *PACKED))


@dataclass(frozen=True)
class Layout:
    """Which fields of a row make an item: of each several names, the first that is there counts.

    `choices` is one field that holds a list, or the fields that hold a choice each. `group` is the field
    within which items are counted that have no id of their own. `hub` says which files of a repository are
    the benchmark. `header` names the columns of a CSV file without a header.
    """

    question: tuple[str, ...]
    choices: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    group: str | None = None
    hub: tuple[str, ...] = ALL_FILES
    header: tuple[str, ...] = ()


_PROBLEM = ("problem", "Problem", "question")
_SOLUTION = ("solution", "Solution", "reference_solution")
_PROBLEM_ID = ("unique_id", "id", "ID", "problem_idx")

BENCHMARKS: Mapping[str, Layout] = {
    "mmlu": Layout(
        ("question",),
        ("choices",),
        group="subject",
        hub=("all/test-*", "all/validation-*", "all/dev-*"),
        header=("question", "A", "B", "C", "D", "answer"),
    ),
    "mmlu_pro": Layout(("question",), ("options",), id=("question_id",)),
    "gsm8k": Layout(("question",), (), ("answer",), hub=("main/test-*", "main/train-*")),
    "math": Layout(_PROBLEM, (), _SOLUTION, id=_PROBLEM_ID),
    "aime": Layout(_PROBLEM, (), _SOLUTION, id=_PROBLEM_ID),
    "hmmt": Layout(_PROBLEM, (), _SOLUTION, id=_PROBLEM_ID),
    "gpqa": Layout(
        ("Question", "question"),
        ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
        ("Explanation",),
        id=("Record ID",),
        hub=("gpqa_*.csv",),
    ),
    "humaneval": Layout(("prompt",), (), ("canonical_solution",), id=("task_id",)),
    "mbpp": Layout(("text", "prompt"), (), ("code",), id=("task_id",), hub=("full/*", "sanitized/*")),
    "livecodebench": Layout(("question_content",), id=("question_id",), hub=("test*.jsonl",)),
    "ifeval": Layout(("prompt",), id=("key",)),
}


class BenchmarkFiles(BaseModel):
    """A benchmark by its files; with fields, one of any layout."""

    model_config = ConfigDict(extra="forbid")

    files: str | list[str]
    """Files, folders, globs, or `hf://org/name@commit` with or without `/file`."""
    layout: str | None = None
    """A known benchmark whose fields these are; by default the one that the name begins with."""
    question: str | None = None
    """The field that holds the question: of a layout that is not known."""
    choices: str | list[str] | None = None
    """A field that holds a list, or the fields that hold a choice each."""
    answer: str | None = None
    """A field that holds a worked solution."""
    id: str | None = None


Given = str | list[str] | BenchmarkFiles


def load_benchmark(name: str, given: Given) -> list[Item]:
    """The items of a benchmark.

    Args:
        name: how it is called in results; where it begins with the name of a known one (`aime_2025`,
            `gsm8k_train`, `math-500`), its layout is that one's.
        given: its files, or its files and fields.

    Rows without a question are left out, and so are items whose texts stand there already (one file holds
    another). An item without an id gets its number; one whose id is taken, the id with `:2` and so on.

    Raises UserError where a file cannot be read or lacks the fields (naming those that it has), and where
    there is no item.
    """
    options = given if isinstance(given, BenchmarkFiles) else BenchmarkFiles(files=given)
    layout = _layout(name, options)
    references = [options.files] if isinstance(options.files, str) else options.files
    items: dict[tuple[Any, ...], Item] = {}
    taken: dict[str, int] = {}
    counts: dict[str, int] = {}
    for reference in references:
        for file, path in find_files(reference, layout.hub):
            rows = read_rows(path, layout.header)
            for item in _items(name, layout, rows, str(path), _default_group(layout, file), counts):
                texts = (item.question, item.choices, item.answer)
                if texts in items:
                    continue
                taken[item.id] = number = taken.get(item.id, 0) + 1
                items[texts] = item if number == 1 else Item(name, f"{item.id}:{number}", *texts)
    if not items:
        raise UserError(f"benchmark '{name}' has no items", where=", ".join(references))
    return list(items.values())


def load_benchmarks(given: Mapping[str, Given]) -> list[Item]:
    """The items of several benchmarks, in their order."""
    return [item for name, files in given.items() for item in load_benchmark(name, files)]


def layout_of(name: str) -> Layout | None:
    """The layout of the known benchmark that a name begins with: the longest such name, a mark or a digit
    behind it."""
    plain = name.lower().replace("-", "_")
    fitting = [known for known in BENCHMARKS if re.match(rf"{known}(?![a-z])", plain)]
    return BENCHMARKS[max(fitting, key=len)] if fitting else None


def _layout(name: str, options: BenchmarkFiles) -> Layout:
    if options.question is not None:
        choices = [options.choices] if isinstance(options.choices, str) else options.choices or []
        answer, own = (() if field is None else (field,) for field in (options.answer, options.id))
        return Layout((options.question,), tuple(choices), answer, own)
    given = [field for field in ("choices", "answer", "id") if getattr(options, field) is not None]
    if given:
        raise UserError(f"benchmark '{name}': '{given[0]}' needs 'question' beside it")
    known = options.layout or name
    layout = layout_of(known)
    if layout is None:
        raise UserError(
            f"the fields of benchmark '{known}' are not known",
            mend=f"{did_you_mean(known, BENCHMARKS)} or say which fields: question, choices, answer, id",
        )
    return layout


def _default_group(layout: Layout, file: str) -> str:
    """Where items without a group are counted: the file of a benchmark that has groups (MMLU's original files
    are called `abstract_algebra_test.csv`), one for all of any other."""
    if layout.group is None:
        return ""
    return re.sub(r"_(test|val|dev)$", "", file.partition(".")[0])


def _items(  # noqa: PLR0917
    name: str, layout: Layout, rows: Iterable[Row], where: str, group: str, counts: dict[str, int]
) -> Iterator[Item]:
    """The items of one file."""
    for row in rows:
        question_field = _present(layout.question, row)
        choice_fields = [field for field in layout.choices if field in row]
        lettered = [field for field in layout.header[1:-1] if field in row]
        if question_field is None or (layout.choices and not choice_fields and not lettered):
            wanted = layout.question if question_field is None else layout.choices
            raise UserError(
                f"no field '{' or '.join(wanted)}' for benchmark '{name}'",
                where=where,
                mend=f"fields there are: {', '.join(map(str, row))}",
            )
        own_group = str(row.get(layout.group) or group) if layout.group else group
        counts[own_group] = number = counts.get(own_group, -1) + 1
        question = _string(row[question_field])
        if not question.strip():
            continue
        choices = tuple(_choices(row, choice_fields or lettered))
        answer_field, id_field = _present(layout.answer, row), _present(layout.id, row)
        answer = _string(row[answer_field]) if answer_field is not None else ""
        own = row[id_field] if id_field is not None else None
        if own is None:
            own = f"{own_group}/{number}" if own_group else number
        yield Item(name, str(own), question, choices, answer)


def _present(names: Sequence[str], row: Row) -> str | None:
    return next((name for name in names if name in row), None)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _choices(row: Row, fields: Sequence[str]) -> Iterator[str]:
    """The choices of a row: of fields that hold a choice or a list of them, or, as in ARC, an object with a
    list called `text`."""
    for field in fields:
        value = row[field]
        if isinstance(value, Mapping):
            value = value.get("text")
        for choice in value if isinstance(value, list | tuple) else [value]:
            if _string(choice).strip():
                yield _string(choice)

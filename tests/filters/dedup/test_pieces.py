"""Repeated lines, paragraphs, sentences: against a slow twin, and the same whatever the tasks and parts."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datatrove.data import Document
from datatrove.pipeline.dedup.sentence_dedup import (
    SentDedupConfig,
    SentenceDedupFilter,
    SentenceDedupSignature,
    SentenceFindDedups,
)
from datatrove.utils.hashing import HashConfig
from datatrove.utils.typeshelper import Languages
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import TextView
from filters.dedup import piece_spans, repeats
from filters.dedup.base import Job, Part, run_stages
from filters.dedup.folding import FOLDS
from filters.dedup.numbering import number_stage
from filters.dedup.pieces import Repeated
from filters.dedup.tables import write_relation
from gristmill.base.errors import UserError
from tests.filters.dedup.jobs import Outcome, by_id, compare, parts, shuffled
from tests.filters.dedup.pieces_twin import Twin, fold, units
from tests.filters.samples import HOSTILE, english_texts, real_texts

ROOT = Path(__file__).parents[3]
Rows = list[dict[str, Any]]
PIECES = st.sampled_from(
    [
        "Home", "home ", "HOME!", "About us", "  About  us.", "Page 12 of 30", "page 7 of 1,000.5", "***",
        "One sentence here. Another one! And a third?", "Another one!", "Ünïcode. Straße.", "unicode. straße",
        "私は猫です。犬もいます。", "私は猫です。", "e\u0301t\u0301", "\u0301", "\u200b",
        "\u093f\u0902", "a\tb", "12.5 7", "€ 3",
        "Dr. No came. He left. He came. He left. He came. He left.", "\ud7a3", "ΟΔΟΣ", "οδος", "", " ",
    ]
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\n\n", "\n \n", "\r\n", " ", "\u2028", "", "\n\n\n"])
TEXTS = st.lists(st.tuples(PIECES, ENDS).map("".join), max_size=8).map("".join)
OPTIONS = st.fixed_dictionaries(
    {"unit": st.sampled_from(["line", "paragraph", "sentence"])},
    optional={
        "window": st.integers(1, 4),
        "fold": st.sampled_from([(), ("case",), ("space", "numbers"), ("punctuation", "accents"), FOLDS]),
        "least_documents": st.integers(1, 4),
        "least_words": st.integers(1, 5),
        "keep": st.sampled_from(["first", "none"]),
        "fragment": st.integers(0, 30),
        "least_remaining": st.integers(0, 60),
    },
)


def document(key: int, text: str, language: str = "en") -> dict[str, Any]:
    return {"id": f"{key:03}", "text": text, "language": language}


def spans(outcome: Outcome, name: str = "repeated") -> dict[str, list[tuple[int, int]]]:
    return {
        key: [(span["start"], span["end"]) for span in row[f"{name}.spans"]]
        for key, row in by_id(outcome).items()
    }


def left(text: str, cuts: list[tuple[int, int]]) -> str:
    """The text without what is cut."""
    ends = [0, *(end for _, end in cuts)]
    starts = [*(start for start, _ in cuts), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def run(folder: Path, texts: list[str], **options: Any) -> list[str]:
    """What is left of the texts, which are preferred in their order."""
    rows = [document(n, text) for n, text in enumerate(texts)]
    job = Job(parts(folder, [rows]), str(folder / "work"), "id")
    found = spans(compare(Repeated(**options), job, folder))
    return [left(text, found[f"{n:03}"]) for n, text in enumerate(texts)]


@given(
    st.lists(st.tuples(TEXTS, st.sampled_from(["de", "en"])), max_size=8),
    OPTIONS,
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 99)),
    st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_against_the_twin(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, str]],
    options: dict[str, Any],
    sizes: tuple[int, int, int],
    apart: bool,
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    count, tasks, seed = sizes
    rows = [document(n, *values) for n, values in enumerate(drawn)]
    files = parts(folder, shuffled(rows, seed, count))
    job = Job(files, str(folder / "work"), "id", by="language" if apart else None, tasks=tasks)
    outcome = compare(Repeated(**options), job, folder)
    expected = Twin(**options)([(row["id"], row["text"], apart and row["language"]) for row in rows])
    assert spans(outcome) == expected
    texts = {row["id"]: row["text"] for row in rows}
    for row in outcome.rows:
        length, characters = len(texts[row["id"]]), sum(end - start for start, end in expected[row["id"]])
        assert row["repeated.characters"] == characters
        assert row["repeated.share"] == (characters / length if length else None)
    check_ledger(outcome, texts, options)
    assert outcome.facts == {
        "documents": sum(map(bool, expected.values())),
        "characters": sum(row["repeated.characters"] for row in outcome.rows),
    }


def check_ledger(outcome: Outcome, texts: dict[str, str], options: dict[str, Any]) -> None:
    """Every row stands within what is cut, and is equal, when folded, to what it says is kept."""
    folds = options.get("fold", FOLDS)
    found = spans(outcome)
    keys = [(row["id"], row["start"]) for row in outcome.ledger]
    assert keys == sorted(keys)
    for row in outcome.ledger:
        piece = texts[row["id"]][row["start"] : row["end"]]
        assert piece == piece.strip() != ""
        assert any(start <= row["start"] and row["end"] <= end for start, end in found[row["id"]])
        if options.get("keep") == "none":
            assert row["kept_id"] is row["kept_start"] is row["kept_end"] is None
        else:
            kept = texts[row["kept_id"]][row["kept_start"] : row["kept_end"]]
            assert (row["kept_id"], row["kept_start"]) < (row["id"], row["start"])
            assert folded_units(piece, options["unit"], folds) == folded_units(kept, options["unit"], folds)
    assert {row["id"] for row in outcome.ledger} == {key for key, cuts in found.items() if cuts}


def folded_units(text: str, unit: str, folds: Any) -> list[str]:
    pieces = [fold(text[start:end], folds) for _, start, end in units(text, unit)]
    return [piece for piece in pieces if piece]


@given(st.lists(TEXTS, max_size=8), st.sampled_from(["line", "paragraph", "sentence"]), st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_no_unit_is_lost(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], unit: str, window: int
) -> None:
    """Whatever is cut is left somewhere, where the first occurrence stays."""
    rest = run(tmp_path_factory.mktemp("lost"), texts, unit=unit, window=window, least_documents=1)
    before = {piece for text in texts for piece in folded_units(text, unit, FOLDS)}
    after = {piece for text in rest for piece in folded_units(text, unit, FOLDS)}
    assert after == before


@pytest.mark.parametrize(
    ("unit", "texts", "rest"),
    [
        # A line goes with its line end.
        ("line", ["Menu\nOne\n", "Menu\nTwo\n", "Two\n\nMenu\n\nSix\n"], ["Menu\nOne\n", "Two\n", "Six\n"]),
        ("line", ["Menu", "One\n\nMenu\n\nTwo"], ["Menu", "One\n\nTwo"]),
        ("line", ["Menu", "One\nMenu\n\nTwo"], ["Menu", "One\n\nTwo"]),
        ("line", ["Menu", "One\r\nMenu\r\nTwo"], ["Menu", "One\r\nTwo"]),
        ("line", ["Menu", "One\n  Menu\n    two"], ["Menu", "One\n    two"]),
        ("line", ["Menu", "One\n\nMenu"], ["Menu", "One"]),
        ("line", ["Menu", "One\n\nMenu\n"], ["Menu", "One\n"]),
        ("line", ["Menu", "\n Menu \n"], ["Menu", ""]),
        # Decoration goes with what it decorates, and alone it is nothing that could be repeated.
        ("line", ["Menu\nHelp", "One\nMenu\n---\nHelp\n***\nTwo\n***"], ["Menu\nHelp", "One\n***\nTwo\n***"]),
        ("line", ["***\nOne", "***\nTwo", "***\nMenu"], ["***\nOne", "***\nTwo", "***\nMenu"]),
        # Nor are numbers, where their values do not count.
        ("line", ["12,5 3\nOne 1", "13,5 4\nOne 2", "€ 9"], ["12,5 3\nOne 1", "13,5 4", "€ 9"]),
        ("paragraph", ["A\nB", "X\n\na\nb\n\nY\n\nA"], ["A\nB", "X\n\nY\n\nA"]),
        # A sentence goes with its space, and leaves the end of its paragraph.
        ("sentence", ["Old one. Old two. Old six.", "My one. Old one. Old two. Old six.\n\nMy two. Old six."],
         ["Old one. Old two. Old six.", "My one.\n\nMy two. Old six."]),
        ("sentence", ["猫です。犬です。鳥です。", "前です。猫です。犬です。鳥です。後です。"],
         ["猫です。犬です。鳥です。", "前です。後です。"]),
    ],
)  # fmt: skip
def test_what_a_cut_leaves(tmp_path: Path, unit: str, texts: list[str], rest: list[str]) -> None:
    assert run(tmp_path, texts, unit=unit) == rest


def test_all_but_one_of_any_three_sentences_even_within_a_document(tmp_path: Path) -> None:
    """C4's rule: a span that occurs more than once, wherever."""
    text = "One is here. Two is here. Three is here. Four is here. One is here. Two is here. Three is here."
    assert run(tmp_path / "a", [text], unit="sentence") == [text]
    assert run(tmp_path / "b", [text], unit="sentence", least_documents=1) == [text[:54]]


def test_options_of_repeats(tmp_path: Path) -> None:
    texts = ["Menu\nA long line of words", "Menu\nA long line of words", "Menu"]
    assert run(tmp_path / "0", texts, least_documents=3) == [texts[0], "A long line of words", ""]
    assert run(tmp_path / "1", texts, least_words=2) == [texts[0], "Menu", "Menu"]
    assert run(tmp_path / "2", texts, keep="none") == ["", "", ""]
    assert run(tmp_path / "3", ["Menu", "menu", "Menu"], fold=()) == ["Menu", "menu", ""]
    assert run(tmp_path / "4", ["Menu\nx", "x\nMenu\ny\nx", "z"], fragment=2) == ["Menu\nx", "", "z"]
    longer = ["Menu\nHelp", "Menu\nHelp\nShort", "Menu\nHelp\nLong enough"]
    assert run(tmp_path / "5", longer, least_remaining=6) == [longer[0], "", "Long enough"]
    assert Repeated("sentence").meaning() != Repeated("sentence", window=2).meaning()
    assert (
        Repeated("sentence").meaning() == Repeated("sentence", window=3, fold=FOLDS[::-1], name="x").meaning()
    )
    json.dumps(Repeated().meaning())
    with pytest.raises(UserError, match="unknown `fold` 'cases'; did you mean 'case'"):
        Repeated(fold=["cases"])  # type: ignore[list-item]


def web_rows(testdata: Path) -> Rows:
    """Pages of several languages, with boilerplate, cut up and put together so that they share pieces."""
    texts = [text[:3000] for text in real_texts(testdata)[::6]]
    rows = [document(n, text, "en" if n % 2 else "de") for n, text in enumerate(texts)]
    for n, text in enumerate(texts):
        lines = text.splitlines(keepends=True)
        other = texts[(7 * n + 1) % len(texts)].splitlines(keepends=True)
        rows.append(document(n + 1000, "".join([*lines[:3], *other[1:4], "Share this page\n", *lines[5:7]])))
    return rows


@pytest.mark.parametrize(
    "options",
    [{"unit": "line"}, {"unit": "paragraph", "least_words": 3}, {"unit": "sentence", "least_documents": 1},
     {"unit": "sentence", "window": 1, "keep": "none", "fragment": 20, "least_remaining": 100}],
)  # fmt: skip
def test_real_texts_against_the_twin(testdata: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    rows = web_rows(testdata)
    job = Job(parts(tmp_path, shuffled(rows, 1, 3)), str(tmp_path / "work"), "id", by="language", tasks=3)
    outcome = compare(Repeated(**options), job, tmp_path)
    expected = Twin(**options)(
        [(row["id"], row["text"], row["language"]) for row in sorted(rows, key=by_key)]
    )
    assert spans(outcome) == expected
    assert outcome.facts["documents"] > 20
    check_ledger(outcome, {row["id"]: row["text"] for row in rows}, options)


def by_key(row: dict[str, Any]) -> str:
    key: str = row["id"]
    return key


ROWS = [
    document(n, "".join(f"line {'abcdefghijk'[n * k % 11]} of {k % 3}\n" * (k % 2 + 1) for k in range(n % 9)))
    for n in range(120)
]
METHOD = Repeated("line", window=2)


def test_the_same_bytes_whatever_the_tasks_the_workers_the_memory_and_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = parts(tmp_path, [ROWS[:50], [], ROWS[50:51], ROWS[51:]])
    job = Job(files, str(tmp_path / "1"), "id DESC")
    first = compare(METHOD, job, tmp_path / "a")
    assert first.facts["documents"] > 80
    assert (
        compare(METHOD, replace(job, work=str(tmp_path / "2"), tasks=3), tmp_path / "b", 2).files
        == first.files
    )
    monkeypatch.setattr(repeats, "RUN", 40)
    monkeypatch.setattr(repeats, "BATCH", 3)
    small = replace(job, work=str(tmp_path / "3"), tasks=7, memory_mb=100)
    assert compare(METHOD, small, tmp_path / "c").files == first.files


def test_blocks_of_rows_join_to_the_same_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = parts(tmp_path, [ROWS])
    first = compare(METHOD, Job(files, str(tmp_path / "1"), "id"), tmp_path / "a")
    monkeypatch.setattr(piece_spans, "BLOCK", 7)
    second = compare(METHOD, Job(files, str(tmp_path / "2"), "id"), tmp_path / "b")
    assert (second.rows, second.ledger) == (first.rows, first.ledger)


def test_the_same_choice_whatever_the_order_of_parts(tmp_path: Path) -> None:
    outcomes = []
    for seed in range(3):
        folder = tmp_path / str(seed)
        job = Job(parts(folder, shuffled(ROWS, seed, seed + 1)), str(folder / "work"), "id DESC")
        outcomes.append(compare(METHOD, job, folder))
    assert by_id(outcomes[0]) == by_id(outcomes[1]) == by_id(outcomes[2])
    assert outcomes[0].files["ledger.parquet"] == outcomes[2].files["ledger.parquet"]


@pytest.mark.parametrize("known", [1, 2])
def test_known_parts_count_but_are_not_written(tmp_path: Path, known: int) -> None:
    batches = [ROWS[:40], ROWS[40:80], ROWS[80:]]
    whole = compare(
        METHOD, Job(parts(tmp_path / "a", batches), str(tmp_path / "a/w"), "id DESC"), tmp_path / "a"
    )
    job = Job(parts(tmp_path / "b", batches, known=known), str(tmp_path / "b/w"), "id DESC", tasks=2)
    added = compare(METHOD, job, tmp_path / "b")
    for name in added.files:
        if name.startswith("part"):
            assert added.files[name] == whole.files[name]
    own = {row["id"] for batch in batches[known:] for row in batch}
    assert added.ledger == [row for row in whole.ledger if row["id"] in own]
    assert len(added.ledger) < len(whole.ledger)


def test_what_is_not_selected_is_null_and_not_compared(tmp_path: Path) -> None:
    rows = [
        document(1, "Menu", "de"),
        document(2, "Menu", "en"),
        document(3, "Menu\nX", "en"),
        document(4, "", "en"),
    ]
    job = Job(parts(tmp_path, [rows]), str(tmp_path / "work"), "id", where="language = 'en'")
    outcome = compare(METHOD := Repeated(name="lines"), job, tmp_path)
    assert list(METHOD.columns) == ["lines.spans", "lines.characters", "lines.share"]
    assert outcome.rows == [
        {"id": "001", "lines.spans": None, "lines.characters": None, "lines.share": None},
        {"id": "002", "lines.spans": [], "lines.characters": 0, "lines.share": 0.0},
        {"id": "003", "lines.spans": [{"start": 0, "end": 5}], "lines.characters": 5, "lines.share": 5 / 6},
        {"id": "004", "lines.spans": [], "lines.characters": 0, "lines.share": None},
    ]


def test_killed_at_any_file_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = parts(tmp_path, [ROWS[:60], ROWS[60:]])
    whole = compare(METHOD, Job(files, str(tmp_path / "whole"), "id", tasks=2), tmp_path / "a")
    for allowed in range(6):
        broken = Job(files, str(tmp_path / f"work-{allowed}"), "id", tasks=2)
        run_stages([number_stage(broken)])
        with monkeypatch.context() as patch:
            limit = Limit(allowed)
            patch.setattr(repeats, "texts", limit.texts)
            patch.setattr(repeats, "write_relation", limit.write)
            patch.setattr(piece_spans, "texts", limit.texts)
            with pytest.raises(KeyboardInterrupt):
                run_stages(METHOD.stages(broken))
        stamps = {file: file.stat().st_mtime_ns for file in Path(broken.work).rglob("[0-9]*.parquet")}
        assert compare(METHOD, broken, tmp_path / f"out-{allowed}").files == whole.files
        assert stamps == {file: file.stat().st_mtime_ns for file in stamps}


class Limit:
    """So many readings and writings, then a kill, in the middle of one."""

    def __init__(self, allowed: int) -> None:
        self.left = allowed

    def _count(self) -> None:
        self.left -= 1

    def texts(self, file: Any, selected: Any) -> Any:
        self._count()
        for number, found in enumerate(TEXTS_OF(file, selected)):
            if self.left < 0 and number == 5:
                raise KeyboardInterrupt
            yield found

    def write(self, *arguments: Any) -> int:
        self._count()
        if self.left < 0:
            raise KeyboardInterrupt
        return write_relation(*arguments)


TEXTS_OF = repeats.texts


def test_no_parts_do_no_harm(tmp_path: Path) -> None:
    outcome = compare(METHOD, Job((), str(tmp_path / "w"), "id", tasks=2), tmp_path)
    assert (outcome.rows, outcome.ledger) == ([], [])


def test_any_text_will_do(tmp_path: Path) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in HOSTILE.values()]
    texts += [text + "\nA line" for text in texts] + ["x" * 2_000_000, "a " * 500_000]
    for unit in ("line", "paragraph", "sentence"):
        rest = run(tmp_path / unit, texts, unit=unit)
        assert [TextView(text).text for text in rest][: len(HOSTILE)] != []


def test_a_piece_in_every_document_needs_no_more_memory(tmp_path: Path) -> None:
    """So many equal lines, of which one stays, under the least that DuckDB gets."""
    count = 30_000
    found = []
    for number in range(2):
        keys = range(number * count // 2, (number + 1) * count // 2)
        table = pa.table(
            {"id": [f"{key:06}" for key in keys], "text": [f"Share\n{key} lines\n" for key in keys]}
        )
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=1000)
        found.append(Part(f"part-{number:05d}", (str(tmp_path / f"{number}.parquet"),)))
    job = Job(tuple(found), str(tmp_path / "work"), "id", memory_mb=100)
    outcome = compare(Repeated(fold=("case",)), job, tmp_path)
    assert outcome.facts == {"documents": count - 1, "characters": 6 * (count - 1)}
    assert not list((tmp_path / "work/scratch").iterdir())


def datatrove(texts: list[str], folder: Path, **options: Any) -> list[str]:
    """What datatrove's sentence deduplication leaves of the texts."""
    config = SentDedupConfig(
        min_doc_words=0, min_num_sentences=0, hash_config=HashConfig(hash_fc="sha1"), **options
    )
    documents = [Document(text=text, id=str(n)) for n, text in enumerate(texts)]
    signatures, duplicates = str(folder / "signatures"), str(folder / "duplicates")
    list(SentenceDedupSignature(signatures, 1, config, Languages.english).run(iter(documents)) or ())
    SentenceFindDedups(signatures, duplicates, config=config).run()
    kept = SentenceDedupFilter(duplicates, config, language=Languages.english).run(iter(documents))
    found = {document.id: document.text for document in kept}
    return [found.get(str(n), "") for n in range(len(texts))]


def english(testdata: Path, count: int) -> list[str]:
    """English texts without blank lines, some of which have lines of each other."""
    texts = [
        "\n".join(line for line in text.splitlines() if line.strip()) for text in english_texts(testdata)
    ]
    texts = [text[:4000] for text in texts[:count]]
    for n, text in enumerate(texts[::2]):
        other, lines = texts[2 * n + 1 - count].splitlines(), text.splitlines()
        texts[2 * n] = "\n".join([*lines[:4], *other[2:8], *lines[4:9]])
    return texts


def test_lines_are_those_that_datatrove_keeps(testdata: Path, tmp_path: Path) -> None:
    """Windows of three lines: the same units for both, so the same lines stay, but where ours folds
    otherwise: datatrove counts lines without a letter as units."""
    pytest.importorskip("spacy")
    texts = [
        "\n".join(line for line in text.splitlines() if fold(line, FOLDS)) for text in english(testdata, 120)
    ]
    theirs = datatrove(texts, tmp_path, split_sentences=False)
    ours = run(tmp_path, texts, window=3, least_documents=1)
    assert sum(one != text for one, text in zip(ours, texts, strict=True)) > 30
    assert [one.split("\n") for one in ours] == [one.split("\n") for one in theirs]


def test_sentences_agree_with_datatrove(testdata: Path, tmp_path: Path) -> None:
    """C4's three sentences on English text. datatrove has spaCy cut sentences, which may run over line ends;
    where both cut alike, the same words stay."""
    pytest.importorskip("spacy")
    texts = [" ".join(text.splitlines()) for text in english(testdata, 60)]
    theirs = datatrove(texts, tmp_path)
    ours = run(tmp_path, texts, unit="sentence", least_documents=1)
    different = 0
    for one, other in zip(ours, theirs, strict=True):
        mine, yours = Counter(one.split()), Counter(other.split())
        different += (mine - yours).total() + (yours - mine).total()
    cut = sum(len(text.split()) for text in texts) - sum(len(one.split()) for one in ours)
    assert cut > 1000
    assert different < 0.1 * cut


@pytest.mark.slow
def test_a_process_keeps_to_its_memory(tmp_path: Path) -> None:
    """All stages in one process, which the kernel then asks for the most that it ever held."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("the system does not tell a process's peak memory")
    rng = random.Random(0)
    for number in range(4):
        texts = [
            "\n".join(
                f"{rng.choice('abcdefgh')} line {chr(97 + rng.randrange(26)) * rng.randrange(1, 60)}"
                for _ in range(15)
            )
            for _ in range(40_000)
        ]
        ids = [f"{number}-{key:06}" for key in range(len(texts))]
        pq.write_table(
            pa.table({"id": ids, "text": texts}), tmp_path / f"{number}.parquet", row_group_size=1000
        )
    code = (
        "import sys; from pathlib import Path; from filters.dedup.base import *;"
        "from filters.dedup.numbering import number_stage; from filters.dedup.pieces import Repeated;"
        "from gristmill.base.progress import Silent; folder = Path(sys.argv[1]);"
        "parts = tuple(Part(f'part-{n}', (str(folder / f'{n}.parquet'),)) for n in range(4));"
        "job = Job(parts, str(folder / 'work'), 'id', memory_mb=600, tasks=2); method = Repeated();"
        "run_stages([number_stage(job), *method.stages(job)]); (folder / 'out').mkdir();"
        "print(method.conclude(job, folder / 'out', folder / 'ledger.parquet', Silent())['documents']);"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    assert int(printed[0]) > 100_000
    assert int(printed[1]) / 1024 < 600

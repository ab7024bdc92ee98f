"""Time per document of our annotators and of datatrove's filters, on the same texts, turn by turn.

datatrove's filters segment with spaCy where it is installed (extra `bench`); where it is not, with a regular
expression that finds words and marks (`--segmentation regex` asks for that), which flatters them: spaCy
takes about a hundred times as long. Both sides judge a document with every filter, as one does to keep the
scores. Ours annotate a batch and segment each text once; theirs come one document after the other, so that
their cache of segmentations works. Language identification runs the same model on both sides. Times are CPU
seconds, medians over the turns.

    python benchmarks/annotators.py [--quick] [--json] [--segmentation auto|spacy|regex]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import fasttext
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils import text as datatrove_text
from datatrove.utils.lid import FT176LID
from datatrove.utils.word_tokenizers import WordTokenizer, simple_span_tokenize

from filters.annotators.language import packaged_model
from filters.base import annotate_texts
from filters.registry import build_annotator

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
OURS = ("gopher", "gopher_repetition", "c4", "fineweb", "language")
EXTRA = ("stats", "markup", "exact_hash")
"""Annotators that datatrove has no filter for: timed, not compared."""


class RegexTokenizer(WordTokenizer):
    """Words and marks, and sentences, by regular expressions."""

    _words = re.compile(r"\w+|[^\w\s]+")
    _sentences = re.compile(r"[^.!?]+[.!?]*\s*")

    def word_tokenize(self, text: str) -> list[str]:
        return self._words.findall(text)

    def sent_tokenize(self, text: str) -> list[str]:
        return [piece.strip() for piece in self._sentences.findall(text) if piece.strip()] or [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return list(simple_span_tokenize(text, self.sent_tokenize(text)))


class PackagedLID(FT176LID):
    """datatrove's language identification with the model that we use."""

    @property
    def model(self) -> Any:
        if self._model is None:
            self._model = fasttext.load_model(str(packaged_model()))
        return self._model


def texts(count: int) -> list[str]:
    """Web texts that people judged, if the test data is at hand; else the standard library's docstrings."""
    path = TESTDATA / "quality/dclm_human_labels.jsonl.zst"
    if path.is_file():
        import zstandard

        with zstandard.open(path, "rt", encoding="utf-8") as file:
            return [json.loads(line)["text"] for line in islice(file, count)]
    return list(islice(_docstrings(), count))


def _docstrings() -> Iterator[str]:
    for file in sorted(Path(os.__file__).parent.glob("*.py")):
        source = file.read_text(encoding="utf-8", errors="replace")
        yield "\n\n".join(re.findall(r'"""(.*?)"""', source, re.DOTALL)) or source


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def datatrove_filters(segmentation: str) -> dict[str, Callable[[str], object]]:
    """One call a document for each published filter."""
    language: Any = "eng" if segmentation == "spacy" else RegexTokenizer()
    filters = {
        "gopher": GopherQualityFilter(language=language),
        "gopher_repetition": GopherRepetitionFilter(language=language),
        "c4": C4QualityFilter(language=language),
        "fineweb": FineWebQualityFilter(language=language),
    }
    calls: dict[str, Callable[[str], object]] = {
        name: lambda text, judge=judge: judge.filter(Document(text=text, id=""))
        for name, judge in filters.items()
    }
    identifier = PackagedLID()
    calls["language"] = lambda text: identifier.predict(Document(text=text, id=""))
    return calls


def main() -> None:
    """Time both sides, turn by turn, and print medians per document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100 documents, 3 turns")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--segmentation", choices=("auto", "spacy", "regex"), default="auto")
    options = parser.parse_args()
    segmentation = options.segmentation
    if segmentation == "auto":
        segmentation = "spacy" if importlib.util.find_spec("spacy") else "regex"
    sample = texts(100 if options.quick else 499)
    annotators = {name: build_annotator(name) for name in (*OURS, *EXTRA)}
    theirs = datatrove_filters(segmentation)
    shared = [annotators[name] for name in OURS]

    def all_of_theirs() -> None:
        for text in sample:
            for judge in theirs.values():
                judge(text)

    def one_of_theirs(name: str) -> None:
        datatrove_text.split_into_parts.cache_clear()
        for text in sample:
            theirs[name](text)

    work: dict[str, Callable[[], object]] = {
        "all": lambda: annotate_texts(shared, sample),
        "all_datatrove": all_of_theirs,
    }
    for name, annotator in annotators.items():
        work[name] = lambda annotator=annotator: annotate_texts([annotator], sample)
        if name in theirs:
            work[f"{name}_datatrove"] = lambda name=name: one_of_theirs(name)
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range((3 if options.quick else 7) + 1):
        for name, call in work.items():
            spent = seconds(call)
            if turn:  # the first turn loads models and fills caches
                times[name].append(spent)
    each = {name: statistics.median(spent) / len(sample) * 1e6 for name, spent in times.items()}
    result: dict[str, Any] = {
        "ratio_annotators": round(each["all_datatrove"] / each["all"], 2),
        "segmentation": segmentation,
        "documents": len(sample),
        "characters_per_document": round(sum(map(len, sample)) / len(sample)),
        **{f"us_{name}": round(value, 1) for name, value in each.items()},
    }
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['documents']} documents of {result['characters_per_document']} characters; µs a document")
    print(f"{'':20}{'ours':>10}{'datatrove':>12}{'ratio':>8}   (datatrove segments with {segmentation})")
    for name in ("all", *OURS, *EXTRA):
        other = each.get(f"{name}_datatrove")
        tail = f"{other:12.0f}{other / each[name]:8.1f}" if other else ""
        print(f"{name:20}{each[name]:10.0f}{tail}")


if __name__ == "__main__":
    main()

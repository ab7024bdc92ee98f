"""Decontamination: are planted benchmark items found, is clean text left alone, and what does it cost?

Recall: every item of GSM8K, MATH, AIME and HMMT, HumanEval, MBPP and IFEval is planted verbatim, and every
fifth in thirteen disguises (case, line ends, markdown, LaTeX spellings, quotes, spacing, number formats),
between two paragraphs of Wikipedia; an item counts as found when a hit of it with at least half of its
sequences is reported. Items without evidence (fewer than 8 words, or numbers alone) are counted beside it.

False hits: on Wikipedia (en, de, ko, zh), novels, judged web pages and reading comprehension articles, cut
into documents of 500 words (1,000 characters where words have no spaces), and on the source files and notes
of the installed Python packages cut in the same way. Every hit is printed: a text that has an item in it is
no false hit, and a person has to look.

Time is CPU time of a document, alone, with everything that the annotator does from a string to its columns:
the first 4,600 and 2,000 characters of texts. Peers in the same run: datatrove's NGramsDecontFilter
(13-grams of questions and answers; its default hash does not take strings, so its other one, SHA-1, is
used), and a set of 13-word tuples in plain Python as GPT-3's appendix C describes (small letters, no
punctuation).

Rephrased items: the rows of LMSYS' "Rethinking Benchmark and Contamination" (arXiv 2311.04850) whose
originals are at hand: GSM8K and HumanEval rephrased, HumanEval in other languages; by exact sequences, and
with the option `similar` at several thresholds, with the false hits of each on the documents of prose.

    python benchmarks/decontamination.py [--quick] [--json]

Data: GRISTMILL_TESTDATA (default ../shared/data).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import string
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import zstandard
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer
from datatrove.utils.hashing import HashConfig

sys.path.insert(0, str(Path(__file__).parents[1]))

from filters.annotators.contamination import LEAST_SHARE, Contamination
from filters.base import TextView, annotate_texts
from filters.decontaminate.benchmarks import load_benchmarks
from filters.decontaminate.index import N, build_index, load_index
from filters.decontaminate.items import FIELDS, Item
from tests.filters.decontaminate.disguises import DISGUISES

ROOT = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
FILES = (
    "gsm8k_test",
    "gsm8k_train",
    "math_test",
    "math_train_7474",
    "aime24_25_hmmt",
    "humaneval",
    "mbpp",
    "ifeval",
)
PROSE = (
    *("text/wiki_en_featured", "multilingual/wiki_de", "multilingual/wiki_ko", "multilingual/wiki_zh"),
    *("dedup/novels_pairs", "quality/dclm_human_labels", "web/wcxb_dev.gold", "web/aeb.gold"),
    *("multilingual/register_web_fr_sv", "multilingual/multilingual_rc"),
)
WORDS, UNSPACED_CHARACTERS = 500, 1000
SIMILARITIES = (0.5, 0.55, 0.6, 0.65)
"""Thresholds of the search for items said in other words."""
FOUND = 0.5
"""The share from which a planted item counts as found."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Rows of a test file."""
    with zstandard.open(ROOT / f"{name}.jsonl.zst", "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def documents(text: str) -> Iterator[str]:
    """A text in documents of so many words."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if len(text) > UNSPACED_CHARACTERS and len(text) > 12 * len(ends):
        for start in range(0, len(text), UNSPACED_CHARACTERS):
            yield text[start : start + UNSPACED_CHARACTERS]
        return
    start = 0
    for end in [*ends[WORDS - 1 :: WORDS], len(text)]:
        if end - start > UNSPACED_CHARACTERS // 4:
            yield text[start:end]
        start = end


def prose(most: int) -> Iterator[tuple[str, str]]:
    """Name and text of clean documents, so many of a source at the most."""
    for name in PROSE:
        texts = (
            max((value for value in row.values() if isinstance(value, str)), key=len) for row in rows(name)
        )
        for document in islice((piece for text in texts for piece in documents(text)), most):
            yield name, document


def packages(most: int) -> Iterator[tuple[str, str]]:
    """Name and text of the files of installed packages."""
    folder = Path(sysconfig.get_paths()["purelib"])
    files = sorted(
        path for path in folder.rglob("*") if path.suffix in {".py", ".pyi", ".md", ".rst", ".txt"}
    )
    texts = ((path.relative_to(folder).as_posix(), path.read_text("utf-8", "replace")) for path in files)
    yield from islice(((name, piece) for name, text in texts for piece in documents(text)), most)


def paragraphs(count: int) -> list[str]:
    """Paragraphs of Wikipedia."""
    found = (
        text for row in rows("text/wiki_en_featured") for text in row["text"].split("\n") if len(text) > 400
    )
    return list(islice(found, count))


def planted(around: Sequence[str], number: int, text: str) -> str:
    """A text between two paragraphs."""
    return f"{around[number % len(around)]}\n\n{text}\n\n{around[(7 * number + 1) % len(around)]}"


def evident(folder: Path) -> set[int]:
    """The items whose questions have evidence."""
    arrays = load_index(folder).arrays
    entries = zip(arrays["entry_items"], arrays["entry_fields"], arrays["totals"], strict=True)
    return {int(item) for item, field, total in entries if total > 0 and FIELDS[field] == "question"}


def recall(
    annotator: Contamination, items: Sequence[Item], chosen: Sequence[int], dress: Callable[[str], str]
) -> float:
    """The share of planted items that are found."""
    around = paragraphs(500)
    found = 0
    for number in chosen:
        item = items[number]
        _, _, hits, *_ = annotator.measure(TextView(planted(around, number, dress(item.question))))
        found += any(
            (hit["benchmark"], hit["item"]) == (item.benchmark, item.id) and hit["share"] >= FOUND
            for hit in hits
        )
    return found / len(chosen)


def false_hits(
    annotator: Contamination, texts: Iterable[tuple[str, str]], show: bool
) -> tuple[int, int, float]:
    """Documents, those with hits, CPU seconds of the annotator."""
    count = hits = 0
    seconds = 0.0
    for name, text in texts:
        count += 1
        start = time.process_time()
        share, _, found, *_ = annotator.measure(TextView(text))
        seconds += time.process_time() - start
        if share:
            hits += 1
            if show:
                best = max(found, key=lambda hit: hit["share"])
                excerpt = " ".join(text[best["start"] : best["end"]].split())
                item = f"{best['benchmark']}/{best['item']} {best['field']}"
                print(f"  {name}: {item} {best['share']:.2f}: {excerpt!r:.200}")
    return count, hits, seconds


class Datatrove:
    """NGramsDecontFilter with an index of the same items."""

    def __init__(self, items: Sequence[Item]) -> None:
        config = NGramsDecontConfig(n_grams=N, find_query_ngrams=True, hash_config=HashConfig(hash_fc="sha1"))
        self.filter = NGramsDecontFilter(tempfile.gettempdir(), config)
        self.filter._index_hashes = {}
        for item in items:
            # The indexer itself asks for lighteval, whose tasks it would load.
            hashes = NGramsDecontIndexer.compute_hashes(self.filter, item.answer, item.question)
            self.filter._index_hashes |= dict.fromkeys(hashes, item.benchmark)

    def __call__(self, text: str) -> bool:
        return self.filter.filter(Document(text, "0")) is not True


class Tuples:
    """GPT-3's overlap: n-grams of words in small letters without punctuation."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.grams = {
            gram for item in items for text in (item.question, item.answer) for gram in self._grams(text)
        }

    def __call__(self, text: str) -> bool:
        return any(gram in self.grams for gram in self._grams(text))

    @staticmethod
    def _grams(text: str) -> Iterator[tuple[str, ...]]:
        words = text.lower().translate(_PUNCTUATION).split()
        return zip(*(words[start:] for start in range(N)), strict=False)


def microseconds(work: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """CPU time a text."""
    start = time.process_time()
    work(texts)
    return (time.process_time() - start) / len(texts) * 1e6


def timed(
    sides: dict[str, Callable[[Sequence[str]], object]], texts: Sequence[str], turns: int
) -> dict[str, float]:
    """Medians, turn by turn; the slow sides get fewer texts."""
    measured = defaultdict(list)
    for _ in range(turns):
        for name, work in sides.items():
            some = texts if name == "ours" else texts[:: max(1, len(texts) // 40)]
            measured[name].append(microseconds(work, some))
    return {name: statistics.median(values) for name, values in measured.items()}


def rephrased(found: Callable[[str], float]) -> dict[str, list[float]]:
    """A value of every rephrased item whose original is at hand, by kind."""
    kinds = {
        "rephrase_gsm8k": "gsm8k_rephrased",
        "humaneval_python": "humaneval_rephrased",
        "humaneval_c": "humaneval_translated_c",
        "humaneval_js": "humaneval_translated_js",
        "HumanEval": "humaneval_verbatim",
    }
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows("evaluation/llm_decontaminator"):
        if row["set"] in kinds and row["row"]["text"].strip():
            values[kinds[row["set"]]].append(found(row["row"]["text"]))
    return dict(sorted(values.items()))


def reaching(values: Sequence[float], least: float) -> float:
    """The share of values that are at least so large."""
    return sum(value >= least for value in values) / len(values)


def similar(folder: Path, step: int) -> dict[str, float]:
    """Items said in other words: found by kind, false hits a million clean documents of prose, time."""
    annotator = Contamination(index=folder, similar=min(SIMILARITIES))
    texts = [text for number, (_, text) in enumerate(prose(10**9)) if number % (2 * step) == 0]

    def greatest(text: str) -> float:
        return float(annotator.measure(TextView(text))[3] or 0)

    harder = rephrased(greatest)
    start = time.process_time()
    clean = [greatest(text) for text in texts]
    result = {"us_per_document_500_words_similar": (time.process_time() - start) / len(texts) * 1e6}
    for least in SIMILARITIES:
        result[f"similar_{least}_false_per_million"] = 1e6 * reaching(clean, least)
        result |= {
            f"similar_{least}_recall_{kind}": reaching(values, least) for kind, values in harder.items()
        }
    return result


def main() -> None:
    """Build, plant, search, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the items and documents, 3 turns")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    step, turns = (10, 3) if options.quick else (1, 5)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "index"
        items = load_benchmarks({name: str(ROOT / "evaluation" / f"{name}.jsonl.zst") for name in FILES})
        start = time.process_time()
        facts = build_index(items, folder)
        build_seconds = time.process_time() - start
        annotator = Contamination(index=folder)
        with_evidence = sorted(evident(folder))
        recalls = {
            name: recall(annotator, items, with_evidence[:: step if name == "same" else 5 * step], dress)
            for name, dress in DISGUISES.items()
        }
        show = not options.json
        clean = [
            false_hits(annotator, prose(1000 if options.quick else 10**9), show),
            false_hits(annotator, packages(10_000 if options.quick else 10**9), show),
        ]
        datatrove, tuples = Datatrove(items), Tuples(items)
        sides: dict[str, Callable[[Sequence[str]], object]] = {
            "ours": lambda texts: annotate_texts([annotator], texts),
            "datatrove": lambda texts: [datatrove(text) for text in texts],
            "tuples": lambda texts: [tuples(text) for text in texts],
        }
        long = [text for _, text in islice(prose(500), 4000) if len(text) > 1000]
        whole = [row["text"] for row in islice(rows("text/wiki_en_featured"), 600)]
        times = timed(sides, [text[:4600] for text in whole], turns)
        short = timed({"ours": sides["ours"]}, [text[:2000] for text in long], turns)["ours"]
        around = paragraphs(500)
        sample = with_evidence[:: 50 * step]
        peers = {
            f"{name}_{dress}": sum(
                work(planted(around, number, DISGUISES[dress](items[number].question))) for number in sample
            )
            / len(sample)
            for name, work in (("datatrove", datatrove), ("tuples", tuples))
            for dress in ("same", "parentheses", "spaced", "everything")
        }
        harder = rephrased(lambda text: float(annotator.measure(TextView(text))[0]))
        others = similar(folder, step)
    count, hits = sum(part[0] for part in clean), sum(part[1] for part in clean)
    result = {
        "recall": min(recalls.values()),
        "false_per_million": round(1e6 * hits / count, 2),
        "us_per_document": round(times["ours"], 1),
        "us_per_document_2000_characters": round(short, 1),
        "us_per_document_datatrove": round(times["datatrove"], 1),
        "us_per_document_tuples": round(times["tuples"], 1),
        "clean_documents": count,
        "clean_documents_prose": clean[0][0],
        "false_hits": hits,
        "items": len(items),
        "items_planted": len(with_evidence),
        "items_without_evidence": facts["counts"]["without_evidence"],
        "sequences": facts["counts"]["sequences"],
        "build_seconds": round(build_seconds, 1),
        **{f"recall_{name}": round(value, 4) for name, value in recalls.items()},
        **{f"recall_{name}": round(value, 4) for name, value in peers.items()},
        **{f"recall_{name}": round(reaching(values, LEAST_SHARE), 4) for name, values in harder.items()},
        **{name: round(value, 4) for name, value in others.items()},
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:40} {value:>14,}" if isinstance(value, int) else f"{name:40} {value:>14,.4f}")


if __name__ == "__main__":
    main()

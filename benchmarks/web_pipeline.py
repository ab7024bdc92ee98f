"""Our web pipeline against the one that made FineWeb (datatrove's), on the same archive; the filters alone;
and whether they decide alike.

1. End to end: a `corpus build` (read, extract, language, Gopher, C4, FineWeb, write) and datatrove's pipeline
   on the same pages, one worker each, turn by turn. Each side runs on few pages and on many, and what the
   pages between cost counts: starting, loading models and lists costs a real archive nothing. Times are
   processor seconds, children included. The floor is what unpacking and parsing the same pages cost.
2. Annotators: Gopher quality and repetition, C4 and FineWeb together on real texts, as columns, against
   datatrove's four filters (words by spaCy), in one process, turn by turn.
3. Agreement: every filter's decision on real texts of many kinds, ours by columns and shipped rules, theirs
   by the filter itself. Every disagreement is listed with its reason: the first word that both cut
   differently.

    python benchmarks/web_pipeline.py [--quick] [--json] [--list FILE] [--only PART]

Needs the extra `bench`, and what datatrove's steps ask for: warcio, faust-cchardet, python-magic, tldextract,
pyahocorasick, fasteners, orjson.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import zstandard

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
SIDES = Path(__file__).with_name("_web_sides.py")
FEW = 30
"""Pages of the smaller run."""
FILTERS = {
    "gopher_quality": ("gopher", "gopher"),
    "gopher_repetition": ("gopher", "gopher_repetition"),
    "c4": ("c4", "c4"),
    "fineweb": ("fineweb", "fineweb"),
}
"""Rule file and annotator of each of datatrove's filters."""
EXTRA = ("stats", "markup", "language", "exact_hash")
"""Annotators that datatrove has no word-based filter for: timed, not compared."""


# 1. End to end


def cut_archive(source: Path, target: Path, pages: int) -> int:
    """Copy so many records of an archive, evenly spread; returns how many there are."""
    data = source.read_bytes()
    members, at = [], 0
    while at < len(data):
        unpacker = zlib.decompressobj(31)
        unpacker.decompress(data[at:])
        end = len(data) - len(unpacker.unused_data)
        members.append(data[at:end])
        at = end
    chosen = members if pages >= len(members) else [members[i * len(members) // pages] for i in range(pages)]
    target.write_bytes(b"".join(chosen))
    return len(chosen)


def run_side(side: str, warc: Path, folder: Path) -> dict[str, Any]:
    """One side in a process of its own, on one core."""
    command = [sys.executable, str(SIDES), side, str(warc), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(SIDES.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{side}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def end_to_end(pages: int, turns: int) -> dict[str, Any]:
    """Milliseconds a page of both sides and of the floor, memory, stages."""
    costs: dict[str, list[float]] = {"ours": [], "datatrove": [], "floor": []}
    last: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = folder / "few.warc.gz", folder / "many.warc.gz"
        source = TESTDATA / "web/wcxb_dev.warc.gz"
        more = cut_archive(source, many, pages) - cut_archive(source, few, FEW)
        for turn in range(turns):
            run_side("ours", few, folder / f"warm-{turn}")  # compiles kernels that are new or have changed
            for side, found in costs.items():
                small = run_side(side, few, folder / f"{side}-{turn}-few")
                last[side] = run_side(side, many, folder / f"{side}-{turn}-many")
                found.append((last[side]["cpu_seconds"] - small["cpu_seconds"]) / more * 1000)
        stages = run_side("stages", many, folder / "stages")["stages"]
    each = {side: statistics.median(found) for side, found in costs.items()}
    total = more + FEW
    return {
        "ratio_end_to_end": round(each["datatrove"] / each["ours"], 2),
        "docs_per_core_second": round(1000 / each["ours"], 1),
        "docs_per_core_second_datatrove": round(1000 / each["datatrove"], 1),
        "share_of_floor": round(each["floor"] / each["ours"], 3),
        "peak_memory_mb": round(last["ours"]["peak_mb"]),
        "peak_memory_mb_datatrove": round(last["datatrove"]["peak_mb"]),
        "pages": total,
        "engine": last["ours"]["engine"],
        "kept": last["ours"]["kept"],
        "kept_datatrove": last["datatrove"]["kept"],
        "ms_per_page": round(each["ours"], 3),
        "ms_per_page_datatrove": round(each["datatrove"], 2),
        "ms_per_page_floor": round(each["floor"], 3),
        **{f"ms_{name.replace(' ', '_')}": round(s / total * 1000, 3) for name, s in stages.items()},
        **{
            f"ms_datatrove_{_plain(name)}": round(seconds / total * 1000, 3)
            for name, seconds in last["datatrove"]["wall_by_step"].items()
        },
    }


def _plain(name: str) -> str:
    return "_".join("".join(c if c.isalnum() and c.isascii() else " " for c in name).split()).lower()


# 2. Annotators


def annotators(count: int, turns: int) -> dict[str, Any]:
    """Microseconds a text of our annotators and of datatrove's filters."""
    from datatrove.data import Document

    from filters.base import annotate_texts
    from filters.registry import build_annotator

    sample = list(islice(_texts("quality/dclm_human_labels.jsonl.zst"), count))
    ours = {name: build_annotator(name) for name in (*(name for _, name in FILTERS.values()), *EXTRA)}
    four = [ours[name] for _, name in FILTERS.values()]
    theirs = datatrove_filters()

    def all_of_theirs() -> None:
        # One document after the other, so that their cache of words works.
        for text in sample:
            for judge in theirs.values():
                judge.filter(Document(text=text, id=""))

    def one_of_theirs(name: str) -> None:
        for text in sample:
            theirs[name].filter(Document(text=text, id=""))

    work: dict[str, Callable[[], object]] = {
        "all": lambda: annotate_texts(four, sample),
        "all_datatrove": all_of_theirs,
    }
    for name, annotator in ours.items():
        work[name] = lambda annotator=annotator: annotate_texts([annotator], sample)
    for name, (_, annotator) in FILTERS.items():
        work[f"{annotator}_datatrove"] = lambda name=name: one_of_theirs(name)
    spent: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(turns + 1):
        for name, call in work.items():
            start = time.process_time()
            call()
            if turn:  # the first turn loads models and machine code
                spent[name].append(time.process_time() - start)
    each = {name: statistics.median(found) / len(sample) * 1e6 for name, found in spent.items()}
    return {
        "ratio_annotators": round(each["all_datatrove"] / each["all"], 1),
        "documents": len(sample),
        "characters_per_document": round(sum(map(len, sample)) / len(sample)),
        **{f"us_{name}": round(value, 1) for name, value in each.items()},
    }


def datatrove_filters() -> dict[str, Any]:
    """The four filters as FineWeb's pipeline makes them, C4 with its own default."""
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    return {
        "gopher_repetition": GopherRepetitionFilter(),
        "gopher_quality": GopherQualityFilter(),
        "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
    }


# 3. Agreement


def _texts(name: str, field: str = "text") -> Iterator[str]:
    with zstandard.open(TESTDATA / name, "rt", encoding="utf-8") as file:
        for line in file:
            text = json.loads(line).get(field)
            if isinstance(text, str) and text.strip():
                yield text


def real_texts(count: int) -> list[str]:
    """Documents and paragraphs: judged web texts, reviewed pages, articles, texts of fifteen languages."""
    groups: list[list[str]] = [
        list(_texts("quality/dclm_human_labels.jsonl.zst")),
        list(_texts("web/wcxb_dev.gold.jsonl.zst", "main_content")),
        list(_texts("web/aeb.gold.jsonl.zst", "main_content")),
        list(_texts("web/multilingual.gold.jsonl.zst", "main_content")),
        [text[:20_000] for text in _texts("text/wiki_en_featured.jsonl.zst")][:300],
        [
            paragraph
            for text in _texts("text/wiki_en_featured.jsonl.zst")
            for paragraph in text.split("\n\n")
            if len(paragraph) > 200
        ],
        [text[:10_000] for text in _texts("multilingual/register_web_fr_sv.jsonl.zst")][:600],
        [text[:5_000] for text in _texts("multilingual/wiki_de.jsonl.zst")][:200],
        list(_texts("multilingual/udhr_16lang.jsonl.zst")),
    ]
    # The long list of paragraphs fills up what the others leave.
    paragraphs = groups.pop(5)
    texts = [text for group in groups for text in group]
    if count < len(texts):
        return [texts[i * len(texts) // count] for i in range(count)]
    return texts + paragraphs[:: max(1, len(paragraphs) // (count - len(texts) + 1))][: count - len(texts)]


def agreement(count: int) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Shares of equal decisions, and every disagreement with its reason."""
    texts = real_texts(count)
    result: dict[str, Any] = {}
    listed: list[dict[str, str]] = []
    for name, judge in datatrove_filters().items():
        mine, theirs = our_decisions(name, texts), their_decisions(judge, texts)
        different = [n for n in range(len(texts)) if (mine[n] is None) != (theirs[n] is None)]
        result[f"agreement_{name}"] = round(1 - len(different) / len(texts), 5)
        result[f"dropped_{name}"] = round(sum(reason is not None for reason in theirs) / len(texts), 4)
        listed += [
            {
                "filter": name,
                "ours": mine[n] or "keep",
                "datatrove": theirs[n] or "keep",
                "why": difference_of_words(texts[n]),
                "text": texts[n][:160],
            }
            for n in different
        ]
    result["agreement_texts"] = len(texts)
    result["unexplained"] = sum(not entry["why"] for entry in listed)
    return result, listed


def our_decisions(name: str, texts: Sequence[str]) -> list[str | None]:
    """Reasons by our columns and the shipped rules; None for a text that stays."""
    from filters.base import annotate_texts
    from filters.decide import bind
    from filters.registry import build_annotator
    from filters.rules import load_ruleset

    file, annotator_name = FILTERS[name]
    rules, annotator = load_ruleset(file), build_annotator(annotator_name)
    wanted = tuple(rule for rule in rules.rules if rule.condition.startswith(f"{annotator_name}."))
    (table,) = annotate_texts([annotator], texts).values()
    table = table.append_column("id", [[str(number) for number in range(len(texts))]])
    reasons: list[str | None] = (
        bind(replace(rules, rules=wanted), annotator.columns).decide(table).column("reason").to_pylist()
    )
    return reasons


def their_decisions(judge: Any, texts: Sequence[str]) -> list[str | None]:
    """Reasons by datatrove's filter; None for a text that stays."""
    from datatrove.data import Document
    from datatrove.pipeline.filters.base_filter import get_filter_result

    reasons = []
    for text in texts:
        # A text of spaces has no words; the filters divide by their number.
        kept, reason = get_filter_result(judge.filter(Document(text=text, id="")))
        reasons.append(None if kept else reason or "drop")
    return reasons


def difference_of_words(text: str) -> str:
    """The first word that spaCy cuts differently, or nothing."""
    from datatrove.utils.text import split_into_words

    from filters.base import TextView

    ours, theirs = list(TextView(text).words.of(text)), split_into_words(text)
    for place, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if mine != other:
            return f"words {ours[place : place + 4]}, spaCy's {theirs[place : place + 4]}"
    return "" if len(ours) == len(theirs) else f"{len(ours)} words, spaCy's {len(theirs)}"


# The page


def show(result: dict[str, Any], listed: list[dict[str, str]]) -> None:
    """Tables for people."""
    if "ratio_end_to_end" in result:
        print(f"End to end, {result['pages']} pages, extraction by {result['engine']}")
        for side, key in (("datatrove", "_datatrove"), ("ours", ""), ("floor (unpack, parse)", "_floor")):
            print(f"  {side:24}{result[f'ms_per_page{key}']:10.2f} ms a page")
        print(f"  ratio {result['ratio_end_to_end']}, {result['docs_per_core_second']} pages a core-second")
        print(f"  share of the floor {result['share_of_floor']}")
        theirs = result["peak_memory_mb_datatrove"]
        print(f"  memory {result['peak_memory_mb']} MB a worker, datatrove's {theirs}")
        print(
            f"  kept {result['kept']}, datatrove {result['kept_datatrove']} (other extraction, other texts)"
        )
        for title, prefix in (
            ("ours, processor ms a page, each stage alone", "ms_"),
            ("datatrove, wall ms", "ms_datatrove_"),
        ):
            print(f"  {title}")
            for name, value in result.items():
                mine = name.startswith("ms_") and not name.startswith(("ms_per_page", "ms_datatrove_"))
                if name.startswith(prefix) and (prefix != "ms_" or mine):
                    print(f"    {name.removeprefix(prefix):24}{value:10.3f}")
    if "ratio_annotators" in result:
        characters = result["characters_per_document"]
        print(f"Annotators, {result['documents']} texts of {characters} characters: microseconds a text")
        print(f"  {'':20}{'ours':>10}{'datatrove':>12}{'ratio':>8}")
        for name in ("all", *(name for _, name in FILTERS.values()), *EXTRA):
            mine, other = result[f"us_{name}"], result.get(f"us_{name}_datatrove")
            print(f"  {name:20}{mine:10.1f}" + (f"{other:12.0f}{other / mine:8.1f}" if other else ""))
    if "agreement_texts" in result:
        print(f"Agreement on {result['agreement_texts']} texts")
        for name in FILTERS:
            print(f"  {name:20}{result[f'agreement_{name}']:9.3%}  dropped {result[f'dropped_{name}']:.1%}")
        for (name, why), number in Counter((e["filter"], e["why"]) for e in listed).most_common(40):
            print(f"    {name}: {why or 'unexplained'}" + (f" ({number} times)" if number > 1 else ""))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="200 pages, 100 and 2,000 texts, one turn")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--list", type=Path, help="write every disagreement to this file, JSON lines")
    parser.add_argument("--only", choices=("end_to_end", "annotators", "agreement"))
    options = parser.parse_args()
    quick, only = options.quick, options.only
    result: dict[str, Any] = {}
    listed: list[dict[str, str]] = []
    if only in (None, "annotators"):
        result |= annotators(100 if quick else 499, 1 if quick else 5)
    if only in (None, "agreement"):
        found, listed = agreement(2_000 if quick else 12_000)
        result |= found
    if only in (None, "end_to_end"):
        result |= end_to_end(200 if quick else 500, 1 if quick else 3)
    if options.list:
        options.list.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in listed))
    if options.json:
        print(json.dumps(result))
    else:
        show(result, listed)


if __name__ == "__main__":
    main()

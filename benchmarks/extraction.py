"""Main text of real pages: our engine, trafilatura, resiliparse, jusText and rs-trafilatura, in one run.

Three sets of pages whose main text people have marked (`web/` of the test data):

- `wcxb_dev`: seven page types. Our engine learns from it, so its texts here come from models that have never
  seen the page's registrable domain (`corpus.extraction.blocks.train.cross_validate`).
- `aeb`: news; `multilingual`: fifteen languages. Nobody here learned from them: the shipped model.

Word F1, precision and recall are means over pages of agreement as bags of words (lower case). `with` is the
share of the snippets that must be there that are, `without` the share of those that must not be there that
are not, by words. Times are CPU milliseconds a page on one core, with the shipped model: all engines read a
page in turn, medians over the rounds; decoding is not counted. Peers are measured through their own interface
with their defaults; jusText gets the stop words of the page's language.

    python benchmarks/extraction.py [--quick] [--json] [--data DIR]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from corpus.extraction.base import Engine
from corpus.extraction.blocks.gold import GoldPage, read_gold, word_score, words
from corpus.extraction.blocks.train import Settings, cross_validate
from corpus.extraction.engines import TARGETS, load, native_missing

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
LEARNED, UNSEEN = "wcxb_dev", ("aeb", "multilingual")
OURS = "gristmill"
Reader = Callable[[GoldPage], str]


def readers() -> dict[str, Reader]:
    """Our engine and every peer that is installed, by the suffix of its fields."""
    from resiliparse.extract.html2text import extract_plain_text

    found: dict[str, Reader] = {OURS: partial(_by_engine, load(TARGETS[OURS], {}))}
    found["resiliparse"] = lambda page: extract_plain_text(page.html, main_content=True)
    if importlib.util.find_spec("trafilatura"):
        import trafilatura

        found["trafilatura_fast"] = lambda page: trafilatura.extract(page.html, url=page.url, fast=True) or ""
        found["trafilatura"] = lambda page: trafilatura.extract(page.html, url=page.url) or ""
    for name in ("justext", "rs-trafilatura"):
        if importlib.util.find_spec(name.replace("-", "_")):
            engine = load(TARGETS[name], {"format": "plain"})
            found[name.replace("-", "_")] = partial(_by_engine, engine)
    return found


def _by_engine(engine: Engine, page: GoldPage) -> str:
    return engine.extract(page.html, page.url).text


def safely(reader: Reader, page: GoldPage) -> str:
    """A page that an engine refuses is a page without text."""
    try:
        return reader(page)
    except Exception:
        return ""


def scores(pages: Sequence[GoldPage], texts: Sequence[str]) -> dict[str, float | int]:
    """Means over the pages; a measure for which no page has gold is left out."""
    columns: dict[str, list[float]] = {name: [] for name in ("f1", "precision", "recall", "with", "without")}
    for page, text in zip(pages, texts, strict=True):
        if page.text:
            score = word_score(text, page.text)
            columns["f1"].append(score.f1)
            columns["precision"].append(score.precision)
            columns["recall"].append(score.recall)
        run = f" {' '.join(words(text))} "
        for column, snippets, wanted in (("with", page.wanted, True), ("without", page.unwanted, False)):
            found = [
                (f" {' '.join(words(snippet))} " in run) == wanted for snippet in snippets if words(snippet)
            ]
            if found:
                columns[column].append(statistics.mean(found))
    return {name: statistics.mean(values) for name, values in columns.items() if values} | {
        "pages": len(pages)
    }


def measure(
    pages: Sequence[GoldPage], engines: dict[str, Reader], rounds: int
) -> tuple[dict[str, list[str]], dict[str, float]]:
    """Every engine's texts and CPU milliseconds a page: all engines on a page, medians over the rounds."""
    texts: dict[str, list[str]] = {name: [] for name in engines}
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(rounds):
        spent = dict.fromkeys(engines, 0.0)
        for page in pages:
            for name, reader in engines.items():
                start = time.process_time()
                text = safely(reader, page)
                spent[name] += time.process_time() - start
                if turn == 0:
                    texts[name].append(text)
        for name, seconds in spent.items():
            taken[name].append(1000 * seconds / len(pages))
    return texts, {name: statistics.median(values) for name, values in taken.items()}


def table(title: str, pages: Sequence[GoldPage], texts: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Print scores by engine, and F1 by page type where there are types; return them by engine."""
    found = {name: scores(pages, own) for name, own in texts.items()}
    measures = [
        measure for measure in ("f1", "precision", "recall", "with", "without") if measure in found[OURS]
    ]
    print(f"\n{title}: {len(pages)} pages\n{'':18}" + "".join(f"{measure:>11}" for measure in measures))
    for name, row in found.items():
        print(f"{name:18}" + "".join(f"{row[measure]:11.4f}" for measure in measures))
    kinds = sorted({page.kind for page in pages} - {""})
    for measure in measures if kinds else ():
        print(f"\n{measure + ' by type':18}" + "".join(f"{kind[:12]:>14}" for kind in kinds))
        for name, own in texts.items():
            by_kind = [_of_kind(kind, pages, own).get(measure, float("nan")) for kind in kinds]
            print(f"{name:18}" + "".join(f"{value:14.4f}" for value in by_kind))
    return found


def _of_kind(kind: str, pages: Sequence[GoldPage], texts: Sequence[str]) -> dict[str, float | int]:
    chosen = [i for i, page in enumerate(pages) if page.kind == kind]
    return scores([pages[i] for i in chosen], [texts[i] for i in chosen])


def collect(results: dict[str, Any], suffix: str, found: dict[str, dict[str, Any]]) -> None:
    """Add a set's scores to the flat object."""
    fields = {
        "f1": "f1",
        "precision": "precision",
        "recall": "recall",
        "with": "with_rate",
        "without": "without_rate",
    }
    for name, row in found.items():
        for measure, field in fields.items():
            if measure in row:
                own = "" if name == OURS else f"_{name}"
                results[f"{field}{suffix}{own}"] = round(row[measure], 4)


def main() -> None:
    """Measure, print, and with `--json` print one flat object last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="an eighth of the pages, smaller models: lower scores"
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object as the last line")
    parser.add_argument("--data", type=Path, default=TESTDATA / "web")
    given = parser.parse_args()
    why = native_missing()
    if why is not None or not given.data.is_dir():
        raise SystemExit(why or f"no test data at {given.data}; set GRISTMILL_TESTDATA")
    step, rounds, settings = (8, 1, Settings(folds=3, rounds=60)) if given.quick else (1, 3, Settings())
    engines = readers()
    results: dict[str, Any] = {"quick": given.quick}
    learned = read_gold(given.data, LEARNED)[::step]
    texts, times = measure(learned, engines, rounds)
    texts[OURS] = [judgement.text for judgement in cross_validate(learned, settings)]
    collect(results, "", table(f"{LEARNED} (ours cross-validated by domain)", learned, texts))
    for name in UNSEEN:
        pages = read_gold(given.data, name)[::step]
        collect(results, f"_{name}", table(f"{name} (unseen)", pages, measure(pages, engines, 1)[0]))
    size = statistics.mean(len(page.html.encode("utf-8", "replace")) for page in learned) / 1024
    print(f"\nCPU ms a page ({len(learned)} pages of {size:.0f} KiB in the mean)")
    for name, value in times.items():
        print(f"{name:18}{value:11.2f}")
        results[f"ms_per_page{'' if name == OURS else f'_{name}'}"] = round(value, 3)
    if given.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()

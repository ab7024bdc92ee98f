"""One side of `web_pipeline.py` at a time, in a process of its own: `_web_sides.py SIDE WARC FOLDER`.

Prints one JSON object: processor seconds of the process and its children, peak memory, what came out.

Ours is a plain `corpus build`. datatrove's is the first part of examples/fineweb.py in its repository, the
pipeline that made FineWeb: the same steps with the same settings. What differs: the local executor stands for
Slurm; lid.176.ftz, which comes with a package, for lid.176.bin, which would be downloaded (ours runs the same
file); the suffix list of tldextract is the one in the package; what the steps check of the names of installed
packages is left out (fastText comes as `fasttext-community`); trafilatura is the one that is installed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

LANGUAGE_SCORE = 0.65
"""datatrove's LanguageFilter: `language_threshold`."""


def ours(warc: Path, folder: Path) -> dict[str, Any]:
    """Read, extract, language, Gopher, C4, FineWeb, decide, write: a manifest as anybody would write it."""
    from corpus.build import build
    from corpus.manifest import CorpusManifest
    from filters.rules import load_ruleset

    rules = [rule for name in ("gopher", "c4", "fineweb") for rule in load_ruleset(name).rules]
    low = f"language.score IS NULL OR language.score <= {LANGUAGE_SCORE}"
    manifest = CorpusManifest.model_validate(
        {
            "kind": "corpus",
            "name": "web-pipeline",
            "output": str(folder / "store"),
            "source": {"type": "warc", "paths": [str(warc)], "extract": {"engine": "auto"}},
            "annotators": [
                "language",
                "gopher_repetition",
                "gopher",
                {"name": "c4", "options": {"terminal_marks": False}},
                "fineweb",
            ],
            "early_drop": [{"drop": low, "reason": "language_score"}],
            "policy": {
                "name": "fineweb",
                "rules": [{"drop": rule.condition, "reason": rule.label} for rule in rules],
            },
            "executor": {"type": "local", "workers": 1},
        }
    )
    summary = build(manifest)
    return {"documents": summary.documents, "kept": summary.kept, "engine": engine().name}


def engine() -> Any:
    """The engine that `auto` means here."""
    from corpus.extraction.engines import load, specify
    from corpus.extraction.options import AutoExtraction

    spec = specify(AutoExtraction())
    return load(spec.target, spec.options)


def datatrove(warc: Path, folder: Path) -> dict[str, Any]:
    """The pipeline that made FineWeb, deduplication aside."""
    import datatrove.pipeline.base as steps
    from datatrove.utils import lid
    from fasttext.FastText import _FastText
    from tldextract import TLDExtract

    from filters.annotators.language import packaged_model

    steps.check_required_dependencies = lid.check_required_dependencies = lambda *_: None
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        LanguageFilter,
        URLFilter,
    )
    from datatrove.pipeline.readers import WarcReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    class Packaged(lid.FT176LID):
        @cached_property
        def model(self) -> Any:
            return _FastText(str(packaged_model()))

    def removed(name: str) -> JsonlWriter:
        return JsonlWriter(f"{folder}/removed/{name}")

    url = URLFilter(exclusion_writer=removed("1_url"))
    url.tldextractor = TLDExtract(suffix_list_urls=(), cache_dir=None)
    language = LanguageFilter(
        exclusion_writer=JsonlWriter(
            f"{folder}/2_non_english/", output_filename="${language}/dump/${rank}.jsonl.gz"
        )
    )
    language.model = Packaged()
    executor = LocalPipelineExecutor(
        pipeline=[
            WarcReader(str(warc.parent), glob_pattern=warc.name, default_metadata={"dump": "dump"}),
            url,
            Trafilatura(favour_precision=True),
            language,
            GopherRepetitionFilter(exclusion_writer=removed("3_gopher_rep")),
            GopherQualityFilter(exclusion_writer=removed("4_gopher_qual")),
            C4QualityFilter(filter_no_terminal_punct=False, exclusion_writer=removed("5_c4")),
            FineWebQualityFilter(exclusion_writer=removed("6_fineweb_qual")),
            JsonlWriter(f"{folder}/output"),
        ],
        tasks=1,
        workers=1,
        logging_dir=str(folder / "logs"),
    )
    stats = json.loads(executor.run().to_json())
    seconds = {step["name"]: step["time_stats"].get("total", 0.0) for step in stats}
    kept = stats[-1]["stats"].get("total", 0)
    return {"kept": kept["total"] if isinstance(kept, dict) else kept, "wall_by_step": seconds}


def floor(warc: Path, folder: Path) -> dict[str, Any]:
    """Unpack every page and parse it: nobody who extracts text can do less."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    from resiliparse.parse.html import HTMLTree

    pages = 0
    with warc.open("rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response):
            body = record.reader.read()
            HTMLTree.parse(bytes_to_str(body, detect_encoding(body)))
            pages += 1
    return {"pages": pages}


def stages(warc: Path, folder: Path) -> dict[str, Any]:
    """Processor seconds of each of our stages, alone and in this process."""
    from corpus.extraction.charset import NotText, decode
    from corpus.extraction.signals import page_signals
    from filters.base import TextView
    from filters.registry import build_annotator

    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        try:
            return work()
        finally:
            spent[name] = spent.get(name, 0.0) + time.process_time() - start

    extractor, texts = engine(), []
    for url, body, charset in _pages(warc, timed):
        try:
            html, _ = timed("decode", lambda b=body, c=charset: decode(b, c, True))
        except NotText:
            continue
        found = timed("extract", lambda h=html, u=url: extractor.extract(h, u))
        timed("page signals", lambda h=html: page_signals(h))
        texts.append(found.text)
    views = [TextView(text) for text in texts]
    warm = [TextView("Two words.")]
    _segment(warm)
    timed("words", lambda: _segment(views))
    for name in ("language", "gopher_repetition", "gopher", "c4", "fineweb"):
        annotator = build_annotator(name)
        annotator.annotate(warm, [{}])
        timed(name, lambda a=annotator: a.annotate(views, [{}] * len(views)))
    return {"stages": spent}


def _segment(views: list[Any]) -> None:
    for view in views:
        _ = view.words, view.word_hashes, view.lines, view.paragraphs


def _pages(warc: Path, timed: Callable[..., Any]) -> Iterator[tuple[str, bytes, str | None]]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with warc.open("rb") as file:
        records = iter(ArchiveIterator(file, record_types=WarcRecordType.response))
        while (record := timed("unpack", lambda: next(records, None))) is not None:
            body = timed("unpack", lambda r=record: r.reader.read())
            yield record.headers.get("WARC-Target-URI"), body, record.http_charset


SIDES = {"ours": ours, "datatrove": datatrove, "floor": floor, "stages": stages}


def main() -> None:
    """Run one side and say what it cost."""
    side, warc, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    start = time.perf_counter()
    result = SIDES[side](warc, folder)
    wall = time.perf_counter() - start
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result["cpu_seconds"] = sum(part.ru_utime + part.ru_stime for part in usage)
    result["wall_seconds"] = wall
    # Kilobytes: this process, and the largest of its children.
    result["peak_mb"] = sum(part.ru_maxrss for part in usage) / 1024
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()

"""Personal data and credentials: how much is found, how much of that is right, and what the search costs.

Quality is counted on the synthetic sentences of presidio-research (1,500, labelled; `pii/` of the test data)
for the kinds that both they and we know: a finding counts when it overlaps a labelled span of its kind. The
peer is datatrove's PIIFormatter, which knows e-mail and IPv4 addresses. Telephone numbers are judged twice:
as of a document of which nothing is known, and with the regions from which those sentences' numbers come.

Time is CPU time a document, medians, turn by turn: on a text of 4.6 kB without a digit or an @, on judged web
pages, and for credentials on the source files of the installed packages too, whose findings are listed: all
are false unless a package published a key.

    python benchmarks/pii.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import zstandard
from datatrove.pipeline.formatters.pii import PIIFormatter

from filters.annotators import secrets
from filters.base import TextView
from filters.findings import Finding
from filters.pii import finder

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
LABELS = {
    "CREDIT_CARD": "card",
    "EMAIL_ADDRESS": "email",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "PHONE_NUMBER": "phone",
    "US_SSN": "us_ssn",
}
"""presidio-research's names of what we look for too."""
_LOCALES = "US GB DE FR ES IT NL BE CH AT PL PT BR SE DK NO FI CZ HU SI HR IS AU NZ ZA CY EE"
REGIONS = tuple(_LOCALES.split())
"""Locales of the generator's numbers."""
PLAIN = (
    "The miller of the village kept his wheel turning through the dry summer, and nobody could say how. "
    "Some thought of the pond above the weir; others, who had seen him at night, said nothing at all.\n"
)

Sentences = list[dict[str, Any]]


def sentences() -> Sentences:
    """The labelled sentences."""
    loaded: Sentences = json.loads((TESTDATA / "pii" / "presidio_synth_v2.json").read_text(encoding="utf-8"))
    return loaded


def pages(count: int) -> list[str]:
    """Web pages that people judged."""
    with zstandard.open(TESTDATA / "quality/dclm_human_labels.jsonl.zst", "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in islice(file, count)]


def sources(count: int) -> list[tuple[str, str]]:
    """Python files of the installed packages, always the same ones of the same packages."""
    folder = Path(sysconfig.get_paths()["purelib"])
    files = sorted(folder.rglob("*.py"))
    chosen = random.Random(0).sample(files, min(count, len(files)))
    return [
        (file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8", errors="replace"))
        for file in chosen
    ]


def ours(text: str, regions: Sequence[str]) -> list[Finding]:
    """Our findings."""
    return [
        (start, end, "ip" if kind.startswith("ipv") else kind)
        for start, end, kind in finder.find(TextView(text), regions)
    ]


def datatrove(text: str, formatter: PIIFormatter) -> Iterator[Finding]:
    """What the peer would replace."""
    for kind, replacer in (("email", formatter.emails_replacer), ("ip", formatter.ip_replacer)):
        for match in replacer.regex.finditer(text):
            if replacer.validator is None or replacer.validator(match[0]):
                yield match.start(), match.end(), kind


def compare(rows: Sentences, find: Callable[[str], list[Finding]]) -> dict[str, tuple[int, int, int]]:
    """Right, wrong and missed findings by kind."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        left = find(row["full_text"])
        for span in row["spans"]:
            kind = LABELS.get(span["entity_type"])
            if kind is None:
                continue
            start, end = span["start_position"], span["end_position"]
            hit = next((f for f in left if f[2] == kind and f[0] < end and start < f[1]), None)
            if hit is None:
                missed[kind] += 1
            else:
                right[kind] += 1
                left.remove(hit)
        wrong.update(kind for _, _, kind in left)
    return {kind: (right[kind], wrong[kind], missed[kind]) for kind in sorted({*right, *wrong, *missed})}


def microseconds(
    work: dict[str, Callable[[], object]], documents: dict[str, int], turns: int
) -> dict[str, float]:
    """Median CPU time a document of every piece of work, turn by turn; the first turn compiles and loads."""
    spent: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(turns + 1):
        for name, call in work.items():
            start = time.process_time()
            call()
            if turn:
                spent[name].append(time.process_time() - start)
    return {name: round(statistics.median(spent[name]) / documents[name] * 1e6, 2) for name in work}


def main() -> None:
    """Print quality and time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer documents, 3 turns")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    formatter = PIIFormatter()
    rows = sentences()
    results = {
        "ours": compare(rows, lambda text: ours(text, ())),
        "ours_regions": compare(rows, lambda text: ours(text, REGIONS)),
        "datatrove": compare(rows, lambda text: list(datatrove(text, formatter))),
    }
    texts, code = pages(100 if options.quick else 499), sources(500 if options.quick else 3000)
    plain = [PLAIN * 24] * 200
    false = [
        (name, kind, text[start:end])
        for name, text in code
        for start, end, kind in secrets.find(TextView(text))
    ]
    work: dict[str, Callable[[], object]] = {}
    documents = {}
    for name, some in (("plain", plain), ("pages", texts)):
        work[name] = lambda some=some: [finder.find(TextView(text)) for text in some]
        work[f"{name}_datatrove"] = lambda some=some: [formatter.format(text) for text in some]
        work[f"{name}_secrets"] = lambda some=some: [secrets.find(TextView(text)) for text in some]
        documents |= dict.fromkeys((name, f"{name}_datatrove", f"{name}_secrets"), len(some))
    work["code_secrets"] = lambda: [secrets.find(TextView(text)) for _, text in code]
    documents["code_secrets"] = len(code)
    times = microseconds(work, documents, 3 if options.quick else 7)
    found = {}
    for side, kinds in results.items():
        suffix = side.removeprefix("ours")
        suffix = f"_{suffix.lstrip('_')}" if suffix else ""
        for kind, (right, wrong, missed) in kinds.items():
            found[f"precision_{kind}{suffix}"] = round(right / (right + wrong), 4) if right + wrong else None
            found[f"recall_{kind}{suffix}"] = round(right / (right + missed), 4) if right + missed else None
    if options.json:
        print(
            json.dumps(
                {
                    **found,
                    **{f"us_{name}": value for name, value in times.items()},
                    "code_files": len(code),
                    "code_false_secrets": len(false),
                }
            )
        )
        return
    print("presidio-research, 1,500 sentences; precision and recall (right, wrong, missed)")
    print(f"{'':10}{'ours':>32}{'ours, regions known':>32}{'datatrove':>32}")
    for kind in sorted({kind for kinds in results.values() for kind in kinds}):
        cells = []
        for kinds in results.values():
            right, wrong, missed = kinds.get(kind, (0, 0, 0))
            known = right + wrong > 0
            shares = (right / max(1, right + wrong), right / max(1, right + missed))
            cells.append(f"{shares[0]:.3f} {shares[1]:.3f} ({right}, {wrong}, {missed})" if known else "-")
        print(f"{kind:10}" + "".join(f"{cell:>32}" for cell in cells))
    print(f"\nµs a document         {'ours':>10}{'datatrove':>12}{'secrets':>10}")
    for name, some in (("plain", plain), ("pages", texts)):
        size = sum(map(len, some)) / len(some)
        print(
            f"{name:6}{size:8.0f} chars {times[name]:12.1f}{times[f'{name}_datatrove']:12.1f}"
            f"{times[f'{name}_secrets']:10.1f}"
        )
    size = sum(len(text) for _, text in code) / len(code)
    print(f"code  {size:8.0f} chars {'':24}{times['code_secrets']:10.1f}")
    print(f"\nsecrets in {len(code):,} source files: {len(false)}")
    for name, kind, piece in false:
        print(f"  {kind:14} {name}: {piece[:60]}")


if __name__ == "__main__":
    main()

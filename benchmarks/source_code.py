"""Source files: the annotators' rate, whether licences agree with what others determined, and peers beside
both.

Rate: Python files of the installed packages, and files of other languages that /usr/include, /usr/lib and
/usr/share have, through code_language, code_origin, file_license, opencoder and syntax together; then each
alone, and all without syntax, for a parser alone takes longer than everything else. `parsers` is Python's own
parser and tree-sitter with nothing around them. CPU time, medians, turn by turn.

Licences: licensee's fixtures and licenseclassifier's scenarios (`code/` of the test data), and the installed
packages, whose metadata and licence files should say the same. Cases that differ are listed. Peers on the
texts that hold one licence, where they are installed: `spdx-matcher` (templates of the SPDX list) and
`identify` (texts of choosealicense). For the time of telling languages: Pygments' `guess_lexer_for_filename`.

    python benchmarks/source_code.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from filters.base import annotate_texts
from filters.code.language import detect
from filters.code.license_header import license_of_file
from filters.code.syntax import GRAMMARS, MAX_BYTES, is_python, parser_of
from filters.registry import build_annotator
from tests.filters.code.license_cases import Case, archive, bare, cases_of_packages, fixtures, scenarios

TESTDATA = Path(os.environ.get("GRISTMILL_TESTDATA", Path(__file__).parents[2] / "shared" / "data"))
ANNOTATORS = ("code_language", "code_origin", "file_license", "opencoder", "syntax")
FOLDERS = ("/usr/include", "/usr/lib", "/usr/share")
BINARY = (".py", ".pyc", ".so", ".a", ".gz", ".mo", ".png", ".deb")
"""Endings of files that are of no other language."""

Files = list[tuple[str, str]]
Cases = list[tuple[Case, str]]


def python_files(count: int) -> Files:
    """Python files of the installed packages, always the same ones of the same packages."""
    return _read(sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py")), count)


def other_files(count: int) -> Files:
    """Files of other languages that this machine happens to have."""
    found = [
        path
        for folder in FOLDERS
        for path in sorted(Path(folder).rglob("*"))
        if path.suffix not in BINARY and not path.is_symlink() and path.is_file()
    ]
    files = [(path, text, detect(path, text)[0]) for path, text in _read(found, 3 * count)]
    return [(path, text) for path, text, language in files if language not in (None, "Text")][:count]


def _read(paths: Sequence[Path], count: int) -> Files:
    files: Files = []
    for path in random.Random(0).sample(paths, min(3 * count, len(paths))):
        try:
            if 0 < path.stat().st_size <= MAX_BYTES:
                files.append((str(path), path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            continue
        if len(files) == count:
            break
    return files


def seconds(work: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Median CPU time of every piece of work, turn by turn; the first turn compiles and loads."""
    spent: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(turns + 1):
        for name, call in work.items():
            start = time.process_time()
            call()
            if turn:
                spent[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in spent.items()}


def annotate(names: Sequence[str], files: Files) -> Callable[[], object]:
    """The annotators over files, in batches as a build has them."""
    annotators = [build_annotator(name) for name in names]

    def run() -> None:
        for at in range(0, len(files), 256):
            batch = files[at : at + 256]
            annotate_texts(annotators, [text for _, text in batch], [{"path": path} for path, _ in batch])

    return run


def parse(files: Files) -> Callable[[], object]:
    """The parsers alone."""
    told = [(detect(path, text)[0], text) for path, text in files]
    chosen = [(language, text) for language, text in told if language is not None and language in GRAMMARS]

    def run() -> None:
        for language, text in chosen:
            if language == "Python":
                is_python(text)
            else:
                parser_of(GRAMMARS[language]).parse(text.encode("utf-8", "replace"))

    return run


def pygments(files: Files) -> Callable[[], object]:
    """Pygments' guess at the language of each file."""
    from pygments.lexers import guess_lexer_for_filename  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    def run() -> None:
        for path, text in files:
            try:
                guess_lexer_for_filename(path, text)
            except ClassNotFound:
                continue

    return run


def speed(name: str, files: Files, turns: int) -> dict[str, float]:
    """Rates and times over one set of files."""
    single = {one: annotate([one], files) for one in ANNOTATORS}
    together = {"all": annotate(ANNOTATORS, files), "without_syntax": annotate(ANNOTATORS[:-1], files)}
    alone = {"parsers": parse(files), "language_pygments": pygments(files)}
    spent = seconds({**together, **single, **alone}, turns)
    count, characters = len(files), sum(len(text) for _, text in files)
    print(f"\n{name}: {count} files of {characters / count:.0f} characters")
    for one in together:
        rate, size = count / spent[one], characters / spent[one] / 1e6
        print(f"  {one:17s} {rate:8.0f} files a core-second, {size:.1f} MB")
    for one in (*single, *alone):
        print(f"  {one:17s} {spent[one] / count * 1e6:8.0f} us a file")
    return {
        f"files_per_core_second_{name}": round(count / spent["all"], 1),
        f"files_per_core_second_without_syntax_{name}": round(count / spent["without_syntax"], 1),
        f"mb_per_core_second_{name}": round(characters / spent["all"] / 1e6, 2),
        f"characters_per_file_{name}": round(characters / count),
        f"share_parsers_{name}": round(spent["parsers"] / spent["all"], 3),
        **{f"us_{one}_{name}": round(spent[one] / count * 1e6, 1) for one in (*single, *alone)},
    }


def parsing(files: Files) -> dict[str, float]:
    """Shares of files that parse, by language."""
    paths, texts = [{"path": path} for path, _ in files], [text for _, text in files]
    (table,) = annotate_texts([build_annotator("syntax")], texts, paths).values()
    right, count = Counter[str](), Counter[str]()
    for (path, text), row in zip(files, table.to_pylist(), strict=True):
        if row["syntax.ok"] is not None:
            language = str(detect(path, text)[0])
            count[language] += 1
            right[language] += row["syntax.ok"]
    print(
        "\nfiles that parse: " + ", ".join(f"{name} {right[name]} of {count[name]}" for name in sorted(count))
    )
    return {
        f"parses_{name}": round(right[name] / count[name], 3) for name in sorted(count) if count[name] >= 30
    }


def licences(cases: Cases) -> dict[str, float]:
    """Agreement in all and by source; the cases that differ are printed."""
    print("\nlicences that differ from what others determined:")
    agreed, count = Counter[str](), Counter[str]()
    for case, _ in cases:
        agreed[case.source] += case.agrees
        count[case.source] += 1
        if not case.agrees:
            expected, found = (", ".join(sorted(side)) or "none" for side in (case.expected, case.found))
            print(f"  {case.source} {case.name}: {expected}; found {found}")
    total = sum(agreed.values()) / sum(count.values())
    by_source = ", ".join(f"{name} {agreed[name]} of {count[name]}" for name in sorted(count))
    print(f"agreement: {total:.3f}, {by_source}")
    shares = {f"license_agreement_{name}": round(agreed[name] / count[name], 4) for name in sorted(count)}
    return {"license_agreement": round(total, 4), **shares}


def peers(cases: Cases, most: int) -> Iterator[tuple[str, float]]:
    """How many of the texts that hold one licence each side names rightly, and milliseconds a text."""
    single = [(case, text) for case, text in cases if len(case.expected) == 1 and text]
    single = random.Random(0).sample(single, min(most, len(single)))
    sides: dict[str, Callable[[str], set[str]]] = {"gristmill": _ours}
    try:
        import spdx_matcher  # type: ignore[import-untyped]

        sides["spdx_matcher"] = lambda text: set(spdx_matcher.analyse_license_text(text)[0]["licenses"])
    except ImportError:
        print("spdx-matcher is not installed: pip install spdx-matcher")
    try:
        import identify.identify
        import ukkonen  # type: ignore[import-untyped]  # noqa: F401

        sides["identify"] = lambda text: _of_file(text, identify.identify.license_id)
    except ImportError:
        print("identify is not installed: pip install 'identify[license]'")
    print(f"\n{len(single)} texts that hold one licence:")
    for name, side in sides.items():
        side(single[0][1])
        start = time.process_time()
        found = [{_plain(one) for one in side(text)} for _, text in single]
        spent = (time.process_time() - start) / len(single) * 1000
        expected = [{_plain(one) for one in case.expected} for case, _ in single]
        right = sum(want <= got for want, got in zip(expected, found, strict=True)) / len(single)
        print(f"  {name:14s} {right:.3f} named, {spent:.2f} ms a text")
        yield f"license_named_{name}", round(right, 4)
        yield f"ms_license_{name}", round(spent, 3)


def _plain(name: str) -> str:
    return name.lower().removesuffix("-only").removesuffix("-or-later")


def _ours(text: str) -> set[str]:
    found = license_of_file(text)
    return set(bare(found.expression if found else None))


def _of_file(text: str, tell: Callable[[str], str | None]) -> set[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        found = tell(file.name)
    return {found} if found else set()


def main() -> None:
    """Print rates, agreement and peers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer files, 2 turns, few texts for peers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count, turns = (300, 2) if options.quick else (2000, 5)
    python, other = python_files(count), other_files(count)
    result: dict[str, Any] = speed("python", python, turns)
    result["files_per_core_second"] = result["files_per_core_second_python"]
    if other:
        result |= speed("other", other, turns)
    result |= parsing([*python, *other])
    cases = list(cases_of_packages())
    if TESTDATA.is_dir():
        files = archive(TESTDATA)
        cases += [*scenarios(files), *fixtures(files)]
    else:
        print(f"no test data at {TESTDATA}: licences of packages alone")
    result |= licences(cases)
    result |= dict(peers(cases, 30 if options.quick else len(cases)))
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()

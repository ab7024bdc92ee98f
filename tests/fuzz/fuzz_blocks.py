"""Fuzzes the native library of the engine "gristmill": libFuzzer, address and undefined-behaviour sanitizers.

    python tests/fuzz/fuzz_blocks.py --seconds 300

Needs clang with libFuzzer (Debian: `clang libclang-rt-dev`; name another with $CXX). The seeds are
hand-written mark-up and, where the real pages are at hand ($GRISTMILL_TESTDATA), the heads of a hundred of
them. The corpus that grows is kept in --corpus. Exits with libFuzzer's status: not 0 where something was
found; the input then lies in the working folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "corpus" / "extraction" / "blocks" / "native"
FLAGS = ("-g", "-O1", "-std=c++17", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined")
COMPILERS = ("clang++", "clang++-19", "clang++-16", "clang++-14")
SEED_BYTES = 4_000
SEEDS = (
    "<p>a<b>b<p>c</b>d<ul><li>e<li>f</ul><table><tr><td colspan=3 rowspan=2>g<th>h</table>",
    "<pre class=lang-c>\ni</pre><script><!--<script></script>--></script><textarea>",
    "<svg><![CDATA[x]]><foreignObject><p>a</foreignObject></svg>\\(x^2\\) $$y$$ <h2>d<a href=x>e",
    '<math display="block"><mi>x</mi></math><script type="math/tex; mode=display">z</script>',
    "&amp;&notin;&notit;&#x80;&#1114112;&nGt;&CounterClockwiseContourIntegral;<!--x--!>",
    "<!DOCTYPE html><?php ?></><select><option>a<template><noscript>c</noscript></template>",
    '<script type="application/ld+json">{"@type":["Article","Product"],"articleBody":"x"}</script>',
    "<blockquote><p>日本語の文章。ไทย<dl><dt>a<dd>b</dl>",
)
WORDS = (
    *(
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<script",
        "</script>",
        "<svg>",
        "</svg>",
        "<math>",
        "</math>",
    ),
    *(
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<li>",
        "<ul>",
        "<ol start=",
        "<pre>",
        "</pre>",
        "<p>",
        "</p>",
        "<a ",
    ),
    *(
        "</a>",
        "<b>",
        "</b>",
        "<div class=",
        "<blockquote>",
        "<h1>",
        "<title>",
        "<textarea>",
        "<select>",
        "<template>",
    ),
    *(
        "<noscript>",
        "&amp;",
        "&#",
        "&#x",
        "colspan=",
        "style=",
        "display:none",
        "hidden",
        "role=",
        "itemprop=",
    ),
    *(
        "articleBody",
        "@type",
        "application/ld+json",
        "type=",
        "math/tex",
        "$$",
        "<xmp>",
        "<plaintext>",
        "<form>",
    ),
    *("<button>", "<option>", "<dt>", "<dd>", "<body>", "<br>", "<img>", "<foreignObject>", "</pre></div>"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=300, help="how long to fuzz")
    parser.add_argument("--corpus", type=Path, help="folder of inputs that grows (default: a temporary one)")
    arguments = parser.parse_args()
    compiler = os.environ.get("CXX") or next((name for name in COMPILERS if shutil.which(name)), None)
    if compiler is None:
        print("no clang here: libFuzzer is part of it (Debian: clang libclang-rt-dev)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        fuzzer = work / "blocks_fuzzer"
        sources = [
            str(Path(__file__).with_name("blocks_fuzzer.cpp")),
            *map(str, sorted(SOURCES.glob("*.cpp"))),
        ]
        subprocess.run([compiler, *FLAGS, f"-I{SOURCES}", *sources, "-o", str(fuzzer)], check=True)
        corpus = arguments.corpus or work / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        write_seeds(corpus)
        dictionary = work / "dictionary"
        dictionary.write_text("".join(f'"{word}"\n' for word in WORDS))
        options = (
            f"-dict={dictionary}",
            f"-max_total_time={arguments.seconds}",
            "-timeout=10",
            "-rss_limit_mb=3000",
        )
        command = [str(fuzzer), str(corpus), *options, f"-max_len={SEED_BYTES}", "-print_final_stats=1"]
        environment = {**os.environ, "GRISTMILL_BLOCKS_MODEL": str(SOURCES.with_name("model.bin"))}
        return subprocess.run(command, env=environment, check=False).returncode


def write_seeds(corpus: Path) -> None:
    """Hand-written mark-up, and the beginnings of real pages where there are any."""
    for number, seed in enumerate(SEEDS):
        (corpus / f"seed-{number}").write_text(seed)
    archive = (
        Path(os.environ.get("GRISTMILL_TESTDATA", ROOT.parent / "shared" / "data"))
        / "web"
        / "wcxb_dev.warc.gz"
    )
    if not archive.exists():
        return
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with archive.open("rb") as file:
        for number, record in enumerate(ArchiveIterator(file, record_types=WarcRecordType.response)):
            if number == 100:
                return
            (corpus / f"page-{number}").write_bytes(record.reader.read(SEED_BYTES))


if __name__ == "__main__":
    sys.exit(main())

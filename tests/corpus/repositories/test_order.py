"""Files in the order of their imports: no file before what it needs, however they come."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.repositories.imports import references
from corpus.sources.repositories.order import order_files, order_graph

NAMES = [f"{name}.py" for name in "abcdefgh"]
GRAPHS = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=5), max_size=8
).map(
    lambda needs: {
        path: sorted(set(needs.get(path, [])) - {path})
        for path in {*needs, *(other for others in needs.values() for other in others)}
    }
)


def reachable(needs: Mapping[str, list[str]]) -> dict[str, set[str]]:
    """Of each file all that it needs, over any number of steps."""
    found = {}
    for path in needs:
        seen: set[str] = set()
        ahead = list(needs[path])
        while ahead:
            other = ahead.pop()
            if other not in seen:
                seen.add(other)
                ahead += needs[other]
        found[path] = seen
    return found


@given(GRAPHS)
def test_every_file_once_and_behind_what_it_needs(needs: dict[str, list[str]]) -> None:
    ordered = order_graph(needs)
    assert sorted(ordered) == sorted(needs)
    place = {path: number for number, path in enumerate(ordered)}
    reach = reachable(needs)
    for path, others in needs.items():
        for other in others:
            if path not in reach[other]:
                assert place[other] < place[path]


@given(GRAPHS)
def test_files_that_hang_together_follow_one_another(needs: dict[str, list[str]]) -> None:
    both: dict[str, list[str]] = {path: list(others) for path, others in needs.items()}
    for path, others in needs.items():
        for other in others:
            both[other].append(path)
    reach = reachable(both)
    ordered = order_graph(needs)
    groups = [frozenset({path, *reach[path]}) for path in ordered]
    runs = [group for number, group in enumerate(groups) if not number or group != groups[number - 1]]
    assert len(runs) == len(set(groups))
    assert [min(run) for run in runs] == sorted(min(run) for run in runs)


@given(GRAPHS, st.randoms())
def test_the_order_of_the_input_does_not_matter(needs: dict[str, list[str]], dice: random.Random) -> None:
    mixed = list(needs)
    dice.shuffle(mixed)
    assert order_graph({path: needs[path] for path in mixed}) == order_graph(needs)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=80)), max_size=6), st.randoms())
def test_any_texts(files: list[tuple[str, str]], dice: random.Random) -> None:
    texts = dict(files)
    mixed = list(texts.items())
    dice.shuffle(mixed)
    assert sorted(order_files(texts)) == sorted(texts)
    assert order_files(dict(mixed)) == order_files(texts)


def test_without_imports_the_order_is_that_of_the_paths() -> None:
    assert order_files({"b.txt": "", "a/z.txt": "", "a.txt": ""}) == ["a.txt", "a/z.txt", "b.txt"]
    assert order_files({}) == []


def test_cycles_and_imports_of_oneself() -> None:
    files = {
        "a.py": "import b\nimport a\n",
        "b.py": "import a\nimport base\n",
        "base.py": "import base\nimport missing\n",
        "main.py": "import a\n",
    }
    # a and b need each other; b needs base besides, so base is first; main needs the cycle.
    assert order_files(files) == ["base.py", "a.py", "b.py", "main.py"]


def test_a_long_chain_and_a_large_cycle() -> None:
    chain = {f"{n:05d}.py": [f"{n + 1:05d}.py"] if n < 5000 else [] for n in range(5001)}
    assert order_graph(chain) == sorted(chain, reverse=True)
    ring = {f"{n:05d}.py": [f"{(n + 1) % 5000:05d}.py"] for n in range(5000)}
    assert sorted(order_graph(ring)) == sorted(ring)


@pytest.mark.parametrize(
    ("path", "text", "needed", "others"),
    [
        ("pkg/a.py", "from .b import x\n", ["pkg/b.py"], []),
        ("pkg/a.py", "from . import (\n    b,\n    c as d,\n)\n", ["pkg/b.py", "pkg/c.py"], []),
        ("pkg/in/a.py", "from ..b import x\n", ["pkg/b.py"], ["pkg/in/b.py"]),
        ("a.py", "import os, pkg.b as b\n", ["pkg/b.py"], ["other/os.py"]),
        ("tests/a.py", "from mill.core import grind\n", ["src/mill/core.py"], []),
        ("a.py", "from pkg import b\n", ["pkg/b.py"], ["pkg/__init__.py"]),
        ("a.py", "from pkg import Thing\n", ["pkg/__init__.py"], []),
        ("src/a.ts", "import { x } from './b.js';\n", ["src/b.ts"], []),
        ("src/a.js", "const x = require('../lib');\n", ["lib/index.js"], []),
        ("src/a.tsx", "export * from './b';\nimport 'react';\n", ["src/b.tsx"], ["react.ts"]),
        ("src/in/a.ts", "import x from '@/b';\n", ["src/b.ts"], []),
        ("src/a.c", '#include "b.h"\n#include <stdio.h>\n', ["src/b.h"], ["include/b.h"]),
        ("src/a.cc", "#  include <mill/b.hpp>\n", ["include/mill/b.hpp"], []),
        ("m/src/o/A.java", "package o;\nimport o.x.B;\n", ["m/src/o/x/B.java"], []),
        ("s/A.java", "import static o.x.B.grind;\nimport o.y.*;\n", ["s/o/x/B.java"], []),
        ("A.kt", "import o.x.grind\n", ["other.kt:package o.x\n"], []),
        ("A.cs", "using Mill.Core;\n", ["B.cs:namespace Mill.Core\n{\n"], []),
        (
            "main.go",
            'package main\nimport (\n\t"fmt"\n\tm "ex.org/mill/core"\n)\n',
            [
                "core/a.go",
                "core/b.go",
            ],
            ["core/a_test.go", "go.mod:module ex.org/mill\n"],
        ),
        ("src/main.rs", "mod stone;\nuse crate::deep::Thing;\n", ["src/stone.rs", "src/deep/mod.rs"], []),
        (
            "src/deep/mod.rs",
            "pub(crate) mod x;\nuse super::stone::y;\n",
            ["src/deep/x.rs", "src/stone.rs"],
            [],
        ),
        ("a.php", "<?php require_once __DIR__ . '/lib/b.php';\n", ["lib/b.php"], []),
        ("a.php", "<?php\nuse Vendor\\Mill\\Core;\n", ["src/Mill/Core.php"], []),
        ("lib/a.rb", "require_relative 'mill/b'\nrequire 'json'\n", ["lib/mill/b.rb"], []),
        ("bin/a.rb", "require 'mill/b'\n", ["lib/mill/b.rb"], []),
        ("a.pl", "use Mill::Stone;\n", ["lib/Mill/Stone.pm"], []),
        ("a.lua", "local x = require('mill.stone')\n", ["mill/stone.lua"], []),
        ("A.hs", "import qualified Mill.Stone as S\n", ["src/Mill/Stone.hs"], []),
        ("lib/a.dart", "import 'package:mill/b.dart';\n", ["lib/b.dart"], []),
        ("p/a.proto", 'import "p/b.proto";\n', ["p/b.proto"], []),
        ("bin/a.sh", '. "$DIR/b.sh"\n', ["bin/b.sh"], []),
    ],
)
def test_imports_of_a_language(path: str, text: str, needed: list[str], others: list[str]) -> None:
    files = {path: text}
    for name in [*needed, *others]:
        place, _, content = name.partition(":")
        files[place] = content
    assert references(files)[path] == sorted(name.partition(":")[0] for name in needed)


def test_of_several_files_the_nearest_one() -> None:
    files = {"x/util/b.h": "", "y/util/b.h": "", "y/src/a.c": '#include "util/b.h"\n'}
    assert references(files)["y/src/a.c"] == ["y/util/b.h"]


def test_texts_made_to_be_slow() -> None:
    hard = {
        "a.py": "from a import (" + "x, " * 60_000 + "\n" * 50_000,
        "b.js": "import (" * 30_000 + " " * 100_000,
        "c.go": "import (" + "\n" * 100_000,
        "d.rs": "use crate::" + "a::" * 50_000,
        "e.php": "use " + "\\" * 100_000,
        "f.js": ("import" + " " * 1000) * 100,
        "G.java": "import " + "a." * 50_000,
        "h.c": "#" + " " * 100_000 + "\n#include <" + "../" * 30_000,
    }
    assert sorted(order_files(hard)) == sorted(hard)

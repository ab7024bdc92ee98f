"""What parses and what does not, in twelve languages; and that nothing makes the parsers fail or take for
ever."""
# ruff: noqa: E501 (a case, a line)

from __future__ import annotations

import sysconfig
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.base import annotate_texts
from filters.code.macros import without_macros
from filters.code.syntax import GRAMMARS, MAX_BYTES, check
from filters.registry import build_annotator
from gristmill.base.errors import UserError
from tests.filters.samples import HOSTILE

pytest.importorskip("tree_sitter_language_pack")

RIGHT = {
    "C": "#include <a.h>\nint f(int a) { return a + 1; }\n",
    "C#": "using System;\nclass A { static int F(int a) => a + 1; }\n",
    "C++": "template <class T> T f(T a) { return a + 1; }\n",
    "Go": "package a\n\nfunc f(a int) int { return a + 1 }\n",
    "Java": "class A { int f(int a) { return a + 1; } }\n",
    "JavaScript": "const f = (a) => a + 1;\n",
    "Kotlin": "fun f(a: Int): Int = a + 1\n",
    "PHP": "<?php\nfunction f($a) { return $a + 1; }\n",
    "Python": "def f(a):\n    return a + 1\n",
    "Ruby": "def f(a)\n  a + 1\nend\n",
    "Rust": "fn f(a: i32) -> i32 { a + 1 }\n",
    "TSX": "const a = <p>{x as number}</p>;\n",
    "TypeScript": "const f = (a: number): number => a + 1;\n",
}
WRONG = {
    "C": "int f(int a { return a + 1; }\n",
    "C#": "class A { static int F(int a => a + 1; }\n",
    "C++": "template <class T T f(T a) { return a + 1; }\n",
    "Go": "package a\n\nfunc f(a int int { return a + 1 }\n",
    "Java": "class A { int f(int a) { return a + ; } }\n",
    "JavaScript": "const f = (a => a + 1;\n",
    "Kotlin": "fun f(a: Int: Int = a + \n",
    "PHP": "<?php\nfunction f($a) { return $a + ; }\n",
    "Python": "def f(a:\n    return a + 1\n",
    "Ruby": "def f(a\n  a + )\nend\n",
    "Rust": "fn f(a: i32 -> i32 { a + 1 }\n",
    "TSX": "const a = <p>{x as }</q>;\n",
    "TypeScript": "const f = (a: number: number => a + 1;\n",
}


@pytest.mark.parametrize("language", list(GRAMMARS))
def test_each_language(language: str) -> None:
    right, wrong = check(RIGHT[language], language), check(WRONG[language], language)
    assert (right.ok, right.errors, right.share) == (True, 0, 0.0)
    assert wrong.ok is False
    assert wrong.errors is not None
    assert wrong.errors >= 1
    # Line ends and a byte order mark of Windows change nothing.
    assert check(RIGHT[language].replace("\n", "\r\n"), language).ok


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ('print "two"\n', False),
        ("def f(a, a): pass\n", False),
        ("x = '\\d'\n", True),
        ("\ufeffx = 1\n", True),
        ("# -*- coding: latin-1 -*-\nx = 'é'\n", True),
        ("a\x00b", False),
        ("a = '\ud800'", False),
        ("match x:\n    case 1: pass\n", True),
        ("", True),
    ],
)
def test_python_is_what_python_takes(text: str, ok: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (table,) = annotate_texts([build_annotator("syntax")], [text], [{"path": "a.py"}]).values()
    row = table.to_pylist()[0]
    assert (row["syntax.ok"], row["syntax.parser"]) == (ok, "python")


HEADER = """#ifndef A_H
#define A_H
#ifdef __cplusplus
extern "C" {
#endif
#define EXTERN __attribute__((visibility("default"))) /* unlikely { */
FOO_BEGIN_DECLS
ZEXTERN int ZEXPORT one OF((int a, char *b));
extern char *two (const char *s) __THROW __nonnull ((1)) __attribute__ ((format (printf, 1, 2)));
FOO_API(const char *) three(FILE *in, int n FOO_UNUSED);
#if defined(X)
struct four { int a;
#else
struct four { long a;
#endif
};
typedef int (FOO_CALL *five)(int);
FOO_END_DECLS
#ifdef __cplusplus
}
#endif
#endif
"""


def test_headers_parse_once_their_macros_are_resolved() -> None:
    found = check(HEADER, "C")
    assert (found.ok, found.parser) == (True, "macros")
    assert found.errors
    broken = HEADER.replace("struct four { long", "struct four ) long").replace(
        "struct four { int", "struct four ( int"
    )
    assert check(broken, "C").ok is False
    assert check("class V8_EXPORT A : public B {\n  V8_INLINE A(int a) {}\n};\n", "C++").ok is True
    assert (
        check("BOOL a; HANDLE *b;\nint f(void) { return MAX(1, 2) + SIZE * COUNT; }\n", "C").parser
        == "tree-sitter"
    )


def test_the_first_branch_is_kept() -> None:
    text = "a\n#if 0\nb\n#elif 1\nc\n#else\nd\n#endif\ne\n#ifdef X\nf\n#else\ng\n#endif\n#endif\n#else\n"
    assert without_macros(text).split() == ["a", "c", "e", "f"]


def test_real_files() -> None:
    """Installed packages parse; hardly any module of the standard library does not (those of its tests
    that must not are left out)."""
    files = sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))[::97]
    wrong = [file.name for file in files if not check(file.read_text("utf-8", "replace"), "Python").ok]
    assert len(files) > 50
    assert len(wrong) <= 0.03 * len(files), wrong


@pytest.mark.parametrize("language", list(GRAMMARS))
def test_hostile_texts_are_judged(language: str) -> None:
    for text in HOSTILE.values():
        found = check(text[:20_000], language)
        assert found.errors is None or found.errors >= 0
        assert found.share is None or 0 <= found.share <= 1


@pytest.mark.parametrize(
    "piece",
    ["(", "-", "+x", ".b", "not ", "lambda:", "f()", "[x for x in ", "x=", "a.", "import a.", "elif x:\n pass\n", "{", '"', "f'{", "@x\n", "x if y else "],
)  # fmt: skip
def test_python_is_never_pushed_too_far(piece: str) -> None:
    began = time.process_time()
    check("x" + piece * (200_000 // len(piece)), "Python")
    check("import " + piece * (200_000 // len(piece)), "Python")
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    "piece",
    [
        "#if\n",
        "ABC(",
        "ABC ",
        "/*",
        "(",
        'extern "C" {',
        ") __a__b__c__d__e__f__g__h__i__j__k__l__m__n__o",
        "A_B_C_D_E ",
        "__attribute__((",
        "\\\n",
        "<a,",
        '"',
    ],
)
def test_macros_of_any_text_are_resolved_soon(piece: str) -> None:
    began = time.process_time()
    without_macros(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 60


def test_long_files_count_as_not_parsing() -> None:
    found = check("x = 1\n" * (MAX_BYTES // 6 + 1), "Python")
    assert (found.ok, found.errors, found.parser) == (False, None, None)
    assert check("é" * (MAX_BYTES // 2 + 1), "C").parser is None


def test_columns_are_null_for_other_languages() -> None:
    documents = [{"path": "a.css"}, {}, {"path": "a.py"}]
    (table,) = annotate_texts([build_annotator("syntax")], ["a{}", "x", "("], documents).values()
    rows = table.to_pylist()
    assert [row["syntax.ok"] for row in rows] == [None, None, False]
    assert [row["syntax.parser"] for row in rows] == [None, None, "python"]


def test_without_the_extra_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from filters.code import syntax

    syntax.parser_of.cache_clear()
    monkeypatch.setitem(sys.modules, "tree_sitter_language_pack", None)
    with pytest.raises(UserError, match=r"gristmill\[code\]"):
        check(RIGHT["Go"], "Go")
    syntax.parser_of.cache_clear()


@given(st.text(max_size=200), st.sampled_from(list(GRAMMARS)))
@settings(max_examples=200, deadline=None)
def test_any_text_has_an_answer(text: str, language: str) -> None:
    found = check(text, language)
    assert found.ok == (found.errors == 0) or found.parser in ("macros", "python")

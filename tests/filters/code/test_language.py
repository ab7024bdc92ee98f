"""Languages by name, first line and content, as GitHub Linguist tells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.base import annotate_texts
from filters.code.language import detect, type_of
from filters.code.languages import by_extension, languages
from filters.code.lexer import family
from filters.registry import build_annotator


@pytest.mark.parametrize(
    ("path", "text", "language", "by"),
    [
        ("src/a.py", "", "Python", "extension"),
        ("src/a.PY", "", "Python", "extension"),
        ("src/a.py.in", "", "Python", "extension"),
        ("Makefile", "", "Makefile", "name"),
        ("deep/CMakeLists.txt", "", "CMake", "name"),
        ("Dockerfile.dev", "", "Dockerfile", "name"),
        ("README", "", "Text", "name"),
        ("views/x.html.erb", "", "HTML+ERB", "extension"),
        ("x.blade.php", "", "Blade", "extension"),
        ("tool", "#!/usr/bin/env -S python3 -u\n", "Python", "shebang"),
        ("tool", "#!/usr/bin/python3.11\n", "Python", "shebang"),
        ("tool", "#!/bin/bash\n", "Shell", "shebang"),
        ("tool", '#!/bin/sh\nexec scala "$0" "$@"\n', "Scala", "shebang"),
        ("x.pl", "#!/usr/bin/swipl\n", "Prolog", "shebang"),
        ("x.h", "int f(void);\n", "C", "extension"),
        ("x.h", "namespace a {\nclass B;\n}\n", "C++", "content"),
        ("x.h", "#import <Foundation/Foundation.h>\n@interface A\n@end\n", "Objective-C", "content"),
        ("x.m", "@implementation A\n@end\n", "Objective-C", "content"),
        ("x.m", "function y = f(x)\n% doc\n", "MATLAB", "content"),
        ("x.pl", "use strict;\nmy $x = 1;\n", "Perl", "content"),
        ("x.pl", "member(X, [X|_]).\nmember(X, [_|T]) :- member(X, T).\n", "Prolog", "content"),
        ("x.ts", '<?xml version="1.0"?>\n<TS></TS>', "XML", "content"),
        ("x.ts", "export const a: number = 1;\n", "TypeScript", "extension"),
        ("x.sql", "SELECT 1;\n", "SQL", "extension"),
        (
            "x.sql",
            "CREATE FUNCTION f() RETURNS int AS $$ BEGIN END $$ LANGUAGE plpgsql;",
            "PLpgSQL",
            "content",
        ),
        ("x.r", "x <- 1\n", "R", "extension"),
        ("x.v", "module m(input a);\nendmodule\n", "Verilog", "content"),
        ("x.v", "Theorem a : True.\nProof. exact I. Qed.\n", "Coq", "content"),
        ("x.C", "", "C++", "extension"),
        ("x", "/* -*- Mode: C++; tab-width: 8 -*- */\n", "C++", "modeline"),
        ("x.inc", "# vim: set ft=python :\n", "Python", "modeline"),
        ("x.ipynb", "{}", "Jupyter Notebook", "extension"),
        (None, "<?php echo 1;", "PHP", "content"),
        (None, "plain words", None, None),
        ("what.ever", "", None, None),
    ],
)
def test_languages(path: str | None, text: str, language: str | None, by: str | None) -> None:
    found = detect(path, text)
    assert found[0] == language
    # Several extensions have a first guess, which content only confirms.
    assert found[1] == by or {found[1], by} == {"content", "extension"}


def test_the_declared_language_counts_where_nothing_else_tells() -> None:
    assert detect("a", "x", "python") == ("Python", "declared")
    assert detect("a.go", "x", "python") == ("Go", "extension")
    assert detect(None, "x", "en") == (None, None)


def test_the_table_is_consistent() -> None:
    for language in languages().values():
        assert family(language.syntax).begins.shape == (128,)
        assert all(extension == extension.lower() for extension in language.extensions)
    for extension, names in by_extension().items():
        assert set(names) <= set(languages()), extension
        assert len(names) == len(set(names))


def test_columns() -> None:
    (table,) = annotate_texts(
        [build_annotator("code_language")], ["x", "y"], [{"path": "a\\b.md"}, {}]
    ).values()
    assert table.to_pylist() == [
        {"code.language": "Markdown", "code.by": "extension", "code.type": "prose"},
        {"code.language": None, "code.by": None, "code.type": None},
    ]


@given(st.text(max_size=40), st.text(max_size=300))
def test_any_path_and_text_has_an_answer(path: str, text: str) -> None:
    language, by = detect(path, text)
    assert (language is None) == (by is None)
    assert language is None or type_of(language) in ("programming", "markup", "data", "prose")

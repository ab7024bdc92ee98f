"""Comments and strings of the families of languages."""

from __future__ import annotations

import io
import sysconfig
import tokenize
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.languages import languages
from filters.code.lexer import COMMENT, STRING, kinds_of


def kinds(text: str, syntax: str) -> str:
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return "".join(".#s<r"[kind] for kind in kinds_of(code_points, syntax))


@pytest.mark.parametrize(
    ("syntax", "text", "expected"),
    [
        ("python", 'x = "a # b" # c', ".....sssss..###"),
        ("python", "'''doc'''\nf('''x''')", "#########......s...."),
        ("c", 'a/*b*/ "c//d" //e', ".#####..ssss..###"),
        ("rust", "fn f<'a>(x:&'a str){'b'}", ".....................s.."),
        ("rust", 'r#"x"y"# /* a /* b */ c */ d', "...sss...#################.."),
        ("cpp", 'R"x(a"b)x"; // c', "..sssssss...####"),
        ("html", '<p a="x>">t</p>', "<<<<<<<<<<.<<<<"),
        ("html", "<script>a<b</script>z<!-- c -->", "<<<<<<<<rrr<<<<<<<<<.##########"),
        ("lua", "--[[ a\n]] [[b]] --c", "#########.sssss.###"),
        ("sql", "select 'it''s' -- c", "........sssss..####"),
        ("ml", "(* a (* b *) *) let", "###############...."),
        ("batch", "rem x\nremove\n:: y", "#####........####"),
        ("hash", "=pod\nhi\n=cut\nx # c", "#############..###"),
        ("json", '{"a": "b // c"}', "..s....ssssss.."),
        ("vim", '" c\nlet x = "d"', "###............"),
        ("ini", "; a\nx = 1 ; b", "###.........."),
        ("toml", '"""a\nb""" # c', "...sss....###"),
        ("coffee", "### a\nb ### c # d", "###########...###"),
    ],
)
def test_kinds(syntax: str, text: str, expected: str) -> None:
    assert kinds(text, syntax) == expected


@pytest.mark.parametrize(
    ("syntax", "text", "comment"),
    [
        ("js", "a = b / c; // d / e", "// d / e"),
        ("js", "x = s.replace(/'/g, 1) // c", "// c"),
        ("cpp", "int a = 1'000'000; // c", "// c"),
        ("csharp", '@"C:\\" // c', "// c"),
        ("php", "it's <?php $a = 'x'; # c", "# c"),
        ("sql", "select 'it''s' -- c", "-- c"),
        ("lisp", '(char #\\") ; c', "; c"),
        ("haskell", "f' x = 'c' -- d", "-- d"),
        ("matlab", "A = B'; 'str' % c", "% c"),
        ("shell", "echo 'a\\' # c", "# c"),
        ("python", "x = 'it\\'s' # y", "# y"),
        ("c", "char a = '\"'; // x", "// x"),
        ("go", "a := `x\n// no` // c", "// c"),
        ("percent", "a % b", "% b"),
        ("fortran", "x = 1 ! c", "! c"),
    ],
)
def test_what_is_comment_alone(syntax: str, text: str, comment: str) -> None:
    found = kinds(text, syntax)
    assert "".join(c for c, kind in zip(text, found, strict=True) if kind == "#") == comment


def test_pythons_own_tokens() -> None:
    """In installed packages comments and strings are those of Python's tokenizer, character by character;
    docstrings, and other triple quotes that begin their line, are comments here."""
    files = sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))[::61]
    different = total = 0
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        if "\r" in text or "\f" in text or len(text) > 200_000:
            continue
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        except (tokenize.TokenError, SyntaxError):
            continue
        expected = np.zeros(len(text), np.uint8)
        for token in tokens:
            start, end = starts[token.start[0] - 1] + token.start[1], starts[token.end[0] - 1] + token.end[1]
            if token.type == tokenize.COMMENT:
                expected[start:end] = COMMENT
            elif token.type == tokenize.STRING:
                body = token.string.lstrip("rRbBuUfF")
                quote = 3 if body[:3] in ('"""', "'''") else 1
                prefix = len(token.string) - len(body)
                if quote == 3 and not token.line[: token.start[1]].strip():
                    expected[start + prefix : end] = COMMENT if prefix == 0 else STRING
                    if prefix:
                        expected[start:end] = 9
                else:
                    expected[start + prefix + quote : end - quote] = STRING
        found = kinds_of(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), "python")
        different += int(((found != expected) & (expected != 9)).sum())
        total += len(text)
    assert total > 500_000
    assert different / total < 0.001


@given(st.text(alphabet="'\"`/*#-<>{}[]()=\\\n R@%!;:abc?", max_size=60))
def test_any_text_in_any_family(text: str) -> None:
    for syntax in {language.syntax for language in languages().values()}:
        assert len(kinds(text, syntax)) == len(text)

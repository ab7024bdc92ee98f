"""Which language a source file is written in, by what GitHub Linguist looks at (docs/how-linguist-works.md
there): an editor's mode line, the file's name, its first line (`#!`), its extension, and, where an
extension is of several languages, words that only one of them has."""
# ruff: noqa: E501 (a pattern, a line)

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Literal

from filters.code.languages import by_declared_name, by_extension, by_file, by_interpreter, languages

By = Literal["modeline", "name", "shebang", "extension", "content", "declared"]

SAMPLE = 50_000
"""Characters of a text that are looked at for words: as many bytes as Linguist's heuristics read."""
_BACKUP = re.compile(r"(?:\.(?:in|tmpl|template|bak|orig|dist|sample|example|tpl|j2|jinja2?|erb|mustache))+$")
_EMACS = re.compile(
    r"-\*-[ \t]*(?:(?:.{0,80};)?[ \t]*mode:[ \t]*([\w+#.-]+)|([\w+#.-]+))[ \t]*(?:;.{0,200})?-\*-",
    re.IGNORECASE,
)
_VIM = re.compile(
    r"(?:\b(?:vim?|ex)|\bVim):[ \t]*(?:set?[ \t])?.{0,80}?\b(?:ft|filetype|syntax)[ \t]*=[ \t]*([\w+#.-]+)"
)
_SHEBANG = re.compile(r"#![ \t]*(\S{1,200})(?:[ \t]+([^\r\n]{1,200}))?")
_VERSION = re.compile(r"(?:[\d.]+|\.exe)$")


def detect(  # noqa: PLR0911 (a clue, a line)
    path: str | None, text: str, declared: str | None = None
) -> tuple[str | None, By | None]:
    """The language and what told it; two times None where nothing does.

    Args:
        path: of the file in its repository.
        text: of the file.
        declared: what its source calls the language; used where nothing else tells.
    """
    line = _mode_line(text) if "-*-" in text[:600] or "vi" in text[:600] or "vim" in text[-600:] else None
    if line is not None and line != "Text":
        return line, "modeline"
    name = path.rpartition("/")[2] if path else ""
    if name:
        language = by_file().get(name) or by_file().get(name.upper() if "." not in name else name)
        if language is not None:
            return language, "name"
    run = _interpreter(text) if text.startswith("#!") else None
    candidates = _by_extension(name)
    if run is not None and (not candidates or run in candidates):
        return run, "shebang"
    if len(candidates) == 1:
        return candidates[0], "extension"
    if candidates:
        told = _by_content(_extension(name), text[:SAMPLE])
        return (told, "content") if told is not None else (candidates[0], "extension")
    stem = name.split(".")[0]
    if stem in (
        "Dockerfile",
        "Containerfile",
        "Makefile",
        "Jenkinsfile",
        "Vagrantfile",
        "Gemfile",
        "Rakefile",
    ):
        return by_file()[stem], "name"
    told_anywhere = _without_name(text[:SAMPLE])
    if told_anywhere is not None:
        return told_anywhere, "content"
    if declared:
        known = by_declared_name().get(declared.lower())
        if known is not None:
            return known, "declared"
    return None, None


def type_of(language: str | None) -> str | None:
    """`programming`, `markup`, `data` or `prose`; None for no language."""
    return languages()[language].type if language is not None else None


def _mode_line(text: str) -> str | None:
    head, tail = text[:600], text[-600:]
    found = _EMACS.search("\n".join(head.split("\n", 2)[:2]))
    if found is not None:
        return by_declared_name().get((found[1] or found[2]).lower().removesuffix("-mode"))
    found = _VIM.search("\n".join(head.split("\n", 5)[:5])) or _VIM.search(
        "\n".join(tail.rsplit("\n", 5)[-5:])
    )
    return by_declared_name().get(found[1].lower()) if found is not None else None


def _interpreter(text: str) -> str | None:
    """The language of a first line such as `#!/usr/bin/env -S python3 -u`."""
    found = _SHEBANG.match(text[:500])
    if found is None:
        return None
    run = found[1].rsplit("/", 1)[-1]
    if run == "env":
        words = [word for word in (found[2] or "").split() if not word.startswith("-") and "=" not in word]
        run = words[0].rsplit("/", 1)[-1] if words else ""
    known = by_interpreter()
    if run in ("sh", "bash") and (again := re.search(r"exec (\w+)", text[:500])):
        # Scripts that shells hand over: `exec scala "$0" "$@"`.
        return known.get(again[1]) or known[run]
    return known.get(run) or known.get(_VERSION.sub("", run))


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


@functools.lru_cache(8192)
def _by_extension(name: str) -> tuple[str, ...]:
    """Languages of the longest extension that is known: `x.html.erb`, `x.blade.php`, `x.py.in`."""
    parts = name.lower().split(".")
    known = by_extension()
    # Capitals make C++ of .C and .H, and R of .R.
    if name.endswith((".C", ".H")):
        return ("C++", "C")
    for start in range(1, len(parts)):
        found = known.get(".".join(parts[start:]))
        if found is not None:
            return found
    bare = _BACKUP.sub("", name)
    return _by_extension(bare) if bare != name and bare else ()


def _has(pattern: str, flags: re.RegexFlag = re.MULTILINE) -> Callable[[str], bool]:
    compiled = re.compile(pattern, flags)
    return lambda text: compiled.search(text) is not None


# A line's beginning is looked for as a line feed, which is ten times as fast as `^`.
_OBJECTIVE_C = re.compile(
    r"\n[ \t]*(?:@(?:interface|protocol|property|end|class|implementation|synthesize|import)\b|#import\b)"
)
_CPP = re.compile(
    r"\n[ \t]*(?:template[ \t]*<|namespace\b[^;\n]{0,80}\{?\n|using[ \t]+(?:namespace|std::)|class[ \t]+\w+[ \t\w]*[:{\n]"
    r"|(?:public|private|protected)[ \t]*:|#[ \t]*include[ \t]*<(?:c?string|vector|map|set|memory|iostream|algorithm|utility"
    r"|functional|unordered_map|type_traits)>)"
)
_CPP_WORD = re.compile(r"\b(?:std::|constexpr\b|nullptr\b)")


def _is_objective_c(text: str) -> bool:
    return ("@" in text or "#import" in text) and _OBJECTIVE_C.search(f"\n{text}") is not None


def _is_cpp(text: str) -> bool:
    if any(word in text for word in ("std::", "constexpr", "nullptr")) and _CPP_WORD.search(text):
        return True
    return _CPP.search(f"\n{text}\n") is not None


_ML = re.MULTILINE
_RULES: dict[str, tuple[tuple[str, Callable[[str], bool]], ...]] = {
    # After the heuristics of Linguist (lib/linguist/heuristics.yml), in this project's own words.
    "h": (
        ("Objective-C", _is_objective_c),
        ("C++", _is_cpp),
    ),
    "m": (
        ("Objective-C", _has(r"^[ \t]*(?:@(?:interface|class|protocol|property|end|synchronised|selector|implementation|import)\b|#import\b|#include\b)")),
        ("Mercury", _has(r":- module")),
        ("MATLAB", _has(r"^[ \t]*(?:function\b|classdef\b|%|end[ \t]*;?[ \t]*$|clc\b|clear\b|close all)|\.\.\.[ \t]*$")),
        ("Mathematica", _has(r"\(\*|:=|\[\[|^\s*Begin\[")),
    ),
    "pl": (
        ("Prolog", _has(r"^[^#\n]{0,200}:-|^[a-z]\w*\([^\n]{0,200}\)\.[ \t]*$")),
        ("Perl", _has(r"\buse\s+(?:strict\b|warnings\b|v?5\b|[A-Z]\w*)|^\s*(?:my|our|sub|package)\s|^=\w+|\$\w+")),
        ("Raku", _has(r"^\s*(?:use\s+v6\b|\bmodule\b|\bmy\s+class\b)")),
    ),
    "pm": (
        ("Raku", _has(r"^\s*(?:use\s+v6\b|unit\s+(?:module|class)\b|(?:my\s+)?(?:class|role|grammar)\s+\w+[^;]*\{)")),
        ("Perl", _has(r"\buse\s+\w|^\s*package\s")),
    ),
    "t": (
        ("Raku", _has(r"^\s*use\s+v6\b")),
        ("Perl", _has(r"\buse\s+(?:strict\b|warnings\b|v?5|Test)|^\s*(?:my|our|sub)\s")),
    ),
    "ts": (
        ("XML", _has(r"\A\s*(?:<\?xml\b|<TS\b|<!DOCTYPE TS)", re.NOFLAG)),
    ),
    "sql": (
        ("PLpgSQL", _has(r"^\\i\b|\bAS[ \t]+\$\$|LANGUAGE[ \t]+'?plpgsql'?|SECURITY[ \t]+(?:DEFINER|INVOKER)|BEGIN[ \t]+WORK", _ML | re.IGNORECASE)),
        ("PLSQL", _has(r"\$\$PLSQL_|XMLTYPE|systimestamp|\.nextval|CONNECT[ \t]+BY|AUTHID[ \t]+(?:DEFINER|CURRENT_USER)|constructor[ \t]+function", _ML | re.IGNORECASE)),
    ),
    "cls": (
        ("TeX", _has(r"^\s*\\(?:NeedsTeXFormat|ProvidesClass|documentclass|LoadClass|def|newcommand)")),
        ("VBA", _has(r"^VERSION\s[\d.]+\s+CLASS|^Attribute VB_|^\s*(?:Public|Private)\s+(?:Sub|Function|Property)\b")),
        ("Apex", _has(r"\b(?:public|private|global)\s+(?:(?:with|without|virtual|abstract)\s+)?(?:sharing\s+)?(?:class|interface)\b")),
    ),
    "v": (
        ("Coq", _has(r"^\s*(?:Theorem|Lemma|Definition|Proof|Require|Inductive|Fixpoint|Section|Variable|Notation)\b|\bQed\.")),
        ("V", _has(r"^(?:pub\s+)?fn\s+\w+|^module\s+\w+\s*$|^(?:pub\s+)?struct\s+\w+\s*\{|\s:=\s")),
        ("Verilog", _has(r"\bendmodule\b|^\s*module\s+\w+|`(?:include|define|timescale)|\balways\b")),
    ),
    "pp": (
        ("Pascal", _has(r"^\s*(?:unit|program|library|uses)\s+\w+\s*[;,]|^\s*end\.")),
        ("Puppet", _has(r"^\s*(?:class|define|node)\s+[\w:']+[^;]*\{|=>|^\s*include\s+\w")),
    ),
    "pro": (
        ("Prolog", _has(r"^[^\[#;\n]{1,200}:-")),
        ("IDL", _has(r"^\s*(?:pro|function)\s+\w+|^\s*end(?:for|if|while)?\s*$", _ML | re.IGNORECASE)),
        ("INI", _has(r"^\s*\w+(?:\.\w+)*\s*[+-]?=|last_client=")),
    ),
    "ml": (
        ("OCaml", _has(r"\bmatch\b[^\n]*\bwith\b|^\s*(?:let|module|open|type|external)\s+[\w(]|\(\*|\bfunction\b|\brec\b|;;")),
        ("Standard ML", _has(r"\b(?:structure|functor|signature|fun|val)\s+\w+[^\n]*=|=> ")),
    ),
    "cl": (
        ("Common Lisp", _has(r"^\s*\((?:defun|in-package|defpackage|export|defmacro|defvar)\b|^;", _ML | re.IGNORECASE)),
        ("OpenCL", _has(r"\b(?:__?kernel|__?global|get_global_id)\b|/\*|//|^\}")),
    ),
    "fs": (
        ("F#", _has(r"^\s*(?:#light|import|let|module|namespace|open|type)\b")),
        ("GLSL", _has(r"^\s*(?:#version|precision|uniform|varying|vec[234]|void main)\b")),
        ("Forth", _has(r"^(?:: |new-device)")),
    ),
    "d": (
        ("D", _has(r"^\s*(?:module\s+[\w.]+;|import\s+[\w, :.]+;|unittest\s*\{)|\b(?:auto|immutable|foreach)\b")),
        ("Makefile", _has(r"^[^\n:=]{1,300}\.(?:o|d|lo|obj)\s*:|\\$")),
    ),
    "inc": (
        ("PHP", _has(r"<\?(?:php|=)", re.NOFLAG)),
        ("HTML", _has(r"<(?:div|html|table|p|a|span|script)\b", re.IGNORECASE)),
        ("C++", _has(r"^\s*(?:#|template|namespace|//)")),
        ("Assembly", _has(r"^\s*(?:;|\.\w+|%\w+|\w+:)")),
        ("Pascal", _has(r"^\s*(?:procedure|function|begin|const|\{)", _ML | re.IGNORECASE)),
    ),
    "as": (("ActionScript", _has(r"^\s*(?:package|import|public|class|var|function)\b")), ("Assembly", _has(r"^\s*(?:;|\.\w+)"))),
    "tsx": (
        ("XML", _has(r"\A\s*<\?xml\b", re.NOFLAG)),
    ),
    "mod": (
        ("Modula-2", _has(r"^\s*(?:MODULE|END)\b[^\n]*[;.]")),
        ("XML", _has(r"<!ENTITY|<\?xml")),
        ("Go Module", _has(r"^module\s+\S+\s*$")),
    ),
    "cs": (
        ("Smalltalk", _has(r"![\w\s]+methodsFor: ")),
        ("C#", lambda text: True),
    ),
    "bas": (
        ("Visual Basic 6.0", _has(r"^Attribute VB_Name")),
        ("VBA", _has(r"\b(?:Option Explicit|VBA|Worksheets?|Range)\b")),
    ),
    "frm": (
        ("Visual Basic 6.0", _has(r"^VERSION|Begin VB\.|^Begin \{")),
        ("VBA", _has(r"VBA|UserForm")),
    ),
    "nb": (
        ("Mathematica", _has(r"\(\*|Notebook\[|Cell\[")),
    ),
    "g": (("GAP", _has(r"^\s*(?:gap>|InstallMethod|Declare\w+|BindGlobal)|\bod;|\bfi;")),),
    "ms": (
        ("Roff", _has(r"^[.'][A-Za-z]{1,3}\b")),
        ("Assembly", _has(r"^\s*\.(?:text|globl|data|section)\b")),
    ),
    "p": (
        ("Prolog", _has(r":-")),
        ("Pascal", _has(r"\bbegin\b", re.IGNORECASE)),
    ),
    "1": (("Roff", _has(r"^[.']")),),
}  # fmt: skip

_HTML = re.compile(r"\A\s*(?:<!doctype html|<html\b)", re.IGNORECASE)
_XML = re.compile(r"\A\s*<\?xml\b")


def _by_content(extension: str, sample: str) -> str | None:
    for language, tells in _RULES.get(extension, ()):
        if tells(sample):
            return language
    return None


def _without_name(sample: str) -> str | None:
    """For files whose names say nothing: only what begins as nothing else does."""
    if _HTML.match(sample):
        return "HTML"
    if _XML.match(sample):
        return "SVG" if "<svg" in sample[:2000] else "XML"
    if sample.startswith("<?php"):
        return "PHP"
    return None

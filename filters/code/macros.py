"""C and C++ without what only the preprocessor understands, for a grammar that does not know the macros.

A name in capitals beside a type, behind a parameter list or alone on a line is taken for an attribute or a
statement that some header defines; of the branches of `#if` the first is kept. What is left is the file's
own code as a compiler may see it: whether it parses says what a grammar can say about such a file.
"""

from __future__ import annotations

import re

import numpy as np

from filters.code.lexer import COMMENT, kinds_of

_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w*)(?:[^\n\\]|\\(?:\r?\n|.))*", re.MULTILINE)
_OFF = re.compile(r"[ \t]*#[ \t]*if[ \t]+0\b")
_ARGUMENTS = r"(?:[ \t]*\((?:[^()\n]|\((?:[^()\n]|\([^()\n]{0,200}\)){0,300}\)){0,300}\))"
_CAPITALS = r"_*[A-Z][A-Z0-9_]{2,}\b"
_ATTRIBUTE = re.compile(
    rf"\b__(?:attribute|attribute__|declspec|asm|asm__|nonnull|attribute_\w+){_ARGUMENTS}|\[\[[^\[\]\n]*\]\]"
    r"|\b__(?:extension__|inline|inline__|forceinline|restrict|restrict__|volatile__|const|cdecl|stdcall|THROW\w*|wur|unused|user|iomem|init|exit"
    r"|BEGIN_DECLS|END_DECLS|BEGIN_NAMESPACE_\w+|END_NAMESPACE_\w+)\b(?![ \t]*\()"
)  # fmt: skip
# Each name whole: cut in two, "__a__b" could be read in as many ways as it has underscores.
_BEHIND = re.compile(rf"\)(?:\s*\b(?>{_CAPITALS}|__\w+|_[A-Z]\w*_)\b{_ARGUMENTS}?){{1,9}}(?=\s*[;{{])")
_BEFORE_BRACE = re.compile(rf"(?<=\w)[ \t]+{_CAPITALS}{_ARGUMENTS}(?=\s*[;{{])")
_TYPED = re.compile(
    rf"(?<![\w.>#]){_CAPITALS}[ \t]*\(([A-Za-z_][\w \t*&:<>]*)\)(?=[ \t]*\*?[ \t]*[A-Za-z_]\w*[ \t]*[(\[;=,])"
)
_BESIDE = re.compile(
    rf"(?<![\w.>#])(?:{_CAPITALS}{_ARGUMENTS}?)(?=\s+(?:[A-Za-z_][\w:]*(?:<[^<>;{{}}]{{0,200}}>)?[\s*&]+[A-Za-z_*&]|(?:class|struct|enum|union|inline|static)\b))"
)
_ALONE = re.compile(rf"^[ \t]*{_CAPITALS}{_ARGUMENTS}?[ \t]*;?[ \t]*$", re.MULTILINE)
_NO_TYPE = "".join(
    rf"(?<!\b{word})"
    for word in (
        "const",
        "struct",
        "static",
        "extern",
        "volatile",
        "enum",
        "union",
        "typedef",
        "inline",
        "register",
        "return",
        "else",
        "case",
    )
)
_BEFORE_NAME = re.compile(rf"(?<=[\w*&>]){_NO_TYPE}[ \t]+{_CAPITALS}(?=[ \t]+\*?[A-Za-z_]\w*[ \t]*\()")
_OF_CLASS = re.compile(rf"\b(class|struct|union|enum)[ \t]+{_CAPITALS}{_ARGUMENTS}?(?=[ \t]+[A-Za-z_]\w*)")
_CONVENTION = re.compile(rf"\([ \t]*{_CAPITALS}[ \t]*\*(?=[ \t]*\w+[ \t]*\)[ \t]*\()")
_BEHIND_NAME = re.compile(rf"(?<=\w)[ \t]+{_CAPITALS}(?=[ \t]*[,)])")
_WRAPPED = re.compile(
    rf"\b(?:{_CAPITALS}|__P|_PROTO|OF|__nothrow)[ \t]*\((\((?:[^()]|\([^()]{{0,200}}\)){{0,300}}\))\)"
)
_LINKAGE = re.compile(r"extern[ \t]+\"C(?:\+\+)?\"[ \t]*(?:\{|(?=[\w]))")


def without_macros(text: str) -> str:
    """The text with directives resolved and macros taken out. Not for reading: places are not kept."""
    text = _branches(_without_comments(text))
    opened = 0
    while (linkage := _LINKAGE.search(text)) is not None and opened < 50:
        # The brace that `extern "C" {` opens closes at the end of the file, or in a branch that is gone.
        braced = linkage[0].endswith("{")
        text = text[: linkage.start()] + text[linkage.end() :]
        opened += braced
    text = _WRAPPED.sub(r"\1", text)
    text = _ATTRIBUTE.sub(" ", text)
    text = _ALONE.sub("", text)
    text = _BEHIND.sub(")", text)
    text = _BEFORE_BRACE.sub("", text)
    text = _TYPED.sub(r"\1 ", text)
    text = _OF_CLASS.sub(r"\1", text)
    text = _CONVENTION.sub("(*", text)
    text = _BESIDE.sub(" ", text)
    text = _BEFORE_NAME.sub(" ", text)
    text = _BEHIND_NAME.sub("", text)
    surplus = text.count("}") - text.count("{")
    for _ in range(min(max(0, surplus), opened)):
        last = text.rfind("}")
        text = text[:last] + text[last + 1 :]
    return text


def _without_comments(text: str) -> str:
    """Spaces where comments are, but for their line ends."""
    code_points = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).copy()
    code_points[(kinds_of(code_points, "cpp") == COMMENT) & (code_points != ord("\n"))] = ord(" ")
    return code_points.tobytes().decode("utf-32-le")


def _branches(text: str) -> str:
    """Without directives, and of the branches of each condition the first that is not for the other
    language or switched off (`#if 0`)."""
    kept: list[str] = []
    state: list[tuple[bool, bool]] = []  # of each condition: this branch is kept; one was
    closed = at = 0  # conditions whose branch is not kept; where the text behind the last directive begins
    for found in _DIRECTIVE.finditer(text):
        if not closed:
            kept.append(text[at : found.start()])
        at = found.end()
        word = found[1]
        if word in ("if", "ifdef", "ifndef"):
            on = _OFF.match(found[0]) is None
            state.append((on, on))
            closed += not on
        elif word in ("else", "elif") and state:
            now, before = state[-1]
            state[-1] = (not before, True)
            closed += now - (not before)
        elif word == "endif" and state:
            closed -= not state.pop()[0]
    if not closed:
        kept.append(text[at:])
    return "".join(kept)

"""A text as it may come back from the web: the same words in other clothes. Nothing is paraphrased."""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Callable

_THIN = {
    r"\\dfrac|\\tfrac": r"\\frac",
    r"\\left(?![a-z])|\\right(?![a-z])": "",
    r"\\leq?(?![a-z])": r"\\leqslant ",
    r"\\geq?(?![a-z])": r"\\geqslant ",
}
_SIGNS = {
    r"\\leq?(?![a-z])": "≤",
    r"\\geq?(?![a-z])": "≥",
    r"\\times(?![a-z])": "×",
    r"\\cdot(?![a-z])": "·",
    r"\\pi(?![a-z])": "π",
    r"\\alpha(?![a-z])": "α",
    r"\\theta(?![a-z])": "θ",
    r"\\infty(?![a-z])": "∞",
    r"\^\\circ(?![a-z])": "°",
    r"\^2(?!\d)": "²",
    r"\\triangle(?![a-z])": "△",
    r"\\angle(?![a-z])": "∠",
}


def _replaced(text: str, table: dict[str, str]) -> str:
    for pattern, replacement in table.items():
        text = re.sub(pattern, replacement, text)
    return text


def same(text: str) -> str:
    return text


def upper(text: str) -> str:
    return text.upper()


def lower(text: str) -> str:
    return text.lower()


def wrapped(text: str) -> str:
    """Lines of 40 characters at most, cut at spaces, with Windows' line ends."""
    lines = [
        textwrap.wrap(line, 40, break_long_words=False, break_on_hyphens=True) or [""]
        for line in text.split("\n")
    ]
    return "\r\n".join(line for group in lines for line in group)


def one_line(text: str) -> str:
    return " ".join(text.split())


def quoted_markdown(text: str) -> str:
    """A block quote whose words are bold, emphasised and code in turn."""
    marks = ("**", "_", "`", "")
    words = text.split(" ")
    dressed = [
        f"{marks[number % 4]}{word}{marks[number % 4]}" if word.strip() == word and word.isalpha() else word
        for number, word in enumerate(words)
    ]
    return "> " + " ".join(dressed).replace("\n", "\n> ")


def parentheses(text: str) -> str:
    """LaTeX's own delimiters for dollars, and plain spellings of fractions and relations."""
    text = re.sub(r"\$\$(.*?)\$\$", r"\\[\1\\]", text, flags=re.DOTALL)
    text = re.sub(r"(?<!\\)\$(.*?)(?<!\\)\$", r"\\( \1 \\)", text, flags=re.DOTALL)
    return _replaced(text, _THIN)


def signs(text: str) -> str:
    """Unicode's signs for LaTeX's commands, no delimiters."""
    return _replaced(text, _SIGNS).replace("$", " ")


def doubled(text: str) -> str:
    """Display delimiters, \\dfrac, spacing commands."""
    text = re.sub(r"(?<!\\)\$(?!\$)", "$$", text)
    return text.replace(r"\frac", r"\dfrac").replace("=", r"\,=\;")


def typographic(text: str) -> str:
    """Curly quotes, long dashes, an ellipsis."""
    text = re.sub(r'"([^"]*)"', "“\\1”", text).replace("'", "\u2019").replace("...", "…")
    return text.replace(" - ", " — ").replace("--", "–")


def spaced(text: str) -> str:
    """What extraction makes of markup: spaces around punctuation, no-break and thin spaces, entities."""
    text = re.sub(r"(?<=[^\W\d])([,;:?!])", r" \1 ", text)
    text = re.sub(r"([()\[\]=+*])", " \\1 ", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    chooser = random.Random(text)
    return re.sub(r" ", lambda _: chooser.choice((" ", "  ", "\u00a0 ", "\n")), text)


def decomposed(text: str) -> str:
    """Full-width digits, ligatures, soft hyphens, a byte order mark."""
    typeset = {"fi": "ﬁ", "fl": "ﬂ", "tion": "ti\u00adon"}
    text = re.sub(r"\\[a-z]+|fi|fl|tion", lambda found: typeset.get(found[0], found[0]), text)
    return "\ufeff" + text.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})


def grouped(text: str) -> str:
    """Commas in long numbers that stand by themselves, zeros behind the point."""
    text = re.sub(r"(?<![\w.,{\\])(\d{1,3})(\d{3})(?![\w.,}])", r"\1,\2", text)
    return re.sub(r"(?<![\w.,{\\])(\d+\.\d+)(?![\w.,}])", r"\g<1>0", text)


def everything(text: str) -> str:
    """Several at once."""
    return wrapped(typographic(parentheses(upper(text) if "\\" not in text else text)))


DISGUISES: dict[str, Callable[[str], str]] = {
    function.__name__: function
    for function in (
        same,
        upper,
        lower,
        wrapped,
        one_line,
        quoted_markdown,
        parentheses,
        signs,
        doubled,
        typographic,
        spaced,
        decomposed,
        grouped,
        everything,
    )
}

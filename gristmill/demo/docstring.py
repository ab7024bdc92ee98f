"""Docstrings as web pages: the part of reStructuredText that scientific docstrings use, rendered to HTML.

Mathematics stays LaTeX between `\\( \\)` and `\\[ \\]`, as a site that runs MathJax would serve it.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

_ROLE = re.compile(r":(?P<role>[\w:+-]+):`(?P<body>[^`]+)`")
_LITERAL = re.compile(r"``(?P<body>[^`]+)``")
_EMPHASIS = re.compile(r"(?<![\w*])(?P<stars>\*{1,2})(?P<body>[^\s*][^*]*)(?P=stars)(?![\w*])")
_LINK = re.compile(r"`(?P<text>[^`<]+)\s*<(?P<url>[^`>]+)>`_{1,2}")
_TARGET = re.compile(r"\s*<[^>]+>$")
_UNDERLINE = re.compile(r"^([-=~^\"'+#*])\1{2,}\s*$")
_DIRECTIVE = re.compile(r"^\.\. (?P<name>[\w-]+)::\s*(?P<rest>.*)$")
_ITEM = re.compile(r"^(?:[-*+]|\d+\.)\s+")


def inline(text: str) -> str:
    """Inline mark-up of one paragraph, as HTML."""
    kept: list[str] = []

    def keep(fragment: str) -> str:
        kept.append(fragment)
        return f"\x00{len(kept) - 1}\x00"

    def role(match: re.Match[str]) -> str:
        body = match["body"]
        if match["role"] == "math":
            return keep(rf'<span class="math">\({html.escape(body)}\)</span>')
        return keep(f"<code>{html.escape(_TARGET.sub('', body).lstrip('~!'))}</code>")

    text = _ROLE.sub(role, text)
    text = _LITERAL.sub(lambda match: keep(f"<code>{html.escape(match['body'])}</code>"), text)
    text = _LINK.sub(
        lambda match: keep(f'<a href="{html.escape(match["url"])}">{html.escape(match["text"].strip())}</a>'),
        text,
    )
    text = html.escape(text, quote=False)
    text = _EMPHASIS.sub(
        lambda match: (
            f"<strong>{match['body']}</strong>" if match["stars"] == "**" else f"<em>{match['body']}</em>"
        ),
        text,
    )
    # Fragments can hold fragments (a link with a literal in it), so unfold until nothing is left.
    while "\x00" in text:
        text = re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], text)
    return text


def to_html(docstring: str) -> str:
    """A docstring as an HTML fragment: headings, paragraphs, lists, code, displayed mathematics."""
    lines = inspect.cleandoc(docstring.replace("\x00", "")).splitlines()
    return "\n".join(_blocks(lines))


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif at + 1 < len(lines) and _UNDERLINE.match(lines[at + 1]) and not line.startswith(" "):
            yield f"<h2>{inline(line.strip())}</h2>"
            at += 2
        elif match := _DIRECTIVE.match(line.strip()):
            end = _end_of_indent(lines, at, _indent(line))
            yield from _directive(match["name"], match["rest"], lines[at + 1 : end])
            at = end
        elif line.lstrip().startswith(">>>"):
            end = _end_of_paragraph(lines, at)
            yield _code(lines[at:end])
            at = end
        elif _ITEM.match(line.lstrip()):
            end = _end_of_paragraph(lines, at)
            yield from _items(lines[at:end])
            at = end
        elif at + 1 < len(lines) and lines[at + 1].strip() and _indent(lines[at + 1]) > _indent(line):
            end = _end_of_indent(lines, at, _indent(line))
            yield f"<dl><dt>{inline(line.strip())}</dt><dd>"
            yield from _blocks(inspect.cleandoc("\n" + "\n".join(lines[at + 1 : end])).splitlines())
            yield "</dd></dl>"
            at = end
        else:
            end = _end_of_paragraph(lines, at)
            text = " ".join(part.strip() for part in lines[at:end])
            at = end
            if text.endswith("::"):
                yield f"<p>{inline(text[:-1].rstrip(':') + ':')}</p>"
                end = _end_of_indent(lines, at - 1, _indent(lines[at - 1]))
                if any(part.strip() for part in lines[at:end]):
                    yield _code(lines[at:end])
                at = max(at, end)
            else:
                yield f"<p>{inline(text)}</p>"


def _directive(name: str, rest: str, body: list[str]) -> Iterator[str]:
    content = inspect.cleandoc("\n" + "\n".join(body))
    if name == "math":
        formula = "\n".join(part for part in (rest, content) if part)
        yield rf'<div class="math">\[{html.escape(formula)}\]</div>'
    elif name in ("note", "warning", "seealso", "versionadded", "versionchanged", "deprecated", "admonition"):
        yield f'<div class="{name}"><strong>{name.capitalize()}</strong> {inline(rest)}'
        yield from _blocks(content.splitlines())
        yield "</div>"
    elif name in ("code-block", "code", "plot", "doctest", "parsed-literal"):
        yield _code(content.splitlines())


def _items(lines: list[str]) -> Iterator[str]:
    yield "<ul>"
    item: list[str] = []
    for line in [*lines, "- "]:
        if _ITEM.match(line.lstrip() + " ") and item:
            yield f"<li>{inline(' '.join(item))}</li>"
            item = []
        item.append(_ITEM.sub("", line.strip()))
    yield "</ul>"


def _code(lines: list[str]) -> str:
    code = inspect.cleandoc("\n" + "\n".join(lines))
    return f"<pre><code>{html.escape(code, quote=False)}</code></pre>"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end_of_paragraph(lines: list[str], at: int) -> int:
    end = at + 1
    while end < len(lines) and lines[end].strip():
        end += 1
    return end


def _end_of_indent(lines: list[str], at: int, indent: int) -> int:
    end = at + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    return end

"""What the head of a file says of its licence: SPDX tags, the well-known phrases, whole licence texts."""
# ruff: noqa: E501 (a pattern, a line)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from filters.code.lexer import COMMENT, kinds_of
from filters.code.license_names import BSD, named
from filters.code.license_text import match_texts
from filters.code.spdx import judged

HEAD = 8_000
"""Characters of a source file in which its licence is looked for. A licence text as long as the GPL's
stands in a file of its own."""

Source = Literal["spdx", "phrase", "text"]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found. `score`: 1 for tags and phrases, the share of the licence's text that is there for
    texts."""

    expression: str
    source: Source
    score: float


_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n\r]{1,300})")
_TAG_END = re.compile(r"\s*(?:\*+/|-->|\*\)|#\}|--\}\}|[\"'`;\\]|\|#|\s#\s|//).*|\s+$")
_HINTS = (
    "icens",
    "ICENS",
    "icenc",
    "ermission ",
    "edistribution and",
    "SPDX",
    "GPL",
    "public domain",
    "UNLICENSE",
)
_BEFORE, _BEHIND = 300, 2_000
"""Characters around a hint that are looked at: a text as long as BSD's follows its first words."""
_MARKS = re.compile(r"(?m)^[\s/*#;%!<>|.:\"'{}()\[\]-]+|[\s*/#]+$")
_SPACE = re.compile(r"\s+")
_SAYS = re.compile(
    r"licen[sc]ed?|under\b|distributed|released|governed|covered|subject to|terms of|available|permitted|accordance|compliance"
)
_CHOICE = re.compile(
    r"alternatively|dual[- ]licen|multi[- ]licen|tri[- ]?licen|at your (?:option|choice)[,:;]? (?:under|either)|your choice of"
    r"|(?:of|under) either|either the (?:gnu|apache|mit|bsd)|, either$|(?:license|mit|2\.0|bsd)[\"')]* or (?:the )?(?:mit|apache|bsd|gnu|gpl|lgpl|mozilla)"
)
_GNU = re.compile(
    r"(?:gnu )?(affero |lesser |library |library \(or lesser\) |lesser \(library\) )?(?:gnu )?general public licen[sc]e|\b(a|l)?gpl\b[- ]?(?=v|version|\d)"
)
_VERSION = re.compile(r"(?:version|v\.?)? ?(\d(?:\.\d)?)(\+)?\b")
_LATER = re.compile(r"any later|or later|or newer|or higher|\bor \(at your option\)|\+")
_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"apache licen[sc]e,? ?(?:\(?the \"license\"\)?,? )?(?:version|v\.?|ver\.?)? ?2(?:\.0)?\b|apache[- ]2(?:\.0)?\b|apache\.org/licenses/license-2\.0", "Apache-2.0"),
        (r"mozilla public licen[sc]e,? ?(?:version|v\.?)? ?2\.0|mozilla\.org/mpl/2\.0|\bmpl[- ]?v?2\.0", "MPL-2.0"),
        (r"mozilla public licen[sc]e,? ?(?:version|v\.?)? ?1\.1|\bmpl[- ]?v?1\.1", "MPL-1.1"),
        (r"mozilla public licen[sc]e,? ?(?:version|v\.?)? ?1\.0", "MPL-1.0"),
        (r"eclipse public licen[sc]e,? ?(?:-|version|v\.?)? ?2\.0|eclipse\.org/(?:legal/)?epl-(?:2\.0|v20)", "EPL-2.0"),
        (r"eclipse public licen[sc]e,? ?(?:-|version|v\.?)? ?1\.0|eclipse\.org/legal/epl-v10", "EPL-1.0"),
        (r"(?:boost software licen[sc]e)(?:,? ?(?:-|version) ?1\.0)?|boost\.org/license_1_0", "BSL-1.0"),
        (r"\b(?:mit|expat)(?:/x11)?(?:[- ]style)? licen[sc]e|opensource\.org/licenses/mit(?:-license)?\b|licen[sc]ed? (?:under )?(?:the )?mit\b", "MIT"),
        (r"\bisc licen[sc]e|opensource\.org/licenses/isc\b", "ISC"),
        (r"bsd[- ]3[- ]clause|3[- ]clause bsd|(?:new|modified|revised) bsd|bsd \(?3[- ]clause|opensource\.org/licenses/bsd-3-clause", "BSD-3-Clause"),
        (r"bsd[- ]2[- ]clause|2[- ]clause bsd|simplified bsd|bsd \(?2[- ]clause|opensource\.org/licenses/bsd-2-clause", "BSD-2-Clause"),
        (r"common development and distribution licen[sc]e[^.]{0,60}1\.1", "CDDL-1.1"),
        (r"common development and distribution licen[sc]e", "CDDL-1.0"),
        (r"academic free licen[sc]e,? ?(?:version|v\.?)? ?3\.0", "AFL-3.0"),
        (r"open software licen[sc]e,? ?(?:\(osl )?(?:version|v\.?)? ?3\.0", "OSL-3.0"),
        (r"artistic licen[sc]e,? ?(?:version|v\.?)? ?2(?:\.0)?", "Artistic-2.0"),
        (r"universal permissive licen[sc]e", "UPL-1.0"),
        (r"python software foundation licen[sc]e", "PSF-2.0"),
        (r"zope public licen[sc]e,? ?\(?(?:zpl\)?,? )?(?:version|v\.?)? ?2\.1|\bzpl\b.{0,40}version 2\.1", "ZPL-2.1"),
        (r"php licen[sc]e|version 3\.01? of the php", "PHP-3.01"),
        (r"european union public licen[sc]e|\beupl\b[^.]{0,30}1\.2", "EUPL-1.2"),
        (r"university of illinois (?:/ ?ncsa )?open source licen[sc]e", "NCSA"),
        (r"server side public licen[sc]e", "SSPL-1.0"),
        (r"elastic licen[sc]e 2\.0", "Elastic-2.0"),
        (r"(?:microsoft public licen[sc]e|\bms-pl\b)", "MS-PL"),
        (r"\bwtfpl\b|do what the f\w+ you want to public licen[sc]e", "WTFPL"),
        (r"(?:the )?unlicense\b|unlicense\.org", "Unlicense"),
        (r"\bcc0\b|creativecommons\.org/publicdomain/zero/1\.0", "CC0-1.0"),
        (r"\bzlib(?:/libpng)? licen[sc]e", "Zlib"),
        (r"\bbsd(?:[- ]style)?(?:[- ]type)? licen[sc]e|same terms as bsd", BSD),
    )
)  # fmt: skip
_LABEL = re.compile(
    r"(?:@licen[sc]e|\blicen[sc]e|__license__|:licen[sc]e) ?[:=]? ?[\"']?([a-z0-9][a-z0-9.+/ -]{1,48}[a-z0-9+])(?=$|[\"',;.(\n]|  )"
)
_LABELLED = re.compile(
    r"(?m)^[ \t/*#;%!<>|.\"'-]*(?:@licen[sc]e[ \t]|(?:@|:|__)?licen[sc]e(?:__)?:?[ \t]*[:=])[ \t]*[\"']?([^\n\"',;]{2,60})",
    re.IGNORECASE,
)
_DECLARED = re.compile(r"(?m)^[ \t]*__licen[sc]e__[ \t]*=[ \t]*[\"']([^\"'\n]{2,60})")
_NEGATED = re.compile(r"compatible with|similar to|incompatible|not (?:be )?(?:licen|cover)")
_EXCEPTIONS = (
    (re.compile(r"bison parser skeleton|parser skeletons? created by bison|part or all of the bison"), "Bison-exception-2.2"),
    (re.compile(r"gcc runtime library exception"), "GCC-exception-3.1"),
    (re.compile(r"linking this library statically or dynamically with other modules"), "Classpath-exception-2.0"),
    (re.compile(r"configure script(?:s)? generated by autoconf|configuration script generated by autoconf"), "Autoconf-exception-generic"),
    (re.compile(r"built using (?:gnu )?libtool|distribute a program (?:or library )?that (?:is built|uses|contains a configuration).{0,40}libtool"), "Libtool-exception"),
    (re.compile(r"linux-syscall-note"), "Linux-syscall-note"),
    (re.compile(r"llvm exceptions? to the apache|apache licen[sc]e v2\.0 with llvm exceptions?"), "LLVM-exception"),
)  # fmt: skip
_TEXT = re.compile(
    r"permission is hereby granted|permission to use, copy, modify|permission to (?:copy|use)|redistribution and use|permission is granted to anyone"
    r"|free and unencumbered|no copyright .{0,40}claim|everyone is permitted to copy|this software is provided"
)


def license_of_head(text: str, syntax: str = "plain") -> Found | None:
    """The licence that the first HEAD characters of a source file state, or None where they state none.

    An SPDX tag decides, wherever it stands; else all that phrases and licence texts in comments name, and a
    line `__license__ = "MIT"`: it holds together (AND), or is a choice where the words say so (OR).

    Args:
        syntax: the family of the file's comments (`filters.code.lexer`); with `plain` all is looked at.
    """
    head = text[:HEAD]
    near = _near_hints(head)
    if not near:
        return None
    tags = spdx_tags(near)
    if tags:
        return Found(tags, "spdx", 1.0)
    if syntax == "plain":
        return license_of_words(near)
    found = license_of_words(_near_hints(_comments(head, syntax)))
    if found is None and (declared := _DECLARED.search(near)) is not None:
        expression = named(declared[1])
        found = Found(expression, "phrase", 1.0) if expression is not None else None
    return found


def _comments(head: str, syntax: str) -> str:
    """What stands in comments, a line each."""
    code_points = np.frombuffer(head.encode("utf-32-le", "replace"), np.uint32).copy()
    comment = kinds_of(code_points, syntax) == COMMENT
    # The character behind a comment is its line's end.
    kept = comment | np.concatenate(([False], comment[:-1]))
    code_points[~comment] = ord("\n")
    comments: str = code_points[kept].tobytes().decode("utf-32-le")
    return comments


def _near_hints(head: str) -> str:
    """The parts of a head around words that every statement of a licence has: nearly all of a file is none."""
    places = sorted(at for hint in _HINTS for at in _places(head, hint))
    parts: list[tuple[int, int]] = []
    for at in places:
        start, end = max(0, at - _BEFORE), at + _BEHIND
        if parts and start <= parts[-1][1]:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    return "\n".join(head[start:end] for start, end in parts)


def _places(head: str, hint: str) -> Iterator[int]:
    at = head.find(hint)
    while at >= 0:
        yield at
        at = head.find(hint, at + _BEFORE)


def license_of_words(text: str) -> Found | None:
    """The licence by phrases and texts alone."""
    plain = squeezed(text)
    scores: list[float] = []
    by_text: list[str] = []
    if _TEXT.search(plain):
        for match in match_texts(text):
            by_text.append(canonical(match.name, plain))
            scores.append(match.score)
    names = list(dict.fromkeys([*by_text, *_phrases(plain), *_labels(text)]))
    names = [name for name in names if not _covered(name, names)]
    if not names:
        return None
    expression = (" OR " if len(names) > 1 and _CHOICE.search(plain) else " AND ").join(names)
    found = judged(expression)
    if found is None:
        return None
    return Found(found[0], "text" if by_text else "phrase", min(scores, default=1.0))


def squeezed(text: str) -> str:
    """Small letters, without comment marks at the ends of lines, one space between words."""
    return _SPACE.sub(" ", _MARKS.sub(" ", text)).strip().lower()


def spdx_tags(text: str) -> str | None:
    """The expression of the SPDX tags of a text; several tags hold together."""
    found = []
    for match in _TAG.finditer(text):
        judgement = judged(_TAG_END.sub("", match[1]).strip())
        if judgement is not None:
            found.append(judgement[0])
    found = list(dict.fromkeys(found))
    if len(found) > 1:
        found = [f"({one})" if " OR " in one else one for one in found]
    return " AND ".join(found) or None


def canonical(name: str, plain: str) -> str:
    """A reference's name as SPDX writes it now; versions of the GNU family by what the words around say."""
    if re.fullmatch(r"(?:A|L)?GPL-\d\.\d|GFDL-\d\.\d", name):
        name = f"{name}-only"
    return _with_exception(name, plain)


def _with_exception(name: str, plain: str) -> str:
    for pattern, exception in _EXCEPTIONS:
        fits = (
            name.startswith("Apache") if exception == "LLVM-exception" else name.startswith(("GPL", "LGPL"))
        )
        if fits and pattern.search(plain):
            return f"{name} WITH {exception}"
    return name


def _phrases(plain: str) -> Iterator[str]:
    """Licences that sentences give."""
    yield from _gnu(plain)
    for pattern, name in _NAMES:
        for match in pattern.finditer(plain):
            before = plain[max(0, match.start() - 100) : match.start()]
            said = _SAYS.search(before) or (name != BSD and _SAYS.search(match[0]) and match.start() < 200)
            if said and not _NEGATED.search(before[-40:]):
                yield _with_exception(name, plain)
                break


def _gnu(plain: str) -> Iterator[str]:
    """The GNU family: which licence, which version, and whether later ones too."""
    kinds: dict[str, str] = {}
    for match in _GNU.finditer(plain):
        before, behind = (
            plain[max(0, match.start() - 80) : match.start()],
            plain[match.end() : match.end() + 220],
        )
        if _NEGATED.search(before[-40:]):
            continue
        said = _SAYS.search(before) or "redistribute" in before
        if not said:
            continue
        kind = {"a": "AGPL", "l": "LGPL"}.get((match[1] or match[2] or "g")[0], "GPL")
        near = re.match(
            r"[^.]{0,90}?(?:published by the free software foundation[,;:]? ?)?(?:[(,;] ?)?(?:either )?"
            + _VERSION.pattern,
            behind,
        )
        prior = re.search(r"version (\d(?:\.\d)?)(\+)? of the $", before)
        version = prior[1] if prior else near[1] if near else None
        if version is None:
            continue
        later = _LATER.search(behind[: (near.end() if near else 0) + 60]) or (prior and prior[2])
        version = version if "." in version else f"{version}.0"
        if version not in ("1.0", "2.0", "2.1", "3.0") or (version == "2.1" and kind != "LGPL"):
            continue
        # "GPL 2.0" in passing, and "version 2 or later" where it is granted.
        if kind not in kinds or (later and kinds[kind].endswith("-only")):
            kinds[kind] = f"{kind}-{version}-{'or-later' if later else 'only'}"
    for name in kinds.values():
        yield _with_exception(name, plain)


def _labels(text: str) -> Iterator[str]:
    """Licences of lines such as `License: MIT` and `@license BSD-3-Clause`."""
    for match in _LABELLED.finditer(text):
        found = named(match[1])
        if found is not None:
            yield found


def _covered(name: str, names: list[str]) -> bool:
    """Whether another says the same with more: BSD without clauses, "only" beside "or later" (the words
    around a licence text), the GNU family's version 1 for none said."""
    if name == BSD:
        return any(other.startswith("BSD-") for other in names)
    if name in ("GPL-1.0-or-later", "LGPL-2.0-or-later"):
        return any(other != name and other.startswith(name[: -len("-1.0-or-later")]) for other in names)
    bare = re.sub(r"-(?:only|or-later).*", "", name)
    return any(other != name and other.startswith(f"{bare}-or-later") for other in names) or any(
        other.startswith(f"{name} WITH") or f"({name}" in other or f" {name})" in other for other in names
    )


def license_of_file(text: str) -> Found | None:
    """The licence that a file such as LICENSE or COPYING holds: an SPDX tag, else its texts, else phrases."""
    tags = spdx_tags(text[:HEAD])
    if tags:
        return Found(tags, "spdx", 1.0)
    matches = match_texts(text)
    plain = squeezed(text[:40_000])
    if matches:
        if len(matches) == 1 and _MODIFIED.search(plain[:3000]):
            return None
        names = list(dict.fromkeys(canonical(match.name, plain) for match in matches))
        operator = " OR " if len(names) > 1 and _CHOICE.search(plain[:3000]) else " AND "
        found = judged(operator.join(names))
        if found is not None:
            return Found(found[0], "text", matches[0].score)
    return license_of_words(text[:HEAD])


_MODIFIED = re.compile(
    r"modified (?:version of the )?(?:apache|mit|mozilla|gpl)(?: 2\.0)? (?:public )?licen[sc]e"
    r"|with the following modification|(?:apache|mozilla public|mit) licen[sc]e,? (?:version [\d.]+)?,? ?(?:\(?modified|with modifications)"
)

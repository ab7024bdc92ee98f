"""The licence of a repository, from its licence files and what its packages declare, and of each of its
files.

A file's own statement overrides the repository's. Of a repository's evidence licence files come first,
then package metadata; what contradicts is kept beside it, never silently dropped.
"""
# ruff: noqa: E501 (a pattern, a line)

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from filters.code.license_header import license_of_file
from filters.code.license_names import named
from filters.code.spdx import judged, level, licenses, parse_expression

LICENSE_FILE = re.compile(
    r"(?:un)?licen[sc]es?(?:[-_.][\w.-]+)?|copying(?:[-_.][\w.-]+)?|copyright(?:\.\w+)?|ofl\.txt|mit-licen[sc]e[\w.-]*"
    r"|[\w.]+[-_.]licen[sc]e(?:\.(?:txt|md|rst))?|legal(?:\.\w+)?",
    re.IGNORECASE,
)
"""Names of files that hold a licence: those that licensee scores (github.com/licensee/licensee,
license_file.rb)."""
_CODE = re.compile(
    r"\.(?:py|js|ts|java|go|rb|c|h|cc|cpp|rs|json|ya?ml|toml|html?|png|svg|sh|cs|php)$", re.IGNORECASE
)
MAX_CHARACTERS = 2_000_000
"""Of the longest licence or metadata file that is read."""


@dataclass(frozen=True, slots=True)
class RepositoryLicense:
    """A repository's licence. `expression`: SPDX. `source`: `text` (a licence file) or `package`. `path`:
    of the file that says so. `permissive`: by `filters.code.spdx`; None where it cannot be told.
    `contradicted`: other evidence names a licence that `expression` does not have."""

    expression: str
    source: str
    path: str
    permissive: bool | None
    contradicted: bool = False


def is_license_file(path: str) -> bool:
    """Whether a file's name says that it holds a licence: `LICENSE.md`, `COPYING`, a file in `LICENSES/`."""
    name = PurePosixPath(path).name
    if LICENSE_FILE.fullmatch(name):
        return _CODE.search(name) is None
    return len(parts := PurePosixPath(path).parts) > 1 and parts[-2].lower() in ("licenses", "licences")


def may_state_license(path: str) -> bool:
    """Whether `repository_license` looks at a file of that path."""
    if "/" in path:
        return path.count("/") == 1 and path.lower().startswith("licen") and is_license_file(path)
    return is_license_file(path) or _reader(path) is not None


def repository_license(files: Mapping[str, str]) -> RepositoryLicense | None:
    """The licence of a repository from its files at the root (and in `LICENSES/`), by path; others are looked
    over. None where nothing says."""
    texts = _of_license_files(files)
    declared = [
        (path, expression)
        for path, text in sorted(files.items())
        if "/" not in path and (expression := declared_license(path, text)) is not None
    ]
    if texts:
        path, expression = texts
        source = "text"
    elif declared:
        path, expression = declared[0]
        source = "package"
    else:
        return None
    said = set(_names(expression))
    others = any(not said & set(_names(other)) for _, other in declared)
    return RepositoryLicense(expression, source, path, permissive(expression), others)


def _of_license_files(files: Mapping[str, str]) -> tuple[str, str] | None:
    found: dict[str, str] = {}
    for path, text in sorted(files.items()):
        if is_license_file(path) and may_state_license(path):
            stated = license_of_file(text[:MAX_CHARACTERS])
            if stated is not None:
                found[path] = stated.expression
    top = {path: expression for path, expression in found.items() if "/" not in path} or found
    if not top:
        return None
    expressions = list(dict.fromkeys(top.values()))
    # The LGPL's version 3 adds permissions to the GPL's, whose text lies beside it in a file of its own.
    if any(one.startswith("LGPL-3.0") for one in expressions):
        expressions = [one for one in expressions if not one.startswith("GPL-3.0")] or expressions
    # Files for each of several licences (LICENSE-MIT, LICENSE-APACHE) give the choice, as Rust's packages do.
    choice = all(re.fullmatch(r"(?i)licen[sc]e[-_.][a-z0-9.+-]+", PurePosixPath(path).name) for path in top)
    joined = (" OR " if choice else " AND ").join(
        f"({one})" if " " in one and len(expressions) > 1 else one for one in expressions
    )
    shown = judged(joined)
    return (next(iter(top)), shown[0]) if shown else None


def _names(expression: str) -> list[str]:
    parsed = parse_expression(expression)
    return (
        [re.sub(r"-(?:only|or-later)$", "", name) for name in licenses(parsed)] if parsed is not None else []
    )


def permissive(expression: str | None) -> bool | None:
    """Whether an expression permits all use that keeps its notices (`filters.code.spdx.level`); None where
    there is none or it names no licence of the list."""
    parsed = parse_expression(expression) if expression else None
    found = level(parsed) if parsed is not None else None
    if found is None:
        return True if expression == "LicenseRef-BSD" else None
    return found == "permissive"


def declared_license(path: str, text: str) -> str | None:
    """What a file of package metadata declares, as an SPDX expression: pyproject.toml, setup.cfg,
    setup.py, METADATA and PKG-INFO, package.json, bower.json, composer.json, Cargo.toml, pom.xml,
    gemspecs, cabal files, DESCRIPTION of R, META.yml. None for other files, and where nothing is declared
    or it cannot be read."""
    reader = _reader(path)
    if reader is None:
        return None
    try:
        stated = [one for one in reader(text[:MAX_CHARACTERS]) if one]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, ElementTree.ParseError):
        return None
    for one in stated:
        expression = named(one)
        if expression is not None:
            return expression
    return None


def _reader(path: str) -> Callable[[str], Iterable[str]] | None:
    name = PurePosixPath(path).name.lower()
    return _READERS.get(name) or _READERS.get(PurePosixPath(name).suffix)


def _toml(text: str) -> Iterable[str]:
    data = tomllib.loads(text)
    project = data.get("project") or data.get("package") or data.get("tool", {}).get("poetry") or {}
    declared = project.get("license")
    if isinstance(declared, str):
        yield declared
    elif isinstance(declared, Mapping) and isinstance(declared.get("text"), str):
        yield declared["text"]
    yield from _classifiers(project.get("classifiers") or ())


def _classifiers(lines: Iterable[Any]) -> Iterable[str]:
    """License classifiers; several are a choice, as PyPI shows them."""
    found = [named(line.split("::")[-1]) for line in lines if isinstance(line, str) and "License ::" in line]
    yield " OR ".join(dict.fromkeys(one for one in found if one))


def _setup(text: str) -> Iterable[str]:
    yield from re.findall(r"(?m)^\s*license(?:_expression)?\s*=\s*[\"']?([^\"'\n,#]{2,80})", text)
    yield from _classifiers(re.findall(r"License :: [^\"'\n]+", text))


def _headers(text: str) -> Iterable[str]:
    message = HeaderParser().parsestr(text)
    yield message.get("License-Expression") or ""
    license_ = message.get("License") or ""
    found = named(license_) if len(license_) < 100 else None
    classifiers = "".join(_classifiers(message.get_all("Classifier") or ()))
    # "License: BSD" says less than its classifier or the other way round: whichever names a licence of the list.
    yield from sorted(filter(None, (found, classifiers)), key=lambda one: "LicenseRef" in one)


def _json(text: str) -> Iterable[str]:
    data = json.loads(text)
    declared = data.get("license") or data.get("licenses") or data.get("licence")
    entries = declared if isinstance(declared, list) else [declared]
    stated = [
        entry.get("type") or entry.get("name") if isinstance(entry, Mapping) else entry for entry in entries
    ]
    yield " OR ".join(f"({one})" if " " in one else one for one in stated if isinstance(one, str))


def _pom(text: str) -> Iterable[str]:
    if "<!ENTITY" in text:
        return
    root = ElementTree.fromstring(text)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    found = [named(node.text or "") for node in root.findall(f"{space}licenses/{space}license/{space}name")]
    yield " OR ".join(one for one in found if one)


def _gemspec(text: str) -> Iterable[str]:
    found = re.findall(r"\.licenses?\s*=\s*\[?\s*((?:[\"'][^\"'\n]{2,60}[\"'][,\s]*)+)", text)
    for group in found:
        yield " OR ".join(re.findall(r"[\"']([^\"']+)[\"']", group))


def _fields(text: str) -> Iterable[str]:
    yield from (
        re.sub(r"\s*[+|]\s*file\s+LICEN[SC]E", "", value).strip()
        for value in re.findall(r"(?mi)^license:[ \t]*([^\n#]{2,80})", text)
    )


_READERS: dict[str, Callable[[str], Iterable[str]]] = {
    "pyproject.toml": _toml,
    "cargo.toml": _toml,
    "setup.cfg": _setup,
    "setup.py": _setup,
    "metadata": _headers,
    "pkg-info": _headers,
    "package.json": _json,
    "bower.json": _json,
    "composer.json": _json,
    "pom.xml": _pom,
    ".pom": _pom,
    ".gemspec": _gemspec,
    ".podspec": _gemspec,
    ".cabal": _fields,
    "description": _fields,
    "meta.yml": _fields,
}

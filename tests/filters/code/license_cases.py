"""Licence texts whose licence somebody else has determined: fixtures of licensee, scenarios of
licenseclassifier, and what installed Python packages declare of themselves."""

from __future__ import annotations

import io
import re
import sysconfig
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

import yaml
import zstandard

from filters.code.license_header import license_of_file
from filters.code.license_names import BSD
from filters.code.repository_license import declared_license, is_license_file, repository_license
from filters.code.spdx import licenses, parse_expression

ARCHIVE = "code/licences.tar.zst"


@dataclass(frozen=True)
class Case:
    """A licence that was expected and the one that was found; names without "only" and "or-later"."""

    source: str
    name: str
    expected: frozenset[str]
    found: frozenset[str]
    agrees: bool


def bare(expression: str | None) -> frozenset[str]:
    """The licences of an expression, versions of the GNU family without what follows them."""
    parsed = parse_expression(expression) if expression else None
    names = licenses(parsed) if parsed is not None else []
    return frozenset(re.sub(r"-(?:only|or-later)$", "", name) for name in names if name != BSD)


def archive(testdata: Path) -> dict[str, str]:
    """Files of the archive by their paths."""
    data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO((testdata / ARCHIVE).read_bytes())).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            item.name.removeprefix("./"): file.read().decode("utf-8", "replace")
            for item in tar
            if item.isfile() and (file := tar.extractfile(item)) is not None
        }


def scenarios(files: dict[str, str]) -> Iterator[tuple[Case, str]]:
    """licenseclassifier's scenarios: all licences of a text, whatever it is."""
    for path, text in sorted(files.items()):
        if "/v2/scenarios/" not in path or path.endswith(".md"):
            continue
        stated = re.search(r"^EXPECTED:(.*)$", text, re.MULTILINE)
        assert stated is not None, path
        names = {re.sub(r"-with-.*", "", name.strip()) for name in stated[1].split(",")}
        expected = frozenset(names - {"Copyright", ""})
        body = text[stated.end() + 1 :]
        found = license_of_file(body)
        got = bare(found.expression if found else None)
        yield Case("licenseclassifier", PurePosixPath(path).name, expected, got, got == expected), body


def fixtures(files: dict[str, str]) -> Iterator[tuple[Case, str]]:
    """licensee's fixtures: repositories with a licence of its 47. What it calls "other" it knows no name
    for, which says nothing of a list of 384; modified licences are cases of their own in the tests."""
    root = "licensee/spec/fixtures/"
    for name, entry in yaml.safe_load(files[f"{root}fixtures.yml"]).items():
        key = entry["key"]
        own = {
            path.removeprefix(f"{root}{name}/"): text
            for path, text in files.items()
            if path.startswith(f"{root}{name}/")
        }
        if key in (None, "other", "no-license") or not any(is_license_file(path) for path in own):
            continue
        found = repository_license(own)
        got = bare(found.expression if found else None)
        text = "\n".join(text for path, text in sorted(own.items()) if is_license_file(path))
        yield Case("licensee", name, frozenset({key}), got, {one.lower() for one in got} == {key}), text


def cases_of_packages() -> Iterator[tuple[Case, str]]:
    """Installed Python packages that declare a licence and come with its text: they agree when the texts
    hold a licence that is declared. "BSD" is any of its kind; a later version of what is declared "or
    later" will do."""
    for folder in sorted(Path(sysconfig.get_paths()["purelib"]).glob("*.dist-info")):
        metadata = folder / "METADATA"
        if not metadata.is_file():
            continue
        text = metadata.read_text(encoding="utf-8", errors="replace")
        declared = declared_license("METADATA", text)
        texts = [
            file.read_text(encoding="utf-8", errors="replace")
            for file in sorted(folder.rglob("*"))
            if file.is_file() and is_license_file(file.relative_to(folder).as_posix())
        ]
        if declared is None or not texts:
            continue
        found = [license_of_file(text) for text in texts]
        got = frozenset().union(*(bare(one.expression) for one in found if one is not None))
        expected = bare(declared)
        agrees = bool(expected & got) or (BSD in declared and any(one.startswith("BSD-") for one in got))
        for later in re.findall(r"((?:A|L)?GPL)-([\d.]+)-or-later", declared):
            agrees = agrees or any(one.startswith(f"{later[0]}-") and one[-3:] >= later[1] for one in got)
        case = Case(
            "packages", HeaderParser().parsestr(text)["Name"], expected or frozenset({declared}), got, agrees
        )
        yield case, "\n".join(texts)

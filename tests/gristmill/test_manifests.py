"""Manifests: inheritance, overrides and messages that name file, line, field and the nearest valid name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from gristmill import manifests
from gristmill.base.errors import UserError
from gristmill.base.manifest import Manifest, Model


class Warc(Model):
    type: Literal["warc"]
    paths: list[str]


class Files(Model):
    type: Literal["files"]
    root: str
    largest: int = 10


class Sample(Manifest):
    kind: Literal["sample"]
    source: Annotated[Warc | Files, Field(discriminator="type")]
    steps: list[Files] = []
    rate: float = 1.0


@pytest.fixture(autouse=True)
def sample_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(manifests.KINDS, "sample", (__name__, "Sample"))
    monkeypatch.chdir(tmp_path)


GOOD = """\
kind: sample
name: x
source:
  type: warc
  paths: [a, b]
"""


def _load(text: str, *overrides: str) -> Sample:
    Path("m.yaml").write_text(text)
    return manifests.load_as("m.yaml", Sample, overrides)


def _message(text: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        _load(text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_manifest_loads_and_is_immutable() -> None:
    manifest = _load(GOOD)
    assert manifest.source == Warc(type="warc", paths=["a", "b"])
    with pytest.raises(Exception, match="frozen"):
        manifest.rate = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "rat: 2\n", "m.yaml:6: unknown field 'rat'; did you mean 'rate'?"),
        (
            GOOD.replace("paths", "path"),
            "m.yaml:5: unknown field 'source.path' (and 1 more); did you mean 'paths'?",
        ),
        (GOOD.replace("  paths: [a, b]\n", ""), "m.yaml:3: field 'source.paths' is missing"),
        (
            GOOD + "steps:\n- type: files\n  root: r\n- type: files\n  root: r\n  larges: 3\n",
            "m.yaml:11: unknown field 'steps.1.larges'; did you mean 'largest'?",
        ),
        (GOOD + "rate: fast\n", "m.yaml:6: field 'rate': input should be a valid number"),
        (
            GOOD.replace("type: warc", "type: wark"),
            "m.yaml:4: field 'source.type': unknown 'wark'; did you mean 'warc'?",
        ),
        (GOOD + "rate: 1\nrate: 2\n", "m.yaml:7: field 'rate' is written twice"),
        (GOOD + "  rate: [\n", "m.yaml:"),
        (
            GOOD.replace("kind: sample", "kind: sampel"),
            "m.yaml:1: unknown kind 'sampel'; did you mean 'sample'?",
        ),
        ("name: x\n", "m.yaml:1: a manifest needs a field 'kind'"),
        ("- a\n", "m.yaml: a manifest is a mapping of fields"),
        ("", "m.yaml:1: a manifest needs a field 'kind'"),
        (GOOD.replace("name: x", "name: 'a/b'"), "m.yaml:2: field 'name': string should match pattern"),
    ],
)
def test_each_mistake_is_one_line_that_says_where(text: str, expected: str) -> None:
    assert _message(text).startswith(expected)


def test_a_manifest_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"m\.yaml: not UTF-8 text"):
        manifests.load("m.yaml")


def test_a_missing_manifest_names_the_nearest_shipped_one() -> None:
    with pytest.raises(UserError, match=r"demo/wbe: no such manifest; did you mean the shipped 'demo/web'\?"):
        manifests.load("demo/wbe")


def test_the_wrong_kind_is_told() -> None:
    Path("m.yaml").write_text(GOOD)

    class Other(Manifest):
        kind: Literal["other"]

    with pytest.raises(UserError, match="kind 'sample', the command takes kind 'Other'"):
        manifests.load_as("m.yaml", Other)


def test_extends_merges_mappings_and_replaces_the_rest() -> None:
    Path("base.yaml").write_text(GOOD + "rate: 3\n")
    manifest = _load("extends: base.yaml\nname: y\nsource:\n  paths: [c]\n")
    assert (manifest.name, manifest.rate, manifest.source) == ("y", 3.0, Warc(type="warc", paths=["c"]))


def test_a_mistake_in_a_base_is_placed_in_the_base() -> None:
    Path("base.yaml").write_text(GOOD + "rat: 3\n")
    assert _message("extends: base.yaml\nname: y\n").startswith("base.yaml:6: unknown field 'rat'")


def test_extends_in_a_circle() -> None:
    Path("base.yaml").write_text("extends: m.yaml\n")
    assert "round in a circle: m.yaml -> base.yaml -> m.yaml" in _message("extends: base.yaml\n" + GOOD)


def test_overrides_by_command_line_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL__SAMPLE__RATE", "5")
    monkeypatch.setenv("GRISTMILL__SAMPLE__SOURCE__PATHS", "[z]")
    assert _load(GOOD).rate == 5.0
    manifest = _load(GOOD, "rate=7", "source.paths.0=q")
    assert (manifest.rate, manifest.source) == (7.0, Warc(type="warc", paths=["q"]))


def test_mistakes_in_overrides_are_placed_there() -> None:
    assert _message(GOOD, "rat=2").startswith("--set rat: unknown field 'rat'; did you mean 'rate'?")
    assert _message(GOOD, "rate").startswith("--set: 'rate' is no override; write field.path=value")
    assert "'name', which is a plain value" in _message(GOOD, "name.x=1")
    assert "'9' is no position in a list of 2" in _message(GOOD, "source.paths.9=1")


@pytest.mark.parametrize("kind", ["corpus", "mixture", "run"])
def test_each_kind_has_a_schema_with_descriptions(kind: str) -> None:
    schema = manifests.schema(kind)
    assert schema["properties"]["extends"]
    assert "description" in schema["properties"]["name"]


@pytest.mark.parametrize("name", manifests.shipped())
def test_every_shipped_manifest_is_valid(name: str) -> None:
    assert manifests.load(name).description


def test_the_schemas_in_the_docs_are_those_of_the_code() -> None:
    import json

    folder = Path(__file__).parents[2] / "docs" / "schemas"
    for kind in ("classifier", "corpus", "mixture", "run"):
        written = json.loads((folder / f"{kind}.json").read_text())
        assert written == manifests.schema(kind), "run `make schemas`"

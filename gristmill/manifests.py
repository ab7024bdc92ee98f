"""Manifests: find the YAML, resolve `extends`, apply overrides, validate, and say exactly where a mistake is.

Order of precedence, weakest first: what a manifest extends, the manifest, the environment
(`GRISTMILL__RUN__OPTIMIZER__LR=1e-3` sets `optimizer.lr` of a `kind: run`), the command line (`--set`).
"""

from __future__ import annotations

import importlib
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from gristmill.base.errors import UserError, did_you_mean, nearest
from gristmill.base.manifest import Manifest

M = TypeVar("M", bound=Manifest)
Location = tuple[str | int, ...]

KINDS = {
    "classifier": ("corpus.classifiers.manifest", "ClassifierManifest"),
    "corpus": ("corpus.manifest", "CorpusManifest"),
    "mixture": ("mixtures.manifest", "MixtureManifest"),
    "run": ("trainer.manifest", "RunManifest"),
}
"""Kind -> module and class of its model; imported when such a manifest is loaded."""

SHIPPED = Path(__file__).parents[1] / "manifests"
"""The manifests that come with the package; they lie beside it, in a clone as in an installation."""

ENVIRONMENT_PREFIX = "GRISTMILL__"


@dataclass(frozen=True)
class Source:
    """Where a value was written."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line is not None else self.file


@dataclass
class Tree:
    """Plain values with the place of each: what YAML gives, before any meaning."""

    values: dict[str, Any]
    places: dict[Location, Source] = field(default_factory=dict)

    def place(self, location: Location) -> Source | None:
        """The place of a value, or of the nearest thing around it."""
        for end in range(len(location), -1, -1):
            if (source := self.places.get(location[:end])) is not None:
                return source
        return None


def kind_model(kind: str) -> type[Manifest]:
    """The model of a kind. Errors: UserError for an unknown kind."""
    if kind not in KINDS:
        raise UserError(f"unknown kind '{kind}'", mend=did_you_mean(kind, KINDS))
    module, name = KINDS[kind]
    model: type[Manifest] = getattr(importlib.import_module(module), name)
    return model


def shipped() -> list[str]:
    """Names of the manifests that come with the package, such as `demo/web`."""
    return sorted(path.relative_to(SHIPPED).with_suffix("").as_posix() for path in SHIPPED.rglob("*.yaml"))


def find(ref: str, beside: Path | None = None) -> Path:
    """The file of a reference: a path (relative to `beside`, else to this folder) or a shipped name."""
    local = (beside / ref) if beside is not None else Path(ref)
    if local.is_file():
        return local
    packaged = SHIPPED / (ref if ref.endswith(".yaml") else f"{ref}.yaml")
    if packaged.is_file():
        return packaged
    close = nearest(ref.removesuffix(".yaml"), shipped())
    hint = f"did you mean the shipped '{close}'?" if close else "give a path to a YAML file or a shipped name"
    raise UserError("no such manifest", where=ref, mend=hint)


def load(ref: str, overrides: Sequence[str] = ()) -> Manifest:
    """Load and validate a manifest of any kind.

    Args:
        ref: path or shipped name.
        overrides: `field.path=value`, the value in YAML.

    Errors: UserError naming file, line, field and, for a mistyped name, the nearest valid one.
    """
    tree = read_tree(ref)
    kind = tree.values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"unknown kind '{kind}'" if kind is not None else "a manifest needs a field 'kind'"
        place = tree.place(("kind",) if kind is not None else ())
        raise UserError(what, where=str(place or ref), mend=did_you_mean(str(kind or ""), KINDS))
    for name, value in _environment(kind):
        _override(tree, f"{name}={value}", origin="environment")
    for override in overrides:
        _override(tree, override, origin="--set")
    return validate(tree, kind_model(kind))


def load_as(ref: str, model: type[M], overrides: Sequence[str] = ()) -> M:
    """Load a manifest and insist on its kind. Errors: UserError."""
    manifest = load(ref, overrides)
    if not isinstance(manifest, model):
        wanted = next((kind for kind, (_, name) in KINDS.items() if name == model.__name__), model.__name__)
        raise UserError(
            f"this is a manifest of kind '{manifest.kind}', the command takes kind '{wanted}'", where=ref
        )
    return manifest


def read_tree(ref: str, beside: Path | None = None, chain: tuple[Path, ...] = ()) -> Tree:
    """Read a manifest and all it extends into one tree of plain values."""
    path = find(ref, beside)
    if path.resolve() in chain:
        names = " -> ".join(item.name for item in (*chain, path))
        raise UserError(f"'extends' goes round in a circle: {names}", where=str(path))
    tree = _parse(path)
    parents = tree.values.pop("extends", [])
    merged = Tree({})
    for parent in [parents] if isinstance(parents, str) else parents:
        base = read_tree(parent, path.parent, (*chain, path.resolve()))
        _merge(merged, base)
    _merge(merged, tree)
    return merged


def validate(tree: Tree, model: type[M]) -> M:
    """Build the model, or raise one UserError that names the first mistake and counts the others."""
    try:
        return model.model_validate(tree.values)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        # A mistyped name often brings a second complaint, that the right one is missing: the cause first.
        mistakes.sort(key=lambda mistake: mistake["type"] != "extra_forbidden")
        first = mistakes[0]
        location = _written_location(tree.values, first["loc"], first["type"] == "missing")
        name = ".".join(map(str, location))
        where = str(tree.place(location) or "")
        mend: str | None = None
        if first["type"] == "extra_forbidden":
            what = f"unknown field '{name}'"
            mend = did_you_mean(str(location[-1]), _field_names(model, first["loc"][:-1]))
        elif first["type"] == "missing":
            what = f"field '{name}' is missing"
        elif first["type"] == "union_tag_invalid":
            field = first["ctx"]["discriminator"].strip("'")
            given = first["ctx"]["tag"]
            what = f"field '{'.'.join(map(str, (*location, field)))}': unknown '{given}'"
            where = str(tree.place((*location, field)) or "")
            mend = did_you_mean(given, re.findall(r"'([^']+)'", first["ctx"]["expected_tags"]))
        else:
            message = first["msg"].removeprefix("Value error, ")
            given = first["input"]
            shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
            what = f"field '{name}': {message[0].lower()}{message[1:]}{shown}" if name else message
        if len(mistakes) > 1:
            what += f" (and {len(mistakes) - 1} more)"
        raise UserError(what, where=where or None, mend=mend) from None


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind, for editors; `extends` is allowed in every manifest."""
    result = kind_model(kind).model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["properties"] = {
        "extends": {
            "description": "Manifests to build on: paths relative to this file, or shipped names.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        **result["properties"],
    }
    return result


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C parser, where built
    """Safe YAML with places; a key written twice is an error, not a silent replacement."""


def _parse(path: Path) -> Tree:
    shown = _shown(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 text: {error.reason}", where=shown) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{shown}:{mark.line + 1}" if mark else shown
        raise UserError(f"not valid YAML: {error.problem}", where=where) from None
    tree = Tree({}, {(): Source(shown, 1)})
    if node is None:
        return tree
    if not isinstance(node, yaml.MappingNode):
        raise UserError("a manifest is a mapping of fields", where=shown)
    constructor = _Loader("")
    try:
        tree.values = _build(node, (), tree.places, shown, constructor)
    finally:
        constructor.dispose()
    return tree


def _build(node: yaml.Node, at: Location, places: dict[Location, Source], file: str, loader: Any) -> Any:
    places.setdefault(at, Source(file, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise UserError(f"'{key}' cannot be a field's name", where=f"{file}:{line}")
            if str(key) in result:
                raise UserError(f"field '{key}' is written twice", where=f"{file}:{line}")
            places[(*at, str(key))] = Source(file, line)
            result[str(key)] = _build(value_node, (*at, str(key)), places, file, loader)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*at, i), places, file, loader) for i, item in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def _merge(into: Tree, other: Tree) -> None:
    """Lay one tree over another: mappings are merged, everything else is replaced."""

    def lay(base: dict[str, Any], over: Mapping[str, Any], at: Location) -> None:
        for key, value in over.items():
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                lay(base[key], value, (*at, key))
            else:
                stale = (*at, key)
                for location in [item for item in into.places if item[: len(stale)] == stale]:
                    del into.places[location]
                base[key] = value

    lay(into.values, other.values, ())
    into.places.update(other.places)


def _environment(kind: str) -> list[tuple[str, str]]:
    prefix = f"{ENVIRONMENT_PREFIX}{kind.upper()}__"
    return sorted(
        (name[len(prefix) :].lower().replace("__", "."), value)
        for name, value in os.environ.items()
        if name.startswith(prefix)
    )


def _override(tree: Tree, text: str, origin: str) -> None:
    """Apply `a.b.0.c=value`; the value is YAML, and an empty value is null."""
    name, sign, raw = text.partition("=")
    if not sign or not name:
        raise UserError(f"'{text}' is no override", where=origin, mend="write field.path=value")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError:
        value = raw
    parts = name.split(".")
    target: Any = tree.values
    for depth, part in enumerate(parts[:-1]):
        if isinstance(target, list):
            target = target[_index(target, part, name, origin)]
        else:
            if part not in target:
                tree.places[tuple(parts[: depth + 1])] = Source(f"{origin} {name}")
            target = target.setdefault(part, {})
        if not isinstance(target, dict | list):
            inner = ".".join(parts[: depth + 1])
            raise UserError(f"'{name}' leads into '{inner}', which is a plain value", where=origin)
    last = parts[-1]
    if isinstance(target, list):
        target[_index(target, last, name, origin)] = value
    else:
        target[last] = value
    at = tuple(int(part) if part.isdigit() else part for part in parts)
    tree.places[at] = Source(f"{origin} {name}")


def _index(items: list[Any], part: str, name: str, origin: str) -> int:
    if not part.isdigit() or int(part) >= len(items):
        raise UserError(
            f"'{name}': '{part}' is no position in a list of {len(items)}", where=origin, mend="count from 0"
        )
    return int(part)


def _shown(path: Path) -> str:
    """A path as a person would name it: relative to here where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _written_location(values: Any, location: tuple[int | str, ...], missing: bool) -> Location:
    """Pydantic's location without the tags it adds for the branches of a union; `missing` is a field that is
    not written."""
    result: list[str | int] = []
    here = values
    for i, part in enumerate(location):
        if _holds(here, part):
            here = here[part]
        elif not missing or i < len(location) - 1 or not isinstance(here, dict):
            continue
        result.append(part)
    return tuple(result)


def _holds(values: Any, part: int | str) -> bool:
    if isinstance(values, dict):
        return part in values
    return isinstance(values, list) and isinstance(part, int) and part < len(values)


def _field_names(model: type[BaseModel], location: tuple[int | str, ...]) -> set[str]:
    """Names of the fields that are valid at a location, over all branches of a union there."""
    types_here: list[Any] = [model]
    for part in location:
        following: list[Any] = []
        for kind in types_here:
            following += _step(kind, part)
        types_here = following or types_here
    names: set[str] = set()
    for kind in types_here:
        names |= (
            {info.alias or name for name, info in kind.model_fields.items()} if _is_model(kind) else set()
        )
    return names


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _step(kind: Any, part: int | str) -> list[Any]:
    # A place in a list says nothing of the model there: all branches stay.
    if _is_model(kind) and isinstance(part, str):
        if part in kind.model_fields:
            return _branches(kind.model_fields[part].annotation)
        # The tag of a union's branch: stay where we are if this model is that branch.
        tags = [info.default for info in kind.model_fields.values()]
        literals = [typing.get_args(info.annotation) for info in kind.model_fields.values()]
        return [kind] if part in tags or any(part in values for values in literals) else []
    return []


def _branches(annotation: Any) -> list[Any]:
    """All models inside an annotation, through unions, containers and Annotated."""
    if _is_model(annotation):
        return [annotation]
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_origin(annotation):
        return [model for inner in typing.get_args(annotation) for model in _branches(inner)]
    return []

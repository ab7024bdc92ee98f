"""Rule sets: an ordered list of conditions that drop a document or give it a tier.

    name: mine
    version: "1"
    source: where the thresholds come from
    extends: gopher                     # a shipped name, a path, or a list of them: their rules come first
    rules:
      - drop: language.score < 0.65
        reason: unsure_language
      - tier: high
        when: gopher.words > 500

A document is dropped by the first `drop` whose condition is true, and its reason kept; a kept document gets
the first `tier` whose condition is true. A condition that is null (its column is null) has not matched.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from gristmill.base.digest import digest_json
from gristmill.base.errors import UserError, did_you_mean

SHIPPED = "rulesets"
"""Folder of the rule sets that come with the package, as package data of `filters`."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FIELDS = ("name", "version", "source", "extends", "rules", "description")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what a document gets whose row makes the condition true."""

    action: Literal["drop", "tier"]
    label: str
    """The reason of a drop, or the name of the tier."""
    condition: str
    """SQL, as written."""
    where: str
    """File, line and number of the rule, for messages."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order in which they are tried."""

    name: str
    rules: tuple[Rule, ...]
    version: str = "1"
    source: str = ""
    description: str = ""

    @property
    def drops(self) -> list[Rule]:
        """Rules that drop."""
        return [rule for rule in self.rules if rule.action == "drop"]

    @property
    def tiers(self) -> list[Rule]:
        """Rules that give a tier."""
        return [rule for rule in self.rules if rule.action == "tier"]

    @property
    def digest(self) -> str:
        """SHA-256 of what decides: actions, labels and conditions in order. Names and comments do not
        count.
        """
        return digest_json([[rule.action, rule.label, rule.condition] for rule in self.rules])


def shipped_rulesets() -> list[str]:
    """Names of the rule sets that come with the package."""
    folder = importlib.resources.files("filters") / SHIPPED
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def load_ruleset(ref: str | Path | Mapping[str, Any] | Sequence[Any], where: str = "rules") -> RuleSet:
    """A rule set from a shipped name, a path (relative to the current folder), or written in place.

    `where` is what messages call a rule set that was written in place. Raises UserError for anything wrong
    but the conditions themselves: those are checked by `filters.decide.bind`, when the columns are known.
    """
    return _load(ref, where, ())


def _load(ref: Any, where: str, parents: tuple[str, ...]) -> RuleSet:
    if isinstance(ref, str | Path):
        name, text = _find(str(ref), where)
        if name in parents:
            raise UserError(f"rule set '{name}' extends itself", where=" -> ".join((*parents, name)))
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            content = loader.construct_document(node) if node is not None else None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise UserError(
                f"not valid YAML: {getattr(error, 'problem', error)}", where=f"{name}{line}"
            ) from None
        finally:
            loader.dispose()
        return _build(content, name, Path(name).stem, _rule_lines(node), (*parents, name))
    return _build(ref, where, re.sub(r"[^A-Za-z0-9._-]+", "-", where), [], parents)


def _find(ref: str, where: str) -> tuple[str, str]:
    """The name and content of a rule file."""
    path = Path(ref)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        try:
            return ref, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the rule set: {error}", where=ref) from None
    shipped = shipped_rulesets()
    if ref.removesuffix(".yaml") in shipped:
        name = f"{ref.removesuffix('.yaml')}.yaml"
        return name, (importlib.resources.files("filters") / SHIPPED / name).read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml") or "/" in ref:
        raise UserError(
            f"no such rule set: '{ref}'", where=where, mend=f"shipped: {', '.join(shipped)}, or a path"
        )
    raise UserError(f"unknown rule set '{ref}'", where=where, mend=did_you_mean(ref, shipped))


def _rule_lines(node: yaml.Node | None) -> list[int]:
    """The lines (from 1) on which the rules of a file begin."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "rules":
                node = value
    if isinstance(node, yaml.SequenceNode):
        return [item.start_mark.line + 1 for item in node.value]
    return []


def _build(content: Any, where: str, name: str, lines: list[int], parents: tuple[str, ...]) -> RuleSet:
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = {"rules": content}
    if not isinstance(content, Mapping):
        raise UserError("a rule set is a list of rules, or a mapping with `rules:`", where=where)
    for field in content:
        if field not in _FIELDS:
            raise UserError(f"unknown field '{field}'", where=where, mend=did_you_mean(str(field), _FIELDS))
    rules: list[Rule] = []
    bases = content.get("extends", [])
    for base in [bases] if isinstance(bases, str) else _list(bases, "extends", where):
        if not isinstance(base, str):
            raise UserError("`extends` names shipped rule sets or paths", where=where)
        rules.extend(_load(base, where, parents).rules)
    listed = _list(content.get("rules", []), "rules", where)
    for number, item in enumerate(listed):
        line = f":{lines[number]}" if number < len(lines) else ""
        rules.append(_rule(item, f"{where}{line} (rule {number + 1})"))
    return RuleSet(
        name=str(content.get("name") or name),
        rules=tuple(rules),
        version=str(content.get("version", "1")),
        source=str(content.get("source") or ""),
        description=str(content.get("description") or ""),
    )


def _list(value: Any, field: str, where: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UserError(f"`{field}` must be a list", where=where)
    return value


def _rule(item: Any, where: str) -> Rule:
    if not isinstance(item, Mapping):
        raise UserError(
            "a rule is {drop: CONDITION, reason: NAME} or {tier: NAME, when: CONDITION}", where=where
        )
    fields = ("drop", "reason", "tier", "when")
    for field in item:
        if field not in fields:
            raise UserError(f"unknown field '{field}'", where=where, mend=did_you_mean(str(field), fields))
    if "drop" in item and "tier" in item:
        raise UserError("a rule drops or gives a tier, not both", where=where)
    if "drop" in item:
        if "when" in item:
            raise UserError("`when` belongs to `tier`", where=where, mend="write the condition after `drop:`")
        return Rule("drop", _label(item, "reason", where), _condition(item["drop"], "drop", where), where)
    if "tier" in item:
        if "reason" in item:
            raise UserError("`reason` belongs to `drop`", where=where)
        return Rule("tier", _label(item, "tier", where), _condition(item.get("when"), "when", where), where)
    raise UserError("a rule needs `drop` or `tier`", where=where)


def _label(item: Mapping[str, Any], field: str, where: str) -> str:
    label = item.get(field)
    if not isinstance(label, str) or not _NAME.fullmatch(label):
        raise UserError(f"`{field}` must be a name of letters, digits, dot, dash and underscore", where=where)
    return label


def _condition(value: Any, field: str, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"`{field}` must be an SQL condition", where=where)
    return value.strip()

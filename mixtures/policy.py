"""A mixture's policy, checked: licences, required statements, shares of the run."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from gristmill.base.errors import UserError
from mixtures.amounts import exact
from mixtures.manifest import Licences, MixtureManifest, Source


def check_sources(manifest: MixtureManifest) -> None:
    """Refuse sources that the policy does not admit. Errors: UserError naming the source and the rule."""
    for name in manifest.used:
        source = manifest.sources[name]
        if problem := licence_problem(source.licence, manifest.policy.licences):
            raise UserError(
                f"source '{name}' {problem}",
                where=f"sources.{name}.licence",
                mend="leave the source out of the phases, or change policy.licences",
            )
        for field in manifest.policy.require:
            if _statement(source, field) is None:
                raise UserError(
                    f"source '{name}' does not state its {field}, which policy.require asks for",
                    where=f"sources.{name}",
                )


def licence_problem(licence: str | None, licences: Licences) -> str | None:
    """Why a licence is not admitted, or None. Patterns match the whole name, without regard to case."""
    if licence is not None:
        for pattern in licences.denied:
            if fnmatchcase(licence.lower(), pattern.lower()):
                return f"has the licence '{licence}', which policy.licences.denied names ('{pattern}')"
    if licences.allowed is None:
        return None
    if licence is None:
        return "states no licence, and policy.licences.allowed admits only stated ones"
    if any(fnmatchcase(licence.lower(), pattern.lower()) for pattern in licences.allowed):
        return None
    return f"has the licence '{licence}', which is not in policy.licences.allowed"


def check_shares(manifest: MixtureManifest, tokens: Mapping[str, int]) -> None:
    """Refuse a plan whose shares of the run break a limit; `tokens` is planned tokens by source."""
    total = sum(tokens.values())
    for limit in manifest.policy.shares:
        matching = [
            name
            for name in tokens
            if all(getattr(manifest.sources[name], field) == value for field, value in limit.fields.items())
        ]
        have = sum(tokens[name] for name in matching)
        rule = ", ".join(f"{field} {value}" for field, value in limit.fields.items())
        if have > exact(limit.max) * total or have < exact(limit.min) * total:
            side, bound = ("above", limit.max) if have > exact(limit.max) * total else ("below", limit.min)
            raise UserError(
                f"{have / total:.2%} of the run is of {rule}, {side} the limit of {bound:.2%}",
                where="policy.shares",
                mend=f"change the amounts of {', '.join(sorted(matching)) or 'its sources'}",
            )


def _statement(source: Source, field: str) -> object:
    if field in ("teacher", "prompt"):
        if source.kind in ("natural", "sft"):
            return True
        return getattr(source.provenance, field)
    return getattr(source, field)

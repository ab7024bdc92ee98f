"""The plan: exact integers, how many sequences of every source in every phase, or why that cannot be.

Only arithmetic: it needs the manifest and a token count for each source, declared or measured, and works with
nothing downloaded. Which of the two a count is stays with it, into the plan's table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

from gristmill.base.errors import UserError
from mixtures import policy
from mixtures.amounts import exact, format_amount
from mixtures.counts import Count
from mixtures.manifest import MixtureManifest, Phase
from mixtures.shortfall import Room, exhausted, infeasible, over, room

MAX_SEQUENCES = 1 << 50
"""The order's arithmetic is exact up to here (`mixtures.allocation`)."""


@dataclass(frozen=True)
class PhasePlan:
    """One phase in integers."""

    name: str
    sequence_length: int
    batch: int
    counts: Mapping[str, int]
    """Sequences by source."""

    @property
    def sequences(self) -> int:
        return sum(self.counts.values())

    @property
    def steps(self) -> int:
        return self.sequences // self.batch

    @property
    def tokens(self) -> int:
        """Tokens trained on: inputs."""
        return self.sequences * self.sequence_length


@dataclass(frozen=True)
class Plan:
    """The whole run in integers."""

    manifest: MixtureManifest
    counts: Mapping[str, Count]
    phases: tuple[PhasePlan, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def tokens(self) -> int:
        return sum(phase.tokens for phase in self.phases)

    @property
    def kinds(self) -> frozenset[str]:
        """`declared`, `measured` or both: what the plan rests on."""
        return frozenset(self.counts[name].kind for name in self.manifest.used)

    def tokens_by_source(self) -> dict[str, int]:
        """Planned tokens of every used source over all phases."""
        planned = dict.fromkeys(self.manifest.used, 0)
        for phase in self.phases:
            for name, count in phase.counts.items():
                planned[name] += count * phase.sequence_length
        return planned

    def rows(self) -> list[dict[str, Any]]:
        """The plan as a table: a row a phase and source, then (phase None) a row a source."""
        table = []
        seen: dict[str, Fraction] = {}
        for phase in self.phases:
            for name, count in phase.counts.items():
                size = self.counts[name].sequences(phase.sequence_length)
                epochs = Fraction(count, size) if size else Fraction(0)
                seen[name] = seen.get(name, Fraction(0)) + epochs
                share = count / phase.sequences
                row = self._row(phase.name, name, count * phase.sequence_length, share, epochs)
                table.append(row | {"sequences": count, "epochs_so_far": float(seen[name])})
        for name, tokens in self.tokens_by_source().items():
            table.append(self._row(None, name, tokens, tokens / self.tokens, seen.get(name, Fraction(0))))
        return table

    def _row(
        self, phase: str | None, name: str, tokens: int, share: float, epochs: Fraction
    ) -> dict[str, Any]:
        source, count = self.manifest.sources[name], self.counts[name]
        return {
            "phase": phase,
            "source": name,
            "tokens": tokens,
            "share": share,
            "epochs": float(epochs),
            "available": count.tokens,
            "count": count.kind,
            "family": source.family,
            "licence": source.licence,
        }


def plan(manifest: MixtureManifest, counts: Mapping[str, Count]) -> Plan:
    """Allocate every phase exactly.

    Args:
        counts: tokens of every source that a phase uses.

    Errors: UserError when the policy refuses a source, or naming the binding cap, what is reachable, and the
    cheapest relaxation.
    """
    policy.check_sources(manifest)
    exposure: dict[str, Fraction] = dict.fromkeys(manifest.used, Fraction(0))
    phases: list[PhasePlan] = []
    notes: list[str] = []
    for phase in manifest.phases:
        planned = _plan_phase(manifest, phase, counts, exposure)
        for name, count in planned.counts.items():
            if count:
                exposure[name] += Fraction(count, counts[name].sequences(phase.sequence_length))
            else:
                notes.append(f"phase '{phase.name}' takes nothing of '{name}'")
        phases.append(planned)
    notes += [f"'{name}' is seen {float(times):.1f} times" for name, times in exposure.items() if times > 4]
    notes += [f"'{name}': {counts[name].note}" for name in manifest.used if counts[name].note]
    result = Plan(manifest, dict(counts), tuple(phases), tuple(notes))
    if len(result.kinds) > 1:
        declared = [name for name in manifest.used if counts[name].kind == "declared"]
        mixed = f"measured counts, except declared ones for {', '.join(declared)}"
        result = Plan(manifest, result.counts, result.phases, (mixed, *notes))
    policy.check_shares(manifest, result.tokens_by_source())
    return result


def largest_remainder(
    total: int, ideal: Mapping[str, Fraction], caps: Mapping[str, int | None]
) -> dict[str, int]:
    """Integers that add up to `total`, each the floor of its ideal or (once or more) one above, never over a
    cap.

    The ideals add up to `total`; the units that flooring leaves go to the largest remainders, ties to the
    alphabetically first. Where caps leave no room for all units, the result adds up to less.
    """
    result = {name: _capped(floor(value), caps[name]) for name, value in ideal.items()}
    left = total - sum(result.values())
    ranked = sorted(ideal, key=lambda name: (floor(ideal[name]) - ideal[name], name))
    while left > 0:
        open_names = [name for name in ranked if (cap := caps[name]) is None or result[name] < cap]
        if not open_names:
            break
        for name in open_names[:left]:
            result[name] += 1
        left = total - sum(result.values())
    return result


def _capped(value: int, cap: int | None) -> int:
    return value if cap is None else min(value, cap)


def _plan_phase(
    manifest: MixtureManifest, phase: Phase, counts: Mapping[str, Count], exposure: Mapping[str, Fraction]
) -> PhasePlan:
    length = phase.sequence_length
    rooms = {
        entry.source: room(manifest, phase, entry, counts[entry.source], exposure[entry.source])
        for entry in phase.entries
    }
    fixed: dict[str, Fraction] = {}
    for entry in phase.entries:
        if entry.tokens is not None:
            fixed[entry.source] = Fraction(entry.tokens, length)
        elif entry.epochs is not None:
            fixed[entry.source] = exact(entry.epochs) * rooms[entry.source].size
    weights = {entry.source: exact(entry.weight) for entry in phase.entries if entry.weight is not None}
    sequences = _sequences(manifest, phase, fixed)
    caps = {name: room.cap for name, room in rooms.items()}
    if not weights:
        result = _only_fixed(phase, sequences, fixed, rooms)
    else:
        given = {name: _capped(_nearest(value), caps[name]) for name, value in fixed.items()}
        if phase.on_shortfall == "fail" and (bound := over(fixed, rooms)):
            raise infeasible(phase, sequences, bound, fixed, rooms, reachable=None)
        left = sequences - sum(given.values())
        if left < 0:
            raise UserError(
                f"the entries with tokens or epochs ask for {format_amount(sum(given.values()) * length)} "
                f"tokens, more than the phase's {format_amount(sequences * length)}",
                where=f"phases.{phase.name}",
                mend="raise the phase's budget or lower those entries",
            )
        ideal = _fill(phase, sequences, left, weights, rooms)
        result = given | largest_remainder(left, ideal, caps)
        if sum(result.values()) < sequences:
            raise _exhausted(phase, sequences, weights, rooms, sum(result.values()))
    if sequences > MAX_SEQUENCES:
        raise UserError(f"more than 2^50 sequences in one phase ({sequences})", where=f"phases.{phase.name}")
    order = {entry.source: result[entry.source] for entry in phase.entries}
    return PhasePlan(phase.name, length, phase.batch, order)


def _nearest(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def _sequences(manifest: MixtureManifest, phase: Phase, fixed: Mapping[str, Fraction]) -> int:
    """Sequences of a phase: its budget, rounded down to whole batches."""
    if phase.budget is None:
        wanted: Fraction = sum(fixed.values(), Fraction(0))
    elif phase.budget.tokens is not None:
        wanted = Fraction(phase.budget.tokens, phase.sequence_length)
    else:
        assert manifest.budget is not None
        assert phase.budget.fraction is not None
        wanted = exact(phase.budget.fraction) * manifest.budget.tokens / phase.sequence_length
    batches = floor(wanted / phase.batch)
    if batches < 1:
        step = phase.batch * phase.sequence_length
        raise UserError(
            f"the phase's {format_amount(wanted * phase.sequence_length)} tokens are less than one batch "
            f"({phase.batch} sequences of {phase.sequence_length} = {format_amount(step)} tokens)",
            where=f"phases.{phase.name}",
            mend="raise its budget or lower batch or sequence_length",
        )
    return batches * phase.batch


def _only_fixed(
    phase: Phase, sequences: int, fixed: Mapping[str, Fraction], rooms: Mapping[str, Room]
) -> dict[str, int]:
    """A phase without weights: what the entries ask for, rounded together to whole batches."""
    asked = sum(fixed.values(), Fraction(0))
    if phase.budget is not None and abs(asked - sequences) >= phase.batch:
        length = phase.sequence_length
        raise UserError(
            f"the entries ask for {format_amount(asked * length)} tokens, the phase's budget is "
            f"{format_amount(sequences * length)}, and no entry has a weight to fill the difference",
            where=f"phases.{phase.name}",
            mend="give one entry a weight, or leave the phase's budget out",
        )
    if bound := over(fixed, rooms):
        raise infeasible(phase, sequences, bound, fixed, rooms, reachable=None)
    ideal = {name: value * sequences / asked for name, value in fixed.items()}
    result = largest_remainder(sequences, ideal, {name: room.cap for name, room in rooms.items()})
    if sum(result.values()) < sequences:
        raise _exhausted(phase, sequences, fixed, rooms, sum(result.values()))
    return result


def _fill(
    phase: Phase, sequences: int, left: int, weights: Mapping[str, Fraction], rooms: Mapping[str, Room]
) -> dict[str, Fraction]:
    """Ideal (fractional) amounts of weighted entries: as their weights, capped ones filled to the cap."""
    total = sum(weights.values(), Fraction(0))
    ideal = {name: left * weight / total for name, weight in weights.items()}
    bound = over(ideal, rooms)
    if bound and phase.on_shortfall == "fail":
        fixed_part = sequences - left
        scale = min(Fraction(rooms[name].most) / ideal[name] for name in bound)
        raise infeasible(
            phase,
            sequences,
            bound,
            ideal,
            rooms,
            reachable=fixed_part + floor(left * scale),
            redistributable=_can_redistribute(phase, sequences, left, weights, rooms),
        )
    filled: dict[str, Fraction] = {}
    while bound:
        for name in bound:
            filled[name] = Fraction(rooms[name].most)
        free = {name: weight for name, weight in weights.items() if name not in filled}
        rest = left - sum(filled.values(), Fraction(0))
        if not free:
            if rest > 0:
                raise _exhausted(phase, sequences, weights, rooms, sequences - floor(rest))
            break
        total = sum(free.values(), Fraction(0))
        shared = {name: rest * weight / total for name, weight in free.items()}
        bound = over(shared, rooms)
        ideal = shared | filled
    return ideal


def _exhausted(
    phase: Phase, sequences: int, names: Iterable[str], rooms: Mapping[str, Room], reachable: int
) -> UserError:
    return exhausted(phase, sequences, {name: rooms[name] for name in names}, reachable)


def _can_redistribute(
    phase: Phase, sequences: int, left: int, weights: Mapping[str, Fraction], rooms: Mapping[str, Room]
) -> bool:
    try:
        _fill(phase.model_copy(update={"on_shortfall": "redistribute"}), sequences, left, weights, rooms)
    except UserError:
        return False
    return True

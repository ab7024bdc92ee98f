"""When a cap binds: what a source can still give, what is reachable, and the cheapest way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from gristmill.base.errors import UserError
from mixtures.amounts import exact, format_amount
from mixtures.counts import Count
from mixtures.manifest import Entry, MixtureManifest, Phase


@dataclass(frozen=True)
class Room:
    """What a source can still give to a phase."""

    size: int
    """Sequences of an epoch."""
    cap: int | None
    """Most sequences that the caps allow in this phase; None: no cap."""
    setting: str
    """The setting that binds."""
    limit: float
    """Its value."""
    used: Fraction
    """Epochs that count against it already."""

    @property
    def most(self) -> int:
        """The cap of a source that has one."""
        assert self.cap is not None
        return self.cap

    def needed(self, wanted: Fraction) -> Fraction:
        """The value of the setting that would let `wanted` sequences through."""
        return self.used + wanted / self.size


def room(manifest: MixtureManifest, phase: Phase, entry: Entry, count: Count, seen: Fraction) -> Room:
    size = count.sequences(phase.sequence_length)
    if size == 0:
        raise UserError(
            f"source '{entry.source}' has {count.tokens} {count.kind} tokens, too few for one sequence of "
            f"{phase.sequence_length} (and its last target)",
            where=f"phases.{phase.name}",
            mend="leave it out of the phase, or choose a smaller sequence_length",
        )
    caps: list[tuple[Fraction, str, float, Fraction]] = []
    if entry.max_epochs is not None:
        setting = f"max_epochs of '{entry.source}' in phase '{phase.name}'"
        caps.append((exact(entry.max_epochs) * size, setting, entry.max_epochs, Fraction(0)))
    elif phase.max_epochs is not None:
        setting = f"max_epochs of phase '{phase.name}'"
        caps.append((exact(phase.max_epochs) * size, setting, phase.max_epochs, Fraction(0)))
    if (most := manifest.sources[entry.source].max_epochs) is not None:
        left = max(Fraction(0), exact(most) - seen) * size
        caps.append((left, f"max_epochs of source '{entry.source}'", most, seen))
    if not caps:
        return Room(size, None, "", 0.0, Fraction(0))
    cap, setting, limit, used = min(caps)
    return Room(size, floor(cap), setting, limit, used)


def over(ideal: Mapping[str, Fraction], rooms: Mapping[str, Room]) -> list[str]:
    """Sources whose ideal does not fit under their cap (a fraction of a sequence apart)."""
    return [
        name for name, value in ideal.items() if (cap := rooms[name].cap) is not None and floor(value) > cap
    ]


def infeasible(
    phase: Phase,
    sequences: int,
    bound: Iterable[str],
    wanted: Mapping[str, Fraction],
    rooms: Mapping[str, Room],
    *,
    reachable: int | None,
    redistributable: bool = False,
) -> UserError:
    """The error for caps that stop sources from giving what their entries ask for.

    It names the cap that binds hardest, what is reachable, and the relaxations, the smallest change first.
    """
    length = phase.sequence_length

    def tokens(value: Fraction | int) -> str:
        return format_amount(value * length)

    def stretch(name: str) -> Fraction:
        """By what factor the binding setting would have to grow."""
        return rooms[name].needed(wanted[name]) / exact(rooms[name].limit)

    ranked = sorted(bound, key=lambda name: (-stretch(name), name))
    worst = ranked[0]
    room = rooms[worst]
    what = (
        f"phase '{phase.name}' wants {tokens(wanted[worst])} tokens of '{worst}', but {room.setting} = "
        f"{room.limit:g} leaves {tokens(room.most)}"
    )
    if len(ranked) > 1:
        what += f" (also bound: {', '.join(ranked[1:])})"
    settings: dict[str, Fraction] = {}
    for name in ranked:
        setting = rooms[name].setting
        settings[setting] = max(settings.get(setting, Fraction(0)), rooms[name].needed(wanted[name]))
    raises = ", ".join(f"{setting} to {_round_up(value):g}" for setting, value in settings.items())
    options = [(stretch(worst) - 1, f"raise {raises}")]
    if reachable is not None:
        what += f"; reachable: {tokens(_whole(phase, reachable))} of the phase's {tokens(sequences)} tokens"
        options += _cut(phase, sequences, reachable)
    else:
        lower = ", ".join(f"'{name}' to {tokens(rooms[name].most)} tokens" for name in ranked)
        what += f"; reachable: {lower}"
        options.append((max(1 - rooms[name].most / wanted[name] for name in ranked), f"lower {lower}"))
    mend = _offer(options)
    if redistributable:
        mend += "; or set on_shortfall: redistribute, which gives the rest to the other sources"
    return UserError(what, where=f"phases.{phase.name}", mend=mend)


def exhausted(phase: Phase, sequences: int, rooms: Mapping[str, Room], reachable: int) -> UserError:
    """The error for a phase in which every weighted source is at its cap and the budget is not reached."""
    length = phase.sequence_length
    missing = sequences - reachable

    def change(name: str) -> tuple[Fraction, str]:
        """Raising this one cap so far that it alone makes up for what is missing."""
        room = rooms[name]
        return room.needed(Fraction(room.most + missing)) / exact(room.limit) - 1, name

    growth, easiest = min(change(name) for name in rooms)
    room = rooms[easiest]
    raised = _round_up(room.needed(Fraction(room.most + missing)))
    what = (
        f"phase '{phase.name}' has every source at its cap ({', '.join(sorted(rooms))}); reachable: "
        f"{format_amount(_whole(phase, reachable) * length)} of the phase's "
        f"{format_amount(sequences * length)} tokens"
    )
    options = [
        (growth, f"raise {room.setting} from {room.limit:g} to {raised:g}"),
        *_cut(phase, sequences, reachable),
    ]
    return UserError(what, where=f"phases.{phase.name}", mend=_offer(options))


def _whole(phase: Phase, sequences: int) -> int:
    return sequences - sequences % phase.batch


def _cut(phase: Phase, sequences: int, reachable: int) -> list[tuple[Fraction, str]]:
    """The relaxation that shortens the phase, if anything of it is left."""
    whole = _whole(phase, reachable)
    if not whole:
        return []
    budget = format_amount(whole * phase.sequence_length)
    return [(1 - Fraction(whole, sequences), f"cut the phase's budget to {budget}")]


def _offer(options: list[tuple[Fraction, str]]) -> str:
    ranked = sorted(options, key=lambda option: option[0])
    first = f"cheapest: {ranked[0][1]} ({float(ranked[0][0]):.1%} change)"
    return "; or ".join([first, *(text for _, text in ranked[1:])])


def _round_up(value: Fraction) -> float:
    """To three decimals, upwards: a setting that certainly suffices."""
    return -floor(-value * 1000) / 1000

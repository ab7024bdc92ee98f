"""Replacing what was found in a text by tokens that say what stood there, and cutting pieces out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from filters.base import TextView
from filters.findings import Finding, disjoint
from gristmill.base.errors import UserError, did_you_mean

TOKENS: dict[str, str] = {
    "email": "<EMAIL>",
    "ip": "<IP_ADDRESS>",
    "phone": "<PHONE_NUMBER>",
    "card": "<CARD_NUMBER>",
    "iban": "<IBAN>",
    "national_id": "<NATIONAL_ID>",
    "password": "<PASSWORD>",
    "key": "<KEY>",
}
"""What stands for each family of kinds. <EMAIL>, <PASSWORD> and <KEY> are StarCoder's (Li et al. 2023,
arXiv 2305.06161, section 4.4, which puts made-up addresses in the place of IP addresses); the others are made
after them."""

TOKEN = re.compile(r"<[A-Z][A-Z_]*>")
"""The form of these tokens, which annotators know."""

FAMILIES = {"ipv4": "ip", "ipv6": "ip", "url_password": "password"}
"""Kinds that share a token, apart from national identifiers (`de_steuer_id`) and provider's keys
(`github_token`)."""
CUT = "cut"
"""The kind of pieces that are taken out, and for which nothing stands."""
_COUNTRY = re.compile(r"[a-z]{2}_")


def family(kind: str) -> str:
    """The family of a kind: a key of TOKENS."""
    if kind in TOKENS:
        return kind
    if kind in FAMILIES:
        return FAMILIES[kind]
    return "national_id" if _COUNTRY.match(kind) else "key"


class Masking:
    """Tokens for kinds of findings.

    Args:
        tokens: instead of TOKENS, for families or single kinds; None leaves what was found in its place.

    Raises UserError for a family that does not exist.
    """

    def __init__(self, tokens: Mapping[str, str | None] | None = None) -> None:
        for name in tokens or {}:
            if name not in TOKENS and name not in FAMILIES and not _is_kind(name):
                raise UserError(f"unknown kind '{name}'", mend=did_you_mean(name, [*TOKENS, *FAMILIES]))
        self.tokens: dict[str, str | None] = {**TOKENS, **(tokens or {})}

    def token(self, kind: str) -> str | None:
        """The token of a kind, or of its family."""
        if kind == CUT:
            return ""
        return self.tokens[kind] if kind in self.tokens else self.tokens[family(kind)]

    def mask(self, text: str, findings: Sequence[Finding]) -> tuple[str, list[Finding]]:
        """The text with findings replaced, and those that were.

        Raises ValueError where findings overlap, are out of order or lie outside the text: then they are
        not of this text.
        """
        pieces, done = [], []
        reached = 0
        for start, end, kind in findings:
            if not reached <= start <= end <= len(text):
                raise ValueError(f"no piece of this text: {start} to {end}")
            token = self.token(kind)
            if token is not None:
                pieces += [text[reached:start], token]
                done.append((start, end, kind))
                reached = end
        return "".join([*pieces, text[reached:]]), done


def _is_kind(name: str) -> bool:
    """Whether annotators know such a kind."""
    from filters.annotators.secrets import TOKENS as PROVIDERS
    from filters.pii.national_ids import NATIONAL_IDS

    return (
        name in PROVIDERS
        or name in ("private_key", "jwt")
        or any(name == known.kind for known in NATIONAL_IDS)
    )


def original(at: Sequence[Finding], lengths: Sequence[int], place: int) -> int:
    """Where in the text something stands that stands at `place` in the text after masking.

    Args:
        at: what was replaced.
        lengths: of the tokens that stand there now.
        place: an offset outside the tokens.
    """
    shift = 0
    for (start, end, _), length in zip(at, lengths, strict=True):
        if place < start + shift + length:
            break
        shift += length - (end - start)
    return place - shift


def exhaust(view: TextView, look: Callable[[TextView], list[Finding]]) -> list[Finding]:
    """What `look` finds in a text, until it finds nothing more in what is left when all is replaced by
    TOKENS.

    What stood beside a finding is judged again without it: "4111 1111 1111 1111 555-0100" may be a card and
    the rest of a telephone number. Almost always the second look finds nothing.
    """
    found = look(view)
    more = found
    for _ in range(_LOOKS):
        if not more:
            break
        masked, _ = _DEFAULT.mask(view.text, found)
        more = look(type(view)(masked))
        lengths = [len(_DEFAULT.token(kind) or "") for _, _, kind in found]
        moved = [
            (original(found, lengths, start), original(found, lengths, end - 1) + 1, kind)
            for start, end, kind in more
        ]
        found = disjoint([*found, *moved])
    return found


_LOOKS = 8
_DEFAULT = Masking()

"""Errors that speak to a person: what is wrong, where, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A user's mistake: printed as one line, exit code 2, never a traceback.

    Args:
        what: the fact, without a full stop ("unknown field 'sorce'").
        where: file, line and field, or the path concerned.
        mend: what to do about it ("did you mean 'source'?").
    """

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(self.__str__())

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.mend}" if self.mend else line

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes send their errors home pickled; keyword-only arguments need help to survive that.
        return _rebuild, (type(self), self.what, self.where, self.mend)


def _rebuild(cls: type[UserError], what: str, where: str | None, mend: str | None) -> UserError:
    return cls(what, where=where, mend=mend)


def missing_extra(package: str, extra: str, purpose: str) -> UserError:
    """The error for an optional dependency that is not installed."""
    return UserError(
        f"{purpose} needs the package '{package}', which is not installed",
        mend=f"pip install 'gristmill[{extra}]'",
    )


def describe(error: BaseException) -> str:
    """An error in a few words that hold no path and no address of this machine."""
    text = getattr(error, "strerror", None) or (str(error).splitlines() or [""])[0]
    if "/" in text or "0x" in text:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name closest to a mistyped one, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A `mend` for a mistyped name: the nearest valid one, or the list of all."""
    valid = sorted(names)
    close = nearest(name, valid)
    return f"did you mean '{close}'?" if close else f"valid names: {', '.join(valid)}"

"""The registrable domain of a host, by the Public Suffix List (filters/data/public_suffix_list.dat, MPL-2.0).

The list is a file of this package, so that the same host has the same domain on every machine, without a
network. To renew it: take public_suffix_list.dat from publicsuffix.org, keep its licence, version and rules,
and raise the version of the annotator `url`."""

from __future__ import annotations

import functools
import importlib.resources

LIST = "data/public_suffix_list.dat"
_EXCEPTION, _WILDCARD = "!", "*."


@functools.cache
def _rules() -> frozenset[str]:
    """Rules of the list, private domains included, internationalised labels in their ASCII form."""
    text = (importlib.resources.files("filters") / LIST).read_text(encoding="utf-8")
    rules = (line.strip() for line in text.splitlines())
    return frozenset(_ascii(rule) for rule in rules if rule and not rule.startswith("//"))


def _ascii(rule: str) -> str:
    return rule if rule.isascii() else ".".join(map(_label, rule.split(".")))


def _label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def public_suffix(host: str) -> str:
    """The part of a host under which names are registered: `co.uk`, `com`, `github.io`.

    `host` is in small letters and ASCII (`xn--…`). By publicsuffix.org's algorithm: an exception rule wins,
    then the longest rule; where none matches, the last label is the suffix."""
    rules = _rules()
    labels = host.split(".")
    for first in range(len(labels)):
        name = ".".join(labels[first:])
        if _EXCEPTION + name in rules:
            return ".".join(labels[first + 1 :])
        if name in rules:
            return name
        if first + 1 < len(labels) and _WILDCARD + ".".join(labels[first + 1 :]) in rules:
            return name
    return labels[-1]


def registrable_domain(host: str) -> str | None:
    """The public suffix and one label more: `example.co.uk`; None for a suffix itself, an address (IPv4,
    IPv6), a bare name.

    Sites on a shared host (`user.github.io`) are domains of their own.
    """
    if not host or host.startswith("[") or "." not in host or host.rpartition(".")[2].isdigit():
        return None
    suffix = public_suffix(host)
    rest = host[: -len(suffix) - 1]
    label = rest.rpartition(".")[2]
    return f"{label}.{suffix}" if label else None

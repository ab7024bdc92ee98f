"""Pieces of a text that something was found in, and how annotators store them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

Finding = tuple[int, int, str]
"""Start and end in code points, and the kind of what stands there."""

SPANS = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("kind", pa.string())]))
"""Type of a column of findings: in order, never overlapping."""

PIECES = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))
"""Type of a column of pieces that are all of one kind: in order, never overlapping."""


def rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as the values of a SPANS column."""
    return [{"start": start, "end": end, "kind": kind} for start, end, kind in findings]


def disjoint(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in order without overlaps: of two that overlap the one that starts first, then the longer."""
    kept: list[Finding] = []
    reached = 0
    for finding in sorted(findings, key=lambda found: (found[0], -found[1])):
        if finding[0] >= reached:
            kept.append(finding)
            reached = finding[1]
    return kept


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in order, those that overlap as one: all that any of them covers, of the kind of the first."""
    joined: list[Finding] = []
    for start, end, kind in sorted(findings, key=lambda found: (found[0], -found[1])):
        if joined and start < joined[-1][1]:
            first, reached, known = joined[-1]
            joined[-1] = (first, max(reached, end), known)
        else:
            joined.append((start, end, kind))
    return joined

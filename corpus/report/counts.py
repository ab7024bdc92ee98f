"""What became of everything: from records in the inputs to documents that are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table

from corpus.store import Store

LANGUAGE = "language.top"
"""Identified language, where the annotator `language` ran; else the documents' own column is counted."""


def report(store: Store, policy: str | None = None) -> dict[str, Any]:
    """Counts of a store: the funnel, reasons, languages, bytes.

    Args:
        store: the store.
        policy: whose decisions to count; the only one by default, none if there are several.

    Raises UserError for an unknown policy.
    """
    if policy is None and len(store.policies) == 1:
        policy = store.policies[0]
    parts = store.content["parts"]
    lost: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    masked: Counter[str] = Counter()
    for part in parts:
        lost.update(part["reasons"])
        ignored.update(part["ignored"])
        masked.update(part["masked"])
    early = sum(count for reason, count in lost.items() if reason.startswith("early_drop:"))
    unusable = lost.total() - early
    entry = None
    if policy is not None:
        entry = store.decisions(policy)
    languages = _languages(store, policy)
    return {
        "name": store.name,
        "output": str(store.path),
        "digest": store.digest,
        "policy": policy,
        "parts": len(parts),
        "input_files": sum(part["inputs"]["files"] for part in parts),
        "input_bytes": sum(part["inputs"]["bytes"] for part in parts),
        "text_bytes": sum(part["text_bytes"] for part in parts),
        "kept_text_bytes": sum(language["kept_bytes"] for language in languages.values()),
        "records": sum(part["records"] for part in parts),
        "ignored": dict(sorted(ignored.items())),
        "unusable": unusable,
        "early_dropped": early,
        "documents": store.rows,
        "masked": dict(sorted(masked.items())),
        "dropped": entry["documents"] - entry["kept"] if entry else None,
        "kept": entry["kept"] if entry else None,
        "reasons": dict(sorted(lost.items(), key=lambda item: (-item[1], item[0]))),
        "decided": dict(sorted(entry["reasons"].items(), key=lambda item: (-item[1], item[0])))
        if entry
        else {},
        "tiers": dict(entry["tiers"]) if entry else {},
        "languages": languages,
        "incomplete": [list(lost[:3]) for lost in store.content["incomplete"]],
    }


def _languages(store: Store, policy: str | None) -> dict[str, dict[str, int]]:
    """Documents, kept documents and bytes of their text, by language, most documents first."""
    if not store.parts:
        return {}
    database, relation = store.relation(policy)
    column = f'"{LANGUAGE}"' if LANGUAGE in store.schema else "language"
    keep = "keep" if policy is not None else "true"
    with database:
        rows = database.execute(
            f"""
            SELECT coalesce({column}, 'unknown'), count(*), count(*) FILTER ({keep}),
                   coalesce(sum(strlen(text)), 0)::BIGINT, coalesce(sum(strlen(text)) FILTER ({keep}),
                   0)::BIGINT
            FROM {relation} GROUP BY ALL ORDER BY 2 DESC, 1
            """
        ).fetchall()
    names = ("documents", "kept", "bytes", "kept_bytes")
    return {language: dict(zip(names, counts, strict=True)) for language, *counts in rows}


def render(counts: Mapping[str, Any]) -> Group:
    """Counts as tables for a terminal."""
    funnel = Table("", "documents", "share", title=counts["name"], title_justify="left")
    total = counts["records"] or 1

    def row(name: str, count: int, style: str = "") -> None:
        funnel.add_row(name, f"{count:,}", f"{count / total:.1%}", style=style)

    row("records in", counts["records"], "bold")
    for reason, count in counts["reasons"].items():
        row(f"  {reason}", -count, "dim")
    row("documents", counts["documents"], "bold")
    for kind, count in counts["masked"].items():
        funnel.add_row(f"  masked {kind}", f"{count:,}", "", style="dim")
    for reason, count in counts["decided"].items():
        row(f"  {counts['policy']}: {reason}", -count, "dim")
    if counts["kept"] is not None:
        row("kept", counts["kept"], "bold")
    for tier, count in counts["tiers"].items():
        row(f"  tier {tier}", count)
    languages = Table("language", "documents", "kept", "MB", title="languages", title_justify="left")
    for language, found in list(counts["languages"].items())[:20]:
        languages.add_row(
            language, f"{found['documents']:,}", f"{found['kept']:,}", f"{found['bytes'] / 1e6:,.2f}"
        )
    facts = (
        f"{counts['input_files']:,} inputs, {counts['input_bytes'] / 1e6:,.1f} MB in, "
        f"{counts['text_bytes'] / 1e6:,.1f} MB of text, {counts['parts']:,} parts; "
        f"digest {counts['digest'][:16]}"
    )
    return Group(funnel, languages, facts)

"""The report of a store as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpus.report import contamination, duplicates
from corpus.report import facts as measure
from corpus.report.compare import Difference, compare
from corpus.report.facts import Effect, Facts, Histogram
from corpus.store import Store
from filters.rules import RuleSet
from gristmill.base.html import Bar, Markup, document, histogram, join, table, tag

SAMPLES = 3
"""Documents shown of each kind for each rule."""
CHARACTERS = 1200
"""Characters shown of a document."""
LANGUAGES, REASONS = 30, 40
"""Rows shown of the tables of languages and of reasons; what comes after is summed up."""


def page(
    store: Store,
    counts: Mapping[str, Any],
    rules: RuleSet | None,
    against: str | None = None,
    samples: int = SAMPLES,
) -> str:
    """The page: funnel, rules, scores with their thresholds, languages, tiers, hosts, sampled documents, what
    is there twice, and the difference to another policy.

    Args:
        store: the store.
        counts: its counts (`corpus.report.counts.report`), which say whose decisions are shown.
        rules: the rules of the policy, for what each does.
        against: another policy to compare with.
        samples: documents shown of each kind for each rule.

    Where the policy has decided by other rules than these, its counts are shown and the rules are not. Raises
    UserError for an unknown policy.
    """
    policy = counts["policy"]
    parts: list[tuple[str, Markup]] = [("Funnel", funnel(counts))]
    read: dict[str, list[str]] = {}
    if policy is not None and rules is not None and store.decisions(policy)["rules"] != rules.digest:
        parts.append(("Rules", _other_rules()))
    elif policy is not None and rules is not None and store.rows:
        facts = measure.gather(store, policy, rules)
        found = measure.effects(facts)
        for rule, condition in zip(rules.rules, facts.bound.conditions, strict=True):
            read[rule.label] = [name for name in condition.columns if "." in name]
        parts += [
            ("Rules", _effects(found, facts)),
            ("Scores", _scores(measure.histograms(facts), facts)),
            ("Documents", examples(store, facts, found, samples)),
        ]
    if (copies := duplicates.section(store, samples)) is not None:
        parts.append(("Duplicates", copies))
    if (leaks := contamination.section(store)) is not None:
        parts.append(("Contamination", leaks))
    if policy is not None and against is not None:
        parts.append(("Difference", _difference(store, compare(store, policy, against, samples), read)))
    parts.append(("Languages", _languages(counts)))
    if policy is not None and (hosts := measure.domains(store, policy)):
        parts.append(("Hosts", _hosts(hosts)))
    if counts["incomplete"]:
        parts.append(("Incomplete inputs", table(("input", "reason", "detail"), counts["incomplete"])))
    title = f"{counts['name']}: corpus report"
    anchors = [name.lower().replace(" ", "-") for name, _ in parts]
    body = [
        tag("h1", counts["name"]),
        _facts(counts),
        tag("nav", *(tag("a", n, href=f"#{a}") for (n, _), a in zip(parts, anchors, strict=True))),
    ]
    for (name, content), anchor in zip(parts, anchors, strict=True):
        body += [tag("h2", name, id=anchor), content]
    return document(title, body)


def _other_rules() -> Markup:
    return tag(
        "p",
        "The decisions in the store were made by other rules than the manifest's. ",
        tag("code", "gristmill corpus decide"),
        " applies these; then their effects are shown here.",
    )


def _facts(counts: Mapping[str, Any]) -> Markup:
    policy = f"policy {counts['policy']}; " if counts["policy"] else ""
    return tag(
        "p",
        f"{policy}{counts['input_files']:,} inputs, {counts['input_bytes'] / 1e6:,.1f} MB in; "
        f"{counts['text_bytes'] / 1e6:,.1f} MB of text, "
        f"{counts['kept_text_bytes'] / 1e6:,.1f} MB of it kept; "
        f"{counts['parts']:,} parts; digest ",
        tag("code", counts["digest"]),
        class_="dim",
    )


def funnel(counts: Mapping[str, Any]) -> Markup:
    """From records to kept documents, with every reason between."""
    total = max(1, counts["records"], counts["documents"])
    rows: list[tuple[object, ...]] = []
    strong = set()

    def add(name: str, count: int, kind: str, bold: bool = False) -> None:
        if bold:
            strong.add(len(rows))
        rows.append((name, count, f"{count / total:.1%}", Bar(count / total, kind)))

    def reasons(found: Mapping[str, int], prefix: str = "") -> None:
        listed = list(found.items())
        for reason, count in listed[:REASONS]:
            add(f"− {prefix}{reason}", count, "dropped")
        if len(listed) > REASONS:
            rest = listed[REASONS:]
            add(f"− {len(rest)} further reasons", sum(count for _, count in rest), "dropped")

    add("records in", counts["records"], "", bold=True)
    reasons(counts["reasons"])
    add("documents", counts["documents"], "", bold=True)
    if counts["kept"] is not None:
        reasons(counts["decided"])
        add("kept", counts["kept"], "kept", bold=True)
        for tier, count in counts["tiers"].items():
            add(f"tier {tier}", count, "kept")
    return table(("", "documents", "of records", ""), rows, frozenset(strong))


def _sampled(facts: Facts) -> str:
    if facts.share >= 1:
        return f"All {facts.table.num_rows:,} documents. "
    return f"A uniform sample of {facts.table.num_rows:,} documents ({facts.share:.2%} of the store). "


def _effects(effects: Sequence[Effect], facts: Facts) -> Markup:
    total = max(1, facts.table.num_rows)
    rows = []
    for effect in effects:
        drop = effect.rule.action == "drop"
        rows.append(
            (
                effect.rule.label if drop else f"tier {effect.rule.label}",
                tag("code", effect.rule.condition),
                effect.first,
                effect.matching,
                effect.alone if drop else None,
                Bar(effect.first / total, "dropped" if drop else "kept"),
            )
        )
    note = (
        "Rules in their order. “first”: documents that get this reason or tier, because no earlier rule "
        "matched. “matching”: documents that meet the condition at all. “alone”: documents that only this "
        "rule drops, which would come back without it."
    )
    heads = ("", "condition", "first", "matching", "alone", "")
    return join([tag("p", _sampled(facts) + note, class_="dim"), table(heads, rows)])


def _scores(found: Sequence[Histogram], facts: Facts) -> Markup:
    key = Markup('<span class="key"><i class="kept"></i> kept <i class="dropped"></i> dropped</span>')
    figures = []
    for one in found:
        asides = ["logarithmic axis"] if one.log else []
        if one.missing:
            asides.append(f"{one.missing:,} without a value")
        if one.below:
            asides.append(f"{one.below:,} to the left")
        if one.above:
            asides.append(f"{one.above:,} to the right")
        series = {"kept": one.kept, "dropped": one.dropped}
        caption = tag("figcaption", tag("b", one.column), "; ".join(["", *asides]))
        figures.append(tag("figure", histogram(one.edges, series, _marks(one.marks), one.log), caption))
    note = tag("p", _sampled(facts), "Lines are the thresholds of the rules. ", key, class_="dim")
    return join([note, tag("div", *figures, class_="grid")])


def _marks(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Thresholds once each, labelled with their number."""
    return [(value, f"{value:g}") for value in sorted({value for value, _ in marks})]


def examples(store: Store, facts: Facts, effects: Sequence[Effect], samples: int) -> Markup:
    """For every drop rule that drops anything: documents that it drops, and kept ones beside them."""
    chosen = {
        number: measure.sample_ids(facts, number, samples)
        for number, effect in enumerate(effects)
        if effect.rule.action == "drop" and effect.first and samples
    }
    ids = [identity for dropped, kept in chosen.values() for identity in (*dropped, *kept)]
    columns = [name for name in facts.bound.columns if "." in name]
    known = measure.read_documents(store, ids, columns, CHARACTERS)
    blocks = []
    for number, (dropped, kept) in chosen.items():
        effect = effects[number]
        read = [name for name in facts.bound.conditions[number].columns if name in columns]
        sides = [
            tag("div", tag("h3", head), *(_article(known[identity], read, kind) for identity in some))
            for head, some, kind in (
                (f"dropped: {effect.rule.label}", dropped, "dropped"),
                ("kept", kept, "kept"),
            )
        ]
        summary = tag(
            "summary", f"{effect.rule.label} ({effect.first:,}) ", tag("code", effect.rule.condition)
        )
        blocks.append(tag("details", summary, tag("div", *sides, class_="pair")))
    note = tag(
        "p",
        "Documents that each rule is the first to drop, and beside them kept ones: those nearest to its "
        "threshold, where it has one. ",
        tag("code", "gristmill corpus inspect"),
        " shows one of them with every score.",
        class_="dim",
    )
    return join([note, *blocks])


def _article(found: Mapping[str, Any], columns: Sequence[str], kind: str) -> Markup:
    values = ", ".join(f"{name} = {_value(found[name])}" for name in columns)
    length = f"{found['characters']:,} characters"
    more = "…" if found["characters"] > len(found["text"]) else ""
    return tag(
        "article",
        tag(
            "header",
            tag("b", values or length),
            Markup("<br>"),
            found["url"] or "",
            " ",
            tag("code", found["id"]),
        ),
        tag("pre", found["text"] + more),
        class_=kind,
    )


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _difference(store: Store, found: Difference, read: Mapping[str, Sequence[str]]) -> Markup:
    """`read`: the columns that explain a reason."""
    first, second = found.first, found.second
    square = table(
        ("", f"{second} keeps", f"{second} drops"),
        [
            (f"{first} keeps", found.both, found.only_first),
            (f"{first} drops", found.only_second, found.neither),
        ],
    )
    changed = table(
        ("kept by", "dropped by the other for", "documents"),
        [(first if of_first else second, reason, count) for of_first, reason, count, _ in found.reasons],
    )
    ids = [identity for *_, some in found.reasons for identity in some]
    known = measure.read_documents(
        store, ids, [*{name: None for names in read.values() for name in names}], CHARACTERS
    )
    blocks = []
    for of_first, reason, count, some in found.reasons:
        verdict = f"{first if of_first else second} keeps, the other drops: {reason} ({count:,})"
        kind = "kept" if of_first else "dropped"
        articles = [_article(known[identity], read.get(reason, ()), kind) for identity in some]
        blocks.append(tag("details", tag("summary", verdict), *articles))
    pieces: list[object] = [square, tag("h3", "Changed documents"), changed, *blocks]
    if found.tiers:
        tiers = [(a or "none", b or "none", count) for a, b, count in found.tiers]
        pieces += [tag("h3", "Changed tiers"), table((first, second, "documents"), tiers)]
    return join(pieces)


def _languages(counts: Mapping[str, Any]) -> Markup:
    found = list(counts["languages"].items())
    total = max(1, counts["documents"])
    rows = [
        (
            name,
            each["documents"],
            each["kept"],
            f"{each['kept'] / max(1, each['documents']):.1%}",
            f"{each['bytes'] / 1e6:,.2f}",
            Bar(each["documents"] / total),
        )
        for name, each in found[:LANGUAGES]
    ]
    if len(found) > LANGUAGES:
        rest = [each for _, each in found[LANGUAGES:]]
        documents, kept = (sum(each[field] for each in rest) for field in ("documents", "kept"))
        size = sum(each["bytes"] for each in rest) / 1e6
        share = f"{kept / max(1, documents):.1%}"
        rows.append((f"{len(rest)} others", documents, kept, share, f"{size:,.2f}", Bar(documents / total)))
    return table(("language", "documents", "kept", "share", "MB", ""), rows)


def _hosts(hosts: Sequence[tuple[str, int, int]]) -> Markup:
    most = max(count for _, count, _ in hosts)
    rows = [(host, count, kept, f"{kept / count:.1%}", Bar(count / most)) for host, count, kept in hosts]
    return table(("host", "documents", "kept", "share", ""), rows)

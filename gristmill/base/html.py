"""Self-contained HTML pages: one file with its style and its charts (inline SVG), no script, nothing fetched.

`Markup` is text that is HTML already; everything else is escaped where it enters a page.
"""

from __future__ import annotations

import html
import importlib.resources
import math
import re
from collections.abc import Iterable, Mapping, Sequence

WIDTH, HEIGHT = 340, 150
"""Size of a histogram, in pixels."""
_MARGIN = {"left": 8, "right": 8, "top": 14, "bottom": 22}
_FIGURE = re.compile(r"[\d.,]+ ?%?")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A value as HTML: escaped, unless it is `Markup`."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def join(pieces: Iterable[object]) -> Markup:
    """Pieces one after the other."""
    return Markup("".join(text(piece) for piece in pieces))


def tag(name: str, *content: object, **attributes: str) -> Markup:
    """An element; `class_` is the attribute `class`."""
    given = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{given}>{join(content)}</{name}>")


def document(title: str, sections: Iterable[object]) -> str:
    """A whole page."""
    style = (importlib.resources.files("gristmill.base") / "page.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style></head>\n"
        f"<body>{join(sections)}</body></html>\n"
    )


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], strong: frozenset[int] = frozenset()
) -> Markup:
    """A table; numbers, also written ones ("12.5%"), are set flush right, `Bar` cells as bars."""
    lines = []
    numeric: set[int] = set()
    for number, row in enumerate(rows):
        cells = []
        for place, value in enumerate(row):
            if isinstance(value, Bar):
                cells.append(value.cell())
            elif isinstance(value, int | float) and not isinstance(value, bool):
                numeric.add(place)
                cells.append(tag("td", f"{value:,}", class_="number"))
            elif isinstance(value, str) and _FIGURE.fullmatch(value):
                numeric.add(place)
                cells.append(tag("td", value, class_="number"))
            else:
                cells.append(tag("td", "" if value is None else value))
        lines.append(tag("tr", *cells, **({"class_": "strong"} if number in strong else {})))
    head = join(
        tag("th", name, **({"class_": "number"} if place in numeric else {}))
        for place, name in enumerate(heads)
    )
    return tag("table", tag("thead", tag("tr", head)), tag("tbody", *lines))


class Bar:
    """A table cell that shows a share of 1 as a bar."""

    def __init__(self, share: float, kind: str = "") -> None:
        self.share, self.kind = max(0.0, min(1.0, share)), kind

    def cell(self) -> Markup:
        """The cell."""
        bar = tag("span", style=f"width:{self.share:.2%}")
        return tag("td", bar, class_=f"bar {self.kind}".strip())


def histogram(
    edges: Sequence[float],
    series: Mapping[str, Sequence[int]],
    marks: Sequence[tuple[float, str]] = (),
    log: bool = False,
) -> Markup:
    """Stacked counts between `edges` (one more than counts), as SVG.

    Args:
        edges: increasing; with `log` all positive.
        series: counts by CSS class (`kept`, `dropped`), the lowest first.
        marks: places to mark with a line, and what to write beside them.
        log: a logarithmic horizontal axis.
    """
    low, high = _place(edges[0], log), _place(edges[-1], log)
    inner = WIDTH - _MARGIN["left"] - _MARGIN["right"]
    base = HEIGHT - _MARGIN["bottom"]
    rise = base - _MARGIN["top"]
    tallest = max((sum(counts) for counts in zip(*series.values(), strict=True)), default=0) or 1

    def across(value: float) -> float:
        return _MARGIN["left"] + (_place(value, log) - low) / ((high - low) or 1) * inner

    drawn = []
    for number in range(len(edges) - 1):
        left, right = across(edges[number]), across(edges[number + 1])
        top = float(base)
        for kind, counts in series.items():
            if counts[number]:
                height = counts[number] / tallest * rise
                top -= height
                width = max(right - left - 0.5, 0.5)
                drawn.append(
                    f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}"'
                    f' height="{height:.1f}"/>'
                )
    drawn.append(f'<path class="axis" d="M{_MARGIN["left"]} {base}.5h{inner}"/>')
    for value in ticks(edges[0], edges[-1], log):
        drawn.append(
            f'<text x="{across(value):.1f}" y="{base + 14}" text-anchor="middle">{short(value)}</text>'
        )
    for value, label in marks:
        if edges[0] <= value <= edges[-1]:
            x = across(value)
            anchor = "end" if x > WIDTH * 0.75 else "start"
            top = _MARGIN["top"]
            drawn.append(f'<path class="mark" d="M{x:.1f} {top - 2}V{base}"/>')
            drawn.append(
                f'<text class="marked" x="{x:.1f}" y="{top - 4}" text-anchor="{anchor}">{text(label)}</text>'
            )
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(drawn)}</svg>')


def ticks(low: float, high: float, log: bool = False, about: int = 5) -> list[float]:
    """Round numbers between two ends: powers of ten, or steps of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        step = max(1, math.ceil((last - first + 1) / (about + 1)))
        return [10.0**power for power in range(first, last + 1, step)]
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step_size = next((factor * unit for factor in (1, 2, 5) if factor * unit >= raw), 10 * unit)
    first = math.ceil(low / step_size - 1e-9)
    return [number * step_size for number in range(first, math.floor(high / step_size + 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: 0.05, 12, 3k, 2M."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{round(value, 9):g}"


def _place(value: float, log: bool) -> float:
    return math.log10(value) if log else value

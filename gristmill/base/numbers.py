"""Numbers as people read them."""

from __future__ import annotations


def human_count(value: float) -> str:
    """A count with three digits and a unit: 950, 12.3K, 6.59T."""
    for limit, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "K")):
        if abs(value) >= limit:
            return f"{value / (1e3 if suffix == 'K' else limit):.3g}{suffix}"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def human_seconds(seconds: float) -> str:
    """A duration: 12s, 3m04s, 2h10m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"

"""Formats numbers for people."""

from __future__ import annotations


def figure(value: float | None) -> str:
    """A number with three digits; a dash if nothing could be measured."""
    if value is None:
        return "–"
    if abs(value) >= 999.5:  # which three digits round to a thousand
        return f"{value:,.0f}"
    return f"{value:z.3g}"


def signed(value: float) -> str:
    """A number with its sign and three places; never -0.000."""
    return f"{value:+z.3f}"


def third(value: float | None) -> str:
    """A number with three places; a dash where nothing could be measured."""
    return "–" if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share in percent, never -0%; a dash if nothing could be measured."""
    return "–" if value is None else f"{value:z.0%}"


def thousandth(value: float | None) -> str:
    """A number times a thousand."""
    return figure(None if value is None else 1000 * value)


def probability(value: float | None) -> str:
    """A p-value; tiny ones as powers of ten, and none below the resolution of float64."""
    if value is None:
        return "–"
    if value < 1e-16:
        return "1e-16 or less"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"

"""Charts as SVG text, which a page holds in itself and a printer prints sharp."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skin_synth.evaluation.report.formatting import figure as shown

WIDTH = 640
ROW, TOP, BOTTOM = 30, 8, 22
LABEL = 150
"""Width of the names before the axis, in units of the picture."""
RIGHT = 26
MAIN, CONTROL = "#8a3b22", "#5d616b"
BINS = 30


class Mark(NamedTuple):
    """One row of a dot chart.

    Attributes:
        name: before the axis.
        value: what is judged; None leaves the row empty.
        interval: its ends, where there is one.
        control: what it is compared with, where there is something.
        control_interval: its ends, where there is one.
    """

    name: str
    value: float | None
    interval: Sequence[float] | None = None
    control: float | None = None
    control_interval: Sequence[float] | None = None


def dots(
    marks: Sequence[Mark], *, title: str, axis: str, width: int = WIDTH, from_zero: bool = True
) -> str:
    """Dots with intervals: filled for what is judged, hollow for what it is compared with.

    Args:
        marks: rows from the top down, one or more.
        title: what the picture shows, for readers who do not see it.
        axis: name and unit of the axis.
        width: of the picture, in its own units; a letter is about 7 wide.
        from_zero: whether 0 is on the axis in any case.

    Returns:
        A `figure` element.
    """
    numbers = [number for mark in marks for number in _numbers(mark)] or [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    if from_zero:
        low, high = min(0.0, low), max(0.0, high)
    scale = _Scale(low, high if high > low else low + 1.0, width=width)
    height = TOP + ROW * len(marks) + BOTTOM
    parts = [*_axis(scale, height)]
    if low < 0 < high:
        x = f"{scale(0.0):.1f}"
        parts.append(f'<line x1="{x}" x2="{x}" y1="4" y2="{height - BOTTOM}" stroke="{CONTROL}"/>')
    for row, mark in enumerate(marks):
        y = TOP + ROW * row + ROW / 2
        parts.append(_text(LABEL - 8, y + 4, mark.name, "end"))
        parts += _dot(scale, y + 5, mark.control, mark.control_interval, CONTROL, hollow=True)
        parts += _dot(scale, y - 5, mark.value, mark.interval, MAIN, hollow=False)
    return _chart(height, title, axis, parts, width)


def histograms(
    first: np.ndarray, second: np.ndarray, *, title: str, axis: str, line: float | None = None
) -> str:
    """Two distributions on one axis: filled for what is judged, an outline for the other.

    Args:
        first: float[n], what is judged.
        second: float[m], what it is compared with.
        title: what the picture shows, for readers who do not see it.
        axis: name and unit of the axis.
        line: a value that is marked.

    Returns:
        A `figure` element.
    """
    both = np.concatenate([first, second])
    scale = _Scale(min(0.0, float(both.min())), max(float(both.max()), 1e-9), left=16)
    edges = np.linspace(scale.low, scale.high, BINS + 1)
    height = 190
    base = height - BOTTOM
    shares = [np.histogram(each, edges)[0] / len(each) for each in (first, second)]
    top = max(float(share.max()) for share in shares)
    parts = [*_axis(scale, height)]
    for left, right, share in zip(edges[:-1], edges[1:], shares[0], strict=True):
        x, width, tall = scale(left), scale(right) - scale(left), share / top * (base - 12)
        if share:
            parts.append(
                f'<rect x="{x:.1f}" y="{base - tall:.1f}" width="{width:.1f}" '
                f'height="{tall:.1f}" fill="{MAIN}" fill-opacity=".55"/>'
            )
    steps = " ".join(
        f"{scale(x):.1f},{base - share / top * (base - 12):.1f}"
        for left, right, share in zip(edges[:-1], edges[1:], shares[1], strict=True)
        for x in (left, right)
    )
    parts.append(f'<polyline points="{steps}" fill="none" stroke="{CONTROL}" stroke-width="2"/>')
    if line is not None:
        parts.append(
            f'<line x1="{scale(line):.1f}" x2="{scale(line):.1f}" y1="6" y2="{base}" '
            'stroke="#1c1d22" stroke-dasharray="4 3"/>'
        )
    return _chart(height, title, axis, parts)


class _Scale:
    """From values to places along the axis."""

    def __init__(
        self, low: float, high: float, *, left: float = LABEL, width: float = WIDTH
    ) -> None:
        self.low, self.high, self.left, self.right = low, high, left, width - RIGHT

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        """Three to seven round values."""
        raw = (self.high - self.low) / 5
        unit = 10 ** np.floor(np.log10(raw))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw * 0.999)
        first = np.ceil(self.low / step - 1e-9)
        return [float(step * (first + i)) for i in range(8) if step * (first + i) <= self.high]


def _numbers(mark: Mark) -> list[float]:
    single = [mark.value, mark.control, *(mark.interval or ()), *(mark.control_interval or ())]
    return [float(number) for number in single if number is not None]


def _axis(scale: _Scale, height: float) -> list[str]:
    base = height - BOTTOM
    parts = []
    for tick in scale.ticks():
        x = scale(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{base}" stroke="#dcdee3"/>')
        parts.append(_text(x, base + 14, shown(0.0 if abs(tick) < 1e-12 else tick), "middle"))
    return parts


def _dot(
    scale: _Scale,
    y: float,
    value: float | None,
    interval: Sequence[float] | None,
    colour: str,
    *,
    hollow: bool,
) -> list[str]:
    if value is None:
        return []
    parts = []
    if interval is not None:
        parts.append(
            f'<line x1="{scale(interval[0]):.1f}" x2="{scale(interval[1]):.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>'
        )
    fill = "#fff" if hollow else colour
    parts.append(
        f'<circle cx="{scale(value):.1f}" cy="{y:.1f}" r="4.2" fill="{fill}" stroke="{colour}" '
        'stroke-width="2"/>'
    )
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _chart(height: float, title: str, axis: str, parts: Sequence[str], width: int = WIDTH) -> str:
    """The name of the axis stands below the picture, where a narrow page can break the line."""
    name = html.escape(title)
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">'
        f"<title>{name}</title>{''.join(parts)}</svg>"
        f"<figcaption>{html.escape(axis)}</figcaption></figure>"
    )

"""Charts of a report, drawn by Matplotlib: SVG inside the page, and PNG files.

Synthetic images are filled and real ones are hollow, so that charts are readable in grey.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from skin_synth.drawing import INK, SETTINGS, drawing, in_known_letters
from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance

PNG_DPI = 144
CHART_WIDTH = 4.8
"""Width in inches: text of `SETTINGS` is legible on a page of 400 pixels."""
LONGEST_LINE = 22
"""Letters of a name in one line."""
HISTOGRAM_BINS = 30
SYNTHETIC_COLOUR, REAL_COLOUR = "#8a3b22", "#5d616b"
SYNTHETIC_FILL = "#c1998d"
WHISKERS = (5, 95)
"""Percentiles at which the whiskers of a box end."""


class MeasureTitle(NamedTuple):
    """Name and unit of a measure of appearance."""

    name: str
    unit: str

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})"


TITLES = {
    "skin_tone": MeasureTitle("skin tone", "ITA, degrees"),
    "brightness": MeasureTitle("brightness", "L*"),
    "lesion_size": MeasureTitle("lesion size", "share of image"),
    "lesion_lightness": MeasureTitle("lesion lightness", "L*"),
    "lesion_redness": MeasureTitle("lesion redness", "a*"),
    "lesion_yellowness": MeasureTitle("lesion yellowness", "b*"),
}


class Mark(NamedTuple):
    """One row of a dot chart: `value` is filled, `control` hollow; None leaves a part out."""

    name: str
    value: float | None
    interval: Sequence[float] | None = None
    control: float | None = None
    control_interval: Sequence[float] | None = None


class Line(NamedTuple):
    """A line over positive numbers `x`, with a standard deviation at each point."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float]


class Chart(NamedTuple):
    """A chart for a page.

    Attributes:
        source: SVG as a data URI.
        title: description of the chart, for readers who cannot see it.
        caption: name and unit of the axis.
    """

    source: str
    title: str
    caption: str


@drawing("a chart", SETTINGS)
def dots(marks: Sequence[Mark], *, title: str, axis: str, from_zero: bool = True) -> Chart:
    """Draws one row or more from the top down; `from_zero` keeps 0 on the axis."""
    figure, axes = _rows([mark.name for mark in marks], CHART_WIDTH)
    shift = 0.17 if any(mark.control is not None for mark in marks) else 0.0
    for row, mark in enumerate(marks):
        draw_dot(axes, row + shift, mark.control, mark.control_interval, REAL_COLOUR, hollow=True)
        draw_dot(axes, row - shift, mark.value, mark.interval, SYNTHETIC_COLOUR, hollow=False)
    if from_zero:
        axes.axvline(0, color=REAL_COLOUR, linewidth=0.8, zorder=1)
    return as_chart(figure, title, axis)


@drawing("a chart", SETTINGS)
def histograms(
    first: np.ndarray, second: np.ndarray, *, title: str, axis: str, line: float | None = None
) -> Chart:
    """Draws float[n] filled, and float[m] as an outline; `line` marks a value."""
    both = np.concatenate([first, second])
    ends = min(0.0, both.min()), max(both.max(), 1e-9)
    edges = np.linspace(*ends, HISTOGRAM_BINS + 1).tolist()
    figure = Figure(figsize=(CHART_WIDTH, 1.7))
    axes = figure.subplots()
    shares, others = (np.full(len(values), 1 / len(values)) for values in (first, second))
    axes.hist(first, edges, weights=shares, color=SYNTHETIC_FILL)
    axes.hist(second, edges, weights=others, color=REAL_COLOUR, histtype="step", linewidth=1.6)
    if line is not None:
        axes.axvline(line, color=INK, linestyle="--", linewidth=1)
    axes.set_yticks([])
    return as_chart(figure, title, axis)


@drawing("a chart", SETTINGS)
def gain_curve(lines: Sequence[Line]) -> Chart:
    """Draws macro AUROC against the number of own images: control, use and ceiling."""
    figure = Figure(figsize=(CHART_WIDTH, 3.0))
    axes = figure.subplots()
    axes.set_xscale("log")
    styles = (
        (REAL_COLOUR, "o", "-"),
        (SYNTHETIC_COLOUR, "s", "-"),
        (REAL_COLOUR, "^", ":"),
    )
    for place, (line, (colour, marker, dash)) in enumerate(zip(lines, styles, strict=True)):
        shifted = np.asarray(line.x) * 1.03 ** (place - 1)  # bars that would hide each other
        face = colour if marker == "s" else "white"
        axes.errorbar(
            *(shifted, line.y, line.spread),
            color=colour,
            marker=marker,
            markerfacecolor=face,
            linestyle=dash,
            capsize=2,
            linewidth=1.4,
            label=line.name,
        )
    sizes = list(lines[0].x)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xlim(min(sizes) / 1.5, max(sizes) * 1.5)
    axes.minorticks_off()
    axes.grid(axis="y")
    axes.set_xlabel("own images")
    axes.set_title("macro AUROC")
    figure.legend(loc="outside lower center", frameon=False, fontsize=8.5)
    caption = (
        "macro AUROC against the number of own images; bars: standard deviation over trainings"
    )
    return as_chart(figure, "Macro AUROC against the number of own images", caption)


@drawing("appearance.png", SETTINGS)
def appearance_plot(
    real: Appearance,
    real_labels: np.ndarray,
    synthetic: Appearance,
    requested_labels: np.ndarray,
    class_names: Sequence[str],
) -> bytes:
    """Draws the distribution of each measure in real and synthetic images, as a PNG file.

    Boxes end at the quartiles, whiskers at the 5th and 95th percentile; the line is the median.
    """
    class_names = in_known_letters(class_names)
    figure = Figure(figsize=(2.2 * CHART_WIDTH, 2 * rows_height(class_names) + 0.9))
    grid = figure.subplots(2, len(MEASURES) // 2, sharey=True)
    for axes, measure in zip(grid.flat, MEASURES, strict=True):
        for offset, found, labels, colour in (
            (-0.19, synthetic, requested_labels, SYNTHETIC_COLOUR),
            (0.19, real, real_labels, REAL_COLOUR),
        ):
            for label in range(len(class_names)):
                chosen = getattr(found, measure)[labels == label]
                _box(axes, chosen[np.isfinite(chosen)], label + offset, colour)
        axes.set_title(str(TITLES[measure]))
    name_rows(grid.flat[0], class_names)
    handles = [_bar(grid.flat[0], 0, np.nan, np.nan, c) for c in (SYNTHETIC_COLOUR, REAL_COLOUR)]
    figure.legend(handles, ["synthetic", "real"], loc="outside upper right", ncols=2, frameon=False)
    return as_png(figure)


def draw_dot(
    axes: Axes,
    y: float,
    value: float | None,
    interval: Sequence[float] | None,
    colour: str,
    *,
    hollow: bool,
    marker: str = "o",
) -> None:
    """Draws a value with its interval in row `y`; None leaves both out."""
    if value is None:
        return
    if interval is not None:
        axes.plot(interval, [y, y], color=colour, linewidth=1.5)
    face, size = "white" if hollow else colour, 6 if marker == "o" else 9
    axes.plot(value, y, marker, color=colour, markerfacecolor=face, markersize=size)


def _bar(axes: Axes, place: float, low: float, high: float, colour: str) -> Rectangle:
    """Draws a bar: filled for synthetic images, hollow for real ones."""
    face = SYNTHETIC_FILL if colour == SYNTHETIC_COLOUR else "white"
    (bar,) = axes.barh(
        place, high - low, left=low, height=0.28, facecolor=face, edgecolor=colour, zorder=2
    )
    return bar


def _box(axes: Axes, values: np.ndarray, place: float, colour: str) -> None:
    if not len(values):
        return
    low, first, median, third, high = np.percentile(values, [WHISKERS[0], 25, 50, 75, WHISKERS[1]])
    axes.plot([low, high], [place, place], color=colour, linewidth=1, zorder=1)
    _bar(axes, place, first, third, colour)
    axes.plot([median, median], [place - 0.14, place + 0.14], color=INK, linewidth=1.6)


def rows_height(names: Sequence[str]) -> float:
    """Height of the rows in inches, with room for the longest name."""
    lines = max(len(textwrap.wrap(name, LONGEST_LINE)) for name in names)
    return len(names) * (0.16 + 0.16 * lines)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Names rows from the top down, in several lines where a name is long."""
    axes.set_yticks(range(len(names)), [textwrap.fill(name, LONGEST_LINE) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def _rows(names: Sequence[str], width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, rows_height(names) + 0.4))
    axes = figure.subplots()
    axes.locator_params(axis="x", nbins=5)  # because more labels could touch
    name_rows(axes, names)
    return figure, axes


def as_chart(figure: Figure, title: str, caption: str) -> Chart:
    """Draws a figure as SVG."""
    figure.savefig(buffer := io.BytesIO(), format="svg", metadata={"Date": None, "Creator": None})
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Chart(f"data:image/svg+xml;base64,{encoded}", title, caption)


def as_png(figure: Figure) -> bytes:
    """Draws a figure as a PNG file."""
    figure.savefig(buffer := io.BytesIO(), format="png", dpi=PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()

"""Draws the validation curve: one panel per class, readable in greyscale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from skin_synth.training.validation.curve import WHOLE, Curve, Point
from tfrecords_tools.atomic import new_file

PANELS_A_ROW = 4
PANEL_SIZE = (2.9, 1.9)
"""Width and height of a panel, in inches."""
CURVE_DPI = 100
LineStyle = dict[str, Any]
SYNTHETIC_LINE: LineStyle = {"color": "black", "marker": "o", "markersize": 3, "linewidth": 1.4}
BASELINE_LINE: LineStyle = {"color": "0.35", "linestyle": "--", "linewidth": 1.2}
BEST_LINE: LineStyle = {"color": "0.35", "linestyle": ":", "linewidth": 1.4}
LINE_LABELS = {
    "synthetic images against validation": SYNTHETIC_LINE,
    "real training images against validation (floor)": BASELINE_LINE,
    "best checkpoint": BEST_LINE,
}
PANEL_TITLES = {
    "kid": "KID (kernel distance) by images seen: lower is better",
    "coverage": "coverage by images seen: higher is better",
}


def draw_curve(
    curve: Curve,
    baseline: Sequence[Point],
    class_names: Sequence[str],
    path: Path,
    *,
    best: int | None = None,
) -> None:
    """Draws kernel distance and coverage against images seen, all classes and each, to a PNG.

    Args:
        curve: the curve, with at least one point.
        baseline: points of real images against real ones; a dashed line in each panel.
        class_names: in the order of the panels; classes without a point get none.
        path: of the PNG, written complete or not at all.
        best: images seen by the best checkpoint; a dotted line marks it.
    """
    labels = [label for label in (WHOLE, *class_names) if curve.of(label)]
    rows = math.ceil(len(labels) / PANELS_A_ROW)
    size = PANELS_A_ROW * PANEL_SIZE[0], 2 * rows * PANEL_SIZE[1] + 1.0
    figure = Figure(figsize=size, layout="constrained")
    keys = [Line2D([], [], label=label, **style) for label, style in LINE_LABELS.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=3, frameon=False)
    spec = figure.add_gridspec(2, 1)
    halves = [figure.add_subfigure(spec[row]) for row in range(2)]
    for block, (measure, title) in zip(halves, PANEL_TITLES.items(), strict=True):
        block.suptitle(title, fontsize="medium", fontweight="bold")
        grid = block.subplots(rows, PANELS_A_ROW, sharex=True, sharey=True, squeeze=False)
        for axes, label in zip(grid.flat, labels, strict=False):
            _draw(axes, curve.of(label), [p for p in baseline if p.label == label], measure, best)
        # Limits of shared axes are set last, because they would freeze at the present content.
        grid[0, 0].set_xlim(0, 1.04 * max(point.images for point in curve.points))
        if measure == "coverage":
            grid[0, 0].set_ylim(0, 1.02)
        for axes in list(grid.flat)[len(labels) :]:
            axes.remove()
    with new_file(path) as file:
        figure.savefig(file, format="png", dpi=CURVE_DPI)


def _draw(
    axes: Axes, points: list[Point], baseline: list[Point], measure: str, best: int | None
) -> None:
    known = [(p.images, getattr(p, measure)) for p in points if getattr(p, measure) is not None]
    if known:
        axes.plot(*zip(*known, strict=True), **SYNTHETIC_LINE)
    else:
        axes.text(0.5, 0.5, "too few images", transform=axes.transAxes, ha="center", color="0.35")
    for point in baseline:
        if (value := getattr(point, measure)) is not None:
            axes.axhline(value, **BASELINE_LINE)
    if best is not None:
        axes.axvline(best, **BEST_LINE)
    axes.set_title(f"{points[0].label or 'all classes'} (n = {points[0].n:,})", fontsize="small")
    axes.xaxis.set_major_formatter(lambda images, _: f"{images / 1000:,.0f}k")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize="x-small", labelbottom=True)
    axes.grid(color="0.9")

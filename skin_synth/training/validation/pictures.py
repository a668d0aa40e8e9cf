"""Draws the validation curve: one panel per class, readable in greyscale."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from skin_synth.drawing import drawing, in_known_letters
from skin_synth.training.validation.curve import WHOLE, Curve, Point
from tfrecords_tools.atomic import new_file

PANELS_A_ROW = 4
PANEL_SIZE = (2.9, 1.9)
"""Width and height of a panel, in inches."""
TITLE_LINE, LONGEST_TITLE = 0.14, 44
"""Height of a line of a title in inches, and its letters."""
LETTER_WIDTH = 0.07
"""Inches for a letter of a name beside a map; a wide letter needs less."""
MOST_PANELS = 12
"""Each panel of both measures takes a tenth of a second."""
CURVE_DPI = 100
Points = Mapping[str, list[Point]]
"""Points by label, in the order of the panels."""
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


@drawing("validation.png")
def draw_curve(
    curve: Curve,
    baseline: Sequence[Point],
    class_names: Sequence[str],
    path: Path,
    *,
    best: int | None = None,
) -> None:
    """Draws kernel distance and coverage against images seen, all classes and each, to a PNG.

    Each class has a panel. More than `MOST_PANELS` panels take too long to draw, so many classes
    are rows of one map for each measure, with grey for the value.

    Args:
        curve: the curve, with at least one point.
        baseline: points of real images against real ones; a dashed line in each panel.
        class_names: in the order of the panels; classes without a point get none.
        path: of the PNG, written complete or not at all.
        best: images seen by the best checkpoint; a dotted line marks it.
    """
    points: dict[str, list[Point]] = {}
    for point in curve.points:
        points.setdefault(point.label, []).append(point)
    shown = {label: points[label] for label in (WHOLE, *class_names) if label in points}
    titles = dict(
        zip(shown, in_known_letters(label or "all classes" for label in shown), strict=True)
    )
    floors = {point.label: point for point in baseline}
    draw = _panels if len(shown) <= MOST_PANELS else _maps
    figure = draw(shown, floors, titles, best)
    with new_file(path) as file:
        figure.savefig(file, format="png", dpi=CURVE_DPI)


def _panels(
    points: Points, floors: Mapping[str, Point], titles: Mapping[str, str], best: int | None
) -> Figure:
    """Draws a panel of each class for each measure."""
    lines = max(len(_wrapped(title)) for title in titles.values())
    rows, panel = math.ceil(len(points) / PANELS_A_ROW), PANEL_SIZE[1] + TITLE_LINE * (lines - 1)
    half = rows * panel + 0.4
    figure = Figure(figsize=(PANELS_A_ROW * PANEL_SIZE[0], 2 * half + 0.4))
    keys = [Line2D([], [], label=label, **style) for label, style in LINE_LABELS.items()]
    figure.legend(handles=keys, loc="lower center", ncols=3, frameon=False)
    # A layout engine would take six times as long.
    spec = figure.add_gridspec(3, 1, height_ratios=(half, half, 0.4))
    halves = [figure.add_subfigure(spec[row]) for row in range(2)]
    last = max(point.images for each in points.values() for point in each)
    for block, (measure, title) in zip(halves, PANEL_TITLES.items(), strict=True):
        block.suptitle(title, fontsize="medium", fontweight="bold", y=1 - 0.1 / half)
        grid = block.subplots(rows, PANELS_A_ROW, sharex=True, sharey=True, squeeze=False)
        block.subplots_adjust(
            left=0.05,
            right=0.99,
            bottom=0.3 / half,
            top=1 - (0.45 + TITLE_LINE * lines) / half,
            hspace=(0.35 + TITLE_LINE * lines) / (panel - 0.35 - TITLE_LINE * lines),
        )
        for axes, (label, of_class) in zip(grid.flat, points.items(), strict=False):
            name = "\n".join(_wrapped(f"{titles[label]} (n = {of_class[0].n:,})"))
            axes.set_title(name, fontsize="small")
            _draw(axes, of_class, floors.get(label), measure, best)
        # Limits of shared axes are set last, because they would freeze at the present content.
        grid[0, 0].set_xlim(0, 1.04 * last)
        if measure == "coverage":
            grid[0, 0].set_ylim(0, 1.02)
        for axes in list(grid.flat)[len(points) :]:
            axes.remove()
    return figure


def _maps(
    points: Points, floors: Mapping[str, Point], titles: Mapping[str, str], best: int | None
) -> Figure:
    """Draws a row of each class for each measure: grey for the value, the last one in figures."""
    seen = sorted({point.images for each in points.values() for point in each})
    column = {images: number for number, images in enumerate(seen)}
    names = list(points)
    height = 0.14 * len(names) + 1.0
    margin = 0.3 + LETTER_WIDTH * max(len(titles[name]) for name in names)
    width = margin + PANELS_A_ROW * PANEL_SIZE[0]
    figure = Figure(figsize=(width, height))
    both = figure.subplots(1, 2, sharey=True)
    right, top = 1 - 1.0 / width, 1 - 0.45 / height
    figure.subplots_adjust(margin / width, 0.3 / height, right, top, wspace=0.3)
    for axes, (measure, title) in zip(both, PANEL_TITLES.items(), strict=True):
        values = np.full((len(names), len(seen)), np.nan)
        for row, name in enumerate(names):
            for point in points[name]:
                value = getattr(point, measure)
                values[row, column[point.images]] = np.nan if value is None else value
        known = values[np.isfinite(values)]
        ends = (0.0, 1.0) if measure == "coverage" else (0.0, _percentile(known))
        shades = "Greys" if measure == "kid" else "Greys_r"
        axes.imshow(values, cmap=shades, vmin=ends[0], vmax=ends[1], aspect="auto")
        axes.set_title(f"{title}; dark is worse", fontsize="small", fontweight="bold")
        for row, name in enumerate(names):
            floor = getattr(floors[name], measure) if name in floors else None
            found = [getattr(point, measure) for point in points[name]]
            text = f"{_short(found[-1])} (floor {_short(floor)})"
            place = axes.get_yaxis_transform()  # parts of the width, and rows
            axes.text(1.01, row, text, fontsize=6, va="center", transform=place)
        axes.set_yticks(range(len(names)), [titles[name] for name in names], fontsize=6)
        places = np.unique(np.linspace(0, len(seen) - 1, min(6, len(seen))).round().astype(int))
        axes.set_xticks(places, [f"{seen[place] / 1000:,.0f}k" for place in places], fontsize=7)
        if best in column:
            axes.axvline(column[best], **BEST_LINE)
    return figure


def _percentile(values: np.ndarray) -> float:
    """Returns a value that only the worst twentieth exceeds, above 0."""
    return max(float(np.percentile(values, 95)), 1e-9) if len(values) else 1.0


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:z.3g}"


def _wrapped(title: str) -> list[str]:
    return textwrap.wrap(title, LONGEST_TITLE)


def _draw(
    axes: Axes, points: list[Point], floor: Point | None, measure: str, best: int | None
) -> None:
    known = [(p.images, getattr(p, measure)) for p in points if getattr(p, measure) is not None]
    if known:
        axes.plot(*zip(*known, strict=True), **SYNTHETIC_LINE)
    else:
        axes.text(0.5, 0.5, "too few images", transform=axes.transAxes, ha="center", color="0.35")
    if floor is not None and (value := getattr(floor, measure)) is not None:
        axes.axhline(value, **BASELINE_LINE)
    if best is not None:
        axes.axvline(best, **BEST_LINE)
    axes.xaxis.set_major_formatter(lambda images, _: f"{images / 1000:,.0f}k")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize="x-small", labelbottom=True)
    axes.grid(color="0.9")

"""Plots of the utility study and of appearance, as PNG files in memory."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance
from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility.differences import GAIN, HARM
from skin_synth.evaluation.utility.results import PRIMARY_METRIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
REAL, SYNTHETIC, INK, GRID = "#0072b2", "#d55e00", "#18181b", "#d4d4d8"
"""Blue and vermilion of Okabe & Ito, which colour-blind readers tell apart."""
VERDICT_COLOURS = {GAIN: "#009e73", HARM: SYNTHETIC}
"""Other verdicts are grey."""
GREY = "#71717a"
TITLES = {
    "skin_tone": "skin tone (ITA, degrees)",
    "brightness": "brightness (L*)",
    "lesion_size": "lesion size (share of picture)",
    "lesion_lightness": "lesion lightness (L*)",
    "lesion_redness": "lesion redness (a*)",
    "lesion_yellowness": "lesion yellowness (b*)",
}
BOX = 0.55
"""Opacity of a box."""
WHISKERS = (5, 95)
"""Percentiles at which the whiskers of a box end."""


def forest_plot(results: Mapping[str, Any]) -> bytes:
    """Differences of a utility study with their intervals, one per row.

    A thick line is the interval on its own, a thin one that corrected for all comparisons; the
    colour says the verdict. Synthetic only is shown hollow: the verdict does not look at it.

    Args:
        results: `asdict` of `skin_synth.evaluation.utility.results.UtilityResults`.

    Returns:
        The PNG file's bytes.
    """
    differences = sorted(results["differences"], key=lambda entry: entry["classifier"])
    figure, axes = _axes(7.5, 1.6 + 0.42 * len(differences))
    axes.axvline(0, color=INK, linewidth=1)
    for row, entry in enumerate(differences):
        found = entry["metrics"][PRIMARY_METRIC]
        judged = entry["verdict"] is not None
        colour = VERDICT_COLOURS.get(entry["verdict"], GREY)
        if judged:
            ends = [found["corrected_low"], found["corrected_high"]]
            axes.plot(ends, [row, row], color=colour, linewidth=1.2)
        axes.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=3.5)
        face = colour if judged else "white"
        axes.plot(found["difference"], row, "o", color=colour, markerfacecolor=face, markersize=7)
    axes.set_yticks(range(len(differences)), [_row_label(entry) for entry in differences])
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.set_xlabel(
        "difference in macro AUROC to the best classical control\n"
        f"(thick: {LEVEL:.0%} interval; thin: corrected for "
        f"{results['verdict']['comparisons']} comparisons;\n"
        "green: gain, red: harm, grey: neither, hollow: not judged)",
        fontsize=9,
    )
    axes.set_title(results["verdict"]["words"], loc="left", fontsize=11, color=INK)
    return _png(figure)


def appearance_plot(
    real: Appearance,
    real_labels: np.ndarray,
    synthetic: Appearance,
    requested_labels: np.ndarray,
    class_names: Sequence[str],
) -> bytes:
    """Distribution of each measure in real and synthetic images of each class.

    Boxes end at the quartiles and whiskers at the 5th and 95th percentile; the line is the median.

    Args:
        real: measures of n real images.
        real_labels: int[n].
        synthetic: measures of m synthetic images.
        requested_labels: int[m], the label that each was painted for.
        class_names: in the order of the labels.

    Returns:
        The PNG file's bytes.
    """
    columns = 3
    height = 0.9 + 0.42 * len(class_names)
    figure, grid = _grid(11, 2 * height + 0.4, len(MEASURES) // columns, columns)
    for number, (axes, name) in enumerate(zip(grid.flat, MEASURES, strict=True)):
        _style(axes)
        for offset, colour, measures, labels in (
            (-0.19, REAL, real, real_labels),
            (0.19, SYNTHETIC, synthetic, requested_labels),
        ):
            values = getattr(measures, name)
            for label in range(len(class_names)):
                chosen = values[labels == label]
                _box(axes, chosen[np.isfinite(chosen)], label + offset, colour)
        ticks = class_names if number % columns == 0 else [""] * len(class_names)
        axes.set_yticks(range(len(class_names)), ticks)
        axes.set_ylim(len(class_names) - 0.5, -0.5)
        axes.set_title(TITLES[name], loc="left", fontsize=10, color=INK)
    handles = [grid.flat[0].plot([], [], color=c, linewidth=6)[0] for c in (REAL, SYNTHETIC)]
    figure.legend(handles, ["real", "synthetic"], loc="outside upper right", ncols=2, frameon=False)
    return _png(figure)


def _row_label(entry: Mapping[str, Any]) -> str:
    return f"{entry['arm']}\n{entry['classifier']}"


def _box(axes: Axes, values: np.ndarray, place: float, colour: str) -> None:
    """One horizontal box; nothing where there are no values."""
    if not len(values):
        return
    low, first, median, third, high = np.percentile(values, [WHISKERS[0], 25, 50, 75, WHISKERS[1]])
    axes.plot([low, high], [place, place], color=colour, linewidth=1)
    axes.barh(place, third - first, left=first, height=0.28, color=colour, alpha=BOX)
    axes.plot([median, median], [place - 0.14, place + 0.14], color=INK, linewidth=1.6)


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure, grid = _grid(width, height, 1, 1)
    _style(grid[0, 0])
    return figure, grid[0, 0]


def _grid(width: float, height: float, rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """A figure that no window and no global state knows of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _style(axes: Axes) -> None:
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()

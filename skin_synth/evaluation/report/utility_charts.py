"""Charts of the utility study: gains with intervals, and the losses of the trainings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from skin_synth.drawing import INK, SETTINGS, drawing, in_known_letters
from skin_synth.evaluation.report.charts import (
    CHART_WIDTH,
    REAL_COLOUR,
    SYNTHETIC_COLOUR,
    Chart,
    as_chart,
    as_png,
    draw_dot,
    name_rows,
    rows_height,
)
from skin_synth.evaluation.utility.differences import GAIN, HARM, Difference
from skin_synth.evaluation.utility.results import ClassifierResult, Comparison, UtilityResults

VERDICT_STYLES = {GAIN: ("#009e73", ">"), HARM: ("#d55e00", "<")}
"""Colour and marker; other differences are grey dots. Colour-blind readers can distinguish
the colours (Okabe & Ito)."""


class DrawnDifference(NamedTuple):
    """A difference whose positive values are good.

    Attributes:
        difference: in units of the measure.
        interval, corrected: both ends, for one measure and for both together.
        words: of the verdict on this measure; None for information.
    """

    difference: float
    interval: tuple[float, float]
    corrected: tuple[float, float]
    words: str | None


class UtilityRow(NamedTuple):
    """The chosen use against another arm: macro AUROC, then log loss."""

    name: str
    measures: tuple[DrawnDifference, DrawnDifference]


def utility_rows(found: UtilityResults) -> list[UtilityRow]:
    """Returns all planned comparisons, then those of the first classifier for information."""
    several = len(found.classifiers) > 1
    rows = []
    for result in found.classifiers:
        for comparison in result.comparisons:
            parts = [result.classifier] if several else []
            parts += [comparison.test_set.name] if len(result.comparisons) > 1 else []
            name = ", ".join(parts)
            rows.append(_utility_row(comparison, 1, f"{name}: " if name else ""))
    first = found.classifiers[0].comparisons[0]
    others = [n for n, arm in enumerate(first.arms) if n > 1 and arm.use_minus_arm is not None]
    return rows + [_utility_row(first, number, "") for number in others]


def _utility_row(comparison: Comparison, number: int, prefix: str) -> UtilityRow:
    arm, verdict = comparison.arms[number], comparison.verdict
    found = arm.use_minus_arm
    if found is None:
        raise ValueError(f"{arm.arm} has no difference")
    planned = number == 1
    return UtilityRow(
        f"{prefix}{arm.arm}",
        (
            _good(found.macro_auroc, 1.0, verdict.macro_auroc.words if planned else None),
            _good(found.log_loss, -1.0, verdict.log_loss.words if planned else None),
        ),
    )


def _good(found: Difference, sign: float, words: str | None) -> DrawnDifference:
    low, high = sorted((sign * found.low, sign * found.high))
    corrected_low, corrected_high = sorted(
        (sign * found.corrected_low, sign * found.corrected_high)
    )
    return DrawnDifference(
        sign * found.difference, (low, high), (corrected_low, corrected_high), words
    )


@drawing("a chart", SETTINGS)
def utility_chart(found: UtilityResults) -> Chart:
    """Draws the differences of the chosen use to the other compared arms."""
    use = found.classifiers[0].use
    return as_chart(
        _utility_figure(found, CHART_WIDTH),
        "Gain of synthetic images, with intervals",
        f"“{use}” against each of these ways without synthetic images",
    )


@drawing("utility.png", SETTINGS)
def utility_plot(found: UtilityResults) -> bytes:
    """Draws `utility_chart` as a PNG file."""
    figure = _utility_figure(found, 1.5 * CHART_WIDTH, in_known_letters)
    figure.suptitle(f"{found.verdict.words}: “{found.classifiers[0].use}” against")
    figure.set_figheight(figure.get_figheight() + 0.4)
    return as_png(figure)


@drawing("a chart", SETTINGS)
def loss_curves(found: ClassifierResult) -> Chart:
    """Draws the losses of the chosen use and the chosen control in their last phase."""
    figure = Figure(figsize=(CHART_WIDTH, 2.6))
    axes = figure.subplots()
    axes.grid(axis="y")
    for name, colour in ((found.use, SYNTHETIC_COLOUR), (found.control, REAL_COLOUR)):
        curve = found.curves[name]
        losses = [np.nan if loss is None else loss for loss in curve.training_loss]
        axes.plot(curve.steps, curve.validation_loss, color=colour, label=f"{name}: validation")
        axes.plot(curve.steps, losses, color=colour, linestyle="--", label=f"{name}: training")
    figure.legend(loc="outside lower center", frameon=False, fontsize=8.5)
    figure.set_figheight(3.2)
    caption = f"{found.classifier}: loss against steps, in the last phase of the trainings"
    return as_chart(figure, f"Losses of {found.classifier}", caption)


def _utility_figure(
    found: UtilityResults, width: float, shown: Callable[[list[str]], list[str]] = list
) -> Figure:
    rows = utility_rows(found)
    names = shown([row.name for row in rows])
    figure = Figure(figsize=(width, 2 * (rows_height(names) + 0.65)))
    titles = "gain in macro AUROC", "decrease of the class-balanced log loss"
    for axes, title, number in zip(figure.subplots(2), titles, (0, 1), strict=True):
        axes.locator_params(axis="x", nbins=5)  # more labels could touch
        name_rows(axes, names)
        axes.set_title(title)
        axes.axvline(0, color=INK, linewidth=0.8)
        for y, row in enumerate(rows):
            drawn = row.measures[number]
            colour, marker = VERDICT_STYLES.get(drawn.words or "", (REAL_COLOUR, "o"))
            axes.plot(drawn.interval, [y, y], color=colour, linewidth=3.5)
            hollow = drawn.words is None
            draw_dot(
                axes, y, drawn.difference, drawn.corrected, colour, hollow=hollow, marker=marker
            )
    return figure

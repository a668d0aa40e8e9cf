"""Plots show what they are given: points, intervals and boxes stand where the figures say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance
from skin_synth.evaluation.report import plots
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER


def entry(arm, verdict, low, high):
    interval = {
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
        "corrected_low": low - 0.01,
        "corrected_high": high + 0.01,
    }
    metrics = {"macro_auroc": interval}
    return {"arm": arm, "classifier": "cnn", "verdict": verdict, "metrics": metrics}


def results_of(*entries):
    return {"differences": list(entries), "verdict": {"words": GAIN, "comparisons": len(entries)}}


def pixels(png):
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def columns_of(image, colour):
    """Columns that hold pixels of this very colour."""
    wanted = np.round(255 * np.array(to_rgb(colour)))
    return np.flatnonzero((np.abs(image - wanted).max(axis=2) <= 1).any(axis=0))


def test_verdicts_have_their_colours_and_sides():
    image = pixels(
        plots.forest_plot(
            results_of(
                entry("gain", GAIN, 0.05, 0.1),
                entry("harm", HARM, -0.1, -0.05),
                entry("neither", NEITHER, -0.02, 0.02),
            )
        )
    )
    gain = columns_of(image, plots.VERDICT_COLOURS[GAIN])
    harm = columns_of(image, plots.VERDICT_COLOURS[HARM])
    neither = columns_of(image, plots.GREY)
    assert harm.max() < neither.mean() < gain.min()
    # Corrected intervals are 0.07 wide for both, that of neither 0.06.
    assert len(gain) == pytest.approx(len(harm), abs=3)
    assert np.ptp(neither) / np.ptp(gain) == pytest.approx(6 / 7, abs=0.06)


def test_the_picture_grows_with_its_rows():
    few = pixels(plots.forest_plot(results_of(entry("a", NEITHER, -0.1, 0.1))))
    many = pixels(plots.forest_plot(results_of(*[entry("a", NEITHER, -0.1, 0.1)] * 8)))
    assert many.shape[0] > 2 * few.shape[0]
    assert many.shape[1] == few.shape[1]


def test_what_the_verdict_does_not_look_at_is_hollow():
    def middle(verdict):
        image = pixels(plots.forest_plot(results_of(entry("a", verdict, 0.1, 0.3))))
        colour = np.round(255 * np.array(to_rgb(plots.GREY)))
        row, column = (
            round(places.mean()) for places in np.nonzero(np.abs(image - colour).max(axis=2) <= 1)
        )
        return image[row, column]

    np.testing.assert_array_equal(middle(None), 255)
    assert (middle(NEITHER) < 200).all()


def appearance(n, shift, missing=0):
    values = np.linspace(-1, 1, n) + shift
    values[:missing] = np.nan
    return Appearance(*([values] * len(MEASURES)))


def test_boxes_stand_where_the_values_are():
    labels = np.repeat([0, 1], 20)
    png = plots.appearance_plot(
        appearance(40, 0.0), labels, appearance(40, 10.0), labels, ("a", "b")
    )
    image = pixels(png)
    panel = image[: image.shape[0] // 2, : image.shape[1] // 3]
    panel = panel[panel.shape[0] // 6 :]  # below the legend
    real, synthetic = (
        columns_of(panel, plots.BOX * np.array(to_rgb(colour)) + 1 - plots.BOX)
        for colour in (plots.REAL, plots.SYNTHETIC)
    )
    assert real.max() < synthetic.min()


def test_measures_that_are_missing_leave_gaps():
    labels = np.repeat([0, 1], 20)
    empty = appearance(40, 0.0, missing=40)
    png = plots.appearance_plot(empty, labels, appearance(40, 0.0), labels, ("a", "b"))
    assert pixels(png).std() > 0
    nothing = Appearance(*[np.empty(0)] * len(MEASURES))
    none = np.empty(0, int)
    assert pixels(plots.appearance_plot(nothing, none, nothing, none, ("a", "b"))).std() > 0


def test_the_same_figures_give_the_same_file():
    given = results_of(entry("a", GAIN, 0.1, 0.2))
    assert plots.forest_plot(given) == plots.forest_plot(given)
    assert set(plots.TITLES) == set(MEASURES)

"""Charts: points, intervals and boxes are where the figures say, and no name breaks out."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance
from skin_synth.evaluation.report import charts
from skin_synth.evaluation.report.charts import Mark, dots, histograms

SVG = "{http://www.w3.org/2000/svg}"


def parts(chart, tag):
    """Elements of a chart, as their attributes and text."""
    text = base64.b64decode(chart.source.removeprefix("data:image/svg+xml;base64,"))
    return [({**part.attrib}, part.text) for part in ElementTree.fromstring(text).iter(SVG + tag)]


def places(chart, fill):
    """Horizontal places of the dots with this fill."""
    return [
        float(part["x"]) for part, _ in parts(chart, "use") if f"fill: {fill};" in part["style"]
    ]


def bars(chart, colour):
    """Ends of the horizontal lines of this colour."""
    lines = [
        part["d"].replace("M", "").replace("L", "").split()
        for part, _ in parts(chart, "path")
        if f"stroke: {colour}; stroke-width: 1.5" in part.get("style", "")
    ]
    return [(float(numbers[0]), float(numbers[2])) for numbers in lines]


def width(chart):
    return float(parts(chart, "svg")[0][0]["viewBox"].split()[2])


def test_dots_lie_in_the_order_of_their_values():
    marks = [Mark("a", 0.0, [-0.1, 0.2], 0.5), Mark("b", 1.0), Mark("c", None, None, 2.0)]
    chart = dots(marks, title="Shares", axis="share")
    first, second = places(chart, charts.SYNTHETIC_COLOUR)
    third, fourth = places(chart, "#ffffff")
    assert first < third < second < fourth < width(chart)
    assert fourth - second == pytest.approx(second - first, abs=0.2)
    ((low, high),) = bars(chart, charts.SYNTHETIC_COLOUR)
    assert low < first < high
    assert (chart.title, chart.caption) == ("Shares", "share")


@pytest.mark.parametrize("values", [[None], [0.0], [5.0], [-3.0, -2.0], [1e-9, 2e-9], [1e6, -1e6]])
def test_any_values_give_a_plot_with_ticks_inside(values):
    chart = dots([Mark(str(value), value) for value in values], title="t", axis="x")
    found = [float(part["x"]) for part, _ in parts(chart, "text")]
    assert len(found) >= len(values) + 2
    assert all(0 <= place <= width(chart) for place in found)


def test_an_axis_may_leave_out_zero():
    marks = [Mark("a", 40.0), Mark("b", 50.0)]
    drawn = [dots(marks, title="t", axis="x", from_zero=zero) for zero in (False, True)]
    near, far = (np.ptp(places(chart, charts.SYNTHETIC_COLOUR)) for chart in drawn)
    assert near > 4 * far


@pytest.mark.parametrize("name", ['<b>"&', "$a$ and \\alpha", "色素性母斑", "melanoma " * 6])
def test_names_are_whole_and_do_not_break_out(name):
    chart = dots([Mark(name, 1.0)], title="<i>", axis="a & b")
    words = " ".join(text for _, text in parts(chart, "text"))
    assert all(word in words for word in name.split())


def test_histograms_show_both_and_the_line():
    chart = histograms(np.arange(100.0), np.arange(50.0, 150.0), title="t", axis="x", line=75.0)
    paths = [part for part, _ in parts(chart, "path")]
    filled = [part for part in paths if f"fill: {charts.SYNTHETIC_FILL}" in part.get("style", "")]
    assert 15 <= len(filled) <= charts.HISTOGRAM_BINS
    (dashed,) = [part for part in paths if "stroke-dasharray" in part.get("style", "")]
    assert 0.4 * width(chart) < float(dashed["d"].split()[1]) < 0.6 * width(chart)
    (outline,) = [part for part in paths if "stroke-width: 1.6" in part.get("style", "")]
    assert outline["d"].count("L") >= 2 * charts.HISTOGRAM_BINS


def test_histograms_of_copies():
    assert histograms(np.zeros(5), np.zeros(3), title="t", axis="x").source


def test_charts_ignore_the_settings_of_the_user():
    def all_charts():
        marks = [Mark("a", 1.0, [0.5, 2.0], 2.0)]
        appearances = appearance(0.0), LABELS, appearance(10.0), LABELS
        return dots(marks, title="t", axis="x"), charts.appearance_plot(*appearances, ("a", "b"))

    expected = all_charts()
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert all_charts() == expected
        assert matplotlib.rcParams["font.size"] == 30


def pixels(png):
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB")).astype(int)


def columns_of(image, colour):
    """Columns that hold pixels of this colour."""
    wanted = np.round(255 * np.array(to_rgb(colour)))
    return np.flatnonzero((np.abs(image - wanted).max(axis=2) <= 1).any(axis=0))


LABELS = np.repeat([0, 1], 20)


def appearance(shift):
    return Appearance(*[np.linspace(-1, 1, 40) + shift] * len(MEASURES))


def test_boxes_are_where_the_values_are():
    image = pixels(
        charts.appearance_plot(appearance(0.0), LABELS, appearance(10.0), LABELS, ("a", "b"))
    )
    panel = image[: image.shape[0] // 2, : image.shape[1] // 3]
    panel = panel[panel.shape[0] // 5 :]  # below the legend
    real = columns_of(panel, charts.REAL_COLOUR)
    synthetic = columns_of(panel, charts.SYNTHETIC_FILL)
    assert real.max() < synthetic.min()


def test_measures_that_are_missing_leave_gaps():
    empty = appearance(np.nan)
    png = charts.appearance_plot(empty, LABELS, appearance(0.0), LABELS, ("a", "b"))
    assert pixels(png).std() > 0
    nothing = Appearance(*[np.empty(0)] * len(MEASURES))
    none = np.empty(0, int)
    assert pixels(charts.appearance_plot(nothing, none, nothing, none, ("a", "b"))).std() > 0
    assert set(charts.TITLES) == set(MEASURES)

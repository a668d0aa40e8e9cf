"""Charts: sound SVG, marks where the values are, names that cannot break out."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from skin_synth.evaluation.report.charts import BINS, CONTROL, MAIN, WIDTH, Mark, dots, histograms


def parts(svg, tag):
    return ElementTree.fromstring(svg).find("svg").findall(tag)


def test_dots_lie_in_the_order_of_their_values():
    marks = [Mark("a", 0.0, [-0.1, 0.2], 0.5), Mark("b", 1.0), Mark("c", None, None, 2.0)]
    svg = dots(marks, title="Shares", axis="share")
    circles = [circle.attrib for circle in parts(svg, "circle")]
    judged = [float(mark["cx"]) for mark in circles if mark["fill"] == MAIN]
    controls = [float(mark["cx"]) for mark in circles if mark["stroke"] == CONTROL]
    assert len(judged) == len(controls) == 2
    assert judged[0] < controls[0] < judged[1] < controls[1] < WIDTH
    assert controls[1] - judged[1] == pytest.approx(judged[1] - judged[0], abs=0.2)
    bars = [line.attrib for line in parts(svg, "line") if line.get("stroke") == MAIN]
    assert len(bars) == 1
    assert float(bars[0]["x1"]) < judged[0] < float(bars[0]["x2"])


@pytest.mark.parametrize("values", [[None], [0.0], [5.0], [-3.0, -2.0], [1e-9, 2e-9], [1e6, -1e6]])
def test_any_values_give_a_picture_with_ticks_inside(values):
    svg = dots([Mark(str(value), value) for value in values], title="t", axis="x")
    places = [float(text.get("x")) for text in parts(svg, "text")]
    assert len(places) >= len(values) + 2
    assert all(0 <= place <= WIDTH for place in places)


def test_an_axis_may_leave_out_zero_and_crosses_it_with_a_line():
    def crossing(values, **options):
        marks = [Mark(str(value), value) for value in values]
        svg = dots(marks, title="t", axis="x", width=300, **options)
        lines = [line for line in parts(svg, "line") if line.get("stroke") == CONTROL]
        return [float(circle.get("cx")) for circle in parts(svg, "circle")], lines

    near, _ = crossing([40.0, 50.0], from_zero=False)
    far, lines = crossing([40.0, 50.0])
    assert near[1] - near[0] > 4 * (far[1] - far[0])
    assert max(*near, *far) < 300
    assert not lines
    places, (zero,) = crossing([-1.0, 2.0])
    assert places[0] < float(zero.get("x1")) < places[1]


def test_names_are_escaped():
    svg = dots([Mark('<b>"&', 1.0)], title="<i>", axis="a & b")
    assert "<b>" not in svg
    assert "<i>" not in svg
    assert [text.text for text in parts(svg, "text")][-1] == '<b>"&'
    assert ElementTree.fromstring(svg).find("figcaption").text == "a & b"


def test_histograms_show_both_and_the_line():
    svg = histograms(np.arange(100.0), np.arange(50.0, 150.0), title="t", axis="x", line=75.0)
    assert 15 <= len(parts(svg, "rect")) <= BINS
    (outline,) = parts(svg, "polyline")
    assert len(outline.get("points").split()) == 2 * BINS
    (line,) = [line for line in parts(svg, "line") if line.get("stroke-dasharray")]
    assert 0.4 * WIDTH < float(line.get("x1")) < 0.6 * WIDTH


def test_histograms_of_copies():
    svg = histograms(np.zeros(5), np.zeros(3), title="t", axis="x")
    assert len(parts(svg, "rect")) == 1

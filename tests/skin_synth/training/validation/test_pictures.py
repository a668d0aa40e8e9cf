"""The plot of the curve: nothing is cut off, floors are dashed, and it is readable in grey."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from skin_synth.training.validation import pictures
from skin_synth.training.validation.curve import WHOLE, Curve, Point
from skin_synth.training.validation.pictures import draw_curve

NAMES = ("low", "high", "rare", "absent")


def curve():
    points = [
        Point(images, label, n, kid / images, images / 1e4)
        for images in (1_000, 2_000, 3_000)
        for label, n, kid in ((WHOLE, 40, 9.0), ("low", 18, 1.0), ("high", 18, 99.0))
    ]
    return Curve((*points, Point(3_000, "rare", 4, 0.1, None)))


FLOOR = [Point(0, WHOLE, 40, 0.001, 0.9), Point(0, "high", 18, 0.002, 0.8)]


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """The figure as it was saved, and its file."""
    figures = []
    save = Figure.savefig

    def keep(figure, *args, **options):
        figures.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    path = tmp_path / "validation.png"
    draw_curve(curve(), FLOOR, NAMES, path, best=2_000)
    return figures[0], path


def panels(figure):
    return {
        (i, axes.get_title()): axes for i, sub in enumerate(figure.subfigs) for axes in sub.axes
    }


def test_each_class_with_points_has_a_panel_for_each_measure(drawn):
    titles = ["all classes (n = 40)", "low (n = 18)", "high (n = 18)", "rare (n = 4)"]
    assert list(panels(drawn[0])) == [(half, title) for half in (0, 1) for title in titles]


def test_every_point_lies_within_its_panel(drawn):
    for axes in panels(drawn[0]).values():
        for line in axes.lines:
            if line.get_linestyle() != "-":
                continue
            assert len(line.get_xdata())
            for values, (low, high) in zip(
                line.get_data(), (axes.get_xlim(), axes.get_ylim()), strict=True
            ):
                assert low <= min(values) <= max(values) <= high


def test_lines_are_the_points_the_floor_and_the_best(drawn):
    kinds = {line.get_linestyle(): line for line in panels(drawn[0])[0, "high (n = 18)"].lines}
    assert set(kinds) == {"-", "--", ":"}
    np.testing.assert_allclose(kinds["-"].get_ydata(), [0.099, 0.0495, 0.033])
    assert list(kinds["--"].get_ydata()) == [0.002, 0.002]
    assert list(kinds[":"].get_xdata()) == [2_000, 2_000]


def test_a_class_without_coverage_says_so(drawn):
    assert [t.get_text() for t in panels(drawn[0])[1, "rare (n = 4)"].texts] == ["too few images"]


def test_the_file_is_a_grey_plot(drawn):
    with Image.open(drawn[1]) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert min(pixels.shape[:2]) > 400
    assert np.ptp(pixels, axis=2).max() == 0
    assert [path.name for path in drawn[1].parent.iterdir()] == ["validation.png"]


@pytest.mark.parametrize("classes", [13, 200])
def test_many_classes_are_rows_of_two_maps(tmp_path, monkeypatch, classes):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **options: figures.append(figure))
    monkeypatch.setattr(pictures, "new_file", lambda path: contextlib.nullcontext(path))
    names = [f"class {number}" for number in range(classes)]
    points = [
        Point(images, label, 3, row / classes, None if row == 5 else 0.5)
        for images in (1_000, 2_000)
        for row, label in enumerate((WHOLE, *names))
    ]
    start = time.process_time()
    draw_curve(Curve(tuple(points)), FLOOR, names, tmp_path / "x.png", best=2_000)
    assert time.process_time() - start < 5
    kid, coverage = figures[0].axes
    assert [each.get_text() for each in kid.get_yticklabels()] == ["all classes", *names]
    values = np.asarray(kid.images[0].get_array())
    np.testing.assert_allclose(values[:, 1], np.arange(classes + 1) / classes)
    assert np.isnan(np.ma.filled(coverage.images[0].get_array(), np.nan)[5]).all()
    assert kid.texts[0].get_text() == "0 (floor 0.001)"
    assert coverage.texts[5].get_text() == "– (floor –)"
    assert list(kid.lines[0].get_xdata()) == [1, 1]


@pytest.mark.parametrize("name", ["US$ to CA$", "$\\frac{$", "a" * 150, "Nævus", "光化"])
def test_every_name_is_drawn(tmp_path, name, caplog):
    points = Curve((Point(1_000, name, 3, 0.1, 0.5),))
    draw_curve(points, [], [name], tmp_path / "x.png")
    assert (tmp_path / "x.png").is_file()
    assert not caplog.messages


def test_a_curve_that_cannot_be_drawn_is_left_out(tmp_path, caplog):
    (tmp_path / "x.png").mkdir()
    draw_curve(curve(), FLOOR, NAMES, tmp_path / "x.png")
    assert "validation.png could not be drawn and is left out" in caplog.text

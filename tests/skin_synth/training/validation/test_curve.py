"""The table of the curve: it comes back as it was, goes back in time, and refuses other files."""

from __future__ import annotations

import csv
import os

import pytest

from skin_synth.training.validation.curve import WHOLE, Curve, CurveFile, Point, mean_kid
from tfrecords_tools.errors import InputError

POINTS = (
    Point(1_000, WHOLE, 30, 1 / 3, 0.5),
    Point(1_000, "a, or b", 26, -1e-17, 0.25),
    Point(1_000, "ünïcode", 4, 2.0, None),
    Point(2_000, WHOLE, 30, 0.1, 1.0),
    Point(2_000, "a, or b", 26, 0.2, 0.75),
    Point(2_000, "ünïcode", 4, 0.4, None),
)


def test_the_table_keeps_every_digit_and_others_can_read_it(tmp_path):
    path = tmp_path / "validation.csv"
    assert Curve.load(path) == Curve()
    Curve(POINTS).save(path)
    assert Curve.load(path).points == POINTS
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["images", "class", "n", "kid", "coverage"]
    assert rows[1] == ["1000", "", "30", repr(1 / 3), "0.5"]
    assert rows[3][4] == ""


def test_points_by_images_seen_and_by_class():
    assert Curve(POINTS).up_to(1_999).points == POINTS[:3]
    assert Curve(POINTS).up_to(2_000).points == POINTS
    assert Curve(POINTS).up_to(0) == Curve()

    assert Curve(POINTS).of("a, or b") == [POINTS[1], POINTS[4]]


def test_each_class_counts_the_same_in_the_mean_and_without_classes_the_whole_set_is_it():
    assert mean_kid(POINTS[3:]) == pytest.approx(0.3)
    assert mean_kid(POINTS[:1]) == POINTS[0].kid


@pytest.mark.parametrize(
    "content",
    [
        "a poem\nof two lines",
        "images,class,n,kid,coverage\n1,a,2,low,",
        "images,class\n1,a",
        "",
        "damaged",
    ],
    ids=["a poem", "no number", "columns missing", "nothing", "one word"],
)
def test_another_file_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "validation.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=r"validation\.csv is not the table"):
        Curve.load(path)
    assert path.read_text() == content


def test_the_last_kid_follows_the_file(tmp_path):
    path = tmp_path / "validation.csv"
    known = CurveFile(path)
    assert known.last_kid() is None
    Curve(POINTS[:3]).save(path)
    assert known.last_kid() == pytest.approx(1.0)  # of -1e-17 and 2
    Curve(POINTS).save(path)
    os.utime(path, ns=(1, 1))  # a clock may not have moved
    assert known.last_kid() == pytest.approx(0.3)
    path.unlink()
    assert known.last_kid() is None

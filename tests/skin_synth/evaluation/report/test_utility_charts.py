"""Charts of the utility study: verdicts have their sides and colours, rows their names."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from skin_synth.evaluation.report import utility_charts
from skin_synth.evaluation.report.charts import REAL_COLOUR
from skin_synth.evaluation.report.utility_charts import (
    VERDICT_STYLES,
    loss_curves,
    utility_chart,
    utility_plot,
    utility_rows,
)
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from tests.skin_synth.evaluation.report.test_charts import columns_of, parts, pixels, places
from tests.studies import CONTROL, MATCHED, USE, classifier_result, comparison, study_of


def test_rows_are_the_planned_comparison_and_then_what_is_for_information():
    planned, other = utility_rows(study_of(words=GAIN, low=0.1, high=0.2))
    assert (planned.name, other.name) == (CONTROL, MATCHED)
    for drawn in planned.measures:
        assert drawn.words == GAIN
        assert drawn.interval == (0.1, 0.2)
        assert drawn.corrected == pytest.approx((0.09, 0.21))
    assert {drawn.words for drawn in other.measures} == {None}


def test_other_test_sets_and_classifiers_have_rows_with_their_names():
    study = study_of(
        classifier_result(comparison(), comparison(name="elsewhere")),
        classifier_result(comparison(), name="small"),
    )
    assert [row.name for row in utility_rows(study)] == [
        f"resnet, test: {CONTROL}",
        f"resnet, elsewhere: {CONTROL}",
        f"small: {CONTROL}",
        MATCHED,
    ]


def test_verdicts_have_their_colours_and_sides():
    study = study_of(
        classifier_result(
            comparison(NEITHER, -0.02, 0.02, "neither"),
            comparison(GAIN, 0.05, 0.1, "gain"),
            comparison(HARM, -0.1, -0.05, "harm"),
        )
    )
    image = pixels(utility_plot(study))
    gain, harm = (columns_of(image, VERDICT_STYLES[verdict][0]) for verdict in (GAIN, HARM))
    neither = columns_of(image, REAL_COLOUR)
    assert harm.max() < neither.mean() < gain.min()
    assert len(gain) == pytest.approx(len(harm), abs=3)
    texts = " ".join(text for _, text in parts(utility_chart(study), "text"))
    for name in ("gain:", "harm:", "neither:", "gain in macro AUROC", "class-balanced log loss"):
        assert name in texts


def test_what_the_verdict_does_not_use_is_hollow():
    chart = utility_chart(study_of())
    assert len(places(chart, "#ffffff")) == 2  # one row in each of two measures
    assert USE in chart.caption


def test_the_plot_grows_with_its_rows():
    few = pixels(utility_plot(study_of()))
    sets = [comparison(name=f"set {number}") for number in range(8)]
    many = pixels(utility_plot(study_of(classifier_result(*sets))))
    assert many.shape[0] > 2 * few.shape[0]
    assert many.shape[1] == few.shape[1]


def test_curves_are_those_of_the_use_and_the_control():
    chart = loss_curves(classifier_result(comparison()))
    texts = " ".join(text for _, text in parts(chart, "text"))
    for name in (USE, CONTROL):
        assert f"{name}: validation" in texts
        assert f"{name}: training" in texts
    assert "resnet" in chart.caption


def test_charts_ignore_the_settings_of_the_user():
    def all_charts():
        study = study_of(words=GAIN, low=0.1, high=0.2)
        return utility_plot(study), utility_chart(study), loss_curves(study.classifiers[0])

    expected = all_charts()
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert all_charts() == expected


def test_a_difference_of_log_loss_is_turned_around():
    low, high = np.sort(utility_rows(study_of(low=0.01, high=0.03))[0].measures[1].interval)
    assert (low, high) == pytest.approx((0.01, 0.03))
    assert utility_charts.utility_rows(study_of())[0].measures[1].difference == 0.0

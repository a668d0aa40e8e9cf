"""Tests that too few images left without any power are named, and only these."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.copies import HELD_OUT, CopyFigures, Nearness
from skin_synth.evaluation.metrics.drift import (
    AppearanceFigures,
    LesionCounts,
    MeasureDrift,
    MeasureSummary,
    SmirnovTest,
    ToneShares,
)
from skin_synth.evaluation.metrics.faithfulness import Faithfulness, JudgedImages, JudgedRealImages
from skin_synth.evaluation.metrics.permutation_tests import DifferenceTest, VarietyTest
from skin_synth.evaluation.results import Copies, MeasuredFigures, NeighbourSearch
from skin_synth.evaluation.verdict.detectable import unmeasured, untested
from skin_synth.evaluation.verdict.verdict import level
from tests.changes import changed, incomplete, put

NAMES = ("a", "b")


def nearness(n, others):
    return incomplete(Nearness, n=n, n_yardstick=others, yardstick_same=0, rank=1)


def near(n, others):
    return CopyFigures(HELD_OUT, nearness(n, others), None, None)


def both(part, kind=ByClass, **others):
    return kind(whole=part, classes=dict.fromkeys(NAMES, part), **others)


@pytest.fixture
def figures():
    """Of two classes with enough images for all tests."""
    matrix = [[20, 0], [0, 20]]
    drifted = MeasureDrift(None, None, None, None, SmirnovTest(20, 20, 0.1, 0.5))
    appearance = AppearanceFigures(
        ToneShares({}, {}), LesionCounts(20, 20, 20, 20, 1.0), dict.fromkeys(MEASURES, drifted)
    )
    variety = both(VarietyTest(20, 1.0, 1.0, 1.0))
    return MeasuredFigures(
        variety=variety,
        profiles=variety,
        difference=both(DifferenceTest(20, 0.0, 1.0)),
        texture=both(None),
        faithfulness=Faithfulness(
            None,
            JudgedImages(40, 1.0, {}, {}, matrix),
            JudgedRealImages(40, 1.0, {}, {}, matrix, confusion_of_lesions=matrix),
        ),
        copies=Copies(
            *[both(near(60, 60), NeighbourSearch, metric="")] * 2,
            both(nearness(60, 60), NeighbourSearch, metric=""),
        ),
        appearance=both(appearance),
    )


def real(figures, first, second=(0, 20)):
    lesions = [list(first), list(second)]
    return changed(figures, "faithfulness.real", confusion_of_lesions=lesions)


def test_with_enough_images_all_is_tested(figures):
    assert untested(figures, level(2)) == {}


@pytest.mark.parametrize("lesions", [0, 1, 2, 3])
def test_a_wrong_class_cannot_be_proven_by_a_few_real_images(figures, lesions):
    """All twenty synthetic ones wrong, all real ones right: p is 1 / C(20 + lesions, lesions)."""
    figures = real(figures, (20, 0), (0, lesions))
    assert untested(figures, 2e-4) == {"class shown": ["b"]}
    assert untested(figures, 1e-3).get("class shown", []) == ["b"] * (lesions < 3)


def test_a_class_that_the_judge_does_not_know_cannot_be_missed(figures):
    assert untested(real(figures, (2, 18)), level(2)) == {"class shown": ["a"]}


@pytest.mark.parametrize(("lesions", "found"), [(0, 0), (2, 2), (20, 0), (20, 4)])
def test_lesions_that_hardly_stand_out_in_real_images_cannot_be_missed(figures, lesions, found):
    place = "appearance.classes.a.lesions"
    figures = changed(figures, place, n_real=lesions, found_real=found)
    assert untested(figures, level(2)) == {"lesion found": ["a"]}


def test_copies_need_a_yardstick(figures):
    for space in ("pixels", "features"):
        figures = put(figures, f"copies.{space}.classes.b", near(20, 3))
    assert untested(figures, level(2)) == {"copies": ["b"]}
    figures = put(figures, "copies.features.classes.b", near(20, 60))
    assert untested(figures, level(2)) == {}


def test_few_images_cannot_be_proven_to_repeat_each_other(figures):
    """All in pairs: p is 1 / C(2 n, n) of n pairs on both sides."""
    figures = put(figures, "copies.duplicates.classes.a", nearness(15, 15))
    assert untested(figures, 2.9e-4) == {"duplicates": ["a"]}
    assert untested(figures, 3.0e-4) == {}


def test_variety_is_tested_by_either_kind_of_features(figures):
    figures = put(put(figures, "variety.classes.a", None), "profiles.classes.b", None)
    assert untested(figures, level(2)) == {}
    figures = put(figures, "profiles.classes.a", None)
    assert untested(figures, level(2)) == {"variety": ["a"]}


def test_a_share_that_is_small_cannot_lose_ten_points(figures):
    figures = changed(figures, "faithfulness.synthetic", confusion=[[0, 200], [0, 20]])
    assert untested(real(figures, (18, 182)), level(2)) == {"class shown": ["a"]}
    assert untested(real(figures, (20, 180)), level(2)) == {}


def test_each_measure_of_appearance_is_named_alone(figures):
    figures = changed(figures, "appearance.classes.a.measures.lesion_size", test=None)
    figures = put(put(figures, "variety.classes.b", None), "profiles.classes.b", None)
    figures = put(figures, "copies.duplicates.classes.a", None)
    assert untested(figures, level(2)) == {
        "duplicates": ["a"],
        "variety": ["b"],
        "appearance (lesion size)": ["a"],
    }


@pytest.mark.parametrize(("count", "named"), [(30, True), (5, False)])
def test_a_lesion_that_was_not_found_is_no_lack_of_images(figures, count, named):
    part = MeasureSummary(2, count - 2, None, None, None)
    drift = MeasureDrift(part, part, None, None, None)
    measures = {**figures.appearance.classes["a"].measures, "lesion_size": drift}
    figures = put(figures, "appearance.classes.a.measures", measures)
    kind = "appearance (lesion size)"
    assert untested(figures, level(2)) == {kind: ["a"]}
    assert unmeasured(figures) == ({kind: ["a"]} if named else {})

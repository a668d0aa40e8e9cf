"""Distances against a slow reference, intervals that cover the truth, planted drifts."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance
from skin_synth.evaluation.metrics.drift import (
    FEWEST_FOR_DRIFT,
    LesionCounts,
    MeasureDrift,
    MeasureSummary,
    appearance_drift,
    drift,
    scaled_distance,
)
from tfrecords_tools.errors import InputError


def test_the_distance_of_samples_of_two_sizes_is_the_mean_gap_of_repeated_ranks():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=18), np.round(rng.normal(size=12), 1)
    expected = np.abs(np.sort(first.repeat(2)) - np.sort(second.repeat(3))).mean()
    assert scaled_distance(first, second) == pytest.approx(expected / first.std(ddof=1))
    assert scaled_distance(first, first) == 0


@pytest.mark.parametrize(
    ("n", "shift", "widening", "fewest"),
    [(60, 1.0, 1.0, 930), (100, 0.0, 2.0, 930), (100, 0.3, 1.0, 895)],
)
def test_intervals_cover_the_truth(n, shift, widening, fewest):
    """1,000 cases of normals, of which the distance is known. Near 0 they cover a little less."""
    truth = shift if widening == 1 else (widening - 1) * math.sqrt(2 / math.pi)
    rng = np.random.default_rng(n)
    covered = 0
    for seed in range(1000):
        real, synthetic = rng.normal(size=n), shift + widening * rng.normal(size=n)
        found = drift(real, synthetic, seed=seed, replicates=60)
        covered += found.low <= truth <= found.high
    assert fewest <= covered <= 985, covered


def test_no_drift_is_about_the_floor_and_its_interval_begins_near_nothing():
    rng = np.random.default_rng(1)
    found = [drift(*rng.normal(size=(2, 200)), replicates=100) for _ in range(50)]
    assert np.mean([entry.drift for entry in found]) == pytest.approx(0.12, abs=0.03)
    assert np.mean([entry.low < 0.05 for entry in found]) > 0.8


def test_units_do_not_matter_and_missing_values_are_left_out():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=50), rng.normal(size=60) + 0.5
    found = drift(real, synthetic)
    scaled = drift(1000 * real + 5, np.append(1000 * synthetic + 5, np.nan))
    assert scaled.drift == pytest.approx(found.drift)
    assert (scaled.n_real, scaled.n_synthetic) == (50, 60)


def test_groups_are_drawn_as_a_whole():
    """Ten copies of each value carry no more knowledge than one: the interval stays as wide."""
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=40), rng.normal(size=4000) + 1
    groups = [str(i) for i in range(40)]
    once = drift(real, synthetic, groups=groups)
    copied = drift(np.tile(real, 10), synthetic, groups=groups * 10)
    naive = drift(np.tile(real, 10), synthetic)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.1)
    assert naive.high - naive.low < 0.6 * (once.high - once.low)
    with pytest.raises(InputError, match="one group for each real image, got 2 and 40"):
        drift(real, synthetic, groups=["a", "b"])


def test_too_few_or_constant_values_give_no_drift():
    values = np.arange(FEWEST_FOR_DRIFT, dtype=float)
    assert drift(values, values) is not None
    assert drift(values[1:], values) is None
    assert drift(values, values[1:]) is None
    assert drift(np.ones(50), values) is None
    assert drift(np.full(12, 0.1), values) is None, "of which the deviation is not quite 0"


@pytest.mark.parametrize("sizes", [(12,), (11, 1), (10, 1, 1), (20,) * (FEWEST_FOR_DRIFT - 1)])
def test_too_few_lesions_give_no_drift(sizes):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(len(sizes)), sizes).astype(str)
    assert drift(rng.normal(size=len(groups)), rng.normal(size=50), groups=groups) is None


def test_intervals_are_finite_where_most_values_are_equal():
    """Half of the halves have no spread of their own: nothing to divide by."""
    found = drift(np.append(np.ones(11), 2.0), np.linspace(0, 3, 30), smallest=0.1)
    assert 0 <= found.low < found.drift < found.high < 100
    alone = drift(np.append(np.ones(11), 2.0), np.linspace(0, 3, 30))
    assert alone is None or np.isfinite([alone.low, alone.high]).all()


def appearances(rng, n, **shifts):
    return Appearance(*(rng.normal(size=n) + shifts.get(name, 0.0) for name in MEASURES))


def test_a_spread_of_rounding_is_no_scale():
    """Grey images have a redness of 0 but for rounding: one grey level is not 50,000 deviations."""
    rng, labels = np.random.default_rng(0), np.zeros(40, int)
    real = appearances(rng, 40)
    grey = dataclasses.replace(real, lesion_redness=1e-6 * rng.normal(size=40))
    tinted = dataclasses.replace(real, lesion_redness=np.full(40, 0.4))
    found = appearance_drift(grey, labels, tinted, labels, grey, labels, ("a",))
    measures = found.whole.measures["lesion_redness"]
    assert measures.drift.drift == pytest.approx(0.4, abs=0.01)
    assert measures.floor == 0


def test_a_planted_drift_is_found_where_it_was_planted():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 150)
    real, floor = appearances(rng, 300), appearances(rng, 300)
    synthetic = appearances(rng, 300, skin_tone=np.where(labels == 1, 2.0, 0.0))
    found = appearance_drift(real, labels, synthetic, labels, floor, labels, ("a", "b"))
    assert json.dumps(dataclasses.asdict(found), allow_nan=False)
    planted = found.classes["b"].measures["skin_tone"]
    assert planted.test.p_value < 1e-15
    assert planted.test.n_real == planted.test.n_synthetic == 150
    assert planted.drift.drift == pytest.approx(2, abs=0.4)
    assert planted.drift.low > 2 * planted.floor
    for label, name in [("a", "skin_tone"), ("b", "brightness"), ("a", "lesion_size")]:
        clean = found.classes[label].measures[name]
        assert clean.drift.low < 0.15
        assert clean.floor < 0.3
        assert clean.test.p_value > 1e-3
    assert found.whole.measures["skin_tone"].drift.drift > 0.7


def test_another_mix_of_classes_is_no_drift_of_the_whole():
    rng = np.random.default_rng(0)
    labels, requested_labels = np.repeat([0, 1], [180, 20]), np.repeat([0, 1], 200)
    real = appearances(rng, 200, brightness=5.0 * labels)
    synthetic = appearances(rng, 400, brightness=5.0 * requested_labels)
    found = appearance_drift(real, labels, synthetic, requested_labels, real, labels, ("a", "b"))
    brightness = found.whole.measures["brightness"]
    assert brightness.synthetic.n == 222
    assert brightness.drift.drift < 0.2
    assert brightness.floor == 0


def test_classes_without_images_and_measures_have_none():
    labels = np.zeros(30, int)
    real = appearances(np.random.default_rng(0), 30, lesion_size=np.nan)
    found = appearance_drift(real, labels, real, labels, real, labels, ("a", "b"))
    empty = found.classes["b"].measures["brightness"]
    nothing = MeasureSummary(0, 0, None, None, None)
    assert empty == MeasureDrift(nothing, nothing, None, None, None)
    size = found.whole.measures["lesion_size"]
    assert size.real.unmeasured == 30
    assert size.drift is None


def test_lesions_that_stand_out_are_counted():
    """Two photographs of each real lesion, of which the first counts; p by hand."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    size = rng.normal(size=40)
    real = dataclasses.replace(appearances(rng, 40), lesion_size=np.where(labels, np.nan, size))
    size[:7] = np.nan
    tone = np.where(np.arange(40) < 2, np.nan, 1.0)  # of two images nothing can be said
    synthetic = dataclasses.replace(appearances(rng, 40), lesion_size=size, skin_tone=tone)
    groups = [str(i // 2) for i in range(40)]
    sets = (real, labels, synthetic, labels, real, labels, ("a", "b", "c"))
    found = appearance_drift(*sets, groups=groups)
    assert found.classes["a"].lesions == LesionCounts(
        n_real=10,
        n_synthetic=18,
        found_real=10,
        found_synthetic=13,
        p_value=pytest.approx(math.comb(18, 5) / math.comb(28, 5)),
    )
    assert found.classes["b"].lesions.found_real == 0
    assert found.classes["b"].lesions.p_value == pytest.approx(1)
    assert found.classes["c"].lesions.p_value == pytest.approx(1)
    whole = found.whole.lesions
    assert (whole.n_real, whole.found_real) == (20, 10)
    assert (whole.n_synthetic, whole.found_synthetic) == (38, 33)


def test_the_test_counts_lesions_not_photographs(monkeypatch):
    """Ten photographs of each lesion: taken for independent, they would prove a drift."""
    monkeypatch.setattr("skin_synth.evaluation.metrics.drift.drift", lambda *args, **options: None)
    monkeypatch.setattr("skin_synth.evaluation.metrics.drift.MEASURES", ("skin_tone",))
    lesions, labels, rejected = np.arange(400) // 10, np.zeros(400, int), {40: 0, 400: 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        real = Appearance(*[rng.normal(size=40)[lesions]] * len(MEASURES))
        synthetic = appearances(rng, 400)
        sets = (real, labels, synthetic, labels, synthetic, labels, ("a",))
        for groups in (lesions.astype(str), None):
            test = appearance_drift(*sets, groups=groups).whole.measures["skin_tone"].test
            rejected[test.n_real] += test.p_value < 0.05
    assert rejected[40] <= 5
    assert rejected[400] > 15

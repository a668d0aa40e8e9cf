"""Figures beside their floors, and permutation tests that see what they should and no more."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import comparison, fidelity, manifold
from skin_synth.evaluation.metrics.comparison import (
    Rows,
    compare_features,
    difference_test,
    variety_test,
)


class Named:
    frechet_name, kernel_name = "FID", "KID"


def rows(seed, n=30, shift=0.0, classes=2):
    rng = np.random.default_rng(seed)
    return Rows(rng.normal(shift, 1, (n, 4)), np.arange(n) % classes)


def test_figures_of_the_whole_and_of_each_class():
    real, floor, fakes = rows(0), rows(1), [rows(2, shift=1.0), rows(3, shift=1.0)]
    found = compare_features(Named, ("a", "b"), real, floor, fakes)
    assert (found.frechet_name, found.kernel_name, found.seeds) == ("FID", "KID", 2)
    whole, second = found.whole, found.classes["b"]
    assert (whole.n, second.n, second.n_floor) == (30, 15, 15)
    x, y = real.features, fakes[0].features
    assert whole.frechet == fidelity.frechet_distance(x, y)
    assert whole.frechet_floor == fidelity.frechet_distance(x, floor.features)
    assert second.kernel == fidelity.kernel_distance(x[1::2], y[1::2])
    assert second.coverage == manifold.coverage(x[1::2], y[1::2])
    assert whole.recall_floor == manifold.recall(x, floor.features)
    assert whole.kernel_interval[0] < whole.kernel < whole.kernel_interval[1]
    both = [fidelity.frechet_distance(x, fake.features) for fake in fakes]
    assert whole.frechet_over_seeds.mean == pytest.approx(np.mean(both))
    assert whole.frechet_over_seeds.deviation == pytest.approx(np.std(both, ddof=1))


def test_too_few_images_have_no_figures():
    few = rows(0, n=5)
    found = compare_features(Named, ("a", "b", "c"), few, few, [few]).classes
    assert found["a"].frechet is not None
    assert found["a"].kernel_interval is None is found["a"].coverage
    assert found["c"].n == 0
    assert found["c"].frechet is None is found["c"].frechet_over_seeds


def test_variety_that_is_missing_is_seen():
    rng = np.random.default_rng(0)
    real, floor, good = rng.normal(size=(3, 60, 3))
    half = np.abs(rng.normal(size=(60, 3)))
    found = variety_test(real, half, floor, np.random.default_rng(1))
    assert found.p_value < 0.001
    for key, fake in (("coverage", half), ("coverage_floor", floor)):
        expected = np.mean([manifold.coverage(real, fake, k) for k in manifold.VARIETY_K])
        assert getattr(found, key) == pytest.approx(expected, abs=1e-6)
    assert variety_test(real, good, floor, np.random.default_rng(1)).p_value > 0.05


def test_a_lost_mode_among_overlapping_ones_is_seen_in_small_sets():
    """Two modes two standard deviations apart; wide neighbourhoods of one reach into the other."""
    seen = 0
    for seed in range(12):
        rng = np.random.default_rng([8, seed])
        real, floor = (rng.normal(size=(60, 2)) + rng.integers(0, 2, (60, 1)) * 3 for _ in range(2))
        one_mode = rng.normal(size=(60, 2))
        seen += variety_test(real, one_mode, floor, rng).p_value < 0.001
    assert seen == 12


def test_a_difference_is_seen():
    rng = np.random.default_rng(5)
    real, good = rng.normal(7, 1, (2, 50, 3))
    found = difference_test(good + np.array([1.0, 0, 0]), real, np.random.default_rng(1))
    assert found.p_value < 0.001
    assert found.kernel > 0
    assert difference_test(good, real, np.random.default_rng(1)).p_value > 0.05


def test_equal_distributions_are_accused_as_often_as_they_may_be():
    rng = np.random.default_rng(3)
    variety, difference = [], []
    for _ in range(60):
        real, floor, fake = rng.normal(size=(3, 24, 2))
        variety.append(variety_test(real, fake, floor, rng).p_value)
        difference.append(difference_test(fake, real, rng).p_value)
    for p_values in (variety, difference):
        assert np.mean(np.array(p_values) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 60)


def test_many_images_are_thinned_out_and_few_prove_nothing(monkeypatch):
    monkeypatch.setattr(comparison, "MOST", 25)
    real, floor, fake = np.random.default_rng(0).normal(size=(3, 60, 2))
    assert variety_test(real, fake, floor, np.random.default_rng(0)).n == 25
    assert difference_test(fake, real, np.random.default_rng(0)).n == 25
    assert variety_test(real, fake[:19], floor, np.random.default_rng(0)) is None
    assert difference_test(fake, real[:19], np.random.default_rng(0)) is None


def test_equal_images_have_no_difference():
    same = np.ones((20, 3))
    assert difference_test(same, same, np.random.default_rng(0)).p_value == 1

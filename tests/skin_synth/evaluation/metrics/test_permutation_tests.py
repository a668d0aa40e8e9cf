"""Permutation tests find faults, and report false ones no more often than they may."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import manifold, permutation_tests
from skin_synth.evaluation.metrics.permutation_tests import difference_test, variety_test


def test_variety_that_is_missing_is_seen():
    rng = np.random.default_rng(0)
    real, baseline, good = rng.normal(size=(3, 60, 3))
    half = np.abs(rng.normal(size=(60, 3)))
    found = variety_test(real, half, baseline, np.random.default_rng(1))
    assert found.p_value < 0.001
    for key, fake in (("coverage", half), ("coverage_floor", baseline)):
        expected = np.mean([manifold.coverage(real, fake, k) for k in manifold.VARIETY_K])
        assert getattr(found, key) == pytest.approx(expected, abs=1e-6)
    assert variety_test(real, good, baseline, np.random.default_rng(1)).p_value > 0.05


def test_a_lost_mode_among_overlapping_ones_is_seen_in_small_sets():
    """Two modes two standard deviations apart; wide neighbourhoods of one reach into the other."""
    seen = 0
    for seed in range(12):
        rng = np.random.default_rng([8, seed])
        real, baseline = (
            rng.normal(size=(60, 2)) + rng.integers(0, 2, (60, 1)) * 3 for _ in range(2)
        )
        one_mode = rng.normal(size=(60, 2))
        seen += variety_test(real, one_mode, baseline, rng).p_value < 0.001
    assert seen == 12


def test_a_difference_is_seen():
    rng = np.random.default_rng(5)
    real, good = rng.normal(7, 1, (2, 50, 3))
    found = difference_test(good + np.array([1.0, 0, 0]), real, np.random.default_rng(1))
    assert found.p_value < 0.001
    assert found.kernel > 0
    assert difference_test(good, real, np.random.default_rng(1)).p_value > 0.05


def test_equal_distributions_differ_as_often_as_the_level_allows():
    rng = np.random.default_rng(3)
    variety, difference = [], []
    for _ in range(60):
        real, baseline, fake = rng.normal(size=(3, 24, 2))
        variety.append(variety_test(real, fake, baseline, rng).p_value)
        difference.append(difference_test(fake, real, rng).p_value)
    for p_values in (variety, difference):
        assert np.mean(np.array(p_values) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 60)


def test_many_images_are_thinned_out_and_few_prove_nothing(monkeypatch):
    monkeypatch.setattr(permutation_tests, "MOST_PERMUTED", 25)
    real, baseline, fake = np.random.default_rng(0).normal(size=(3, 60, 2))
    assert variety_test(real, fake, baseline, np.random.default_rng(0)).n == 25
    assert difference_test(fake, real, np.random.default_rng(0)).n == 25
    assert variety_test(real, fake[:19], baseline, np.random.default_rng(0)) is None
    assert difference_test(fake, real[:19], np.random.default_rng(0)) is None


def test_equal_images_have_no_difference():
    same = np.ones((20, 3))
    assert difference_test(same, same, np.random.default_rng(0)).p_value == 1

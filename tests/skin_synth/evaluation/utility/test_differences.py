"""Intervals cover the truth as often as they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from skin_synth.evaluation.utility import differences as statistics
from skin_synth.evaluation.utility.differences import (
    effective_lesions,
    paired_difference,
    resampling_weights,
)
from tfrecords_tools.errors import InputError


def lone_images(count, replicates):
    """Weights of `count` images of one class, each of another group."""
    groups = [str(i) for i in range(count)]
    return resampling_weights(groups, np.zeros(count, int), replicates=replicates, seed=0)


def test_weights_keep_classes_and_whole_groups():
    groups = ["a", "a", "b", "c", "c", "c", "d", "e"]
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    weights = resampling_weights(groups, labels, replicates=400, seed=1)
    assert weights.shape == (401, 8)
    np.testing.assert_array_equal(weights[0], 1)
    for first, second in ((0, 1), (3, 4), (4, 5)):
        np.testing.assert_array_equal(weights[:, first], weights[:, second])
    # Two groups a class: one is drawn and counts twice; a lone group always counts once.
    assert set(weights[1:, 0]) == {0.0, 2.0}
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 2], 2)
    np.testing.assert_array_equal(weights[:, 7], 1)
    again = resampling_weights(groups, labels, replicates=400, seed=1)
    np.testing.assert_array_equal(weights, again)
    assert (weights != resampling_weights(groups, labels, replicates=400, seed=2)).any()


@pytest.mark.parametrize("size", [3, 10, 60])
def test_the_variance_of_a_mean_is_unbiased_in_small_classes(size):
    values = np.random.default_rng(size).normal(size=size)
    weights = lone_images(size, 20_000)
    found = (weights[1:] @ values / size).var()
    assert found == pytest.approx(values.var(ddof=1) / size, rel=0.05)


@pytest.mark.parametrize(
    ("groups", "seeds", "spreads"),
    [(50, 5, (1.0, 0.1, 1.0)), (50, 5, (0.5, 0.3, 1.0)), (150, 8, (0.2, 0.2, 1.0))],
)
def test_intervals_cover_the_truth_as_often_as_they_promise(groups, seeds, spreads):
    """1,000 studies of a mean: an effect of each group, of each seed, and of each pair."""
    rng = np.random.default_rng([groups, seeds])
    weights = lone_images(groups, 200)
    shapes = (1, groups), (seeds, 1), (seeds, groups)
    covered = 0
    for _ in range(1000):
        effects = [s * rng.normal(size=shape) for s, shape in zip(spreads, shapes, strict=True)]
        arm = (0.3 + effects[0] + effects[1] + effects[2]) @ weights.T / groups
        found = paired_difference(arm, np.zeros_like(arm), groups=groups)
        covered += found.low <= 0.3 <= found.high
    assert 920 <= covered <= 985, covered


def test_differences_are_paired():
    """What both arms share, however large, does not widen the interval."""
    rng = np.random.default_rng(0)
    shared = 100 * rng.normal(size=(5, 301))
    own = rng.normal(size=(5, 301))
    alone = paired_difference(own, np.zeros_like(own), groups=60)
    together = paired_difference(own + shared, shared, groups=60)
    assert together.standard_error == pytest.approx(alone.standard_error)
    assert together.difference == pytest.approx(own[:, 0].mean())


def test_correction_widens_the_interval_as_bonferroni_says():
    arm = np.random.default_rng(0).normal(size=(5, 301))
    one, six = (
        paired_difference(arm, np.zeros_like(arm), groups=60, comparisons=m) for m in (1, 6)
    )
    assert (one.corrected_low, one.corrected_high) == (one.low, one.high) == (six.low, six.high)
    half = stats.t.ppf(1 - 0.05 / 6 / 2, six.degrees) * six.standard_error
    assert six.corrected_high - six.difference == pytest.approx(half)
    assert six.difference - six.corrected_low == pytest.approx(half)


def test_arms_without_any_spread_have_a_point_for_an_interval():
    same = np.full((5, 101), 0.75)
    found = paired_difference(same, same, groups=60)
    assert (found.difference, found.low, found.high, found.standard_error) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("arm", "control", "groups", "message"),
    [
        (np.zeros((1, 101)), np.zeros((1, 101)), 60, "two seeds and replicates or more"),
        (np.zeros((5, 101)), np.zeros((4, 101)), 60, r"got \[5, 101\] and \[4, 101\]"),
        (np.zeros((5, 101)), np.zeros((5, 101)), 1, "two groups"),
        (np.full((5, 101), np.nan), np.zeros((5, 101)), 60, "finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arm, control, groups, message):
    with pytest.raises(InputError, match=message):
        paired_difference(arm, control, groups=groups)


def test_no_difference_is_called_one_on_at_most_one_study_in_twenty():
    """Six arms like the control, 300 studies: the correction keeps false gains and harms rare."""
    rng = np.random.default_rng(5)
    weights = lone_images(60, 150)
    wrong = 0
    for _ in range(300):
        control = rng.normal(size=(5, 60)) @ weights.T / 60
        found = [
            paired_difference(
                rng.normal(size=(5, 60)) @ weights.T / 60, control, groups=60, comparisons=6
            )
            for _ in range(6)
        ]
        wrong += any(each.corrected_low > 0 or each.corrected_high < 0 for each in found)
    assert wrong <= 0.05 * 300 + 8, wrong
    assert statistics.LEVEL == 0.95


def test_the_rarest_class_decides_how_many_lesions_the_noise_is_worth():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 3))
    assert effective_lesions(noise * [0.01, 0.01, 1.0], np.array([90, 50, 4])) == 4
    assert effective_lesions(noise, np.array([100, 100, 100])) > 200
    assert effective_lesions(noise * [1.0, 1.0, np.nan], np.array([9, 9, 1])) < 18
    assert effective_lesions(0 * noise, np.array([4, 4, 4])) == 12

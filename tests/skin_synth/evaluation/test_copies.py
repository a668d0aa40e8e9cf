"""Nearness: counts, thresholds and relative distances by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.copies import (
    HELD_OUT,
    LEFT_OUT,
    Measured,
    compare,
    compare_classes,
    relative,
    some_of_each,
)
from skin_synth.evaluation.memorization import Neighbours
from skin_synth.evaluation.significance import precedence
from tfrecords_tools.errors import InputError


def test_figures_of_a_comparison():
    yardstick = np.arange(1.0, 301.0)  # its first percentile is the third smallest, 3
    found = compare(np.array([0.0, 1.0, 3.0, 60.0]), yardstick, np.arange(4))
    assert (found.n, found.n_yardstick, found.near) == (4, 300, 2)
    assert found.threshold == 3
    assert found.share_below == 0.5
    assert found.share_expected == pytest.approx(3 / 301)
    assert found.synthetic_median == 2
    assert found.synthetic_minimum == 0
    assert found.yardstick_median == 150.5
    assert found.p_value == precedence(2, 4, 3, 300)


def test_images_near_to_the_same_one_count_once():
    found = compare(np.zeros(10), np.arange(1.0, 41.0), np.array([7, 8] * 5))
    assert (found.near, found.distinct, found.share_below) == (10, 2, 1.0)
    assert found.p_value == precedence(2, 10, 1, 40)


def test_pairs_count_half():
    found = compare(np.zeros(10), np.arange(1.0, 41.0), np.zeros(10, int), paired=True)
    assert found.near == 10
    assert found.p_value == precedence(5, 5, 1, 40)
    same = np.zeros(10, int)
    both = compare(np.zeros(10), np.arange(1.0, 301.0), same, paired=True, mutual=True)
    assert both.p_value == precedence(5, 5, 2, 150)


def test_images_as_new_as_real_ones_are_not_suspect():
    rng = np.random.default_rng(0)
    own = np.arange(80)
    p_values = [compare(rng.gamma(9, 1, 80), rng.gamma(9, 1, 120), own).p_value for _ in range(400)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.08


def test_relative_distances():
    index = np.array([[0, 1, 2], [1, 0, 2], [3, 4, 0], [5, 6, 5]])
    distance = np.array([[1, 2, 4], [0, 2, 4], [3, 3, 3], [0, 0, 0]], np.float32)
    groups = ["a", "a", "b", "c", "d", "e", "e"]
    # Nearest of another group: column 2, column 2, column 1, none (the last stands in, at 0).
    found = relative(Neighbours(index, distance), groups)
    np.testing.assert_allclose(found, [0.25, 0.0, 1.0, 1.0])


def test_too_few_neighbours_are_no_copy():
    found = Neighbours(np.zeros((1, 2), int), np.array([[3.0, np.inf]], np.float32))
    assert relative(found, ["a"])[0] == 1.0


def measured(n, value):
    labels = np.arange(n) % 2
    return Measured(np.full(n, value) + np.arange(n) / 1000, np.ones(n), np.arange(n), labels)


def test_few_held_out_images_give_way_to_training_images_without_their_group():
    found = compare_classes(
        measured(20, 1.0), measured(120, 5.0), measured(200, 9.0), ("a", "b"), np.arange(10)
    )
    assert found["whole"]["yardstick"] == HELD_OUT
    assert found["whole"]["absolute"]["n"] == 10
    assert found["whole"]["absolute"]["n_yardstick"] == 120
    for name in ("a", "b"):
        assert found["classes"][name]["yardstick"] == LEFT_OUT
        assert found["classes"][name]["absolute"]["n"] == 10
        assert found["classes"][name]["absolute"]["n_yardstick"] == 100
    assert found["whole"]["absolute"]["share_below"] == 1


def test_a_class_without_images_has_no_figures():
    empty = Measured(np.zeros(0), np.zeros(0), np.zeros(0, int), np.zeros(0, int))
    found = compare_classes(empty, empty, empty, ("a",), np.zeros(0, int))
    assert found == {"whole": None, "classes": {"a": None}}
    with pytest.raises(InputError, match="got 0 and 3"):
        compare(np.zeros(0), np.ones(3), np.zeros(0, int))


def test_some_of_each_class_follow_the_seed():
    labels = np.repeat([0, 1, 2], [50, 3, 0])
    chosen = some_of_each(labels, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [10, 3])
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, some_of_each(labels, 10, np.random.default_rng(0)))
    assert set(chosen) != set(some_of_each(labels, 10, np.random.default_rng(1)))

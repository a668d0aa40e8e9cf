"""Nearness: counts, thresholds and relative distances by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics.copies import (
    COPY_NEIGHBOURS,
    HELD_OUT,
    LEFT_OUT,
    NearInBoth,
    NeighbourDistances,
    compare,
    compare_copies,
    neighbours_of_two_groups,
    relative,
    sample_each_class,
)
from skin_synth.evaluation.metrics.nearest import Neighbours, feature_neighbours
from skin_synth.evaluation.statistics.significance import precedence
from tfrecords_tools.errors import InputError


def test_figures_of_a_comparison():
    yardstick = np.arange(1.0, 301.0)  # its first percentile is the third smallest, 3
    found = compare(np.array([0.0, 1.0, 3.0, 60.0]), yardstick, np.arange(4))
    assert (found.n, found.n_yardstick, found.near) == (4, 300, 2)
    assert (found.threshold, found.share_below) == (3, 0.5)
    assert found.share_expected == pytest.approx(3 / 301)
    assert (found.synthetic_median, found.synthetic_minimum) == (2, 0)
    assert found.yardstick_median == 150.5
    assert found.p_value == precedence(2, 4, 3, 300)


def test_images_near_to_the_same_one_count_once():
    found = compare(np.zeros(10), np.arange(1.0, 41.0), np.array([7, 8] * 5))
    assert (found.near, found.distinct, found.share_below) == (10, 2, 1.0)
    assert found.p_value == precedence(2, 10, 1, 40)


def test_pairs_count_half():
    same = np.zeros(10, int)
    found = compare(np.zeros(10), np.arange(1.0, 41.0), same, paired=True)
    assert (found.near, found.p_value) == (10, precedence(5, 5, 1, 40))
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
    # Nearest of another group: column 2, column 2, column 1, none (the last takes its place, at 0).
    found = relative(Neighbours(index, distance), groups)
    np.testing.assert_allclose(found, [0.25, 0.0, 1.0, 1.0])


def test_distances_name_the_nearest_image():
    found = Neighbours(np.array([[4, 1, 0]]), np.array([[2.0, 3.0, 8.0]], np.float32))
    measured = NeighbourDistances.of(found, list("abcde"), np.array([6]))
    assert [part.tolist() for part in vars(measured).values()] == [[2], [2 / 3], [4], [6]]


def test_too_few_neighbours_are_no_copy():
    found = Neighbours(np.zeros((1, 2), int), np.array([[3.0, np.inf]], np.float32))
    assert relative(found, ["a"])[0] == 1.0


def measured(n, value):
    rows = np.arange(n)
    return NeighbourDistances(value + rows / 1000, np.ones(n), rows, rows % 2)


def test_few_held_out_images_give_way_to_training_images_without_their_group():
    found = compare_copies(
        measured(20, 1.0), measured(120, 5.0), measured(200, 9.0), ("a", "b"), np.arange(10)
    )
    for name, yardstick, n in ((None, HELD_OUT, 120), ("a", LEFT_OUT, 100), ("b", LEFT_OUT, 100)):
        figures = dict(found.items())[name]
        assert figures.yardstick == yardstick
        assert (figures.absolute.n, figures.absolute.n_yardstick) == (10, n)
    assert found.whole.absolute.share_below == 1


def test_a_class_without_images_has_no_figures():
    empty = measured(0, 1.0)
    found = compare_copies(empty, empty, empty, ("a",), np.zeros(0, int))
    assert (found.whole, found.classes) == (None, {"a": None})
    with pytest.raises(InputError, match="got 0 and 3"):
        compare(np.zeros(0), np.ones(3), np.zeros(0, int))


def test_some_of_each_class_follow_the_seed():
    labels = np.repeat([0, 1, 2], [50, 3, 0])
    chosen = sample_each_class(labels, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [10, 3])
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, sample_each_class(labels, 10, np.random.default_rng(0)))
    assert set(chosen) != set(sample_each_class(labels, 10, np.random.default_rng(1)))


def test_real_images_that_are_in_the_reference_are_no_yardstick():
    """One image under two names would make the nearest distance 0, and nothing nearer than it."""
    yardstick = np.concatenate([[0.0, 0.0], np.arange(10.0, 108.0)])
    found = compare(np.zeros(30), yardstick, np.arange(30))
    assert (found.threshold, found.rank, found.near) == (10.0, 1, 30)
    assert (found.same, found.yardstick_same, found.n_yardstick) == (30, 2, 100)
    assert found.share_expected == pytest.approx(1 / 99)
    assert found.p_value == precedence(30, 30, 1, 98)


def test_where_all_real_images_are_in_the_reference_nothing_is_nearer():
    found = compare(np.zeros(5), np.zeros(7), np.arange(5))
    assert (found.near, found.same, found.p_value) == (0, 5, 1.0)


def known_and_new(photographs, rng):
    """Forty lesions of this many photographs each, and one more photograph of every lesion."""
    lesions = rng.normal(size=(40, 8)) * 10
    known = np.repeat(lesions, photographs, axis=0) + rng.normal(size=(40 * photographs, 8)) / 10
    groups = [f"lesion {row // photographs}" for row in range(len(known))]
    return known, groups, lesions + rng.normal(size=lesions.shape) / 10


@pytest.mark.parametrize("photographs", [1, 2, 4, 9])
def test_a_copy_of_a_lesion_with_many_photographs_is_far_from_all_others(photographs):
    known, groups, new = known_and_new(photographs, np.random.default_rng(photographs))
    asked = []

    def search(rows, k):
        asked.append((len(rows), k))
        return feature_neighbours(new[None, rows], known, k)

    found = neighbours_of_two_groups(search, len(new), groups)
    assert found.index.shape == (40, COPY_NEIGHBOURS)
    assert (relative(found, groups) < 0.2).all()
    others = np.linalg.norm(new[:, None] - known[None], axis=-1)
    others[np.arange(40)[:, None] == np.arange(len(known)) // photographs] = np.inf
    nearest_other = relative(found, groups) ** -1 * found.distance[:, 0]
    np.testing.assert_allclose(nearest_other, others.min(axis=1), rtol=1e-4)
    wide = [] if photographs < COPY_NEIGHBOURS else [(40, photographs + 1)]
    assert asked == [(40, COPY_NEIGHBOURS), *wide]


def test_one_lesion_alone_is_relatively_near_to_nothing():
    known = np.random.default_rng(0).normal(size=(5, 3))
    found = neighbours_of_two_groups(
        lambda rows, k: feature_neighbours(known[None, rows], known, k), 5, ["a"] * 5
    )
    np.testing.assert_array_equal(relative(found, ["a"] * 5), 1.0)


def test_near_in_both_ways_are_the_same_images():
    """Near images that are not relatively near, and relatively near ones that are not near."""
    fake = NeighbourDistances(np.full(40, 9.0), np.full(40, 0.9), np.arange(40), np.zeros(40))
    fake.absolute[:10], fake.relative[10:20] = 1.0, 0.1
    real = NeighbourDistances(
        np.linspace(5, 15, 120), np.linspace(0.5, 1, 120), np.arange(120), np.zeros(120)
    )
    apart = compare_copies(fake, real, real, ("a",), fake.target).whole
    assert max(apart.absolute.p_value, apart.relative.p_value) < 1e-4
    assert apart.both == NearInBoth(0, 0, 1.0)
    fake.relative[:10] = 0.1
    both = compare_copies(fake, real, real, ("a",), fake.target).whole.both
    assert both == NearInBoth(10, 10, precedence(10, 40, 1, 120))


def test_training_images_are_a_yardstick_in_the_mix_of_what_they_judge():
    """A frequent varied class among the training images must not judge a tight rare one."""

    def distances(plain, varied):
        absolute = np.concatenate([np.linspace(1, 2, plain), np.linspace(20, 30, varied)])
        labels = np.repeat([0, 1], [plain, varied])
        return NeighbourDistances(absolute, np.ones(len(labels)), np.arange(len(labels)), labels)

    held_out, synthetic, left_out = distances(10, 10), distances(40, 40), distances(15, 300)
    matched = np.arange(80)
    found = compare_copies(synthetic, held_out, left_out, ("plain", "varied"), matched).whole
    assert (found.yardstick, found.absolute.n_yardstick) == (LEFT_OUT, 30)
    assert found.absolute.near == 0
    assert found.absolute.yardstick_median == pytest.approx(11)

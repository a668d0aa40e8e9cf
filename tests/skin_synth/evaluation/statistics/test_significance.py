"""p-values against enumeration and simulation: none is smaller than it should be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from skin_synth.evaluation.statistics.significance import (
    ENOUGH_LOW,
    fisher,
    permuted,
    precedence,
    rank_sum,
    smirnov,
)


@pytest.mark.parametrize(("count", "others", "rank"), [(3, 4, 1), (4, 3, 2), (2, 5, 3)])
def test_precedence_equals_enumeration(count, others, rank):
    """All orders of two samples are equally likely."""
    orders = list(itertools.combinations(range(count + others), count))
    below = []
    for places in orders:
        rest = [place for place in range(count + others) if place not in places]
        below.append(sum(place < rest[rank - 1] for place in places))
    for hits in range(count + 1):
        expected = np.mean([number >= hits for number in below])
        assert precedence(hits, count, rank, others) == pytest.approx(expected)


def test_precedence_is_wider_than_a_binomial_test():
    binomial = sum(math.comb(50, k) * 0.01**k * 0.99 ** (50 - k) for k in range(4, 51))
    assert precedence(4, 50, 1, 99) > 5 * binomial
    assert precedence(50, 50, 1, 60) < 1e-20


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((0, 3, 3, 3), 1 / 20),
        ((1, 12, 9, 12), 0.001380),  # R: fisher.test(alternative = "less")
        ((3, 3, 3, 3), 1.0),
        ((5, 10, 5, 10), 0.6719),
    ],
)
def test_fisher(table, expected):
    assert fisher(*table) == pytest.approx(expected, rel=0.01)


def test_rank_sum_with_ties_and_without_differences():
    assert rank_sum(np.ones(5), np.ones(7)) == 1.0
    low, high = np.array([1, 1, 2, 2.0]), np.array([2, 3, 3, 3.0])
    assert rank_sum(low, high) < 0.05
    assert rank_sum(high, low) > 0.95
    assert rank_sum(np.arange(40.0), np.arange(40.0) + 20) < 1e-4


def largest_gap(first, second):
    places = np.concatenate([first, second])
    return max(abs((first <= place).mean() - (second <= place).mean()) for place in places)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (4, 4), (6, 3), (1, 5)])
def test_smirnov_equals_enumeration_without_ties_and_is_careful_with_them(n, m):
    rng = np.random.default_rng(n + m)
    for pool in (rng.normal(size=n + m), rng.integers(0, 3, n + m).astype(float)):
        statistic, p_value = smirnov(pool[:n], pool[n:])
        assert statistic == pytest.approx(largest_gap(pool[:n], pool[n:]))
        orders = [list(rows) for rows in itertools.combinations(range(n + m), n)]
        gaps = [largest_gap(pool[rows], np.delete(pool, rows)) for rows in orders]
        expected = np.mean([gap > statistic - 1e-9 for gap in gaps])
        if len(set(pool)) == n + m:
            assert p_value == pytest.approx(expected)
        assert p_value >= expected - 1e-9


def test_smirnov_sees_shift_and_spread():
    first, second = np.random.default_rng(0).normal(size=(2, 300))
    assert smirnov(first, second)[1] > 0.05
    assert smirnov(first, second + 1)[1] < 1e-15
    assert smirnov(first, second / 3)[1] < 1e-9
    assert smirnov(np.ones(4), np.ones(9)) == (0.0, 1.0)


def mean_of(values):
    return lambda chosen: (chosen @ values) / chosen.sum(axis=1)


def test_permutations_of_a_small_pool_equal_enumeration():
    values = np.array([1.0, 2.0, 9.0, 4.0, 5.0, 7.0])
    every = [np.mean(rows) for rows in itertools.combinations(values, 3)]
    expected = np.mean([mean <= 4.0 + 1e-9 for mean in every])
    found = [
        permuted(mean_of(values), 3, 6, np.random.default_rng(seed), 2000)[1] for seed in range(40)
    ]
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


def test_an_extreme_sample_has_the_smallest_p_value_there_is():
    found = permuted(mean_of(np.arange(60.0)), 30, 60, np.random.default_rng(0), 999)
    assert found == (np.arange(30).mean(), 1 / 1000)


def test_it_ends_early_where_chance_explains_all():
    sizes = []

    def statistic(chosen):
        sizes.append(len(chosen))
        return np.zeros(len(chosen))

    _, p_value = permuted(statistic, 5, 10, np.random.default_rng(0))
    assert p_value == 1.0
    assert sum(sizes) < 1000
    assert ENOUGH_LOW < 100


def test_p_values_are_valid_under_the_null():
    rng = np.random.default_rng(1)
    found = [permuted(mean_of(rng.normal(size=16)), 8, 16, rng, 199)[1] for _ in range(600)]
    for level in (0.01, 0.05, 0.2):
        assert np.less_equal(found, level).mean() <= level + 3 * np.sqrt(level / 600)

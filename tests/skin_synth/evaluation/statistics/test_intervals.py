"""Intervals cover the truth as often as they say; closed forms equal what they abbreviate."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import kernel_interval as jackknife
from skin_synth.evaluation.metrics import kernel_sums
from skin_synth.evaluation.metrics.fidelity import kernel_distance
from skin_synth.evaluation.metrics.kernel_interval import kernel_interval
from skin_synth.evaluation.metrics.kernel_sums import Sums, sums_across, sums_within
from skin_synth.evaluation.statistics.intervals import (
    mean_interval,
    paired_difference,
    share_interval,
    spread,
    student_quantile,
)
from tfrecords_tools.errors import InputError

CASES = 1000


def covered(simulate, truth, cases=CASES, seed=0):
    """Share of cases whose interval covers the truth."""
    rng = np.random.default_rng(seed)
    found = [simulate(rng) for _ in range(cases)]
    return np.mean([interval.low <= truth <= interval.high for interval in found])


@pytest.mark.parametrize("n", [50, 300])
@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, n: rng.normal(3, 2, n), 3),
        (lambda rng, n: rng.exponential(1, n), 1),
        (lambda rng, n: rng.integers(0, 2, n).astype(float), 0.5),
    ],
)
def test_intervals_of_means_cover_the_truth(draw, truth, n):
    assert 0.92 <= covered(lambda rng: mean_interval(draw(rng, n)), truth) <= 0.98


@pytest.mark.parametrize("n", [50, 200])
def test_intervals_of_paired_differences_cover_the_truth(n):
    def simulate(rng):
        subject = rng.normal(0, 5, n)  # what both have in common falls out
        return paired_difference(subject + rng.exponential(1, n), subject + rng.normal(0.5, 1, n))

    assert 0.92 <= covered(simulate, 0.5) <= 0.98
    wide = mean_interval(np.random.default_rng(0).normal(0, 5, n))
    narrow = simulate(np.random.default_rng(0))
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


@pytest.mark.parametrize(("n", "share"), [(50, 0.5), (50, 0.1), (200, 0.03)])
def test_intervals_of_shares_cover_the_truth(n, share):
    hits = np.random.default_rng(0).binomial(n, share, CASES)
    found = [share_interval(int(hit), n) for hit in hits]
    assert 0.92 <= np.mean([each.low <= share <= each.high for each in found]) <= 0.98


def moments_of_normal(mean, scale):
    """E[x], E[xx'], E[xxx] as tensors, of independent normal features."""
    d = len(mean)
    second = np.multiply.outer(mean, mean) + scale**2 * np.eye(d)
    third = np.einsum("i,j,k->ijk", mean, mean, mean)
    for i in range(d):
        for j in range(d):
            third[i, i, j] += scale**2 * mean[j]
            third[i, j, i] += scale**2 * mean[j]
            third[j, i, i] += scale**2 * mean[j]
    return mean, second, third


def true_kernel_distance(first, second):
    """(x.y / d + 1)^3 is a polynomial in moments, so that the truth is known exactly."""
    d = len(first[0])
    weights = (3 / d, 3 / d**2, 1 / d**3)
    parts = zip(weights, first, second, strict=True)
    return sum(weight * np.square(a - b).sum() for weight, a, b in parts)


@pytest.mark.parametrize("n", [50, 120])
@pytest.mark.parametrize(
    ("d", "shift", "scale"),
    [(6, 0.0, 1.0), (6, 0.15, 1.0), (6, 0.5, 1.0), (6, 0.0, 0.7), (24, 0.0, 1.0), (24, 0.2, 1.0)],
)
def test_kernel_intervals_cover_the_truth(d, shift, scale, n):
    zero = np.zeros(d)
    truth = true_kernel_distance(
        moments_of_normal(zero, 1.0), moments_of_normal(zero + shift, scale)
    )

    def simulate(rng):
        return kernel_interval(rng.standard_normal((n, d)), rng.normal(shift, scale, (n, d)))

    assert 0.92 <= covered(simulate, truth, seed=3) <= 0.98


def test_kernel_intervals_cover_the_truth_of_features_of_other_kinds():
    """Skewed, correlated features, on which nothing was tuned; their truth from 40,000 images."""
    mixing = np.random.default_rng(5).normal(size=(5, 12)) / 5

    def draw(rng, n, rate):
        return rng.gamma(2.0, rate, (n, 5)) @ mixing

    rng = np.random.default_rng(6)
    x, y = draw(rng, 40_000, 0.5), draw(rng, 40_000, 0.6)
    moments = [
        (z.mean(0), z.T @ z / len(z), np.einsum("ni,nj,nk->ijk", z, z, z, optimize=True) / len(z))
        for z in (x, y)
    ]

    def simulate(rng):
        return kernel_interval(draw(rng, 60, 0.5), draw(rng, 60, 0.6))

    assert 0.92 <= covered(simulate, true_kernel_distance(*moments), seed=7) <= 0.98


def test_the_estimate_is_the_kernel_distance_of_other_sizes_too():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(37, 9)), rng.normal(0.3, 1.2, (52, 9))
    found = kernel_interval(real.astype(np.float32), fake.astype(np.float32))
    expected = kernel_distance(real.astype(np.float32), fake.astype(np.float32))
    assert found.estimate == pytest.approx(expected, rel=1e-6)
    assert found.low < found.estimate < found.high


def test_the_jackknife_leaves_out_one_image_at_a_time(monkeypatch):
    monkeypatch.setattr(jackknife, "LOW_SHRINK", 0.0)
    monkeypatch.setattr(jackknife, "_second_order", lambda within: 0.0)
    monkeypatch.setattr(Sums, "centred_squares", lambda self: 0.0)
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(9, 4)), rng.normal(1, 1, (7, 4))
    variance = 0.0
    for first, second in ((real, fake), (fake, real)):
        n = len(first)
        left = [kernel_distance(np.delete(first, i, axis=0), second) for i in range(n)]
        variance += (n - 1) / n * np.square(np.array(left) - np.mean(left)).sum()
    found = kernel_interval(real, fake)
    expected = student_quantile(0.975, 14) * np.sqrt(variance)
    assert found.estimate - found.low == pytest.approx(expected, rel=1e-6)


def test_the_second_order_part_equals_its_definition():
    x = np.random.default_rng(2).normal(size=(11, 3))
    n = len(x)
    kernel = (x @ x.T / 3 + 1) ** 3
    np.fill_diagonal(kernel, 0)
    rows = kernel.sum(1)
    centred = kernel - rows[:, None] / (n - 2) - rows / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    expected = np.square(centred).sum() / (n * (n - 3)) / (n * (n - 1))
    assert jackknife._second_order(sums_within(x)) == pytest.approx(expected, rel=1e-9)
    across = (x @ x[:5].T / 3 + 1) ** 3
    both = across - across.mean(0) - across.mean(1, keepdims=True) + across.mean()
    found = sums_across(x, x[:5]).centred_squares()
    assert found == pytest.approx(np.square(both).sum(), rel=1e-9)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(30, 4)), rng.normal(size=(20, 4))
    whole = kernel_interval(real, fake)
    monkeypatch.setattr(kernel_sums, "BLOCK", 7)
    blocked = kernel_interval(real, fake)
    assert (blocked.low, blocked.high) == pytest.approx((whole.low, whole.high), rel=1e-9)


def test_equal_sets_of_one_image_have_an_interval_of_no_width():
    same = np.ones((6, 3))
    found = kernel_interval(same, same)
    assert found.low == found.high == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("degrees", "table"),
    [
        (1, 12.706205),
        (2, 4.3026527),
        (3, 3.1824463),
        (4, 2.7764451),
        (9, 2.2621572),
        (30.0, 2.0422725),
        (100, 1.9839715),
        (1e6, 1.9599664),
    ],
)
def test_quantiles_of_student_are_those_of_the_tables(degrees, table):
    assert student_quantile(0.975, degrees) == pytest.approx(table, rel=1e-6)
    assert student_quantile(0.5, degrees) == pytest.approx(0, abs=1e-9)


def test_a_mean_by_hand():
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.77645 * np.sqrt(2.5 / 5)
    assert (found.estimate, found.low, found.high) == pytest.approx((3, 3 - half, 3 + half), 1e-3)


def test_shares_at_the_ends_stay_between_none_and_all():
    none, every = share_interval(0, 20), share_interval(20, 20)
    assert (none.estimate, none.low) == (0, 0)
    assert none.high == pytest.approx(0.1611, abs=1e-3)  # Wilson's for 0 of 20
    assert (every.estimate, every.high) == (1, 1)
    assert every.low == pytest.approx(1 - none.high)


def test_spread_over_seeds():
    found = spread([1.0, 2.0, 6.0])
    assert (found.count, found.mean, found.minimum, found.maximum) == (3, 3, 1, 6)
    assert found.deviation == pytest.approx(np.sqrt(7))
    assert spread([4.0]).deviation is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0]), r"needs 2 or more numbers, got shape \[1\]"),
        (lambda: mean_interval([1.0, np.nan]), "not finite"),
        (lambda: paired_difference([1, 2], [1, 2, 3]), "got 2 and 3 values"),
        (lambda: share_interval(3, 2), "got 3 of 2"),
        (lambda: share_interval(0, 0), "got 0 of 0"),
        (lambda: spread([]), r"needs 1 or more numbers, got shape \[0\]"),
        (lambda: kernel_interval(np.ones((3, 2)), np.ones((9, 2))), "got 3 and 9"),
        (lambda: kernel_interval(np.ones((5, 2)), np.ones((9, 3))), r"got \[5, 2\] and \[9, 3\]"),
        (lambda: kernel_interval(np.full((5, 2), np.inf), np.ones((9, 2))), "not finite"),
    ],
)
def test_what_has_no_interval_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

"""The kernel distance is its sum over pairs; its interval covers the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import polynomial_kernel

from skin_synth.evaluation.metrics import kernel_distance as module
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance, kernel_interval
from tests.features import FEATURE_CASES, features
from tfrecords_tools.errors import InputError


def kernel_reference(real, fake):
    """By the kernel matrices of scikit-learn, whose polynomial kernel is (x.y / d + 1)^3."""
    x, y = real.astype(np.float64), fake.astype(np.float64)
    xx, yy = (polynomial_kernel(each, degree=3, coef0=1) for each in (x, y))
    within, other = ((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy))
    return within + other - 2 * polynomial_kernel(x, y, degree=3, coef0=1).mean()


@pytest.mark.parametrize("case", FEATURE_CASES)
def test_kernel_distance_equals_the_reference(case):
    real, fake = FEATURE_CASES[case]
    expected = kernel_reference(real, fake)
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("whole", [2_000, 1_400])
def test_kernel_distance_of_many_images_is_the_same_whole_and_block_by_block(monkeypatch, whole):
    monkeypatch.setattr(module, "LARGEST_WHOLE_KERNEL", whole)
    real, fake = features(1500, 3, seed=0), features(1200, 3, seed=1)
    expected = kernel_reference(real, fake)
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_the_kernel_distance_is_unbiased_at_small_n():
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.normal(size=(5, 4)), rng.normal(size=(5, 4))) for _ in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_pairs_of_an_image_with_itself_count_in_one_term_only():
    same = features(50, 8, seed=8)
    assert kernel_distance(same, same) < 0


def covered(simulate, truth, cases=1000, seed=0):
    """Share of cases whose interval covers the truth."""
    rng = np.random.default_rng(seed)
    found = [simulate(rng) for _ in range(cases)]
    return np.mean([interval.low <= truth <= interval.high for interval in found])


def moments_of_normal(mean, scale):
    """E[x], E[xx'], E[xxx] as tensors, of independent normal features."""
    d = len(mean)
    second = np.multiply.outer(mean, mean) + scale**2 * np.eye(d)
    third = np.einsum("i,j,k->ijk", mean, mean, mean)
    for axes in ("ij,k->ijk", "ik,j->ijk", "jk,i->ijk"):
        third += scale**2 * np.einsum(axes, np.eye(d), mean)
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
    both = moments_of_normal(np.zeros(d), 1.0), moments_of_normal(np.full(d, shift), scale)
    truth = true_kernel_distance(*both)

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
    real, fake = features(37, 9, seed=0), features(52, 9, seed=1, shift=0.3)
    found = kernel_interval(real, fake)
    assert found.estimate == pytest.approx(kernel_distance(real, fake), rel=1e-6)
    assert found.low < found.estimate < found.high


def test_the_jackknife_leaves_out_one_image_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "LOW_SHRINK", 0.0)
    monkeypatch.setattr(module, "_second_order", lambda within: 0.0)
    monkeypatch.setattr(module._Sums, "centred_squares", lambda self: 0.0)
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(9, 4)), rng.normal(1, 1, (7, 4))
    variance = 0.0
    for first, second in ((real, fake), (fake, real)):
        n = len(first)
        left = [kernel_distance(np.delete(first, i, axis=0), second) for i in range(n)]
        variance += (n - 1) / n * np.square(np.array(left) - np.mean(left)).sum()
    found = kernel_interval(real, fake)
    expected = stats.t.ppf(0.975, 14) * np.sqrt(variance)
    assert found.estimate - found.low == pytest.approx(expected, rel=1e-6)


def test_the_second_order_part_equals_its_definition():
    x, n = np.random.default_rng(2).normal(size=(11, 3)), 11
    kernel = polynomial_kernel(x, degree=3, coef0=1)
    np.fill_diagonal(kernel, 0)
    rows = kernel.sum(1)
    centred = kernel - rows[:, None] / (n - 2) - rows / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    expected = np.square(centred).sum() / (n * (n - 3)) / (n * (n - 1))
    assert module._second_order(module._sums_within(x)) == pytest.approx(expected, rel=1e-9)
    across = polynomial_kernel(x, x[:5], degree=3, coef0=1)
    both = across - across.mean(0) - across.mean(1, keepdims=True) + across.mean()
    found = module._sums_across(x, x[:5]).centred_squares()
    assert found == pytest.approx(np.square(both).sum(), rel=1e-9)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(30, 4)), rng.normal(size=(20, 4))
    whole = kernel_interval(real, fake)
    monkeypatch.setattr(module, "KERNEL_BLOCK", 7)
    blocked = kernel_interval(real, fake)
    assert (blocked.low, blocked.high) == pytest.approx((whole.low, whole.high), rel=1e-9)


def test_equal_sets_of_one_image_have_an_interval_of_no_width():
    same = np.ones((6, 3))
    found = kernel_interval(same, same)
    assert found.low == found.high == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("function", "real", "width", "message"),
    [
        (kernel_interval, np.ones((3, 2)), 2, "needs 4 images or more on each side, got 3 and 9"),
        (kernel_interval, np.ones((5, 2)), 3, r"got \[5, 2\] and \[9, 3\]"),
        (kernel_interval, np.full((5, 2), np.inf), 2, "not finite"),
        (kernel_distance, np.ones((1, 2)), 2, "needs 2 images or more on each side, got 1 and 9"),
        (kernel_distance, np.full((5, 2), np.inf), 2, "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(function, real, width, message):
    with pytest.raises(InputError, match=message):
        function(real, np.ones((9, width)))

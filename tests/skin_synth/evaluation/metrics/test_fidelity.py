"""Fréchet and kernel distance against float64 references that share no step with them."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import fidelity
from skin_synth.evaluation.metrics.fidelity import frechet_distance, kernel_distance
from tfrecords_tools.errors import InputError


def features(n, d, *, seed, rank=None, shift=0.0):
    """Correlated random features, float32, of a given rank."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((rank or d, d))
    return (rng.standard_normal((n, rank or d)) @ mixing + shift).astype(np.float32)


def frechet_reference(real, fake):
    """trace (C C')^(1/2) is the sum of singular values of the product of the centred features."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    x = (real - real.mean(0)) / np.sqrt(len(real) - 1)
    y = (fake - fake.mean(0)) / np.sqrt(len(fake) - 1)
    traces = np.square(x).sum() + np.square(y).sum()
    cross = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    mean = np.square(real.mean(0) - fake.mean(0)).sum()
    return mean + traces - 2 * cross, 1 + traces


def kernel_reference(real, fake):
    """Sums of k over pairs, one by one."""

    def k(x, y):
        return (float(np.dot(x, y)) / len(x) + 1) ** 3

    real, fake = real.astype(np.float64), fake.astype(np.float64)
    n, m = len(real), len(fake)
    within = sum(k(real[i], real[j]) for i in range(n) for j in range(n) if i != j)
    other = sum(k(fake[i], fake[j]) for i in range(m) for j in range(m) if i != j)
    across = sum(k(x, y) for x in real for y in fake)
    return within / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m)


CASES = {
    "more images than features": (features(60, 8, seed=0), features(50, 8, seed=1)),
    "other means": (features(40, 5, seed=0), features(40, 5, seed=0, shift=1.5)),
    "fewer images than features": (features(6, 24, seed=2), features(9, 24, seed=3)),
    "low rank": (features(50, 16, seed=4, rank=3), features(50, 16, seed=5, rank=2)),
    "two images": (features(2, 10, seed=6), features(2, 10, seed=7)),
}


@pytest.mark.parametrize("case", CASES)
def test_frechet_distance_equals_the_reference(case):
    real, fake = CASES[case]
    expected, scale = frechet_reference(real, fake)
    assert frechet_distance(real, fake) == pytest.approx(expected, abs=1e-6 * scale)


@pytest.mark.parametrize("case", CASES)
def test_kernel_distance_equals_the_reference(case):
    real, fake = CASES[case]
    expected = kernel_reference(real, fake)
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("whole", [2_000, 1_400])
def test_kernel_distance_of_many_images_is_the_same_whole_and_block_by_block(monkeypatch, whole):
    monkeypatch.setattr(fidelity, "IN_ONE_BLOCK", whole)
    real, fake = features(1500, 3, seed=0), features(1200, 3, seed=1)
    x, y = real.astype(np.float64), fake.astype(np.float64)
    xx, yy, xy = ((a @ b.T / 3 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    expected = (
        (xx.sum() - np.trace(xx)) / (1500 * 1499)
        + (yy.sum() - np.trace(yy)) / (1200 * 1199)
        - 2 * xy.mean()
    )
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 8), (5, 40)])
def test_identical_sets(n, d):
    same = features(n, d, seed=8)
    scale = 1 + 2 * np.square(same - same.mean(0)).sum() / (n - 1)
    assert 0 <= frechet_distance(same, same) <= 1e-6 * scale
    assert kernel_distance(same, same) < 0  # pairs of an image with itself count in one term only


def test_gaussians_with_known_distance():
    rng = np.random.default_rng(0)
    real = rng.normal(0, 1, (200_000, 2))
    fake = rng.normal([3, 0], [2, 1], (200_000, 2))
    assert frechet_distance(real, fake) == pytest.approx(9 + 1, rel=0.01)


def test_the_kernel_distance_is_unbiased_at_small_n():
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.normal(size=(5, 4)), rng.normal(size=(5, 4))) for _ in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.ones((1, 4)), np.ones((9, 4)), r"two images on each side, got 1, 9"),
        (np.ones((9, 4)), np.ones((0, 4)), r"two images on each side, got 9, 0"),
        (np.ones((9, 4)), np.ones((9, 5)), r"got \[9, 4\] and \[9, 5\]"),
        (np.ones(9), np.ones((9, 5)), r"got \[9\] and \[9, 5\]"),
        (np.full((9, 4), np.nan), np.ones((9, 4)), r"not finite"),
        (np.ones((9, 4)), np.full((9, 4), np.inf), r"not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(distance, real, fake, message):
    with pytest.raises(InputError, match=message):
        distance(real, fake)

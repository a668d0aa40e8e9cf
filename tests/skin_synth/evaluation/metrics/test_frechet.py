"""The Fréchet distance against a float64 reference that shares no step with it."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics.frechet import frechet_distance
from tests.features import FEATURE_CASES, features
from tfrecords_tools.errors import InputError


def frechet_reference(real, fake):
    """trace (C C')^(1/2) is the sum of singular values of the product of the centred features."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    x, y = ((z - z.mean(0)) / np.sqrt(len(z) - 1) for z in (real, fake))
    traces = np.square(x).sum() + np.square(y).sum()
    cross = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    mean = np.square(real.mean(0) - fake.mean(0)).sum()
    return mean + traces - 2 * cross, 1 + traces


@pytest.mark.parametrize("case", FEATURE_CASES)
def test_frechet_distance_equals_the_reference(case):
    real, fake = FEATURE_CASES[case]
    expected, scale = frechet_reference(real, fake)
    assert frechet_distance(real, fake) == pytest.approx(expected, abs=1e-6 * scale)


@pytest.mark.parametrize(("n", "d"), [(50, 8), (5, 40)])
def test_identical_sets(n, d):
    same = features(n, d, seed=8)
    scale = 1 + 2 * np.square(same - same.mean(0)).sum() / (n - 1)
    assert 0 <= frechet_distance(same, same) <= 1e-6 * scale


def test_gaussians_with_known_distance():
    rng = np.random.default_rng(0)
    real = rng.normal(0, 1, (200_000, 2))
    fake = rng.normal([3, 0], [2, 1], (200_000, 2))
    assert frechet_distance(real, fake) == pytest.approx(9 + 1, rel=0.01)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.ones((1, 4)), np.ones((9, 4)), "needs 2 images or more on each side, got 1 and 9"),
        (np.ones((9, 4)), np.ones((0, 4)), "needs 2 images or more on each side, got 9 and 0"),
        (np.ones((9, 4)), np.ones((9, 5)), r"got \[9, 4\] and \[9, 5\]"),
        (np.ones(9), np.ones((9, 5)), r"got \[9\] and \[9, 5\]"),
        (np.full((9, 4), np.nan), np.ones((9, 4)), "not finite"),
        (np.ones((9, 4)), np.full((9, 4), np.inf), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(real, fake, message):
    with pytest.raises(InputError, match=message):
        frechet_distance(real, fake)

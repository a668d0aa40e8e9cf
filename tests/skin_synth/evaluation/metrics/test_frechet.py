"""The Fréchet distance against a float64 reference that shares no step with it."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import tfgan
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


def by_eigenvalues(real, fake):
    """The exact distance by another way: eigenvalues of the product, with a relative limit."""
    first, second = (np.cov(z, rowvar=False) for z in (real, fake))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    products = np.linalg.eigvalsh(root @ second @ root)
    mean = np.square(real.mean(0) - fake.mean(0)).sum()
    cross = np.sqrt(np.maximum(products, 0)).sum()
    return mean + np.trace(first) + np.trace(second) - 2 * cross


def embeddings(n, shift, kind):
    """What networks give: rows of unit length, probabilities, or one small live feature."""
    rng = np.random.default_rng([n, 7])
    mix = np.random.default_rng(7).normal(size=(64, 64)) * np.linspace(1, 0.05, 64)
    rows = 3 + shift + rng.normal(size=(n, 64)) @ mix.T / 8
    if kind == "softmax":
        return np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
    if kind == "one live feature":
        return np.where(np.arange(64) == 5, 1e-4 * rows, 0.0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["unit length", "softmax", "one live feature"])
@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 10.0, 100.0])
def test_the_distance_grows_with_the_square_of_the_scale(kind, scale):
    real, fake = embeddings(150, 0.0, kind), embeddings(160, 0.3, kind)
    expected = scale**2 * by_eigenvalues(real, fake)
    assert frechet_distance(scale * real, scale * fake) == pytest.approx(expected, rel=1e-6)
    spread = scale**2 * np.square(real - real.mean(0)).mean(0).sum()
    assert frechet_distance(scale * real, scale * real) <= 1e-12 * spread


def test_tensorflow_gan_gives_the_distance_where_it_is_right(monkeypatch):
    real, fake = features(40, 8, seed=1), features(40, 8, seed=2)
    exact = frechet_distance(real, fake)
    near, far = exact * (1 + 1e-7), exact * (1 + 1e-4)
    for given, expected in ((near, near), (far, pytest.approx(exact, rel=1e-6))):
        monkeypatch.setattr(tfgan, "frechet", lambda real, fake, given=given: given)
        assert frechet_distance(real, fake) == expected


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


@pytest.mark.parametrize(("n", "m", "d"), [(3, 5, 40), (30, 9, 40), (16, 16, 33)])
def test_few_rows_have_the_same_distance_in_their_span(monkeypatch, n, m, d):
    real, fake = 5 + features(n, d, seed=1), 4 + features(m, d, seed=2)
    expected, seen = tfgan.frechet(real, fake), []
    original = tfgan.frechet

    def frechet(real, fake):
        seen.append((real.shape, fake.shape))
        return original(real, fake)

    monkeypatch.setattr(tfgan, "frechet", frechet)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    width = min(n + m, d)
    assert seen == [((n, width), (m, width))]

"""Figures of neighbours against known answers and distances and radii of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import DistanceMetric
from sklearn.neighbors import NearestNeighbors

from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.metrics.manifold import (
    compare,
    coverage,
    nearest_rows,
    realism,
    squared_radii,
)
from tfrecords_tools.errors import InputError

LINE = np.array([[0.0], [1.0], [2.0], [10.0]])


def reference(real, fake, k):
    """The four figures as the papers write them, from all distances at once."""
    real_ball, fake_ball = (
        NearestNeighbors(n_neighbors=k).fit(x).kneighbors()[0][:, -1] for x in (real, fake)
    )
    across = DistanceMetric.get_metric("euclidean").pairwise(real, fake)
    inside = across <= real_ball[:, None]
    return {
        "precision": inside.any(axis=0).mean(),
        "recall": (across <= fake_ball).any(axis=1).mean(),
        "density": inside.sum() / (k * len(fake)),
        "coverage": inside.any(axis=1).mean(),
    }


@pytest.mark.parametrize("case", range(20))
def test_equal_the_reference(case):
    rng = np.random.default_rng(case)
    n, m, d = rng.integers(8, 60), rng.integers(8, 60), rng.integers(1, 12)
    real = rng.normal(size=(n, d)).astype(np.float32)
    fake = rng.normal(rng.uniform(0, 1), rng.uniform(0.3, 1.2), (m, d)).astype(np.float32)
    exact = real.astype(np.float64), fake.astype(np.float64)
    for k in (1, 3, 5):
        assert coverage(real, fake, k) == reference(*exact, k)["coverage"]
    whole, three, five = compare(real, fake), reference(*exact, 3), reference(*exact, 5)
    assert (whole.precision, whole.recall) == (three["precision"], three["recall"])
    assert (whole.density, whole.coverage) == (five["density"], five["coverage"])


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        ([[0.5]], 0.5),  # within 1 of 0 and of 1
        ([[1.5], [5.0]], 0.75),  # of 1, of 2, and within 8 of 10
        ([[-3.0]], 0.0),
        ([[0.0], [1.0], [2.0], [10.0]], 1.0),
    ],
)
def test_coverage_on_a_line_with_the_nearest_neighbour(fake, expected):
    assert coverage(LINE, np.array(fake), k=1) == expected


def test_the_others_on_a_line():
    fake = np.array([[0.5], [30.0]])
    found = reference(LINE, fake, k=1)
    assert (found["precision"], found["density"]) == (0.5, 1.0)  # in two balls, and in none
    assert reference(np.array([[0.4], [5.0], [61.0]]), fake, k=1)["recall"] == 2 / 3
    np.testing.assert_allclose(np.sqrt(squared_radii(LINE, (1, 2))), [[1, 1, 1, 8], [2, 1, 2, 9]])


def test_realism_by_hand_and_from_within_to_far_away():
    # Balls reach 1, 1, 1 and 8; the half with small balls is 0, 1 and 2.
    found = realism(LINE, np.array([[0.5], [4.0], [10.0], [2.0]]), k=1)
    np.testing.assert_allclose(found, [2.0, 0.5, 0.125, np.inf])
    real = np.random.default_rng(0).normal(size=(300, 5))
    fake = np.linspace(0, 8, 9)[:, None] * np.ones(5)
    assert (np.diff(realism(real, fake)[2:]) < 0).all()


@pytest.mark.parametrize("k", [1, 4])
def test_nearest_rows(k):
    rng = np.random.default_rng(k)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(20, 3))
    index, distance = nearest_rows(x, y, k)
    expected, order = NearestNeighbors(n_neighbors=k).fit(y).kneighbors(x)
    np.testing.assert_array_equal(index, order)
    np.testing.assert_allclose(distance, expected, rtol=1e-9)
    index, distance = nearest_rows(x[:0], y, k)
    assert index.shape == distance.shape == (0, k)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(50, 3)), rng.normal(0.5, 1, (40, 3))
    whole = compare(real, fake), realism(real, fake), nearest_rows(real, fake, 2)
    monkeypatch.setattr(manifold, "MANIFOLD_BLOCK", 7)
    assert compare(real, fake) == whole[0]
    np.testing.assert_allclose(realism(real, fake), whole[1])
    np.testing.assert_array_equal(nearest_rows(real, fake, 2)[0], whole[2][0])


def test_far_from_the_origin_the_digits_last():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 3)), rng.normal(1, 1, (60, 3))
    assert compare(real + 1e6, fake + 1e6) == compare(real, fake)


def test_a_collapsed_generator_covers_little_and_a_perfect_one_much():
    rng = np.random.default_rng(0)
    real, perfect = rng.normal(size=(2, 400, 8))
    good = compare(real, perfect)
    expected = 1 - np.prod([(400 - i) / (800 - i) for i in range(1, 6)])
    assert good.coverage == pytest.approx(expected, abs=0.02)
    assert good.density == pytest.approx(1, abs=0.1)
    collapsed = compare(real, np.tile(real[:1], (400, 1)))
    assert collapsed.precision == 1
    assert collapsed.coverage < 0.1
    assert collapsed.recall < 0.1


def test_equal_images_lie_in_balls_of_no_size():
    ones = np.ones((9, 2)) * 1e3 + 0.1
    assert compare(ones, ones) == manifold.Manifold(1.0, 1.0, 9 / 5, 1.0)
    assert compare(ones, 0 * ones).coverage == 0


def test_memory_does_not_grow_with_the_square(monkeypatch):
    shapes = []
    inner = manifold._blocks

    def spied(x, y):
        for rows, squared in inner(x, y):
            shapes.append(squared.shape)
            yield rows, squared

    monkeypatch.setattr(manifold, "_blocks", spied)
    compare(np.random.default_rng(0).normal(size=(2500, 2)), np.ones((2100, 2)))
    assert max(rows for rows, _ in shapes) == manifold.MANIFOLD_BLOCK


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (np.ones((5, 2)), np.ones((9, 2)), 5, r"k = 5\), got 5 and 9"),
        (np.ones((6, 2)), np.ones((0, 2)), 5, r"got 6 and 0"),
        (np.ones((6, 2)), np.ones((6, 2)), 0, r"k = 0"),
        (np.ones((6, 2)), np.ones((6, 3)), 5, r"got \[6, 2\] and \[6, 3\]"),
        (np.full((6, 2), np.nan), np.ones((6, 2)), 5, r"not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(real, fake, k, message):
    with pytest.raises(InputError, match=message):
        coverage(real, fake, k)
    with pytest.raises(InputError, match=r"k = 1\), got 9 and 3"):
        compare(np.ones((9, 2)), np.ones((3, 2)))

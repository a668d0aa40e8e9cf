"""Coverage against known answers and a reference that compares image by image."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation import manifold
from skin_synth.evaluation.manifold import coverage
from tfrecords_tools.errors import InputError

LINE = np.array([[0.0], [1.0], [2.0], [10.0]])


def reference(real, fake, k):
    """One real image at a time, by plain differences."""
    hits = 0
    for i, x in enumerate(real):
        others = np.delete(real, i, axis=0)
        radius = np.sort(np.linalg.norm(others - x, axis=1))[k - 1]
        hits += np.linalg.norm(fake - x, axis=1).min() <= radius
    return hits / len(real)


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        ([[0.5]], 0.5),  # within 1 of 0 and of 1
        ([[1.5], [5.0]], 0.75),  # of 1, of 2, and within 8 of 10
        ([[-3.0]], 0.0),
        ([[0.0], [1.0], [2.0], [10.0]], 1.0),
    ],
)
def test_on_a_line_with_the_nearest_neighbour(fake, expected):
    assert coverage(LINE, np.array(fake), k=1) == expected


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_the_reference(k):
    rng = np.random.default_rng(k)
    real, fake = rng.normal(size=(70, 4)), rng.normal(0.8, 0.7, (50, 4))
    found = coverage(real.astype(np.float32), fake.astype(np.float32), k=k)
    assert found == reference(real.astype(np.float32), fake.astype(np.float32), k)
    assert 0.05 < found < 0.99


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(50, 3)), rng.normal(0.5, 1, (40, 3))
    whole = coverage(real, fake)
    monkeypatch.setattr(manifold, "BLOCK", 7)
    assert coverage(real, fake) == whole


def test_far_from_the_origin_the_digits_last():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 3)), rng.normal(1, 1, (60, 3))
    assert coverage(real + 1e6, fake + 1e6) == coverage(real, fake)


def test_a_collapsed_generator_covers_little_and_a_perfect_one_much():
    rng = np.random.default_rng(0)
    real, perfect = rng.normal(size=(2, 400, 8))
    assert coverage(real, perfect) > 0.9
    assert coverage(real, np.tile(real[:1], (400, 1))) < 0.1


def test_equal_real_images_are_covered_by_their_like():
    assert coverage(np.ones((9, 2)), np.ones((1, 2))) == 1.0
    assert coverage(np.ones((9, 2)), np.zeros((9, 2))) == 0.0


@pytest.mark.parametrize(
    ("real", "fake", "k", "message"),
    [
        (np.ones((5, 2)), np.ones((9, 2)), 5, r"k = 5 .* got 5 and 9"),
        (np.ones((6, 2)), np.ones((0, 2)), 5, r"got 6 and 0"),
        (np.ones((6, 2)), np.ones((6, 2)), 0, r"k = 0"),
        (np.ones((6, 2)), np.ones((6, 3)), 5, r"got \[6, 2\] and \[6, 3\]"),
        (np.full((6, 2), np.nan), np.ones((6, 2)), 5, r"not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(real, fake, k, message):
    with pytest.raises(InputError, match=message):
        coverage(real, fake, k)

"""Nearest training images against brute force, and copies under every flip and turn."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation import memorization
from skin_synth.evaluation.memorization import compare, nearest, symmetries
from tfrecords_tools.errors import InputError


def smooth_images(n, side, *, seed):
    """Random images of four by four patches, so that they differ after averaging, too."""
    patches = np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 3), np.uint8)
    return patches.repeat(side // 4, axis=1).repeat(side // 4, axis=2)


def averaged(images):
    """Area average to 32x32 by repetition to a common multiple."""
    side = images.shape[1]
    if side <= 32:
        return images.astype(np.float64)
    common = np.lcm(side, 32)
    large = images.repeat(common // side, axis=1).repeat(common // side, axis=2)
    block = common // 32
    return large.reshape(len(images), 32, block, 32, block, 3).mean(axis=(2, 4))


def brute_force(images, reference):
    small, known = averaged(images), averaged(reference)
    distance = np.full((len(small), len(known)), np.inf)
    for turns in range(4):
        for turned in (np.rot90(small, turns, (1, 2)), np.rot90(small, turns, (1, 2))[:, :, ::-1]):
            for i, image in enumerate(turned):
                rms = np.sqrt(np.square(image - known).mean(axis=(1, 2, 3)))
                distance[i] = np.minimum(distance[i], rms)
    return distance.argmin(axis=1), distance.min(axis=1)


@pytest.mark.parametrize("side", [8, 32, 48, 64])
def test_equals_brute_force(side):
    rng = np.random.default_rng(side)
    images = rng.integers(0, 256, (7, side, side, 3), np.uint8)
    reference = smooth_images(9, side, seed=1)
    index, distance = nearest(images, reference)
    expected_index, expected = brute_force(images, reference)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(distance, expected, rtol=1e-5)
    assert index.dtype == np.int64
    assert distance.dtype == np.float32


@pytest.mark.parametrize("symmetry", range(8))
def test_turned_copies_are_at_distance_zero(symmetry):
    reference = smooth_images(30, 64, seed=2)
    copies = list(symmetries(reference))[symmetry][::-1]
    index, distance = nearest(np.ascontiguousarray(copies), reference)
    np.testing.assert_array_equal(index, np.arange(30)[::-1])
    np.testing.assert_allclose(distance, 0, atol=1e-4)


def test_the_eight_symmetries_are_different():
    image = np.random.default_rng(0).integers(0, 256, (1, 5, 5, 3), np.uint8)
    assert len({turned.tobytes() for turned in symmetries(image)}) == 8


def test_a_known_distance():
    grey = np.full((1, 64, 64, 3), 100, np.uint8)
    _, distance = nearest(grey, np.full((1, 64, 64, 3), 130, np.uint8))
    assert distance[0] == pytest.approx(30)


def test_blocks_do_not_show(monkeypatch):
    images, reference = smooth_images(11, 16, seed=3), smooth_images(13, 16, seed=4)
    whole = nearest(images, reference)
    monkeypatch.setattr(memorization, "BLOCK", 4)
    in_blocks = nearest(images, reference)
    np.testing.assert_array_equal(whole[0], in_blocks[0])
    np.testing.assert_allclose(whole[1], in_blocks[1], rtol=1e-6)


def test_no_image_has_no_neighbour():
    index, distance = nearest(smooth_images(0, 16, seed=0), smooth_images(2, 16, seed=0))
    assert index.shape == distance.shape == (0,)


def test_figures_of_a_comparison():
    held_out = np.arange(1, 102, dtype=float)  # its first percentile is 2
    found = compare(np.array([0.0, 1.0, 50.0, 60.0]), held_out)
    assert found.synthetic_median == 25.5
    assert found.synthetic_minimum == 0
    assert found.held_out_median == 51
    assert found.held_out_percentile == pytest.approx(2)
    assert found.share_below == 0.5


@pytest.mark.parametrize(
    ("images", "reference", "message"),
    [
        (smooth_images(1, 16, seed=0), smooth_images(1, 32, seed=0), r"got \[1, 16, 16, 3\] and"),
        (np.zeros((16, 16, 3)), np.zeros((16, 16, 3)), r"one shape \[\*, side, side, 3\]"),
        (np.zeros((1, 8, 16, 3)), np.zeros((1, 8, 16, 3)), r"must be square, got \[1, 8, 16, 3\]"),
        (smooth_images(1, 16, seed=0), smooth_images(0, 16, seed=0), r"at least one reference"),
    ],
)
def test_what_cannot_be_compared_is_refused(images, reference, message):
    with pytest.raises(InputError, match=message):
        nearest(images, reference)

"""Nearest training images against brute force, and copies under every flip and turn."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import nearest as module
from skin_synth.evaluation.metrics.nearest import (
    NearestImages,
    feature_neighbours,
    nearest,
    symmetries,
)
from tfrecords_tools.errors import InputError


def smooth_images(n, side, *, seed):
    """Random images of four by four patches, so that they also differ after averaging."""
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


def full_distances(images, reference):
    """All distances, smallest over flips and quarter turns: float64[n, m]."""
    small, known = averaged(images), averaged(reference)
    turned = [
        np.rot90(each, turns, (1, 2)) for turns in range(4) for each in (small, small[:, ::-1])
    ]
    every = [
        [np.sqrt(np.square(image - known).mean(axis=(1, 2, 3))) for image in each]
        for each in turned
    ]
    return np.min(every, axis=0)


@pytest.mark.parametrize("side", [8, 32, 48, 64])
def test_equals_brute_force(side):
    rng = np.random.default_rng(side)
    images = rng.integers(0, 256, (7, side, side, 3), np.uint8)
    reference = smooth_images(9, side, seed=1)
    index, distance = nearest(images, reference)
    expected = full_distances(images, reference)
    np.testing.assert_array_equal(index, expected.argmin(axis=1))
    np.testing.assert_allclose(distance, expected.min(axis=1), rtol=1e-5)
    assert index.dtype == np.int64
    assert distance.dtype == np.float32


@pytest.mark.parametrize("side", [16, 64])
def test_all_distances_are_those_of_the_neighbours(side):
    rng = np.random.default_rng(side)
    known = rng.integers(0, 256, (9, side, side, 3)).astype(np.uint8)
    images = np.concatenate([known[3:5, ::-1], known[:4] // 2 + 40])
    gallery = NearestImages(known)
    found = gallery.neighbours(images, k=len(known))
    distances = gallery.distances(images)
    assert distances[0, 3] == distances[1, 4] == 0
    np.testing.assert_allclose(
        np.take_along_axis(distances, found.index, axis=1), found.distance, rtol=1e-5, atol=1e-4
    )
    with pytest.raises(InputError, match="one shape"):
        gallery.distances(images[:, :8, :8])


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


def test_a_known_distance_and_no_image():
    grey = np.full((1, 64, 64, 3), 100, np.uint8)
    assert nearest(grey, grey + np.uint8(30))[1] == pytest.approx(30)
    index, distance = nearest(grey[:0], grey)
    assert index.shape == distance.shape == (0,)


def test_blocks_do_not_show(monkeypatch):
    images, reference = smooth_images(11, 16, seed=3), smooth_images(13, 16, seed=4)
    whole = nearest(images, reference)
    monkeypatch.setattr(module, "MOST_BOUNDS", 40)
    monkeypatch.setattr(module, "MOST_PAIRS", 7)
    in_blocks = nearest(images, reference)
    np.testing.assert_array_equal(whole[0], in_blocks[0])
    np.testing.assert_allclose(whole[1], in_blocks[1], rtol=1e-6)


KINDS = {
    "smooth": lambda rng, n: smooth_images(n, 32, seed=int(rng.integers(99))),
    "noise": lambda rng, n: rng.integers(0, 256, (n, 32, 32, 3)).astype(np.uint8),
    "alike": lambda rng, n: (
        smooth_images(1, 32, seed=5) // 2 + rng.integers(0, 3, (n, 32, 32, 3)).astype(np.uint8)
    ),
    "dark": lambda rng, n: rng.integers(0, 3, (n, 32, 32, 3)).astype(np.uint8),
    "equal": lambda rng, n: np.full((n, 32, 32, 3), 77, np.uint8),
}


@pytest.mark.parametrize("crowded", [1, 6, 10**6])
@pytest.mark.parametrize("kind", KINDS)
def test_pruning_leaves_out_no_neighbour(kind, crowded, monkeypatch):
    """Whatever the images, and whether the bound or plain products decide."""
    monkeypatch.setattr(module, "CROWDED_SHARE", crowded)
    rng = np.random.default_rng(0)
    reference, images = KINDS[kind](rng, 40), KINDS[kind](rng, 12)
    images[:3] = reference[:3].swapaxes(1, 2)
    found = NearestImages(reference).neighbours(images, 3)
    distances = full_distances(images, reference)
    expected = np.sort(distances, axis=1)[:, :3]
    np.testing.assert_allclose(found.distance, expected, rtol=1e-4, atol=1e-2)
    chosen = np.take_along_axis(distances, found.index, axis=1)
    np.testing.assert_allclose(chosen, expected, rtol=1e-4, atol=1e-2)
    assert all(len(set(row)) == 3 for row in found.index)


def test_images_of_one_group_are_kept_apart():
    reference = smooth_images(6, 16, seed=1)
    own, others = ["a", "b"], ["a", "a", "b", "c", "c", "c"]
    found = NearestImages(reference).neighbours(reference[[0, 2]], 3, apart=(own, others))
    apart = full_distances(reference[[0, 2]], reference)
    apart[0, :2] = apart[1, 2] = np.inf
    np.testing.assert_array_equal(found.index, np.argsort(apart, axis=1)[:, :3])
    np.testing.assert_allclose(found.distance, np.sort(apart, axis=1)[:, :3], rtol=1e-4)
    known = np.arange(5.0)[:, None]
    found = feature_neighbours(known[None, :2], known, 1, apart=(["a", "a"], [*"aabbc"]))
    np.testing.assert_array_equal(found.index[:, 0], [2, 2])


def test_fewer_references_than_asked_for():
    reference = smooth_images(2, 16, seed=1)
    found = NearestImages(reference).neighbours(reference, 3, apart=(["a", "b"], ["a", "b"]))
    np.testing.assert_array_equal(found.index[:, 0], [1, 0])
    assert np.isfinite(found.distance[:, 0]).all()
    assert np.isinf(found.distance[:, 1:]).all()


@pytest.mark.parametrize("k", [1, 3])
def test_neighbours_by_features(k, monkeypatch):
    monkeypatch.setattr(module, "MOST_BOUNDS", 60)
    rng = np.random.default_rng(0)
    turned, known = rng.normal(5, 1, (8, 7, 4)), rng.normal(5, 1, (20, 4))
    turned[3, 2] = known[11]
    found = feature_neighbours(turned, known, k)
    every = np.sqrt(np.square(turned[:, :, None] - known).sum(-1)).min(axis=0)
    np.testing.assert_array_equal(found.index, np.argsort(every, axis=1)[:, :k])
    np.testing.assert_allclose(found.distance, np.sort(every, axis=1)[:, :k], rtol=1e-5)
    assert found.distance[2, 0] == 0


@pytest.mark.parametrize(
    ("search", "shape", "reference", "message"),
    [
        (feature_neighbours, (8, 3, 2), (4, 3), r"got \[8, 3, 2\] and \[4, 3\]"),
        (feature_neighbours, (8, 3, 2), (0, 2), "at least one reference image"),
        (nearest, (1, 16, 16, 3), (1, 32, 32, 3), r"got \[1, 16, 16, 3\] and"),
        (nearest, (16, 16, 3), (16, 16, 3), r"one shape \[\*, side, side, 3\]"),
        (nearest, (1, 8, 16, 3), (1, 8, 16, 3), r"must be square, got \[1, 8, 16, 3\]"),
        (nearest, (1, 16, 16, 3), (0, 16, 16, 3), r"at least one reference"),
    ],
)
def test_what_cannot_be_compared_is_refused(search, shape, reference, message):
    with pytest.raises(InputError, match=message):
        search(np.zeros(shape, np.uint8), np.zeros(reference, np.uint8))

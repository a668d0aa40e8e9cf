"""The search among kept images finds what a comparison of all pairs finds."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics.nearest import nearest, symmetries
from skin_synth.synthesis import kept_images
from skin_synth.synthesis.kept_images import KeptImages, invariants


def images_of(count, side, seed=0):
    """Smooth images of few colours, and more or less noisy copies of some of them."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (count, 4, 4, 3)).astype(np.float64)
    smooth = coarse.repeat(side // 4, axis=1).repeat(side // 4, axis=2)
    noise = rng.normal(size=smooth.shape) * rng.choice([1, 5, 20], (count, 1, 1, 1))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def turned_copies(images, seed):
    rng = np.random.default_rng(seed)
    variants = np.stack(list(symmetries(images)))
    chosen = variants[rng.integers(0, 8, len(images)), np.arange(len(images))].astype(np.float64)
    return np.clip(chosen + rng.normal(size=images.shape) * 8, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("side", [8, 16, 32, 64])
@pytest.mark.parametrize("block", [7, 4096])
def test_it_finds_what_all_pairs_find(side, block, monkeypatch):
    monkeypatch.setattr(kept_images, "BLOCK_IMAGES", block)
    known = images_of(60, side)
    queries = np.concatenate([turned_copies(known[:20], 1), images_of(20, side, seed=5)])
    distance = nearest(queries, known)[1]
    with KeptImages() as kept:
        for start in range(0, 60, 9):
            kept.add(known[start : start + 9])
        assert len(kept) == 60
        for limit in (1.0, *np.quantile(distance, [0.1, 0.4, 0.6]), 300.0):
            np.testing.assert_array_equal(kept.near(queries, limit), distance < limit)


@pytest.mark.parametrize("side", [8, 16, 24, 32, 64, 96])
def test_the_bound_is_below_the_distance_and_the_same_for_a_turned_image(side):
    first, second = images_of(20, side), images_of(20, side, seed=3)
    ours, theirs = invariants(first), invariants(second)
    bound = np.linalg.norm(ours[:, None] - theirs, axis=2).min(axis=1)
    distance = nearest(first, second)[1]
    assert (bound <= distance * (1 + 1e-4)).all()
    assert (bound > 0.1 * distance).all()
    for each in symmetries(first):
        np.testing.assert_allclose(invariants(each), ours, atol=1e-3)


def test_nothing_is_near_nothing():
    with KeptImages() as kept:
        assert not kept.near(images_of(3, 16), 1e9).any()
        kept.add(images_of(3, 16))
        assert kept.near(images_of(0, 16), 1e9).shape == (0,)


def test_few_pairs_are_compared_in_full(monkeypatch):
    known, queries = images_of(2000, 32), images_of(30, 32, seed=1)
    pairs = []
    monkeypatch.setattr(
        kept_images,
        "nearest",
        lambda a, b: pairs.append(len(a) * len(b)) or nearest(a, b),
    )
    with KeptImages() as kept:
        kept.add(known)
        kept.near(queries, 8.0)
    assert sum(pairs) < 0.02 * len(known) * len(queries)

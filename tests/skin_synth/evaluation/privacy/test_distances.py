"""Distances to synthetic images and to other real images, the same for all turns of an image."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.metrics.nearest import symmetries
from skin_synth.evaluation.privacy.candidates import choose_candidates
from skin_synth.evaluation.privacy.distances import (
    Distances,
    generate_class,
    measure_distances,
    thumbnails,
    turn,
    turned_thumbnails,
)
from tests.skin_synth.evaluation.privacy.conftest import EXTRACTOR, newcomer, run_of


def test_thumbnails_are_means_and_turn_with_the_image():
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    expected = images.reshape(2, 16, 4, 16, 4, 3).mean(axis=(2, 4)) - 127.5
    np.testing.assert_allclose(thumbnails(images), expected.reshape(2, -1), atol=1e-4)
    each = [thumbnails(turned) for turned in symmetries(images)]
    np.testing.assert_allclose(turned_thumbnails(images), each, atol=1e-4)


def test_each_image_is_turned_by_its_own_number():
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), np.uint8)
    found = turn(images, np.arange(8))
    for row, turned in enumerate(symmetries(images)):
        np.testing.assert_array_equal(found[row], turned[row])


def test_distances_are_those_of_all_pairs(train, held_out):
    candidates = choose_candidates(train, held_out, seed=0)
    run = run_of(newcomer)
    pixels, features = measure_distances(
        run, candidates, EXTRACTOR, images_per_class=30, seed=3, cache=Cache(None)
    )
    others = candidates.images[~candidates.member]
    groups = candidates.groups[~candidates.member]
    for row in (0, 20, 60, 200):
        turns = [each[0] for each in symmetries(candidates.images[row : row + 1])]
        synthetic = generate_class(run, int(candidates.labels[row]), 30, seed=3)
        known = groups != candidates.apart[row]

        def gap(first, second):
            return np.linalg.norm(
                thumbnails(first)[:, None] - thumbnails(second)[None], axis=-1
            ).min(axis=1)

        near = gap(np.stack(turns), synthetic)
        assert pixels.synthetic[row] == pytest.approx(near.min(), rel=1e-4)
        assert pixels.real[row] == pytest.approx(
            gap(np.stack(turns), others[known]).min(), rel=1e-4
        )
        aligned = EXTRACTOR(turns[near.argmin()][None])
        for found, reference in ((features.synthetic, synthetic), (features.real, others[known])):
            gaps = np.linalg.norm(aligned - EXTRACTOR(reference), axis=1)
            assert found[row] == pytest.approx(gaps.min(), rel=1e-3, abs=0.05)


def test_scores_of_copies_are_large_and_finite():
    found = Distances(np.array([0.0, 1.0, 2.0]), np.array([0.0, 4.0, 2.0]))
    np.testing.assert_allclose(found.score[1:], [0, -np.log(2)])
    np.testing.assert_allclose(found.calibrated, [0, np.log(4), 0])
    assert np.isfinite(found.score).all()
    assert found.score[0] > 20

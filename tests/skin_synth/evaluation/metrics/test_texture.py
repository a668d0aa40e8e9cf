"""Fine detail: known values, and what blur and noise do to it."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics import texture
from skin_synth.evaluation.metrics.nearest import symmetries
from skin_synth.evaluation.metrics.texture import PROFILE_RINGS, fine_detail, profiles


def test_a_plain_image_has_none_and_a_slope_neither():
    plain = np.full((1, 8, 8, 3), 90, np.uint8)
    slope = np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None, None] * 9, (1, 8, 8, 3))
    np.testing.assert_allclose(fine_detail(plain), 0, atol=1e-4)
    np.testing.assert_allclose(fine_detail(slope), 0, atol=1e-4)


def test_a_chessboard_has_all_there_is():
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 100).astype(np.uint8)
    images = np.repeat(board[None, :, :, None], 3, axis=3)
    assert fine_detail(images)[0] == pytest.approx(100)


def test_noise_adds_what_theory_says():
    rng = np.random.default_rng(0)
    grey = rng.normal(128, 20, (4, 64, 64, 1)).clip(0, 255).repeat(3, axis=3).astype(np.uint8)
    # Of independent pixels the difference from four neighbours has 1 + 4 / 16 of the variance.
    np.testing.assert_allclose(fine_detail(grey), 20 * np.sqrt(1.25), rtol=0.05)


def test_blur_takes_it_away_and_blocks_do_not_show(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8)
    blurred = (images.astype(int) + np.roll(images, 1, 1) + np.roll(images, 1, 2)) // 3
    sharp = fine_detail(images)
    assert (fine_detail(blurred.astype(np.uint8)) < sharp).all()
    monkeypatch.setattr(texture, "TEXTURE_BLOCK", 4)
    np.testing.assert_allclose(fine_detail(images), sharp)


def test_profiles_are_the_same_under_flips_and_quarter_turns():
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 9, 3), np.uint8)
    expected = profiles(images)
    for turned in map(np.ascontiguousarray, symmetries(images)):
        np.testing.assert_allclose(profiles(turned), expected, rtol=1e-3)


def test_profiles_of_a_disc():
    place = np.abs(np.arange(32) - 15.5)
    radius = np.hypot(place[:, None], place)
    images = np.where(radius[None, :, :, None] < 9, [10, 20, 30], [200, 200, 200])
    found = profiles(images.astype(np.uint8)).reshape(1, 2, PROFILE_RINGS, 3)[0]
    np.testing.assert_allclose(found[0, 0], [10, 20, 30], rtol=1e-4)
    np.testing.assert_allclose(found[0, -1], 200, rtol=1e-4)
    np.testing.assert_allclose(found[1, [0, -1]], 0, atol=0.5)
    assert found[1, 2].min() > 20  # the border lies in this ring

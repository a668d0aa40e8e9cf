"""Perceptual hashes: steady under small changes, moved by flips and turns in a known way."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.encoding import encoded
from tests.images import moved, picture
from tfrecords_tools.images import perceptual_hash as perceptual
from tfrecords_tools.images.perceptual_hash import (
    MAX_HASH_DISTANCE,
    SYMMETRIES,
    near_pairs,
    perceptual_hash,
)


def bits(first: int, second: int) -> int:
    return (first ^ second).bit_count()


def spectrum(image: Image.Image) -> np.ndarray:
    """float[8, 8], the lowest frequencies by the definition of the transform."""
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), float)
    k, x = np.arange(8), np.arange(32)
    waves = np.cos(np.pi * k[:, None] * (x[None] + 0.5) / 32)
    return np.einsum("ky,lx,yx->kl", waves, waves, small)


def test_hash_holds_the_signs_of_the_lowest_frequencies():
    for seed in range(20):
        negative = spectrum(picture(seed)).ravel() < 0
        expected = sum(1 << bit for bit in range(1, 64) if negative[bit])
        assert perceptual_hash(picture(seed)) == expected


def test_bit_of_the_mean_is_never_set():
    assert all(perceptual_hash(picture(seed)) % 2 == 0 for seed in range(20))
    assert perceptual_hash(Image.new("L", (40, 30))) == 0


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_hash_of_a_moved_image_is_exact_where_nothing_is_rounded(symmetry):
    pictures = [picture(seed, (32, 32)) for seed in range(60)]
    clear = [image for image in pictures if np.abs(spectrum(image)).min() > 0.1]
    assert len(clear) > 40
    hashes = np.array([perceptual_hash(image) for image in clear], np.uint64)
    expected = [perceptual_hash(moved(image, symmetry)) for image in clear]
    assert perceptual.transformed(hashes, symmetry).tolist() == expected


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_hash_of_a_moved_image_is_known_beforehand(symmetry):
    pictures = [picture(seed) for seed in range(20)]
    hashes = np.array([perceptual_hash(image) for image in pictures], np.uint64)
    expected = [perceptual_hash(moved(image, symmetry)) for image in pictures]
    found = perceptual.transformed(hashes, symmetry).tolist()
    # A coefficient near 0 may change its sign by rounding.
    assert max(map(bits, found, expected)) <= 2
    assert np.mean(list(map(bits, found, expected))) < 0.3


def test_names_of_turns_are_those_of_the_eye():
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
    for symmetry, transposition in {
        "flip_left_right": Image.Transpose.FLIP_LEFT_RIGHT,
        "flip_top_bottom": Image.Transpose.FLIP_TOP_BOTTOM,
        "half_turn": Image.Transpose.ROTATE_180,
        "transpose": Image.Transpose.TRANSPOSE,
        "quarter_turn_left": Image.Transpose.ROTATE_90,
        "quarter_turn_right": Image.Transpose.ROTATE_270,
        "transverse": Image.Transpose.TRANSVERSE,
    }.items():
        assert moved(image, symmetry) == image.transpose(transposition), symmetry


def test_different_images_are_far_apart():
    hashes = [perceptual_hash(picture(seed)) for seed in range(40)]
    assert min(bits(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > 4 * MAX_HASH_DISTANCE


@pytest.mark.parametrize("change", ["re-encoded", "half the size", "brighter", "grey"])
def test_small_changes_change_few_bits(change):
    distances = []
    for seed in range(40):
        image = picture(seed)
        if change == "re-encoded":
            other = Image.open(io.BytesIO(encoded(image, "JPEG", quality=60)))
        elif change == "half the size":
            other = image.resize((48, 48), Image.Resampling.LANCZOS)
        elif change == "brighter":
            other = image.point(lambda value: min(round(1.1 * value), 255))
        else:
            other = image.convert("L")
        distances.append(bits(perceptual_hash(image), perceptual_hash(other)))
    assert np.mean(np.array(distances) <= MAX_HASH_DISTANCE) >= 0.95


def planted(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random hashes, some of the second a few bits away from some of the first."""
    random = np.random.default_rng(seed)
    first, second = (random.integers(0, 2**64, n, np.uint64) for n in (300, 200))
    for row in range(60):
        flipped = random.choice(64, random.integers(0, MAX_HASH_DISTANCE + 3), replace=False)
        second[row] = first[random.integers(300)] ^ np.uint64(sum(1 << int(b) for b in flipped))
    return first, second


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("block", [1, 7, 2**20])
def test_near_pairs_are_all_and_each_once(seed, block, monkeypatch):
    monkeypatch.setattr(perceptual, "PAIRS_AT_ONCE", block)
    first, second = planted(seed)
    distance = np.bitwise_count(first[:, None] ^ second[None])
    expected = sorted(map(tuple, np.argwhere(distance <= MAX_HASH_DISTANCE).tolist()))
    assert len(expected) > 20
    assert sorted(near_pairs(first, second)) == expected


def test_many_equal_hashes():
    same = np.full(50, 12345, np.uint64)
    assert len(list(near_pairs(same, same))) == 2500


def test_no_hashes():
    none = np.zeros(0, np.uint64)
    assert list(near_pairs(none, none)) == []
    assert list(near_pairs(np.ones(3, np.uint64), none)) == []

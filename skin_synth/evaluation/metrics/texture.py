"""Texture and colours without a trained network: fine detail and profiles."""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.evaluation.statistics.significance import rank_sum

TEXTURE_BLOCK = 512
PROFILE_RINGS = 6
"""Rings of a profile, from the middle to the corners."""


@dataclasses.dataclass(frozen=True)
class TextureTest:
    """Fine detail of `n` synthetic images against that of real ones; medians in grey levels.

    Attributes:
        p_value_less: probability that synthetic images have so little detail by chance.
        p_value_more: probability that they have so much.
    """

    n: int
    n_real: int
    synthetic_median: float
    real_median: float
    p_value_less: float
    p_value_more: float


def texture_test(synthetic: np.ndarray, real: np.ndarray) -> TextureTest | None:
    """Tests whether synthetic images have less, or more, fine detail than real ones.

    Args:
        synthetic: float[n], see `fine_detail`; without images on a side there is no test.
        real: float[m].
    """
    if not len(synthetic) or not len(real):
        return None
    return TextureTest(
        n=len(synthetic),
        n_real=len(real),
        synthetic_median=float(np.median(synthetic)),
        real_median=float(np.median(real)),
        p_value_less=rank_sum(synthetic, real),
        p_value_more=rank_sum(real, synthetic),
    )


def fine_detail(images: np.ndarray) -> np.ndarray:
    """Measures contrast at the finest scale: RMS difference of pixels from their neighbours' mean.

    It is the discrete Laplacian over the four neighbours, on the mean of the colour channels,
    without the outermost pixels.

    Args:
        images: uint8[n, height, width, 3], 3 pixels high and wide or more.

    Returns:
        float64[n], grey levels.
    """
    found = np.empty(len(images))
    for start in range(0, len(images), TEXTURE_BLOCK):
        grey = images[start : start + TEXTURE_BLOCK].mean(axis=3, dtype=np.float32)
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        rest = grey[:, 1:-1, 1:-1] - around / 4
        found[start : start + TEXTURE_BLOCK] = np.sqrt(np.square(rest).mean(axis=(1, 2)))
    return found


def profiles(images: np.ndarray) -> np.ndarray:
    """Computes mean and spread of each colour in concentric rings, for a second test of variety.

    Flips and quarter turns do not change them. A classifier's features lose what does not matter
    for its classes, such as the kinds of lesion within one class.

    Args:
        images: uint8[n, side, side, 3].

    Returns:
        float64[n, 36], grey levels.
    """
    side = images.shape[1]
    place = np.abs(np.arange(side) - (side - 1) / 2)
    ring = np.hypot(place[:, None], place) / np.hypot(place[0], place[0]) * PROFILE_RINGS
    ring = np.minimum(ring.astype(int), PROFILE_RINGS - 1).ravel()
    weights = np.zeros((PROFILE_RINGS, side * side), np.float32)
    weights[ring, np.arange(side * side)] = 1
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1)
    found = np.empty((len(images), 2 * PROFILE_RINGS * 3))
    for start in range(0, len(images), TEXTURE_BLOCK):
        block = images[start : start + TEXTURE_BLOCK].reshape(-1, side * side, 3).astype(np.float32)
        mean = weights @ block
        spread = np.sqrt(np.maximum(weights @ np.square(block) - np.square(mean), 0))
        both = np.concatenate([mean, spread], axis=1)
        found[start : start + TEXTURE_BLOCK] = both.reshape(len(block), -1)
    return found

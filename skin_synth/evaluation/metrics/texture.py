"""Plain descriptions of images that nobody has to train: fine detail and profiles."""

from __future__ import annotations

import numpy as np

BLOCK = 512
RINGS = 6
"""Of a profile, from the middle to the corners."""


def fine_detail(images: np.ndarray) -> np.ndarray:
    """Contrast of the finest scale: RMS difference of each pixel from the mean of its neighbours.

    The discrete Laplacian over the four neighbours, on the mean of the colour channels, without
    the outermost pixels.

    Args:
        images: uint8[n, height, width, 3], 3 pixels high and wide or more.

    Returns:
        float64[n], grey levels.
    """
    found = np.empty(len(images))
    for start in range(0, len(images), BLOCK):
        grey = images[start : start + BLOCK].mean(axis=3, dtype=np.float32)
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        rest = grey[:, 1:-1, 1:-1] - around / 4
        found[start : start + BLOCK] = np.sqrt(np.square(rest).mean(axis=(1, 2)))
    return found


def profiles(images: np.ndarray) -> np.ndarray:
    """Mean and spread of each colour in concentric rings: the same under flips and quarter turns.

    A second opinion on variety: a classifier's features forget what does not matter for its
    classes, such as the kinds of lesion that one class is made of.

    Args:
        images: uint8[n, side, side, 3].

    Returns:
        float64[n, 36], grey levels.
    """
    side = images.shape[1]
    place = np.abs(np.arange(side) - (side - 1) / 2)
    ring = np.hypot(place[:, None], place) / np.hypot(place[0], place[0]) * RINGS
    ring = np.minimum(ring.astype(int), RINGS - 1).ravel()
    weights = np.zeros((RINGS, side * side), np.float32)
    weights[ring, np.arange(side * side)] = 1
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1)
    found = np.empty((len(images), 2 * RINGS * 3))
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK].reshape(-1, side * side, 3).astype(np.float32)
        mean = weights @ block
        spread = np.sqrt(np.maximum(weights @ np.square(block) - np.square(mean), 0))
        found[start : start + BLOCK] = np.concatenate([mean, spread], axis=1).reshape(
            len(block), -1
        )
    return found

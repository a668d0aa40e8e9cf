"""The images of a class that were kept, and the search for near-duplicates of them.

Each candidate is compared with every image kept before. So the search takes a bound that is fifty
times cheaper than the distance. Flips and quarter turns keep the mean of each orbit of pixels (at
most eight), and the length of what is left in each band of resolution. By the triangle inequality
the distance of two images is at least that of these features. Only pairs whose bound is below the
limit are compared in full.
"""

from __future__ import annotations

import functools
import math
import os
import tempfile
from pathlib import Path

import numpy as np

from skin_synth.evaluation.metrics.nearest import (
    BOUND_SLACK,
    averaged,
    block_means,
    nearest,
)

BLOCK_IMAGES = 2048
"""Images that are searched together; adding images copies no more than one block."""


class KeptImages:
    """Images uint8[n, side, side, 3], to which more are added; use as a context manager.

    Only their features are in memory, half a KiB each. The images are in a file without a name,
    because few are compared in full.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Opens the file in a folder; None for that of the system for temporary files."""
        self._features: list[np.ndarray] = []
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (`__exit__` closes it)
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> KeptImages:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return sum(map(len, self._features))

    def add(self, images: np.ndarray) -> None:
        """Adds images uint8[m, side, side, 3]."""
        if not len(images):
            return
        self._shape = images.shape[1:]
        self._file.seek(0, os.SEEK_END)
        self._file.write(np.ascontiguousarray(images).data)
        features = invariants(images)
        if self._features and len(self._features[-1]) < BLOCK_IMAGES:
            features = np.concatenate([self._features.pop(), features])
        self._features.append(features)

    def near(self, images: np.ndarray, limit: float) -> np.ndarray:
        """Finds which images are nearer than a limit to a kept one: bool[m].

        Args:
            images: uint8[m, side, side, 3].
            limit: distance in grey levels, as in `nearest`.
        """
        found = np.zeros(len(images), bool)
        own, first = invariants(images), 0
        for block in self._features:
            close = _bounds(own, block) < limit**2
            for row in np.flatnonzero(close.any(axis=1) & ~found):
                others = self._images(first + np.flatnonzero(close[row]))
                found[row] = nearest(images[row : row + 1], others)[1][0] < limit
            first += len(block)
        return found

    def _images(self, numbers: np.ndarray) -> np.ndarray:
        """Reads images by number: uint8[n, side, side, 3]."""
        images = np.empty((len(numbers), *self._shape), np.uint8)
        for image, number in zip(images, numbers.tolist(), strict=True):
            self._file.seek(number * image.nbytes)
            self._file.readinto(image.data)
        return images


def invariants(images: np.ndarray) -> np.ndarray:
    """Computes what flips and quarter turns keep: float32[n, features].

    The distance of two rows is at most the distance of the images, in grey levels.
    """
    small = averaged(images)
    means, block = block_means(small)
    count, cells, channels = len(images), means.shape[1], means.shape[3]
    orbits = _orbits(cells)
    by_cell = means.reshape(count, cells**2, channels)
    by_orbit = np.einsum("nrc,ro->noc", by_cell, orbits)
    rest = means - np.einsum("noc,ro->nrc", by_orbit, orbits).reshape(means.shape)
    parts = [
        by_orbit.reshape(count, orbits.shape[1] * channels) / np.float32(cells),
        *_band_lengths(rest),
        _lengths(small - _enlarged(means, block)),
    ]
    return np.hstack(parts) / np.float32(math.sqrt(channels))


def _band_lengths(means: np.ndarray) -> list[np.ndarray]:
    """Splits square images into bands of resolution: a list of float32[n, channels], lengths."""
    lengths = []
    while means.shape[1] % 2 == 0:
        shape = (len(means), means.shape[1] // 2, 2, means.shape[2] // 2, 2, means.shape[3])
        coarser = means.reshape(shape).mean(axis=(2, 4))
        lengths.append(_lengths(means - _enlarged(coarser, 2)))
        means = coarser
    return [*lengths, _lengths(means)]


def _lengths(images: np.ndarray) -> np.ndarray:
    """Root mean square over the pixels of each channel: float32[n, channels]."""
    return np.sqrt(np.mean(np.square(images), axis=(1, 2)))


def _enlarged(images: np.ndarray, times: int) -> np.ndarray:
    return images.repeat(times, axis=1).repeat(times, axis=2)


@functools.cache
def _orbits(side: int) -> np.ndarray:
    """Projection onto the orbits of cells under flips and quarter turns: float32[side^2, orbits].

    Its columns are orthonormal.
    """
    row, column = np.indices((side, side))
    distances = np.sort([np.minimum(each, side - 1 - each) for each in (row, column)], axis=0)
    _, orbit = np.unique(distances[0] * side + distances[1], return_inverse=True)
    member = np.eye(orbit.max() + 1, dtype=np.float32)[orbit.ravel()]
    return member / np.sqrt(member.sum(axis=0))


def _bounds(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Lower bounds of squared distances, lowered by their rounding: float32[n, m]."""
    norms = [np.einsum("ij,ij->i", each, each) for each in (first, second)]
    scale = norms[0][:, None] + norms[1]
    return (1 - BOUND_SLACK) * scale - 2 * (first @ second.T)

"""How much of the real images' variety synthetic ones reach, by nearest neighbours."""

from __future__ import annotations

import numpy as np

from tfrecords_tools.errors import InputError

BLOCK = 1024
"""Rows compared at a time: memory grows with the number of images, not with its square."""


def coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> float:
    """Share of real images that have a synthetic one in their neighbourhood.

    The neighbourhood of a real image is the closed ball that reaches to its k-th nearest other
    real image (Naeem et al., "Reliable fidelity and diversity metrics for generative models",
    ICML 2020, equation 8). Depends on the sizes of both sets: compare at the same sizes only.

    Args:
        real: float[n, d], n above k.
        fake: float[m, d], m of 1 or more.
        k: the neighbour that bounds the neighbourhood, 1 or more.

    Returns:
        0 (no real image is reached) to 1 (every one is).

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    _check(real, fake, k)
    center = real.mean(axis=0, dtype=np.float64)  # small norms keep the digits of the distances
    real, fake = real - center, fake - center
    covered = 0
    for start in range(0, len(real), BLOCK):
        rows = real[start : start + BLOCK]
        among = _squared_distances(rows, real)
        among[np.arange(len(rows)), np.arange(start, start + len(rows))] = -1.0  # itself, first
        radius = np.partition(among, k, axis=1)[:, k]
        covered += int((_squared_distances(rows, fake).min(axis=1) <= radius).sum())
    return covered / len(real)


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Float64[n, m] of float64[n, d] and float64[m, d]."""
    norms = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)
    return np.maximum(norms - 2 * (x @ y.T), 0.0)


def _check(real: np.ndarray, fake: np.ndarray, k: int) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise InputError(
            f"features must be [n, d] and [m, d], got {list(real.shape)} and {list(fake.shape)}"
        )
    if k < 1 or len(real) <= k or not len(fake):
        raise InputError(
            f"coverage with k = {k} needs more than k real images and a synthetic one, got "
            f"{len(real)} and {len(fake)}; k is 1 or more"
        )
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise InputError("features hold numbers that are not finite")

"""How features of synthetic images lie among those of real ones, by nearest neighbours."""

from __future__ import annotations

import numpy as np

from tfrecords_tools.errors import InputError

BLOCK = 1024
"""Rows compared at a time: memory grows with the number of rows, not with its square."""


def realism(real: np.ndarray, fake: np.ndarray, k: int = 3) -> np.ndarray:
    """How deep each synthetic image lies in the manifold of the real ones.

    The largest ratio of a real image's ball, which reaches to its k-th nearest other real image,
    to its distance from the synthetic image, over the half of the real images with the smaller
    balls (Kynkäänniemi et al., NeurIPS 2019, equation 3 and section 4).

    Args:
        real: float[n, d], n above k.
        fake: float[m, d].
        k: the neighbour that bounds a ball, 1 or more.

    Returns:
        float64[m]: 1 and above on the manifold, infinite for a copy.

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    _check(fake, real, k)
    if len(real) <= k:
        raise InputError(f"realism with k = {k} needs more than k real images, got {len(real)}")
    radius = nearest_rows(real, real, k + 1)[1][:, k]
    kept = radius <= np.median(radius)
    best = np.zeros(len(fake))
    center = real.mean(axis=0, dtype=np.float64)
    inner, radius, fake = real[kept] - center, radius[kept], fake - center
    for start in range(0, len(inner), BLOCK):
        rows = slice(start, start + BLOCK)
        distance = np.sqrt(_squared(inner[rows], fake))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(distance > 0, radius[rows, None] / distance, np.inf)
        best = np.maximum(best, ratio.max(axis=0))
    return best


def nearest_rows(x: np.ndarray, y: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of y of each row of x.

    Args:
        x: float[n, d].
        y: float[m, d], m of k or more.
        k: how many, 1 or more.

    Returns:
        Their indices int64[n, k] and distances float64[n, k], the nearest first.

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    _check(x, y, k)
    if len(y) < k:
        raise InputError(f"needs {k} rows to compare with, got {len(y)}")
    center = y.mean(axis=0, dtype=np.float64)  # small norms keep the digits of the distances
    x, y = x - center, y - center
    index, distance = np.zeros((len(x), k), np.int64), np.zeros((len(x), k))
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        squared = _squared(x[rows], y)
        index[rows] = np.argsort(squared, axis=1, kind="stable")[:, :k]
        distance[rows] = np.sqrt(np.take_along_axis(squared, index[rows], axis=1))
    return index, distance


def _squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances float64[n, m]; what is below the rounding of its terms is 0."""
    norms = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)
    squared = norms - 2 * (x @ y.T)
    squared[squared <= 1e-12 * norms] = 0.0
    return squared


def _check(x: np.ndarray, y: np.ndarray, k: int) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise InputError(
            f"features must be [n, d] and [m, d], got {list(x.shape)} and {list(y.shape)}"
        )
    if k < 1:
        raise InputError(f"k must be 1 or more, got k = {k}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("features hold numbers that are not finite")

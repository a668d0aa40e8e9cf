"""Permutation tests on features: is variety missing, and can synthetic images be recognised?"""

from __future__ import annotations

import dataclasses

import numpy as np

from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.statistics.significance import MOST_PERMUTATIONS, permuted

FEWEST_PERMUTED = 20
"""Least number of images on each side of a permutation test."""
MOST_PERMUTED = 200
"""Largest number of images on each side, because more take time and prove the same."""


@dataclasses.dataclass(frozen=True)
class VarietyTest:
    """Whether `n` synthetic images cover `n` real ones as well as the floor's images do."""

    n: int
    coverage: float
    coverage_floor: float
    p_value: float


@dataclasses.dataclass(frozen=True)
class DifferenceTest:
    """Whether `n` synthetic images can be distinguished from `n` real ones by scaled features."""

    n: int
    kernel: float
    p_value: float


def variety_test(
    real: np.ndarray,
    fake: np.ndarray,
    baseline: np.ndarray,
    rng: np.random.Generator,
    permutations: int = MOST_PERMUTATIONS,
) -> VarietyTest | None:
    """Tests whether synthetic images cover the real ones as well as other real images do.

    It is a one-sided permutation test of coverage, averaged over k in `manifold.VARIETY_K`:
    synthetic and baseline images are divided into two sets at random. The p-value is valid for
    every distribution if both are from one distribution. One k alone detects less: if a mode is
    lost, many wide neighbourhoods of a small set may still be reached.

    Args:
        real: float[n, d], the reference.
        fake: float[m, d].
        baseline: float[l, d], of real images to which the features are not fitted.
        rng: of the choice of images and of the permutations.
        permutations: largest number of permutations.

    Returns:
        None below `FEWEST_PERMUTED` images on a side.
    """
    size = min(len(real), len(fake), len(baseline), MOST_PERMUTED)
    if size < FEWEST_PERMUTED:
        return None
    x, pool = _pool(real, fake, baseline, size, rng)
    across = manifold.squared_distances(x, pool)
    radii = manifold.squared_radii(x, manifold.VARIETY_K)
    reached = (across <= radii[:, :, None]).reshape(-1, 2 * size).astype(np.float32)

    def coverage(chosen: np.ndarray) -> np.ndarray:
        return (reached @ chosen.T.astype(np.float32) > 0).mean(axis=0)

    own, p_value = permuted(coverage, size, 2 * size, rng, permutations)
    others = np.arange(2 * size)[None] >= size
    return VarietyTest(size, own, float(coverage(others)[0]), p_value)


def difference_test(
    fake: np.ndarray,
    real: np.ndarray,
    rng: np.random.Generator,
    permutations: int = MOST_PERMUTATIONS,
) -> DifferenceTest | None:
    """Tests whether the kernel distance separates synthetic from real images.

    It is a one-sided permutation test (Gretton et al., "A kernel two-sample test", JMLR 2012).

    Args:
        fake: float[m, d].
        real: float[n, d], of images to which the features are not fitted.
        rng: see `variety_test`.
        permutations: see `variety_test`.

    Returns:
        None below `FEWEST_PERMUTED` images on a side.
    """
    size = min(len(fake), len(real), MOST_PERMUTED)
    if size < FEWEST_PERMUTED:
        return None
    _, pool = _pool(real, fake, real, size, rng)
    pool = pool - pool.mean(axis=0)
    pool = pool / max(float(np.sqrt(np.square(pool).mean())), 1e-12)
    kernel = ((pool @ pool.T) / pool.shape[1] + 1) ** 3
    np.fill_diagonal(kernel, 0)
    kernel = kernel.astype(np.float32)
    total, rows = kernel.sum(dtype=np.float64), kernel.sum(axis=1)

    def similarity(chosen: np.ndarray) -> np.ndarray:
        """Returns minus the squared discrepancy, which is low if the two sets differ."""
        weight = chosen.astype(np.float32)
        within = np.einsum("ij,ij->i", weight @ kernel, weight).astype(np.float64)
        touched = (weight @ rows).astype(np.float64)
        others = total - 2 * touched + within
        return -((within + others) / (size * (size - 1)) - 2 * (touched - within) / size**2)

    own, p_value = permuted(similarity, size, 2 * size, rng, permutations)
    return DifferenceTest(size, -own, p_value)


def _pool(
    real: np.ndarray, fake: np.ndarray, baseline: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws rows of each: float64[size, d] and float64[2 size, d], synthetic ones first."""

    def some(rows: np.ndarray) -> np.ndarray:
        return rows[np.sort(rng.permutation(len(rows))[:size])].astype(np.float64)

    return some(real), np.concatenate([some(fake), some(baseline)])

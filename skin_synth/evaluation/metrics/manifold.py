"""Fidelity and variety by nearest neighbours: precision, recall, density, coverage, realism.

The manifold of a set of features is the union of closed balls around its rows; the k-th nearest
other row bounds each ball. All figures depend on the sizes of both sets, so compare them only at
the same sizes. Rows are compared in blocks, so that memory grows with the number of rows and not
with its square. They are centred on their mean in float64, so that no digits are lost far from the
origin.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from skin_synth.evaluation.features.labelled_features import check_features
from tfrecords_tools.errors import InputError

PRECISION_K, COVERAGE_K = 3, 5
"""k of the papers: for precision and recall, for density and coverage."""
VARIETY_K = (1, 2, 3, 5, 8)
"""Neighbours at which the verdict tests variety, from narrow to wide neighbourhoods."""
MANIFOLD_BLOCK = 1024
"""Rows compared at a time."""
SQUARED_ROUNDING = 1e-12
"""Squared distances below this share of the rows' squared norms are rounding: the rows are equal"""


@dataclasses.dataclass(frozen=True)
class Manifold:
    """Four figures of two sets.

    Precision and recall: Kynkäänniemi et al., "Improved precision and recall metric for assessing
    generative models", NeurIPS 2019, equations 1 and 2. Density and coverage: Naeem et al.,
    "Reliable fidelity and diversity metrics for generative models", ICML 2020, equations 5 and 6.

    Attributes:
        precision: share of synthetic images on the manifold of the real ones: fidelity.
        recall: share of real images on the manifold of the synthetic ones: variety. Outliers
            among the synthetic images raise it; coverage does not have this fault.
        density: average number of balls of real images that contain a synthetic image, over k:
            fidelity. 0 and above; about 1 for equal distributions, more if the synthetic images
            crowd. Real outliers with their large balls count less than in precision.
        coverage: see `coverage`.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def compare(real: np.ndarray, fake: np.ndarray) -> Manifold:
    """Computes all four figures in one pass, the first two with k = 3, the others with k = 5.

    Args:
        real: float[n, d], n above 5.
        fake: float[m, d], m above 3.

    Raises:
        InputError: too few rows, or see `check_features`.
    """
    _check(real, fake, real_above=COVERAGE_K, fake_above=PRECISION_K)
    real, fake = _centred(real, fake)
    radii = _squared_radii(real, (PRECISION_K, COVERAGE_K))
    fake_radius = _squared_radii(fake, (PRECISION_K,))[0]
    inside, balls, recalled, covered = np.zeros(len(fake), bool), 0, 0, 0
    for rows, squared in _blocks(real, fake):
        inside |= (squared <= radii[0, rows, None]).any(axis=0)
        near = squared <= radii[1, rows, None]
        balls += int(near.sum())
        covered += int(near.any(axis=1).sum())
        recalled += int((squared <= fake_radius).any(axis=1).sum())
    return Manifold(
        precision=float(inside.mean()),
        recall=recalled / len(real),
        density=balls / (COVERAGE_K * len(fake)),
        coverage=covered / len(real),
    )


def coverage(real: np.ndarray, fake: np.ndarray, k: int = COVERAGE_K) -> float:
    """Computes the share of real images that have a synthetic one in their ball: variety.

    Naeem et al., ICML 2020, equation 6. Expected for equal distributions and sizes is
    1 - (n - 1) ... (n - k) / ((2 n - 1) ... (2 n - k)), about 0.97 at k = 5.

    Args:
        real: float[n, d], n above k.
        fake: float[m, d], m of 1 or more.
        k: the neighbour that bounds a ball, 1 or more.

    Raises:
        InputError: too few rows, or see `check_features`.
    """
    _check(real, fake, real_above=k, k=k)
    real, fake = _centred(real, fake)
    radius = _squared_radii(real, (k,))[0]
    covered = sum(
        int((squared.min(axis=1) <= radius[rows]).sum()) for rows, squared in _blocks(real, fake)
    )
    return covered / len(real)


class RealismSearch:
    """Computes realism against one set of real images, whose balls are measured only once."""

    def __init__(self, real: np.ndarray, k: int = PRECISION_K) -> None:
        """Measures the balls of float[n, d], n above k; `k` is the neighbour that bounds a ball.

        Raises:
            InputError: too few rows, or see `check_features`.
        """
        _check(real, real, real_above=k, k=k)
        self._center = real.mean(axis=0, dtype=np.float64)
        centred = real - self._center
        radius = _squared_radii(centred, (k,))[0]
        kept = radius <= np.median(radius)
        self._real, self._radius = centred[kept], radius[kept]

    def realism(self, fake: np.ndarray) -> np.ndarray:
        """Computes how deep each synthetic image is in the manifold of the real ones.

        It is the largest ratio of the radius of a real image's ball to its distance from the
        synthetic image, over the half of the real images with the smaller balls, because thinly
        sampled regions are left out (Kynkäänniemi et al., NeurIPS 2019, equation 3 and section 4).

        Args:
            fake: float[m, d].

        Returns:
            float64[m]: 1 and above on the manifold, infinite for a copy.

        Raises:
            InputError: see `check_features`.
        """
        check_features(self._real, fake)
        best = np.zeros(len(fake))
        for rows, squared in _blocks(self._real, fake - self._center):
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(squared > 0, self._radius[rows, None] / squared, np.inf)
            best = np.maximum(best, ratio.max(axis=0))
        return np.sqrt(best)


def realism(real: np.ndarray, fake: np.ndarray, k: int = PRECISION_K) -> np.ndarray:
    """Computes realism of float[m, d] against float[n, d] real features; see `RealismSearch`."""
    return RealismSearch(real, k).realism(fake)


def squared_radii(x: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Computes squared distances to the k-th nearest other row: float[n, d] to float64[len(ks), n].

    Raises:
        InputError: too few rows for the largest k, or see `check_features`.
    """
    _check(x, x, real_above=max(ks), k=min(ks))
    return _squared_radii(_centred(x, x)[0], tuple(ks))


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Computes all squared distances of small sets: float[n, d], float[m, d] to float64[n, m]."""
    _check(x, y)
    return np.concatenate([squared for _, squared in _blocks(*_centred(x, y))])


def nearest_rows(x: np.ndarray, y: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest rows of y of each row of x.

    Args:
        x: float[n, d].
        y: float[m, d], m of k or more.
        k: how many, 1 or more.

    Returns:
        Their indices int64[n, k] and distances float64[n, k], the nearest first.

    Raises:
        InputError: too few rows, or see `check_features`.
    """
    _check(y, x, real_above=k - 1, fake_above=-1, k=k)
    y, x = _centred(y, x)
    index, distance = np.zeros((len(x), k), np.int64), np.zeros((len(x), k))
    for rows, squared in _blocks(x, y):
        found = np.argpartition(squared, k - 1, axis=1)[:, :k]
        value = np.take_along_axis(squared, found, axis=1)
        order = np.argsort(value, axis=1, kind="stable")
        index[rows] = np.take_along_axis(found, order, axis=1)
        distance[rows] = np.sqrt(np.take_along_axis(value, order, axis=1))
    return index, distance


def _squared_radii(x: np.ndarray, ks: tuple[int, ...]) -> np.ndarray:
    found = np.empty((len(ks), len(x)))
    for rows, squared in _blocks(x, x):
        own = np.arange(rows.start, rows.start + len(squared))
        squared[np.arange(len(squared)), own] = -1.0  # because the row itself comes first
        found[:, rows] = np.partition(squared, ks, axis=1)[:, list(ks)].T
    return found


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of x and their squared distances to all of y: slice and float64[rows, m]."""
    norms = np.einsum("ij,ij->i", y, y)
    for start in range(0, len(x), MANIFOLD_BLOCK):
        block = x[start : start + MANIFOLD_BLOCK]
        scale = np.einsum("ij,ij->i", block, block)[:, None] + norms
        squared = scale - 2 * (block @ y.T)
        squared[squared <= SQUARED_ROUNDING * scale] = 0.0
        yield slice(start, start + MANIFOLD_BLOCK), squared


def _centred(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres both on the mean of the real rows: small norms keep the digits of distances."""
    center = real.mean(axis=0, dtype=np.float64)
    return real - center, fake - center


def _check(
    real: np.ndarray, fake: np.ndarray, *, real_above: int = 0, fake_above: int = 0, k: int = 1
) -> None:
    check_features(real, fake)
    if k < 1:
        raise InputError(f"k must be 1 or more, got k = {k}")
    if len(real) <= real_above or len(fake) <= fake_above:
        raise InputError(
            f"needs more than {max(real_above, 0)} and {max(fake_above, 0)} rows (k = {k}), got "
            f"{len(real)} and {len(fake)}"
        )

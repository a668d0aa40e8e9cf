"""Distances, neighbours and variety of the whole set and of each class, each beside its floor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.metrics import fidelity, manifold
from skin_synth.evaluation.metrics.kernel_interval import kernel_interval
from skin_synth.evaluation.statistics.intervals import spread
from skin_synth.evaluation.statistics.significance import PERMUTATIONS, permuted

FEWEST = 20
"""Images a side from which on a permutation test is made."""
MOST = 200
"""Images a side that it takes: more cost time and tell the same."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Features of one set of images.

    Attributes:
        features: float[n, d].
        labels: int[n].
    """

    features: np.ndarray
    labels: np.ndarray

    def of(self, label: int | None) -> np.ndarray:
        """Features of one class, or of all: float[n, d]."""
        return self.features if label is None else self.features[self.labels == label]


def compare_features(
    extractor: Extractor,
    class_names: Sequence[str],
    real: Rows,
    floor: Rows,
    fakes: Sequence[Rows],
) -> dict[str, Any]:
    """All figures, with as many synthetic images as real ones.

    Args:
        extractor: what the features come from.
        class_names: the classes, in the order of their labels.
        real: of held-out real images, the reference.
        floor: of other real images.
        fakes: of synthetic images, one set for each seed; the first is the one judged.
    """

    def figures(label: int | None) -> dict[str, Any]:
        x, y, other = real.of(label), fakes[0].of(label), floor.of(label)
        return {
            "n": len(x),
            "n_floor": len(other),
            **_distances(x, y, [fake.of(label) for fake in fakes]),
            **{f"{name}_floor": value for name, value in _floor(x, other).items()},
            **_neighbours(x, y, other),
        }

    return {
        "frechet_name": extractor.distance_name,
        "kernel_name": extractor.distance_name.replace("FID", "KID").replace("FD", "KID"),
        "kernel": fidelity.KERNEL,
        "seeds": len(fakes),
        "k": {"precision_recall": manifold.PRECISION_K, "density_coverage": manifold.COVERAGE_K},
        "whole": figures(None),
        "classes": {name: figures(label) for label, name in enumerate(class_names)},
    }


def _distances(x: np.ndarray, y: np.ndarray, fakes: Sequence[np.ndarray]) -> dict[str, Any]:
    frechet = [_distance(fidelity.frechet_distance, x, fake) for fake in fakes]
    measured = [distance for distance in frechet if distance is not None]
    complete = len(measured) == len(frechet)
    return {
        "frechet": frechet[0],
        "frechet_over_seeds": dataclasses.asdict(spread(measured)) if complete else None,
        "kernel": _distance(fidelity.kernel_distance, x, y),
        "kernel_interval": _interval(x, y),
    }


def _floor(x: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    return {
        "frechet": _distance(fidelity.frechet_distance, x, other),
        "kernel": _distance(fidelity.kernel_distance, x, other),
        "kernel_interval": _interval(x, other),
    }


def _distance(
    function: Callable[[np.ndarray, np.ndarray], float], x: np.ndarray, y: np.ndarray
) -> float | None:
    return function(x, y) if min(len(x), len(y)) >= 2 else None


def _interval(x: np.ndarray, y: np.ndarray) -> list[float] | None:
    if min(len(x), len(y)) < 4:
        return None
    found = kernel_interval(x, y)
    return [found.low, found.high]


def _neighbours(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Precision, recall, density and coverage; those of the floor at the floor's own N."""

    def of(fake: np.ndarray) -> dict[str, float | None]:
        if len(x) <= manifold.COVERAGE_K or len(fake) <= manifold.PRECISION_K:
            return dict.fromkeys(field.name for field in dataclasses.fields(manifold.Manifold))
        return dataclasses.asdict(manifold.compare(x, fake))

    return {**of(y), **{f"{name}_floor": value for name, value in of(other).items()}}


def variety_test(
    real: np.ndarray,
    fake: np.ndarray,
    floor: np.ndarray,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> dict[str, Any] | None:
    """Do synthetic images cover the real ones as well as other real images do?

    A permutation test of coverage, averaged over k in `manifold.VARIETY_K`: synthetic and floor
    images are dealt anew into two sets. The p-value holds where both are from one distribution,
    whatever it is. One k alone sees less: a lost mode may leave many wide neighbourhoods of a
    small set reached.

    Args:
        real: float[n, d], the reference.
        fake: float[m, d].
        floor: float[l, d], of real images that the features have not been fitted to.
        rng: of the choice of images and of the permutations.
        permutations: how many at most.

    Returns:
        n, coverage and coverage_floor (averaged over k), and p_value; None where there are too few
        images.
    """
    size = min(len(real), len(fake), len(floor), MOST)
    if size < FEWEST:
        return None
    x, pool = _pool(real, fake, floor, size, rng)
    across = manifold.squared_distances(x, pool)
    radii = manifold.squared_radii(x, manifold.VARIETY_K)
    reached = (across <= radii[:, :, None]).reshape(-1, 2 * size).astype(np.float32)

    def coverage(chosen: np.ndarray) -> np.ndarray:
        return (reached @ chosen.T.astype(np.float32) > 0).mean(axis=0)

    own, p_value = permuted(coverage, size, 2 * size, rng, permutations)
    others = np.arange(2 * size)[None] >= size
    return {
        "n": size,
        "coverage": own,
        "coverage_floor": float(coverage(others)[0]),
        "p_value": p_value,
    }


def difference_test(
    fake: np.ndarray,
    real: np.ndarray,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> dict[str, Any] | None:
    """Can synthetic and real images be told apart by the kernel distance?

    A permutation test (Gretton et al., "A kernel two-sample test", JMLR 2012).

    Args:
        fake: float[m, d].
        real: float[n, d], of images that the features have not been fitted to.
        rng: of the choice of images and of the permutations.
        permutations: how many at most.

    Returns:
        n, kernel and p_value; None where there are too few images.
    """
    size = min(len(fake), len(real), MOST)
    if size < FEWEST:
        return None
    _, pool = _pool(real, fake, real, size, rng)
    pool = pool - pool.mean(axis=0)
    pool = pool / max(float(np.sqrt(np.square(pool).mean())), 1e-12)
    kernel = ((pool @ pool.T) / pool.shape[1] + 1) ** 3
    np.fill_diagonal(kernel, 0)
    kernel = kernel.astype(np.float32)
    total, rows = kernel.sum(dtype=np.float64), kernel.sum(axis=1)

    def similarity(chosen: np.ndarray) -> np.ndarray:
        """Less the squared discrepancy: low where the two sets differ."""
        weight = chosen.astype(np.float32)
        within = np.einsum("ij,ij->i", weight @ kernel, weight).astype(np.float64)
        touched = (weight @ rows).astype(np.float64)
        others = total - 2 * touched + within
        return -((within + others) / (size * (size - 1)) - 2 * (touched - within) / size**2)

    own, p_value = permuted(similarity, size, 2 * size, rng, permutations)
    return {"n": size, "kernel": -own, "p_value": p_value}


def _pool(
    real: np.ndarray, fake: np.ndarray, floor: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of each: float64[size, d] and float64[2 size, d], synthetic ones first."""

    def some(rows: np.ndarray) -> np.ndarray:
        return rows[np.sort(rng.permutation(len(rows))[:size])].astype(np.float64)

    return some(real), np.concatenate([some(fake), some(floor)])

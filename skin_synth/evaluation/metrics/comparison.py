"""Distances, neighbours and variety of the whole set and of each class, each beside its floor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.metrics import fidelity, manifold
from skin_synth.evaluation.metrics.kernel_interval import kernel_interval
from skin_synth.evaluation.statistics.intervals import Spread, spread
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


@dataclasses.dataclass(frozen=True)
class NeighbourCounts:
    """Neighbours that figures take into account.

    Attributes:
        precision_recall: k of precision and recall.
        density_coverage: k of density and coverage.
    """

    precision_recall: int = manifold.PRECISION_K
    density_coverage: int = manifold.COVERAGE_K


@dataclasses.dataclass(frozen=True)
class FidelityFigures:
    """Synthetic images against real ones; None if there are too few images.

    Attributes:
        n: real images, and synthetic ones.
        n_floor: images of the real baseline, whose figures end in `_floor`.
        frechet: Fréchet distance.
        frechet_over_seeds: the same over several sets of synthetic images.
        kernel: kernel distance.
        kernel_interval: ends of its 95 % interval.
        frechet_floor: of the real baseline.
        kernel_floor: of the real baseline.
        kernel_interval_floor: of the real baseline.
        precision: see `manifold.Manifold`.
        recall: see `manifold.Manifold`.
        density: see `manifold.Manifold`.
        coverage: see `manifold.Manifold`.
        precision_floor: of the real baseline, at its own number of images.
        recall_floor: likewise.
        density_floor: likewise.
        coverage_floor: likewise.
    """

    n: int
    n_floor: int
    frechet: float | None
    frechet_over_seeds: Spread | None
    kernel: float | None
    kernel_interval: tuple[float, float] | None
    frechet_floor: float | None
    kernel_floor: float | None
    kernel_interval_floor: tuple[float, float] | None
    precision: float | None
    recall: float | None
    density: float | None
    coverage: float | None
    precision_floor: float | None
    recall_floor: float | None
    density_floor: float | None
    coverage_floor: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fidelity(ByClass[FidelityFigures]):
    """Distances and neighbours of the whole set and of each class.

    Attributes:
        frechet_name: name of the Fréchet distance of these features.
        kernel_name: name of the kernel distance of these features.
        kernel: formula of the kernel.
        seeds: sets of synthetic images.
        k: neighbours.
    """

    frechet_name: str
    kernel_name: str
    kernel: str = fidelity.KERNEL
    seeds: int
    k: NeighbourCounts = NeighbourCounts()


def compare_features(
    extractor: Extractor,
    class_names: Sequence[str],
    real: Rows,
    floor: Rows,
    fakes: Sequence[Rows],
) -> Fidelity:
    """Computes all figures, with as many synthetic images as real ones.

    Args:
        extractor: what the features come from.
        class_names: the classes, in the order of their labels.
        real: of held-out real images, the reference.
        floor: of other real images.
        fakes: of synthetic images, one set for each seed; the first is the one judged.
    """

    def figures(label: int | None) -> FidelityFigures:
        x, y, other = real.of(label), fakes[0].of(label), floor.of(label)
        frechet = [_distance(fidelity.frechet_distance, x, fake.of(label)) for fake in fakes]
        measured = [distance for distance in frechet if distance is not None]
        return FidelityFigures(
            n=len(x),
            n_floor=len(other),
            frechet=frechet[0],
            frechet_over_seeds=spread(measured) if len(measured) == len(frechet) else None,
            kernel=_distance(fidelity.kernel_distance, x, y),
            kernel_interval=_interval(x, y),
            frechet_floor=_distance(fidelity.frechet_distance, x, other),
            kernel_floor=_distance(fidelity.kernel_distance, x, other),
            kernel_interval_floor=_interval(x, other),
            **_neighbours(x, y),
            **_neighbours(x, other, "_floor"),
        )

    return Fidelity(
        **vars(ByClass.of(class_names, figures)),
        frechet_name=extractor.frechet_name,
        kernel_name=extractor.kernel_name,
        seeds=len(fakes),
    )


def _distance(
    function: Callable[[np.ndarray, np.ndarray], float], x: np.ndarray, y: np.ndarray
) -> float | None:
    return function(x, y) if min(len(x), len(y)) >= 2 else None


def _interval(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    if min(len(x), len(y)) < 4:
        return None
    found = kernel_interval(x, y)
    return found.low, found.high


def _neighbours(x: np.ndarray, y: np.ndarray, suffix: str = "") -> dict[str, float | None]:
    """Returns precision, recall, density and coverage by name; None with too few images."""
    names = [field.name for field in dataclasses.fields(manifold.Manifold)]
    if len(x) <= manifold.COVERAGE_K or len(y) <= manifold.PRECISION_K:
        return {f"{name}{suffix}": None for name in names}
    found = manifold.compare(x, y)
    return {f"{name}{suffix}": getattr(found, name) for name in names}


@dataclasses.dataclass(frozen=True)
class VarietyTest:
    """Do synthetic images cover the real ones as well as other real images do?

    Attributes:
        n: images of each of the three sets.
        coverage: by synthetic images, averaged over k in `manifold.VARIETY_K`.
        coverage_floor: by other real images, likewise.
        p_value: of a permutation test, one-sided.
    """

    n: int
    coverage: float
    coverage_floor: float
    p_value: float


@dataclasses.dataclass(frozen=True)
class DifferenceTest:
    """Can synthetic images be told from real ones?

    Attributes:
        n: images of each of the two sets.
        kernel: kernel distance of scaled features.
        p_value: of a permutation test, one-sided.
    """

    n: int
    kernel: float
    p_value: float


def variety_test(
    real: np.ndarray,
    fake: np.ndarray,
    floor: np.ndarray,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> VarietyTest | None:
    """Tests whether synthetic images cover the real ones as well as other real images do.

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
        None below `FEWEST` images on a side.
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
    return VarietyTest(size, own, float(coverage(others)[0]), p_value)


def difference_test(
    fake: np.ndarray,
    real: np.ndarray,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> DifferenceTest | None:
    """Tests whether the kernel distance tells synthetic from real images.

    A permutation test (Gretton et al., "A kernel two-sample test", JMLR 2012).

    Args:
        fake: float[m, d].
        real: float[n, d], of images that the features have not been fitted to.
        rng: of the choice of images and of the permutations.
        permutations: how many at most.

    Returns:
        None below `FEWEST` images on a side.
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
    return DifferenceTest(size, -own, p_value)


def _pool(
    real: np.ndarray, fake: np.ndarray, floor: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of each: float64[size, d] and float64[2 size, d], synthetic ones first."""

    def some(rows: np.ndarray) -> np.ndarray:
        return rows[np.sort(rng.permutation(len(rows))[:size])].astype(np.float64)

    return some(real), np.concatenate([some(fake), some(floor)])

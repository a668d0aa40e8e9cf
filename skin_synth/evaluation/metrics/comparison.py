"""Distances and neighbours of the whole set and of each class, with those of the real baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.features.labelled_features import LabelledFeatures
from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.metrics.frechet import frechet_distance
from skin_synth.evaluation.metrics.kernel_distance import (
    KERNEL_FORMULA,
    kernel_distance,
    kernel_interval,
)
from skin_synth.evaluation.statistics.intervals import Spread, spread


@dataclasses.dataclass(frozen=True)
class NeighbourCounts:
    """k of precision and recall, and k of density and coverage."""

    precision_recall: int = manifold.PRECISION_K
    density_coverage: int = manifold.COVERAGE_K


@dataclasses.dataclass(frozen=True)
class FidelityFigures:
    """Synthetic images against real ones; None if there are too few images.

    Figures that end in `_floor` are those of the real baseline, at its own number of images.
    Precision, recall, density and coverage are those of `manifold.Manifold`.

    Attributes:
        n: real images, and synthetic ones.
        frechet_over_seeds: the Fréchet distance over several sets of synthetic images.
        kernel_interval: ends of the 95 % interval of the kernel distance.
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

    @property
    def floor_of_same_size(self) -> bool:
        """Whether the floor has as many images; only its kernel distance is comparable if not."""
        return self.n_floor == self.n


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fidelity(ByClass[FidelityFigures]):
    """Figures, with the names of the distances, the kernel's formula and the number of seeds."""

    frechet_name: str
    kernel_name: str
    kernel: str = KERNEL_FORMULA
    seeds: int
    k: NeighbourCounts = NeighbourCounts()


def compare_features(
    extractor: Extractor,
    class_names: Sequence[str],
    real: LabelledFeatures,
    baseline: LabelledFeatures,
    fakes: Sequence[LabelledFeatures],
) -> Fidelity:
    """Computes all figures, with as many synthetic images as real ones.

    Args:
        extractor: of the features.
        class_names: in the order of the labels.
        real: of held-out real images, the reference.
        baseline: of other real images.
        fakes: of synthetic images, one set for each seed; the figures are those of the first.
    """

    def figures(label: int | None) -> FidelityFigures:
        x, y, other = real.of(label), fakes[0].of(label), baseline.of(label)
        frechet = [_distance(frechet_distance, x, fake.of(label)) for fake in fakes]
        measured = [distance for distance in frechet if distance is not None]
        return FidelityFigures(
            n=len(x),
            n_floor=len(other),
            frechet=frechet[0],
            frechet_over_seeds=spread(measured) if len(measured) == len(frechet) else None,
            kernel=_distance(kernel_distance, x, y),
            kernel_interval=_interval(x, y),
            frechet_floor=_distance(frechet_distance, x, other),
            kernel_floor=_distance(kernel_distance, x, other),
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
    enough = len(x) > manifold.COVERAGE_K and len(y) > manifold.PRECISION_K
    found = vars(manifold.compare(x, y)) if enough else {}
    names = (field.name for field in dataclasses.fields(manifold.Manifold))
    return {f"{name}{suffix}": found.get(name) for name in names}

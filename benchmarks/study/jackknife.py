"""Kernel distances of sets of images, and of these sets without one group.

The delete-a-group jackknife (Kott 2001) gives intervals of any smooth figure of several samples. It
keeps the images of a lesion together; a naive bootstrap repeats images, which would bias the kernel
distance. Kernel matrices are summed once into cells of (class, group); each distance of a reduced
sample is then a sum over cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

GROUPS = 40
T_975 = 2.023
"""97.5 % quantile of Student's t with 39 degrees of freedom."""

Figure = Callable[[Mapping[str, np.ndarray]], float | np.ndarray]
"""A number from the distances float64[rows] by name."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Features of images, dealt into cells.

    Attributes:
        features: float64[n, d].
        labels: int[n].
        groups: int[n] in [0, GROUPS).
        whole: bool[n], whether the image counts in the whole set; its class always counts it.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    whole: np.ndarray


class Interval(NamedTuple):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def deal(labels: np.ndarray, names: Sequence[str] | None = None, *, seed: int = 0) -> np.ndarray:
    """Group in [0, GROUPS) of each row, int[n]: even in each class, equal names together.

    Args:
        labels: int[n].
        names: lesion or patient of each row; None: each row is separate.
        seed: of the order.
    """
    rows = np.arange(len(labels)) if names is None else np.unique(names, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    group_of = np.empty(rows.max() + 1, int)
    # Lesions in the order of their class, shuffled within: neighbours go to different groups.
    first = np.unique(rows, return_index=True)[1]
    order = np.lexsort([rng.permutation(len(first)), labels[first]])
    group_of[order] = np.arange(len(order)) % GROUPS
    return group_of[rows]


class Cells:
    """One sample, its kernel matrix summed over cells of (in the whole set, class, group)."""

    def __init__(self, sample: Sample, num_classes: int) -> None:
        self.sample, self.num_classes = sample, num_classes
        shape = (2, num_classes, GROUPS)
        index = np.ravel_multi_index(
            (sample.whole.astype(int), sample.labels, sample.groups), shape
        )
        self.dealt = np.zeros((len(index), np.prod(shape)))
        self.dealt[np.arange(len(index)), index] = 1.0
        used = np.flatnonzero(self.dealt.any(axis=0))
        self.dealt = self.dealt[:, used]
        whole, self.labels, self.groups = np.unravel_index(used, shape)
        self.whole = whole == 1
        kernel = _kernel(sample.features, sample.features)
        self.sums = self.dealt.T @ kernel @ self.dealt
        self.diagonal = self.dealt.T @ np.diag(kernel)
        self.sizes = self.dealt.sum(axis=0)

    def kept(self, group: int | None) -> np.ndarray:
        """Cells that are left without a group: bool[cells]."""
        return np.ones(len(self.groups), bool) if group is None else self.groups != group

    def of_class(self, label: int) -> np.ndarray:
        """Cells of a class: bool[cells]."""
        return self.labels == label

    def mean_of_pairs(self, cells: np.ndarray) -> float:
        """Mean kernel of two different images in these cells, bool[cells]."""
        n = self.sizes[cells].sum()
        total = self.sums[np.ix_(cells, cells)].sum() - self.diagonal[cells].sum()
        return total / (n * (n - 1))


class KernelDistances:
    """Unbiased kernel distances (see `skin_synth.evaluation.metrics.fidelity`) of two samples."""

    def __init__(self, real: Cells, fake: Cells) -> None:
        self.num_classes = real.num_classes
        self.real, self.fake = real, fake
        kernel = _kernel(real.sample.features, fake.sample.features)
        self.cross = real.dealt.T @ kernel @ fake.dealt

    def __call__(self, *, real: int | None = None, fake: int | None = None) -> np.ndarray:
        """Distances without the group `real` or `fake` of that sample.

        Returns:
            float64[2 + classes]: the whole set, the mean over classes, each class; NaN if either
            side has fewer than two images, which the mean leaves out.
        """
        present = self.real.kept(real), self.fake.kept(fake)
        classes = [
            self._distance(
                present[0] & self.real.of_class(label), present[1] & self.fake.of_class(label)
            )
            for label in range(self.num_classes)
        ]
        whole = self._distance(present[0] & self.real.whole, present[1] & self.fake.whole)
        finite = [distance for distance in classes if np.isfinite(distance)]
        return np.array([whole, np.mean(finite) if finite else np.nan, *classes])

    def _distance(self, real: np.ndarray, fake: np.ndarray) -> float:
        n, m = self.real.sizes[real].sum(), self.fake.sizes[fake].sum()
        if min(n, m) < 2:
            return float("nan")
        cross = self.cross[np.ix_(real, fake)].sum() / (n * m)
        return self.real.mean_of_pairs(real) + self.fake.mean_of_pairs(fake) - 2 * cross


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.float64) @ b.T.astype(np.float64) / a.shape[1] + 1.0) ** 3


class Comparison:
    """Kernel distances of several sets of images to one real set, whole and without each group.

    Attributes:
        values: name to float64[rows].
    """

    def __init__(self, real: Sample, fakes: Mapping[str, Sample], num_classes: int) -> None:
        cells = Cells(real, num_classes)
        every = {
            name: KernelDistances(cells, Cells(fake, num_classes)) for name, fake in fakes.items()
        }
        self.values = {name: distances() for name, distances in every.items()}
        self._without_real = [
            {name: distances(real=group) for name, distances in every.items()}
            for group in range(GROUPS)
        ]
        self._without_fake = {
            name: [distances(fake=group) for group in range(GROUPS)]
            for name, distances in every.items()
        }

    def interval(self, figure: Figure) -> Interval:
        """95 % interval of a figure over images and lesions of all samples."""
        value = float(figure(self.values))
        half = T_975 * float(self._covariance(figure)[0, 0]) ** 0.5
        return Interval(value, value - half, value + half)

    def ratio(self, numerator: Figure, denominator: Figure) -> Interval:
        """The ratio of two figures, with Fieller's 95 % interval.

        It holds the ratios r for which numerator - r * denominator may be zero, so it excludes 1
        exactly if the interval of the difference excludes 0. There is no logarithm because the
        numerator, a distance above its floor, may be about zero or negative.

        Returns:
            NaN for the ratio if the denominator is not above zero; NaN for both ends if its
            interval holds zero, because the set of ratios is then unbounded.

        Source: Fieller, "Some problems in interval estimation", J. R. Stat. Soc. B 16, 1954.
        """

        def both(values: Mapping[str, np.ndarray]) -> np.ndarray:
            return np.array([numerator(values), denominator(values)])

        (above, below), spread = both(self.values), T_975**2 * self._covariance(both)
        value = float(above / below) if below > 0 else float("nan")
        squares = below**2 - spread[1, 1], above * below - spread[0, 1], above**2 - spread[0, 0]
        if below <= 0 or not squares[0] > 0:
            return Interval(value, float("nan"), float("nan"))
        # Rounding must not make it negative if the figures have no spread.
        root = max(squares[1] ** 2 - squares[0] * squares[2], 0.0) ** 0.5
        return Interval(value, *(float((squares[1] + end) / squares[0]) for end in (-root, root)))

    def _covariance(self, figure: Figure) -> np.ndarray:
        """Jackknife covariance of a figure's values: float64[k, k], k = 1 for a number."""
        total = _jackknife([figure(values) for values in self._without_real])
        for name, without in self._without_fake.items():
            total += _jackknife([figure({**self.values, name: values}) for values in without])
        return total


def _jackknife(values: Sequence[float | np.ndarray]) -> np.ndarray:
    """Covariance from the figures of the samples without one group each."""
    return np.atleast_2d((GROUPS - 1) * np.cov(np.array(values), rowvar=False, bias=True))

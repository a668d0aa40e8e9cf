"""Drift: the distance of the appearance of synthetic images from that of real ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from skin_synth.evaluation.by_class import ByClass, in_class_shares
from skin_synth.evaluation.metrics.appearance import (
    MEASURES,
    SMALLEST_SPREAD,
    Appearance,
    tone_shares,
)
from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.statistics.significance import fisher, one_of_each, smirnov
from tfrecords_tools.errors import InputError

HALF_SAMPLES = 400
HALF_SAMPLE_BLOCK = 2**17
"""Values of half samples at a time: arrays of 1 MiB fit into the cache of a core."""
FEWEST_FOR_DRIFT = 10
"""Least number of images on each side, and of real lesions, for a drift."""


def scaled_distance(real: np.ndarray, other: np.ndarray, smallest: float = 0.0) -> float | None:
    """Divides the 1-Wasserstein distance by the standard deviation of the real values.

    Args:
        real: float[n]; NaN: not measured.
        other: float[m], in the same way.
        smallest: the divisor, if that deviation is smaller.

    Returns:
        None below `FEWEST_FOR_DRIFT` values on a side, or if the divisor is 0.
    """
    real, other = real[np.isfinite(real)], other[np.isfinite(other)]
    if min(len(real), len(other)) < FEWEST_FOR_DRIFT or not max(np.ptp(real), smallest) > 0:
        return None
    return float(stats.wasserstein_distance(real, other) / max(real.std(ddof=1), smallest))


@dataclasses.dataclass(frozen=True)
class Drift:
    """A `scaled_distance`, with its interval at `LEVEL` and the numbers of measured values."""

    drift: float
    low: float
    high: float
    n_real: int
    n_synthetic: int


def drift(
    real: np.ndarray,
    synthetic: np.ndarray,
    *,
    groups: Sequence[str] | None = None,
    smallest: float = 0.0,
    seed: int = 0,
    replicates: int = HALF_SAMPLES,
) -> Drift | None:
    """Computes the drift of one measure, with an interval from half samples.

    Halves of both samples are drawn without replacement. Their spread about the figure of the whole
    samples estimates the spread of this figure about the truth (Politis & Romano, Ann. Statist.
    22:2031, 1994, with the correction for a finite sample). The interval is the figure +- t times
    the standard deviation of the halves. A plain bootstrap would add the distance of each sample to
    its resample. A distance is never below 0, so equal distributions have one above 0 by
    chance. Compare it with that of the real baseline.

    Args:
        real: float[n]; NaN: not measured.
        synthetic: float[m], in the same way.
        groups: n lesions or patients, drawn as a whole; None: each image is a group.
        smallest: see `scaled_distance`.
        seed: of the halves.
        replicates: number of halves.

    Returns:
        None below `FEWEST_FOR_DRIFT` values or groups on a side, or if the real values, or those of
        most halves, are all the same.

    Raises:
        InputError: another number of groups than of real values.
    """
    names = np.arange(len(real)) if groups is None else np.asarray(groups)
    if len(names) != len(real):
        raise InputError(f"needs one group for each real image, got {len(names)} and {len(real)}")
    measured = np.isfinite(real)
    whole = scaled_distance(real, synthetic, smallest)
    real, names = real[measured], names[measured]
    if whole is None or len(np.unique(names)) < FEWEST_FOR_DRIFT:
        return None
    synthetic = synthetic[np.isfinite(synthetic)]
    _, code = np.unique(names, return_inverse=True)
    halves = _of_halves(real, code, synthetic, smallest, np.random.default_rng(seed), replicates)
    halves = halves[np.isfinite(halves)]
    if len(halves) <= replicates / 2:
        return None
    degrees = min(int(code.max()) + 1, len(synthetic)) - 1
    margin = float(stats.t.ppf(0.5 + LEVEL / 2, degrees)) * float(halves.std(ddof=1))
    low, high = max(0.0, whole - margin), whole + margin
    return Drift(whole, float(low), float(high), len(real), len(synthetic))


def _of_halves(
    real: np.ndarray,
    code: np.ndarray,
    synthetic: np.ndarray,
    smallest: float,
    rng: np.random.Generator,
    replicates: int,
) -> np.ndarray:
    """Computes scaled distances of half samples: float64[replicates].

    Half of the groups (`code` int[n], from 0 without gaps) and half of the synthetic values are
    drawn. All values are sorted once. Distances of halves without spread are infinite or NaN.
    """
    groups, half = int(code.max()) + 1, len(synthetic) // 2
    values = np.concatenate([real, synthetic])
    order = np.argsort(values, kind="stable")
    steps, centred = np.diff(values[order]), real - real.mean()
    rows = max(1, HALF_SAMPLE_BLOCK // len(values))
    blocks = []
    for start in range(0, replicates, rows):
        drawn = [
            (rng.permutation(groups), rng.permutation(len(synthetic))[:half])
            for _ in range(min(rows, replicates - start))
        ]
        ours = np.array([ranks for ranks, _ in drawn])[:, code] < groups // 2
        theirs = np.zeros((len(drawn), len(synthetic)), bool)
        np.put_along_axis(theirs, np.array([chosen for _, chosen in drawn]), True, axis=1)
        n = ours.sum(axis=1)
        # Difference of the two distribution functions at all values but the last.
        signed = np.concatenate([ours / n[:, None], theirs / -half], axis=1)[:, order[:-1]]
        distance = np.abs(np.cumsum(signed, axis=1)) @ steps
        sums, squares = ours @ centred, ours @ centred**2
        variance = np.maximum((squares - sums**2 / n) / (n - 1), smallest**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            blocks.append(distance / np.sqrt(variance))
    return np.concatenate(blocks)


@dataclasses.dataclass(frozen=True)
class MeasureSummary:
    """One measure of `n` images that could be measured; figures are None without any.

    Attributes:
        unmeasured: number of the other images.
        quartiles: the first and the third.
        deviation: standard deviation.
    """

    n: int
    unmeasured: int
    median: float | None
    quartiles: tuple[float, float] | None
    deviation: float | None

    @classmethod
    def of(cls, values: np.ndarray) -> MeasureSummary:
        """Summarises float[n]; NaN: not measured."""
        measured = values[np.isfinite(values)]
        if not len(measured):
            return cls(0, len(values), None, None, None)
        low, median, high = (float(q) for q in np.quantile(measured, [0.25, 0.5, 0.75]))
        unmeasured = len(values) - len(measured)
        return cls(len(measured), unmeasured, median, (low, high), float(measured.std()))


@dataclasses.dataclass(frozen=True)
class SmirnovTest:
    """`significance.smirnov` of one measure, among images with a value.

    Attributes:
        n_real: real images, one of each group.
    """

    n_real: int
    n_synthetic: int
    statistic: float
    p_value: float


@dataclasses.dataclass(frozen=True)
class MeasureDrift:
    """One measure in real and in synthetic images; None with too few images.

    Attributes:
        drift: between the two.
        floor: drift of the real baseline.
        test: whether the two differ.
    """

    real: MeasureSummary
    synthetic: MeasureSummary
    drift: Drift | None
    floor: float | None
    test: SmirnovTest | None


@dataclasses.dataclass(frozen=True)
class LesionCounts:
    """Images with a lesion, among those with measured skin.

    Attributes:
        n_real: real images with measured skin, one of each group.
        n_synthetic: synthetic images with measured skin.
        found_real: real images with a lesion.
        found_synthetic: synthetic images with a lesion.
        p_value: probability of so few synthetic images with a lesion by chance
            (`significance.fisher`).
    """

    n_real: int
    n_synthetic: int
    found_real: int
    found_synthetic: int
    p_value: float

    @property
    def share_real(self) -> float:
        """Share of real images with a lesion; 0 without images."""
        return self.found_real / max(self.n_real, 1)

    @property
    def share_synthetic(self) -> float:
        """Share of synthetic images with a lesion; 0 without images."""
        return self.found_synthetic / max(self.n_synthetic, 1)


@dataclasses.dataclass(frozen=True)
class ToneShares:
    """Shares by name, see `appearance.tone_shares`."""

    real: dict[str, float | None]
    synthetic: dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class AppearanceFigures:
    """Appearance of real and synthetic images; `measures` has every measure by its name."""

    tones: ToneShares
    lesions: LesionCounts
    measures: dict[str, MeasureDrift]


def appearance_drift(
    real: Appearance,
    real_labels: np.ndarray,
    synthetic: Appearance,
    requested_labels: np.ndarray,
    real_baseline: Appearance,
    baseline_labels: np.ndarray,
    class_names: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> ByClass[AppearanceFigures]:
    """Compares every measure in real and synthetic images, of the whole set and of each class.

    For the whole set, synthetic and baseline images are drawn in the class shares of the real ones,
    so that a different mix of classes is no drift.

    Args:
        real: of n held-out real images.
        real_labels: int[n].
        synthetic: of m synthetic images.
        requested_labels: int[m], the label for which each was generated.
        real_baseline: of k other real images, about as many of each class as `real` has.
        baseline_labels: int[k].
        class_names: in the order of the labels.
        groups: n lesions or patients of the real images.
        seed: of the intervals.
    """
    names = np.arange(len(real_labels)).astype(str) if groups is None else np.asarray(groups)
    counts = np.bincount(real_labels, minlength=len(class_names))
    matched, other = (
        in_class_shares(requested_labels, counts),
        in_class_shares(baseline_labels, counts),
    )
    # The test assumes independent images, so it takes one of each group, and as many synthetic
    # ones.
    single = one_of_each(names)
    single_counts = np.bincount(real_labels[single], minlength=len(class_names))
    tested = in_class_shares(requested_labels, single_counts)

    def figures(label: int | None) -> AppearanceFigures:
        if label is None:
            rows, generated, rest, tried = np.arange(len(real_labels)), matched, other, tested
        else:
            rows, generated, rest = (
                np.flatnonzero(labels == label)
                for labels in (real_labels, requested_labels, baseline_labels)
            )
            tried = generated
        ours, theirs, known = real[rows], synthetic[generated], real_baseline[rest]
        alone, against = real[rows[one_of_each(names[rows])]], synthetic[tried]

        def moved(name: str) -> MeasureDrift:
            first, second = getattr(ours, name), getattr(theirs, name)
            smallest = SMALLEST_SPREAD[name]
            groups = names[rows].tolist()
            return MeasureDrift(
                MeasureSummary.of(first),
                MeasureSummary.of(second),
                drift(first, second, groups=groups, smallest=smallest, seed=seed),
                scaled_distance(first, getattr(known, name), smallest),
                _tested(getattr(alone, name), getattr(against, name)),
            )

        return AppearanceFigures(
            ToneShares(tone_shares(ours.skin_tone), tone_shares(theirs.skin_tone)),
            _lesions(alone, against),
            {name: moved(name) for name in MEASURES},
        )

    return ByClass.of(class_names, figures)


def _lesions(real: Appearance, synthetic: Appearance) -> LesionCounts:
    ours, theirs = (
        np.isfinite(found.lesion_size[np.isfinite(found.skin_tone)]) for found in (synthetic, real)
    )
    hits, real_hits = int(ours.sum()), int(theirs.sum())
    p_value = fisher(hits, len(ours), real_hits, len(theirs))
    return LesionCounts(len(theirs), len(ours), real_hits, hits, p_value)


def _tested(real: np.ndarray, synthetic: np.ndarray) -> SmirnovTest | None:
    real, synthetic = real[np.isfinite(real)], synthetic[np.isfinite(synthetic)]
    if min(len(real), len(synthetic)) < FEWEST_FOR_DRIFT:
        return None
    return SmirnovTest(len(real), len(synthetic), *smirnov(real, synthetic))

"""Differences between two arms: intervals over test groups and seeds, and verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from skin_synth.evaluation.statistics.intervals import LEVEL
from tfrecords_tools.errors import InputError

GAIN, HARM, NEITHER = "gain shown", "harm shown", "no gain shown"
"""The words of a verdict."""


def resampling_weights(
    groups: Sequence[str], labels: np.ndarray, *, replicates: int, seed: int
) -> np.ndarray:
    """Draws weights of the test images for each bootstrap replicate.

    The bootstrap draws groups (lesions), not images. It draws them within the class of their first
    image, so that no class vanishes. Of the m groups of a class it draws m - 1 with replacement,
    each with weight m / (m - 1): the variance is then unbiased for small m (Rao & Wu, JASA 83:231,
    1988). The only group of a class always counts once: its spread is unknown.

    Args:
        groups: n lesions or patients.
        labels: int[n].
        replicates: number of draws.
        seed: of the draws.

    Returns:
        float32[replicates + 1, n]; row 0 is all ones: the data without resampling.
    """
    _, first, code = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    stratum = labels[first]
    rng = np.random.default_rng(seed)
    counts = np.ones((replicates + 1, len(first)), np.float32)
    for label in np.unique(stratum):
        members = np.flatnonzero(stratum == label)
        size = len(members)
        if size > 1:
            drawn = rng.multinomial(size - 1, np.full(size, 1 / size), replicates)
            counts[1:, members] = drawn * (size / (size - 1))
    return counts[:, code]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Mean difference of two arms over seeds, in units of the metric.

    Attributes:
        difference: arm minus control.
        standard_error: over test groups and seeds.
        degrees: of freedom of the t distribution.
        low, high: interval at `LEVEL`.
        corrected_low, corrected_high: at `1 - (1 - LEVEL) / comparisons` (Bonferroni).
    """

    difference: float
    standard_error: float
    degrees: float
    low: float
    high: float
    corrected_low: float
    corrected_high: float

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the t test of no difference, without a correction."""
        if not self.standard_error:
            return float(self.difference == 0)
        return float(2 * stats.t.sf(abs(self.difference) / self.standard_error, self.degrees))


def paired_difference(
    arm: np.ndarray, control: np.ndarray, *, groups: int, comparisons: int = 1
) -> Difference:
    """Computes the difference of a metric between two arms, with an interval.

    The interval is over test groups and seeds. Both arms have the same test images and replicates
    and are paired by seed. Groups and seeds are crossed, so both add to the variance of the mean:

        var = V_groups + max(0, V_seeds - V_both)
        V_groups = var over replicates of (mean over seeds of the difference)
        V_seeds = var over seeds of the difference / seeds
        V_both = (mean over seeds of the var over replicates - V_groups) / (seeds - 1)

    V_both, the noise of a seed on a group, is in both of the first parts. The interval is that of
    a t distribution with Satterthwaite's degrees of freedom (Biometrics Bulletin 2:110, 1946), at
    least those of the seeds: a percentile bootstrap over five seeds would be far too narrow.

    Args:
        arm: float[seeds, replicates + 1], the metric of each seed under `resampling_weights`.
        control: the same of the control.
        groups: number of test groups; of a mean over classes `effective_lesions`.
        comparisons: number of differences that the verdict uses.

    Raises:
        InputError: shapes differ, fewer than two seeds or replicates, or values not finite.
    """
    _check(arm, control, groups, comparisons)
    difference = arm.astype(np.float64) - control
    seeds = len(difference)
    per_seed, resampled = difference[:, 0], difference[:, 1:]
    of_groups = resampled.mean(axis=0).var(ddof=1)
    of_seeds = per_seed.var(ddof=1) / seeds
    of_both = (resampled.var(axis=1, ddof=1).mean() - of_groups) / (seeds - 1)
    variance = of_groups + max(0.0, of_seeds - of_both)
    spread = of_groups**2 / (groups - 1) + of_seeds**2 / (seeds - 1)
    degrees = float(max(variance**2 / spread if spread > 0 else 0.0, seeds - 1))
    error, mean = float(np.sqrt(variance)), float(per_seed.mean())
    half = error * float(stats.t.ppf(1 - (1 - LEVEL) / 2, degrees))
    corrected = error * float(stats.t.ppf(1 - (1 - LEVEL) / comparisons / 2, degrees))
    return Difference(
        mean, error, degrees, mean - half, mean + half, mean - corrected, mean + corrected
    )


def effective_lesions(by_class: np.ndarray, lesions: np.ndarray) -> int:
    """Returns the effective number of lesions for the noise of a mean over classes, 2 or more.

    A class of three lesions makes most of the noise of a macro figure, but its variance has only
    two degrees of freedom. The number is Satterthwaite's degrees of freedom of the sum, plus one:
    (sum v)^2 / sum (v^2 / (m - 1)) + 1, with the variance v and the m lesions of each class.

    Args:
        by_class: float[replicates, classes], a figure or a difference of figures under
            resampling; NaN: not judged.
        lesions: int[classes], test lesions of each class.
    """
    judged = np.isfinite(by_class).all(axis=0) & (lesions > 1)
    variances = by_class[:, judged].var(axis=0, ddof=1)
    spread = (np.square(variances) / (lesions[judged] - 1)).sum()
    if not spread > 0:
        return max(int(lesions[judged].sum()), 2)
    return max(int(np.square(variances.sum()) / spread) + 1, 2)


def _check(arm: np.ndarray, control: np.ndarray, groups: int, comparisons: int) -> None:
    if arm.shape != control.shape or arm.ndim != 2 or arm.shape[0] < 2 or arm.shape[1] < 3:
        raise InputError(
            "needs the same [seeds, replicates + 1] of both arms, two seeds and replicates or "
            f"more, got {list(arm.shape)} and {list(control.shape)}"
        )
    if groups < 2 or comparisons < 1:
        raise InputError(
            f"needs two groups and one comparison or more, got {groups} and {comparisons}"
        )
    if not (np.isfinite(arm).all() and np.isfinite(control).all()):
        raise InputError("metrics must be finite in all replicates; got some that are not")

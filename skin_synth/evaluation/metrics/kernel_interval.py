"""The confidence interval of the kernel distance, by a two-sample jackknife."""

from __future__ import annotations

import math

import numpy as np

from skin_synth.evaluation.metrics.kernel_sums import (
    Sums,
    sums_across,
    sums_within,
    unbiased_distance,
)
from skin_synth.evaluation.statistics.intervals import LEVEL, Interval, student_quantile
from tfrecords_tools.errors import InputError

LOW_SHRINK, HIGH_STRETCH, HIGH_DEGENERATE = 0.34, 1.3, -0.1
"""How far a kernel interval departs from symmetry; see `kernel_interval`."""


def kernel_interval(real: np.ndarray, fake: np.ndarray) -> Interval:
    """Of the kernel distance (KID, `fidelity.kernel_distance`), by a two-sample jackknife.

    The variance is the sum of both samples' jackknife variances (Arvesen, "Jackknifing
    U-statistics", 1969). Near 0 the U-statistic is degenerate and the jackknife counts its
    second-order part twice: half of an unbiased estimate of that part is taken off, and never
    more than half of all. The statistic is skewed, and its standard error small where the
    estimate is: the upper arm is longer, and the lower one shorter the more the second-order part
    weighs. By how much was chosen on simulations (normal and uniform features, 4 to 64 of them,
    50 to 150 images per side), in which the interval covers the truth in 92 to 98 % of cases.

    Args:
        real: float[n, d], n of 4 or more.
        fake: float[m, d], m of 4 or more.

    Raises:
        InputError: too few rows, other widths, or a number that is not finite.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise InputError(
            f"features must be [n, d] and [m, d], got {list(real.shape)} and {list(fake.shape)}"
        )
    if min(len(real), len(fake)) < 4:
        raise InputError(
            f"a kernel interval needs four images per side, got {len(real)} and {len(fake)}"
        )
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise InputError("features hold numbers that are not finite")
    x, y = real.astype(np.float64), fake.astype(np.float64)
    within = sums_within(x), sums_within(y)
    across = sums_across(x, y)
    n, m = len(x), len(y)
    estimate = unbiased_distance(*within, across)
    first = _jackknife(within[0], across.rows, across.total, m) + _jackknife(
        within[1], across.columns, across.total, n
    )
    second = (
        2 * _second_order(within[0])
        + 2 * _second_order(within[1])
        + 4 * across.centred_squares() / ((n - 1) * (m - 1) * n * m)
    )
    variance = max(first - second / 2, first / 2)
    degenerate = min(2 * second / first, 1.0) if first > 0 else 0.0
    half = student_quantile(0.5 + LEVEL / 2, n + m - 2) * math.sqrt(variance)
    return Interval(
        estimate,
        estimate - half * (1 - LOW_SHRINK * degenerate),
        estimate + half * (HIGH_STRETCH + HIGH_DEGENERATE * degenerate),
    )


def _jackknife(within: Sums, across: np.ndarray, across_total: float, others: int) -> float:
    """Jackknife variance over one sample of the U-statistic, from sums of kernel rows."""
    n = len(within.rows)
    left_out = (within.total - 2 * within.rows) / ((n - 1) * (n - 2))
    left_out = left_out - 2 * (across_total - across) / ((n - 1) * others)
    return float((n - 1) / n * np.square(left_out - left_out.mean()).sum())


def _second_order(within: Sums) -> float:
    """Unbiased estimate of the degenerate kernel's variance over n (n - 1).

    Sum of squares of the U-centred matrix (Székely and Rizzo, "Partial distance correlation",
    Annals of Statistics 2014, equation 2.4) over n (n - 3), expanded so that sums of rows do.
    """
    n = len(within.rows)
    part = within.rows / (n - 2)
    whole = within.total / ((n - 1) * (n - 2))
    total = part.sum()
    of_parts = (
        2 * n * np.square(part).sum()
        + 2 * total**2
        - 4 * whole * n * total
        + (n * whole) ** 2
        - np.square(2 * part - whole).sum()
    )
    mixed = 2 * (within.rows * part).sum() - whole * within.total
    return max(0.0, float(within.squares + of_parts - 2 * mixed)) / (n * (n - 3) * n * (n - 1))

"""Confidence intervals of means, shares and paired differences; spreads over seeds.

All are 95 % intervals in closed form. A test simulates how often each covers the truth.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import InputError

LEVEL = 0.95
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(48)
"""Of the quadrature by which Student's distribution is found."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % confidence interval.

    Attributes:
        estimate: of the truth.
        low: lower end.
        high: upper end.
    """

    estimate: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Spread:
    """Of a figure over seeds.

    Attributes:
        count: how many seeds.
        mean: over seeds.
        deviation: standard deviation over seeds; None for one seed.
        minimum: over seeds.
        maximum: over seeds.
    """

    count: int
    mean: float
    deviation: float | None
    minimum: float
    maximum: float


def spread(values: Sequence[float]) -> Spread:
    """How a figure varies over seeds.

    Args:
        values: one for each seed, one or more.

    Raises:
        InputError: none, or one that is not finite.
    """
    found = _finite(values, fewest=1)
    deviation = float(found.std(ddof=1)) if len(found) > 1 else None
    return Spread(
        len(found), float(found.mean()), deviation, float(found.min()), float(found.max())
    )


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Of a mean of independent values, by Student's t.

    Args:
        values: float[n], n of 2 or more.

    Raises:
        InputError: too few values, or one that is not finite.
    """
    found = _finite(values, fewest=2)
    mean, n = float(found.mean()), len(found)
    half = student_quantile(0.5 + LEVEL / 2, n - 1) * float(found.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


def paired_difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray
) -> Interval:
    """Of the mean of `first` - `second`, whose rows belong together, by Student's t.

    Args:
        first: float[n], n of 2 or more.
        second: float[n], of the same subjects or seeds in the same order.

    Raises:
        InputError: other lengths, too few values, or one that is not finite.
    """
    x, y = _finite(first, fewest=2), _finite(second, fewest=2)
    if len(x) != len(y):
        raise InputError(f"pairs need two values each, got {len(x)} and {len(y)} values")
    return mean_interval(x - y)


def share_interval(hits: int, count: int) -> Interval:
    """Of a share, by Wilson's score (JASA 1927), which holds near 0 and 1, too.

    Args:
        hits: how many of `count`.
        count: 1 or more.

    Raises:
        InputError: not 0 <= hits <= count, or a count of 0.
    """
    if not 0 <= hits <= count or not count:
        raise InputError(f"a share needs 0 <= hits <= count and a count, got {hits} of {count}")
    z = statistics.NormalDist().inv_cdf(0.5 + LEVEL / 2)
    share, scale = hits / count, 1 + z * z / count
    middle = (share + z * z / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # Rounding must not put the estimate outside of its own interval.
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t distribution, by bisection on its distribution function.

    Args:
        probability: in [0.5, 1).
        degrees: of freedom, 1 and above; may be no whole number.
    """
    low, high = 0.0, 1.0
    while _student_cdf(high, degrees) < probability:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        if _student_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _student_cdf(t: float, degrees: float) -> float:
    """P(T <= t) for t >= 0: with t = sqrt(degrees) tan(a), the density is cos(a)^(degrees - 1)."""
    end = math.atan(t / math.sqrt(degrees))
    angles = end / 2 * (NODES + 1)
    integral = end / 2 * float(NODE_WEIGHTS @ np.exp((degrees - 1) * np.log(np.cos(angles))))
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2))
    return 0.5 + scale / math.sqrt(math.pi) * integral


def _finite(values: Sequence[float] | np.ndarray, *, fewest: int) -> np.ndarray:
    found = np.asarray(values, np.float64)
    if found.ndim != 1 or len(found) < fewest:
        raise InputError(f"needs {fewest} or more numbers, got shape {list(found.shape)}")
    if not np.isfinite(found).all():
        raise InputError("holds numbers that are not finite")
    return found

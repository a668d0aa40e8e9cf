"""Confidence intervals of shares, and spreads over seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from tfrecords_tools.errors import InputError

LEVEL = 0.95
"""Confidence level of all intervals."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its confidence interval at `LEVEL`."""

    estimate: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Spread:
    """The variation of a figure over `count` seeds; one seed has no standard deviation."""

    count: int
    mean: float
    deviation: float | None
    minimum: float
    maximum: float


def spread(values: Sequence[float]) -> Spread:
    """Describes a figure by one value for each seed.

    Raises:
        InputError: no value, or one that is not finite.
    """
    found = np.asarray(values, np.float64)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise InputError(f"needs one finite number or more, got {found.tolist()}")
    deviation = float(found.std(ddof=1)) if len(found) > 1 else None
    return Spread(
        len(found), float(found.mean()), deviation, float(found.min()), float(found.max())
    )


def share_interval(hits: int, count: int) -> Interval:
    """Computes Wilson's score interval (JASA 1927) of `hits` of `count`; valid near 0 and 1.

    Raises:
        InputError: not 0 <= hits <= count, or a count of 0.
    """
    if not 0 <= hits <= count or not count:
        raise InputError(f"a share needs 0 <= hits <= count and a count, got {hits} of {count}")
    found = stats.binomtest(hits, count).proportion_ci(LEVEL, "wilson")
    return Interval(hits / count, float(found.low), float(found.high))

"""The share of one gain in another gain over the same control, with its interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize

from skin_synth.evaluation.statistics.intervals import Interval
from skin_synth.evaluation.utility.differences import Difference
from skin_synth.evaluation.utility.planned import macro_difference

FIRST_STEP, DOUBLINGS = 0.25, 30
"""The search for an end of the interval starts with this step from the estimate."""


def gain_share(
    arm: np.ndarray, reference: np.ndarray, control: np.ndarray, *, lesions: np.ndarray
) -> Interval | None:
    """Returns the share of the gain of `reference` that `arm` reaches.

    Both gains are of the mean over classes, and both are over one control, so they are not
    independent. The interval has all shares r for which `macro_difference` of

        (arm - control) - r (reference - control)

    contains 0. If the variance is quadratic in r and the degrees of freedom are constant, this is
    the interval of Fieller (J. R. Stat. Soc. B 16:175, 1954). Here the degrees depend on r, so the
    ends are searched.

    Args:
        arm: float[draws, seeds, replicates + 1, classes], as in `macro_difference`; larger values
            are better.
        reference: the same of the arm whose gain is shared.
        control: the same of the control of both.
        lesions: int[classes], test lesions of each class.

    Returns:
        The share and the ends of its interval at `LEVEL`, not corrected for several measures. None
        if the reference shows no gain: the interval has no ends then.
    """
    gain, whole = arm - control, reference - control
    none = np.zeros_like(gain)

    def difference(share: float) -> Difference:
        return macro_difference(gain - share * whole, none, lesions=lesions, comparisons=1)

    def excess(share: float) -> float:
        """How far 0 is outside of the interval; negative inside."""
        found = difference(share)
        return max(found.low, -found.high)

    of_whole = macro_difference(whole, none, lesions=lesions, comparisons=1)
    if of_whole.low <= 0:
        return None
    estimate = difference(0.0).difference / of_whole.difference
    low, high = (_end(excess, estimate, direction) for direction in (-1, 1))
    return None if low is None or high is None else Interval(estimate, low, high)


def _end(excess: Callable[[float], float], estimate: float, direction: int) -> float | None:
    """Returns the share at which `excess` becomes positive; None if there is none."""
    if excess(estimate) >= 0:  # without any noise the interval is a point
        return estimate
    for step in FIRST_STEP * 2.0 ** np.arange(DOUBLINGS):
        if excess(outer := estimate + direction * step) > 0:
            return float(optimize.brentq(excess, estimate, outer, xtol=1e-9))
    return None

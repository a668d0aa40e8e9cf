"""Shares of gains: equal gains share all, Fieller's formula, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from skin_synth.evaluation.utility.differences import resampling_weights
from skin_synth.evaluation.utility.gain_share import gain_share
from skin_synth.evaluation.utility.planned import macro_difference

LESIONS = np.array([60])
WEIGHTS = resampling_weights(
    [str(lesion) for lesion in range(60)], np.zeros(60, int), replicates=100, seed=0
)
NO_CONTROL = np.zeros((5, 2, 101, 1))


def arm(rng, gain, *, draws, lesions):
    """A gain over a control of 0, with noise of draws and lesions: float[5, 2, 101, 1]."""
    of_lesions = WEIGHTS @ rng.normal(0, lesions, 60) / 60
    return (gain + rng.normal(0, draws, (5, 1, 1)) + np.zeros((5, 2, 1)) + of_lesions)[..., None]


def fieller(a, b, aa, ab, bb, t):
    """Ends of the share a / b by the roots of (a - r b)^2 = t^2 (aa - 2 r ab + r^2 bb)."""
    roots = np.roots([b**2 - t**2 * bb, 2 * (t**2 * ab - a * b), a**2 - t**2 * aa])
    return sorted(roots.real)


@pytest.mark.parametrize("seed", range(5))
def test_ends_are_those_of_fieller_if_draws_are_the_noise(seed):
    rng = np.random.default_rng(seed)
    use, ceiling = (arm(rng, gain, draws=0.01, lesions=0) for gain in (0.1, 0.13))
    found = gain_share(use, ceiling, NO_CONTROL, lesions=LESIONS)
    of_draws = [each[:, 0, 0, 0] for each in (use, ceiling)]
    (aa, ab), (_, bb) = np.cov(of_draws) / 5
    a, b = (each.mean() for each in of_draws)
    low, high = fieller(a, b, aa, ab, bb, stats.t.ppf(0.975, 4))
    assert found.estimate == pytest.approx(a / b)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_ends_are_those_of_fieller_if_lesions_are_the_noise(seed):
    rng = np.random.default_rng(seed)
    use, ceiling = (arm(rng, gain, draws=0, lesions=0.1) for gain in (0.1, 0.13))
    found = gain_share(use, ceiling, NO_CONTROL, lesions=LESIONS)
    resampled = [each[0, 0, :, 0] for each in (use, ceiling)]
    (aa, ab), (_, bb) = np.cov([each[1:] for each in resampled])
    a, b = (each[0] for each in resampled)
    low, high = fieller(a, b, aa, ab, bb, stats.t.ppf(0.975, 59))
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.002)


@pytest.mark.parametrize("true", [1.0, 0.6])
def test_the_interval_covers_the_true_share_as_often_as_it_promises(true):
    rng = np.random.default_rng(int(10 * true))
    covered = studies = 0
    for _ in range(300):
        # Both gains share the noise of the control.
        control = arm(rng, 0.7, draws=0.01, lesions=0.05)
        use, ceiling = (arm(rng, gain, draws=0.01, lesions=0.05) for gain in (0.1 * true, 0.1))
        found = gain_share(use + control, ceiling + control, control + 0 * use, lesions=LESIONS)
        if found is not None:
            studies += 1
            covered += found.low <= true <= found.high
    assert studies > 290
    assert 0.92 <= covered / studies <= 0.985, covered / studies


def test_a_use_that_equals_the_ceiling_has_its_whole_gain():
    use = arm(np.random.default_rng(0), 0.1, draws=0.01, lesions=0.05)
    found = gain_share(use, use, NO_CONTROL, lesions=LESIONS)
    assert (found.estimate, found.low, found.high) == pytest.approx((1, 1, 1), abs=1e-6)
    half = gain_share(use / 2, use, NO_CONTROL, lesions=LESIONS)
    assert (half.estimate, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5), abs=1e-6)


def test_the_interval_contains_0_just_if_that_of_the_gain_does():
    rng = np.random.default_rng(1)
    held = []
    for gain in np.linspace(0, 0.08, 40):
        use, ceiling = (arm(rng, each, draws=0.02, lesions=0.1) for each in (gain, 0.15))
        own = macro_difference(use, NO_CONTROL, lesions=LESIONS, comparisons=1)
        found = gain_share(use, ceiling, NO_CONTROL, lesions=LESIONS)
        held.append(own.low <= 0 <= own.high)
        assert (found.low <= 0 <= found.high) == held[-1]
    assert 5 < sum(held) < 35


@pytest.mark.parametrize("ceiling", [0.002, -0.1])
def test_there_is_no_share_of_a_gain_that_is_not_shown(ceiling):
    rng = np.random.default_rng(2)
    use, other = (arm(rng, gain, draws=0.02, lesions=0.1) for gain in (0.1, ceiling))
    assert gain_share(use, other, NO_CONTROL, lesions=LESIONS) is None

"""Intervals of shares cover the truth as often as they say; spreads over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.statistics.intervals import share_interval, spread
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(("n", "share"), [(50, 0.5), (50, 0.1), (200, 0.03)])
def test_intervals_of_shares_cover_the_truth(n, share):
    hits = np.random.default_rng(0).binomial(n, share, 1000)
    found = [share_interval(int(hit), n) for hit in hits]
    assert 0.92 <= np.mean([each.low <= share <= each.high for each in found]) <= 0.98


def test_shares_at_the_ends_stay_between_none_and_all():
    none, every = share_interval(0, 20), share_interval(20, 20)
    assert (none.estimate, none.low) == (0, 0)
    assert none.high == pytest.approx(0.1611, abs=1e-3)  # Wilson's for 0 of 20
    assert (every.estimate, every.high) == (1, 1)
    assert every.low == pytest.approx(1 - none.high)


def test_spread_over_seeds():
    found = spread([1.0, 2.0, 6.0])
    assert (found.count, found.mean, found.minimum, found.maximum) == (3, 3, 1, 6)
    assert found.deviation == pytest.approx(np.sqrt(7))
    assert spread([4.0]).deviation is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: share_interval(3, 2), "got 3 of 2"),
        (lambda: share_interval(0, 0), "got 0 of 0"),
        (lambda: spread([]), r"needs one finite number or more, got \[\]"),
        (lambda: spread([1.0, np.nan]), r"got \[1.0, nan\]"),
    ],
)
def test_what_has_no_interval_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

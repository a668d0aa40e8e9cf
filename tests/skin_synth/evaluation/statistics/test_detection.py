"""d': known values, symmetry, and an interval that holds the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from skin_synth.evaluation.statistics.detection import detection
from tfrecords_tools.errors import InputError


def test_known_values():
    # Many answers: 84.13 % hits and 15.87 % false alarms lie one deviation above and below.
    found = detection(84_134, 100_000, 15_866, 100_000)
    assert found.d_prime.estimate == pytest.approx(2, abs=1e-3)
    assert found.bias == pytest.approx(0, abs=1e-3)
    # 8 of 10 and 3 of 10, with half an answer added: z(8.5/11) - z(3.5/11).
    found = detection(8, 10, 3, 10)
    assert found.d_prime.estimate == pytest.approx(0.7478 + 0.4728, abs=1e-3)
    assert found.bias == pytest.approx(-(0.7478 - 0.4728) / 2, abs=1e-3)


def test_chance_swap_and_full_marks():
    assert detection(7, 20, 7, 20).d_prime.estimate == pytest.approx(0)
    one, other = detection(15, 20, 4, 20), detection(4, 20, 15, 20)
    assert one.d_prime.estimate == pytest.approx(-other.d_prime.estimate)
    assert one.d_prime.low == pytest.approx(-other.d_prime.high)
    perfect = detection(20, 20, 0, 20).d_prime
    assert np.isfinite([perfect.low, perfect.high]).all()
    assert perfect.low > 2


def test_the_interval_holds_the_truth():
    rng = np.random.default_rng(0)
    truth, count = 1.2, 56
    draws = zip(
        rng.binomial(count, stats.norm.cdf(truth / 2), 400),
        rng.binomial(count, stats.norm.cdf(-truth / 2), 400),
        strict=True,
    )
    found = [detection(int(h), count, int(f), count).d_prime for h, f in draws]
    held = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.92 <= held <= 0.99


@pytest.mark.parametrize("counts", [(1, 0, 0, 1), (0, 1, 0, 0), (3, 2, 0, 1), (-1, 2, 0, 1)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(InputError, match="d' needs signals and noises"):
        detection(*counts)

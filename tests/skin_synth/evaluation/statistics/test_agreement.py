"""Cohen's kappa equals that of scikit-learn; the jackknife equals the textbook on a mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from skin_synth.evaluation.statistics.agreement import cohen_kappa, jackknife


@pytest.mark.parametrize("classes", [2, 5])
def test_kappa_is_that_of_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    first = rng.integers(classes, size=60)
    second = np.where(rng.random(60) < 0.6, first, rng.integers(classes, size=60))
    names = [f"class {label}" for label in range(classes)]
    one, other = ([names[label] for label in labels] for labels in (first, second))
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(first, second))


def test_limits_of_kappa():
    assert cohen_kappa("abab", "abab") == 1
    assert cohen_kappa("abab", "baba") == -1
    assert cohen_kappa("aabb", "abab") == 0
    assert cohen_kappa("aaaa", "aaab") == 0
    assert cohen_kappa("aaaa", "aaaa") is None
    assert cohen_kappa("", "") is None


def test_the_jackknife_of_a_mean_is_the_t_interval():
    values = np.random.default_rng(3).uniform(-0.5, 0.5, 30)
    found = jackknife(lambda rows: float(values[rows].mean()), len(values))
    low, high = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_no_interval_without_enough_rows():
    assert jackknife(lambda rows: 0.5, 2) is None
    assert jackknife(lambda rows: None, 9) is None
    assert jackknife(lambda rows: 0.5 if len(rows) == 9 else None, 9) is None

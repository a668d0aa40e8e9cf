"""AUROC, true positive rate and intervals have known values on small sets."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from skin_synth.evaluation.privacy.candidates import Candidates
from skin_synth.evaluation.privacy.figures import Bootstrap, Replicates, true_positive_rate


@pytest.mark.parametrize(
    ("members", "others", "rate", "expected"),
    [
        ([3, 4], [1, 2], 0.5, 1.0),
        ([3, 4], [1, 2], 0.4, 0.0),  # of two others none can be above the threshold
        ([1, 2], [3, 4], 0.5, 0.0),
        ([1, 3, 5], [0, 2, 4, 6], 0.25, 0.0),  # the threshold is 6
        ([1, 3, 5], [0, 2, 4, 6], 0.5, 1 / 3),
        ([2, 2], [2, 2], 0.5, 0.0),  # ties find nothing
        ([np.inf, 0], [1, 1], 0.5, 0.5),
    ],
)
def test_true_positive_rate_of_few(members, others, rate, expected):
    positive = np.repeat([True, False], [len(members), len(others)])
    scores = np.array([*members, *others], float)
    assert true_positive_rate(positive, scores, rate=rate) == pytest.approx(expected)


def test_a_guess_finds_one_percent_however_few_the_others_are():
    rng = np.random.default_rng(0)
    for others in (100, 250):
        positive = np.arange(50 + others) < 50
        rates = [true_positive_rate(positive, rng.random(50 + others)) for _ in range(4000)]
        assert np.mean(rates) == pytest.approx(others // 100 / (others + 1), abs=0.001)


def test_true_positive_rate_is_a_point_of_the_roc_curve():
    rng = np.random.default_rng(0)
    positive = rng.random(700) < 0.4
    scores = np.round(rng.normal(0.8 * positive), 1)
    false, true, _ = roc_curve(positive, scores, drop_intermediate=False)
    one = 1 / (~positive).sum()
    assert true_positive_rate(positive, scores) == true[false <= 0.01 - one].max()


def test_a_weight_of_two_is_an_image_twice():
    rng = np.random.default_rng(1)
    positive, scores = np.arange(300) % 3 == 0, rng.normal(size=300)
    weights = rng.integers(0, 3, (4, 300))
    found = true_positive_rate(positive, scores, weights, rate=0.05)
    for row, value in zip(weights, found, strict=True):
        twice, negatives = positive.repeat(row), row[~positive]
        rate = 0.05 - 1 / len(negatives) + 1 / negatives.sum()
        repeated = true_positive_rate(twice, scores.repeat(row), rate=rate)
        assert value == pytest.approx(repeated)


def candidates_of(members, others, *, photographs=1):
    member = np.repeat([True, False], [members, others])
    labels = np.zeros(len(member), int)
    groups = np.array([f"{row:04}" for row in range(len(member))])
    parts = (each.repeat(photographs) for each in (labels, member, groups, groups))
    return Candidates(np.zeros((len(member) * photographs, 1, 1, 3)), *parts, ("a", "b"), 0)


def test_a_perfect_and_a_blind_attack():
    candidates = candidates_of(200, 300)
    bootstrap = Bootstrap.of(candidates, seed=0, replicates=200)
    perfect = bootstrap.attack(candidates.member * 1.0, needs_discriminator=False, attacks=4)
    assert perfect.classes["a"].auroc.estimate == 1
    assert perfect.whole.auroc.low == pytest.approx(1, abs=1e-5)
    assert perfect.whole.true_positives.estimate == 1
    assert perfect.classes["b"] is None
    assert perfect.comparisons == 8
    blind = bootstrap.attack(np.zeros(500), needs_discriminator=False, attacks=4)
    assert blind.whole.auroc.estimate == 0.5
    rate = blind.whole.true_positives
    assert (rate.estimate, rate.low) == (0, 0)
    assert rate.high > 0.01


def test_photographs_of_one_lesion_do_not_narrow_the_interval():
    scores = np.random.default_rng(0).normal(size=240)
    widths = []
    for photographs in (1, 5):
        bootstrap = Bootstrap.of(candidates_of(120, 120, photographs=photographs), seed=0)
        found = bootstrap.attack(
            scores.repeat(photographs), needs_discriminator=False, attacks=1
        ).whole.auroc
        assert found.corrected_low < found.low < found.estimate < found.high < found.corrected_high
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.02)
    # Hanley and McNeil's standard error of an AUROC of 0.5.
    assert widths[0] == pytest.approx(2 * 1.98 * np.sqrt(241 / (12 * 120 * 120)), rel=0.15)


def test_the_variance_of_a_mean_is_that_of_independent_classes():
    parts = [Replicates(np.full(3, value), 0.04, 9) for value in (0.5, 0.7)]
    mean = Replicates.mean(parts)
    assert mean.values[0] == pytest.approx(0.6)
    assert mean.variance == pytest.approx(0.02)
    assert mean.degrees == pytest.approx(18)

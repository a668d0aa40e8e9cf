"""Figures of classifiers: against slow references, known answers, weights that repeat images."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from skin_synth.evaluation.utility import metrics
from tfrecords_tools.errors import InputError


def some_predictions(seed, n=40, classes=3, *, coarse=False):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    logits = rng.normal(size=(n, classes)) + 1.5 * (labels[:, None] == np.arange(classes))
    if coarse:
        logits = np.round(logits)  # many ties
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True)


def slow_auroc(positive, scores):
    """Over all pairs."""
    return (1 + np.sign(scores[positive][:, None] - scores[~positive])).mean() / 2


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("coarse", [False, True])
def test_auroc_is_the_share_of_pairs_in_order(seed, coarse):
    labels, probabilities = some_predictions(seed, coarse=coarse)
    expected = [slow_auroc(labels == c, probabilities[:, c]) for c in range(3)]
    np.testing.assert_allclose(metrics.class_auroc(labels, probabilities), expected, atol=1e-12)
    np.testing.assert_allclose(metrics.macro_auroc(labels, probabilities), np.mean(expected))


def test_auroc_of_constant_scores_is_one_half_and_of_right_ones_one():
    positive = np.array([True, False, True, False])
    assert metrics.auroc(positive, np.zeros(4)) == 0.5
    assert metrics.auroc(positive, np.array([3.0, 1.0, 2.0, 0.0])) == 1.0
    assert metrics.auroc(positive, np.array([0.0, 1.0, 0.5, 2.0])) == 0.0
    assert np.isnan(metrics.auroc(np.ones(4, bool), np.zeros(4)))


@pytest.mark.parametrize(
    "metric",
    [
        metrics.sensitivity,
        metrics.class_auroc,
        metrics.macro_auroc,
        metrics.class_partial_auroc,
        metrics.macro_partial_auroc,
        metrics.balanced_accuracy,
        metrics.class_sensitivity_at_specificity,
        metrics.class_log_loss,
        metrics.class_balanced_log_loss,
    ],
)
def test_weights_are_repetitions(metric):
    labels, probabilities = some_predictions(3, coarse=True)
    rng = np.random.default_rng(0)
    counts = np.concatenate([np.ones((1, 40), int), rng.integers(0, 4, (5, 40))])
    counts[:, :3] += 1  # every class stays
    found = metric(labels, probabilities, counts.astype(float))
    assert len(found) == 6
    for row, repetitions in zip(found, counts, strict=True):
        expected = metric(labels.repeat(repetitions), probabilities.repeat(repetitions, axis=0))
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_sensitivity_and_balanced_accuracy_by_hand():
    labels = np.array([0, 0, 0, 0, 1, 1])
    probabilities = np.eye(3)[[0, 0, 0, 1, 1, 0]]
    np.testing.assert_array_equal(metrics.sensitivity(labels, probabilities), [0.75, 0.5, np.nan])
    assert metrics.balanced_accuracy(labels, probabilities) == 0.625  # of the classes there are


@pytest.mark.parametrize("largest", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("coarse", [False, True])
def test_partial_auroc_is_that_of_scikit_learn(largest, coarse):
    labels, probabilities = some_predictions(7, n=90, coarse=coarse)
    counts = np.random.default_rng(1).integers(0, 4, 90)
    for c in range(3):
        positive, scores = labels == c, probabilities[:, c]
        expected = roc_auc_score(positive, scores, max_fpr=largest, sample_weight=counts)
        found = metrics.partial_auroc(positive, scores, counts, largest=largest)
        assert found == pytest.approx(expected, abs=1e-12)


def test_partial_auroc_of_constant_scores_is_one_half_and_of_right_ones_one():
    positive = np.array([True, False, True, False])
    assert metrics.partial_auroc(positive, np.zeros(4)) == pytest.approx(0.5)
    assert metrics.partial_auroc(positive, np.array([3.0, 1.0, 2.0, 0.0])) == pytest.approx(1)
    assert np.isnan(metrics.partial_auroc(np.ones(4, bool), np.zeros(4)))
    labels = np.array([0, 1, 0, 1])
    found = metrics.class_partial_auroc(labels, np.eye(3)[labels])
    np.testing.assert_allclose(found, [1, 1, np.nan])
    assert metrics.macro_partial_auroc(labels, np.eye(3)[labels]) == pytest.approx(1)


def test_log_loss_by_hand_and_by_scikit_learn():
    labels, probabilities = some_predictions(5)
    found = metrics.class_balanced_log_loss(labels, np.log(probabilities))
    balancing = 1 / np.bincount(labels)[labels]
    expected = log_loss(labels, probabilities, sample_weight=balancing)
    assert found == pytest.approx(expected)
    four = np.log(np.array([[0.5, 0.25, 0.25]] * 4))
    # The first class costs log 2, the second log 4; the third has no images.
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(metrics.class_log_loss(labels, four), [np.log(2), np.log(4), np.nan])
    expected = (np.log(2) + np.log(4)) / 2
    assert metrics.class_balanced_log_loss(labels, four) == pytest.approx(expected)
    with pytest.raises(InputError, match="must be finite"):
        metrics.class_balanced_log_loss(np.array([0]), np.array([[0.0, -np.inf]]))


def test_sensitivity_at_specificity_keeps_the_specificity():
    scores = np.concatenate([np.arange(100) / 100, [0.93, 0.94, 0.95, 0.96, 2.0]])
    positive = np.arange(105) >= 100
    # The threshold is 0.94, the 95th of 100 negatives; 0.94 itself is not above it.
    assert metrics.sensitivity_at_specificity(positive, scores) == 0.6
    assert metrics.sensitivity_at_specificity(positive, scores, specificity=1.0) == 0.2
    assert metrics.sensitivity_at_specificity(positive, scores, specificity=0.0) == 1.0
    assert metrics.sensitivity_at_specificity(positive, np.zeros(105)) == 0.0
    assert np.isnan(metrics.sensitivity_at_specificity(~np.ones(3, bool), np.zeros(3)))


@pytest.mark.parametrize("seed", range(5))
def test_sensitivity_at_specificity_by_trying_all_thresholds(seed):
    rng = np.random.default_rng(seed)
    positive = rng.random(60) < 0.3
    scores = np.round(rng.normal(size=60) + positive, 1)
    tried = [
        (scores[positive] > t).mean()
        for t in [-np.inf, *scores]
        if (scores[~positive] <= t).mean() >= 0.95
    ]
    assert metrics.sensitivity_at_specificity(positive, scores) == max(tried)


def test_calibration_error_by_hand():
    # Two images at 0.9 of which one is right, two at 0.6 that are both right.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 1])
    expected = (2 * abs(0.5 - 0.9) + 2 * abs(1.0 - 0.6)) / 4
    assert metrics.calibration_error(labels, probabilities) == pytest.approx(expected)
    # In one bin, the faults cancel: (0.9 - 0.5) + (0.6 - 1) = 0.
    assert metrics.calibration_error(labels, probabilities, bins=1) == pytest.approx(0)


def test_calibration_error_of_a_calibrated_classifier_is_small_and_of_a_boaster_large():
    rng = np.random.default_rng(0)
    first = rng.random(20_000)
    labels = (rng.random(20_000) > first).astype(int)
    calibrated = np.stack([first, 1 - first], axis=1)
    assert metrics.calibration_error(labels, calibrated) < 0.02
    assert metrics.calibration_error(labels, np.round(calibrated)) == pytest.approx(0.25, abs=0.02)


def test_brier_score_by_hand():
    labels = np.array([0, 1])
    assert metrics.brier_score(labels, np.array([[1.0, 0], [0, 1]])) == 0
    assert metrics.brier_score(labels, np.array([[0.0, 1], [1, 0]])) == 2
    assert metrics.brier_score(labels, np.full((2, 2), 0.5)) == 0.5
    assert metrics.brier_score(labels, np.array([[0.8, 0.2], [0.8, 0.2]])) == pytest.approx(0.68)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.array([], int), np.zeros((0, 2)), "one image or more"),
        (np.array([0, 1]), np.zeros((3, 2)), r"got \[2\] and \[3, 2\]"),
        (np.array([0, 2]), np.zeros((2, 2)), "got 0 to 2"),
        (np.array([0, 1]), np.full((2, 2), np.nan), "must be finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(labels, probabilities, message):
    for metric in (metrics.balanced_accuracy, metrics.brier_score):
        with pytest.raises(InputError, match=message):
            metric(labels, probabilities)


def test_weights_that_do_not_fit_are_refused():
    labels, probabilities = some_predictions(0)
    with pytest.raises(InputError, match=r"needs 40 weights per row, got \[2, 3\]"):
        metrics.macro_auroc(labels, probabilities, np.ones((2, 3)))

"""The correction finds planted temperatures, priors and biases, and is calm in tiny classes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from skin_synth.evaluation.utility import calibration
from skin_synth.evaluation.utility.calibration import PriorCorrection, log_of
from skin_synth.evaluation.utility.metrics import class_balanced_log_loss
from tfrecords_tools.errors import InputError

SHARES = np.array([0.67, 0.11, 0.11, 0.05, 0.033, 0.014, 0.013])
EQUAL = np.full(7, 1 / 7)


def images(seed, count, *, shares=SHARES):
    """Classes, and the log-likelihood of each class: all that an ideal network could know."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(7, count, p=shares)
    return labels, 2.4 * (2.4 * np.eye(7)[labels] + rng.normal(size=(count, 7)))


def network(likelihood, prior, *, temperature=1.0, biases=0.0):
    """Log-probabilities of a network that saw classes in these shares and is overconfident."""
    return special.log_softmax(temperature * (likelihood + np.log(prior)) + biases, axis=1)


@pytest.mark.parametrize("prior", [SHARES, EQUAL])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_planted_temperature_and_prior_are_found(prior, temperature):
    labels, likelihood = images(0, 4000)
    given = network(likelihood, prior, temperature=temperature)
    found = PriorCorrection.fit(labels, given, prior)
    assert found.temperature == pytest.approx(temperature, rel=0.12)
    np.testing.assert_allclose(found.biases, 0, atol=0.5)
    assert found.prior == pytest.approx(tuple(prior / prior.sum()))
    labels, likelihood = images(1, 20_000)
    given = network(likelihood, prior, temperature=temperature)
    ideal = class_balanced_log_loss(labels, special.log_softmax(likelihood, axis=1))
    assert class_balanced_log_loss(labels, found.apply(given)) < ideal + 0.02


def test_biases_repair_what_the_prior_does_not_explain():
    planted = np.array([0.0, 1.0, -1.0, 0.5, -0.5, 0.5, -0.5])
    labels, likelihood = images(2, 4000)
    given = network(likelihood, SHARES, biases=planted)
    found = PriorCorrection.fit(labels, given, SHARES)
    np.testing.assert_allclose(np.array(found.biases)[:3], -planted[:3], atol=0.3)
    without = PriorCorrection.fit(labels, given, SHARES, biases=False)
    assert without.biases == (0.0,) * 7
    labels, likelihood = images(3, 20_000)
    given = network(likelihood, SHARES, biases=planted)
    losses = [class_balanced_log_loss(labels, each.apply(given)) for each in (found, without)]
    assert losses[0] < losses[1] - 0.02


def test_of_apply_by_hand():
    correction = PriorCorrection(2.0, (0.5, 0.25, 0.25), (0.0, 0.0, 0.1))
    given = np.log([[0.64, 0.32, 0.04]])
    odds = np.array([0.8 / 0.5, np.sqrt(0.32) / 0.25, 0.2 / 0.25 * np.exp(0.1)])
    np.testing.assert_allclose(np.exp(correction.apply(given)), [odds / odds.sum()])


def test_at_temperature_one_and_equal_shares_nothing_changes():
    given = network(images(0, 10)[1], SHARES)
    same = PriorCorrection(1.0, tuple(EQUAL), (0.0,) * 7)
    np.testing.assert_allclose(same.apply(given), given)
    shares, counts = (PriorCorrection.fit(np.arange(7), given[:7], n * SHARES) for n in (1, 1500))
    assert shares.temperature == pytest.approx(counts.temperature)


def test_the_minimum_is_that_of_a_logistic_regression(monkeypatch):
    """With two classes, free biases and equal weights, both solve one problem."""
    monkeypatch.setattr(calibration, "TEMPERATURE_IMAGES", 0.0)
    monkeypatch.setattr(calibration, "BIAS_SD", 1e4)
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    odds = 1.5 * (labels - 0.5) + rng.normal(size=200)
    given = special.log_softmax(np.stack([0 * odds, odds], axis=1), axis=1)
    found = PriorCorrection.fit(labels, given, [0.5, 0.5])
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(odds[:, None], labels)
    assert 1 / found.temperature == pytest.approx(expected.coef_[0, 0], rel=1e-2)
    bias = found.biases[1] - found.biases[0]
    assert bias == pytest.approx(expected.intercept_[0], abs=1e-2)


@pytest.mark.parametrize("count", [5, 20, 60])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_few_validation_images_do_little_harm(count, temperature):
    """The mean loss is near that of the exact correction, or at most that of the prior alone."""
    test_labels, likelihood = images(100, 5000)
    test = network(likelihood, SHARES, temperature=temperature)
    exact = PriorCorrection(temperature, tuple(SHARES), (0.0,) * 7)
    prior_only = PriorCorrection(1.0, tuple(SHARES), (0.0,) * 7)
    losses = []
    for seed in range(20):
        labels, likelihood = images(seed, count)
        given = network(likelihood, SHARES, temperature=temperature)
        found = PriorCorrection.fit(labels, given, SHARES)
        assert np.abs(found.biases).max() < 1
        losses.append(class_balanced_log_loss(test_labels, found.apply(test)))
    best, plain = (
        class_balanced_log_loss(test_labels, each.apply(test)) for each in (exact, prior_only)
    )
    assert np.mean(losses) < max(best + 0.15, plain + 0.01)


def test_a_confident_error_in_a_class_of_one_image_moves_little():
    labels, likelihood = images(4, 300, shares=np.array([0.8, 0.1, 0.1, 0, 0, 0, 0]))
    given = network(likelihood, SHARES)
    before = PriorCorrection.fit(labels, given, SHARES)
    wrong = np.full((1, 7), -30.0)
    wrong[0, 0] = 0.0
    after = PriorCorrection.fit(np.append(labels, 6), np.append(given, wrong, 0), SHARES)
    assert after.temperature < 2.5 * before.temperature
    assert before.biases[6] == 0
    assert 0 < abs(after.biases[6]) < 0.3


def test_classes_without_images_keep_their_bias():
    labels, likelihood = images(5, 400, shares=np.array([0.5, 0.3, 0.2, 0, 0, 0, 0]))
    planted = [0, 1, 0, 3, -3, 0, 0]
    found = PriorCorrection.fit(labels, network(likelihood, SHARES, biases=planted), SHARES)
    assert found.biases[3:] == (0.0,) * 4
    assert found.biases[1] < -0.2


def test_temperatures_stay_in_their_range():
    labels = np.repeat(np.arange(7), 30)
    boasts = np.full((210, 7), -200.0)
    boasts[np.arange(210), (labels + np.arange(210) % 2) % 7] = 0.0
    found = PriorCorrection.fit(labels, boasts, EQUAL)
    assert found.temperature == pytest.approx(calibration.HIGHEST_TEMPERATURE)
    shy = special.log_softmax(0.01 * np.eye(7)[labels], axis=1)
    found = PriorCorrection.fit(labels, shy, EQUAL)
    assert found.temperature == pytest.approx(calibration.LOWEST_TEMPERATURE)


def test_a_class_that_was_never_drawn_is_not_made_certain():
    prior = np.array([0.8, 0.1, 0.1, 0, 0, 0, 0])
    found = PriorCorrection.fit(*(each[:200] for each in images(6, 200)), prior)
    assert found.prior[3:] == (calibration.SMALLEST_PRIOR,) * 4
    assert np.isfinite(found.apply(images(7, 50)[1])).all()


def test_logarithms_of_rounded_zeros_are_finite():
    found = log_of(np.array([[1.0, 0.0]], np.float32))
    np.testing.assert_allclose(found, [[0, -87.3365]], rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "log_probabilities", "prior", "message"),
    [
        (np.array([], int), np.zeros((0, 2)), [1, 1], "one image or more"),
        (np.array([0]), np.zeros((1, 3)), [1, 1], r"got \[1\], \[1, 3\] and \[2\]"),
        (np.array([2]), np.zeros((1, 2)), [1, 1], "from 0 to 1, got 2 to 2"),
        (np.array([0]), np.array([[0, -np.inf]]), [1, 1], "must be finite"),
        (np.array([0]), np.zeros((1, 2)), [1, -1], r"a prior needs .* got \[1.0, -1.0\]"),
        (np.array([0]), np.zeros((1, 2)), [0, 0], "a prior needs"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(labels, log_probabilities, prior, message):
    with pytest.raises(InputError, match=message):
        PriorCorrection.fit(labels, log_probabilities, prior)

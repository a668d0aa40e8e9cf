"""Corrections use validation images only, and each figure is of the right probabilities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import special

from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arm_training import TrainedArm
from skin_synth.evaluation.utility.predictions import Predictions
from skin_synth.evaluation.utility.same_data import AUGMENTED
from tests.skin_synth.evaluation.utility.conftest import coloured_split

COUNTS = (90, 20, 10)
IMAGES = coloured_split(COUNTS, 4)
NATURAL = np.array(COUNTS) / 120


def trained(seed, labels=IMAGES.labels):
    """A network that has learnt natural class shares."""
    rng = np.random.default_rng(seed)
    logits = 2 * np.eye(3)[labels] + rng.normal(size=(len(labels), 3)) + np.log(NATURAL)
    found = special.log_softmax(logits, axis=1).astype(np.float32)
    other = special.log_softmax(logits[::-1], axis=1).astype(np.float32)
    losses = np.array([np.nan, 1.0, 0.5]), np.array([2.0, 1.0, seed])
    return TrainedArm(
        {"validation": found, "test": other}, np.array([0, 5, 10]), *losses, np.zeros(0)
    )


@pytest.fixture(scope="module")
def found():
    return Predictions.of(AUGMENTED, [trained(1), trained(2)], IMAGES.labels, NATURAL)


def test_the_correction_leads_to_equal_shares(found):
    raw = np.exp(trained(1).log_probabilities["validation"])
    corrected = np.exp(found.corrected["validation"][0])
    np.testing.assert_allclose(corrected.sum(axis=1), 1)
    before, after = (metrics.balanced_accuracy(IMAGES.labels, each) for each in (raw, corrected))
    assert after > before + 0.05


def test_test_labels_and_test_predictions_change_no_correction(found):
    changed = [
        dataclasses.replace(
            each, log_probabilities={**each.log_probabilities, "test": np.zeros((5, 3))}
        )
        for each in (trained(1), trained(2))
    ]
    again = Predictions.of(AUGMENTED, changed, IMAGES.labels, NATURAL)
    np.testing.assert_array_equal(again.corrected["validation"], found.corrected["validation"])


def test_curves_are_means_over_seeds(found):
    assert found.curve.steps == (0, 5, 10)
    assert found.curve.training_loss == (None, 1.0, 0.5)
    assert found.curve.validation_loss == (2.0, 1.0, 1.5)


def test_figures_have_a_value_for_each_seed(found):
    figures = found.figures("validation", IMAGES, NATURAL)
    for name, corrected in enumerate(found.corrected["validation"]):
        raw = np.exp(trained(name + 1).log_probabilities["validation"].astype(np.float64))
        area = metrics.macro_auroc(IMAGES.labels, raw)
        assert figures.macro_auroc.seeds[name] == pytest.approx(float(area))
        assert area != pytest.approx(float(metrics.macro_auroc(IMAGES.labels, np.exp(corrected))))
        loss = metrics.class_balanced_log_loss(IMAGES.labels, corrected)
        assert figures.log_loss.seeds[name] == pytest.approx(float(loss))
    assert set(figures.auroc) == set(IMAGES.class_names)
    # At equal shares the probabilities of the common class are too low.
    equal = found.figures("validation", IMAGES, np.full(3, 1 / 3))
    assert figures.calibration_error.mean < equal.calibration_error.mean
    assert figures.brier_score.mean < equal.brier_score.mean
    assert figures.macro_auroc == equal.macro_auroc


def test_averaged_networks_are_one_prediction(found):
    averaged = found.averaged(dataclasses.replace(AUGMENTED, name="two"))
    for before, after in ((found.raw, averaged.raw), (found.corrected, averaged.corrected)):
        mean = np.exp(before["test"]).mean(axis=0)
        np.testing.assert_allclose(np.exp(after["test"][0]), mean)
    figures = averaged.figures("test", IMAGES, NATURAL)
    assert figures.macro_auroc.sd is None
    assert len(figures.macro_auroc.seeds) == 1

"""From predictions to a verdict, on predictions whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arms import CONTROLS, make_arms
from skin_synth.evaluation.utility.comparison import HeldOut, Predictions, compare
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER

LABELS = np.repeat(np.arange(3), 50)
HELD_OUT = HeldOut(LABELS, tuple(str(i) for i in range(150)), ("a", "b", "c"))
ARMS = make_arms((1.0, 4.0))


def predictions_of(skill, rng, shared, seeds=4):
    """Softmax of skill times the truth plus noise, most of it shared by all arms."""
    logits = skill * (LABELS[:, None] == np.arange(3)) + shared
    odds = np.exp(logits + 0.5 * rng.normal(size=(seeds, 150, 3)))
    return (odds / odds.sum(axis=2, keepdims=True)).astype(np.float32)


def compared(skills, *, validation=None, seed=0, classifiers=("cnn",)):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(2, 150, 3))
    entries = [
        Predictions(
            arm,
            classifier,
            predictions_of(held_out, rng, shared[0]),
            predictions_of(skill, rng, shared[1]),
        )
        for classifier in classifiers
        for arm, skill, held_out in zip(ARMS, skills, validation or skills, strict=True)
    ]
    return compare(entries, HELD_OUT, HELD_OUT, replicates=200), entries


@pytest.mark.parametrize(
    ("mixed", "words"),
    [
        ((2.4, 1.5), [GAIN, NEITHER]),
        ((1.5, 0.5), [NEITHER, HARM]),
        ((0.5, 2.4), [HARM, GAIN]),
        ((1.5, 1.5), [NEITHER, NEITHER]),
    ],
)
def test_verdicts_follow_the_truth(mixed, words):
    found, _ = compared((1.0, 1.2, 1.5, *mixed, 3.0))
    assert [entry["verdict"] for entry in found["differences"]] == [*words, None]
    expected = GAIN if GAIN in words else HARM if HARM in words else NEITHER
    assert found["verdict"]["words"] == expected
    assert found["verdict"]["comparisons"] == 2
    assert found["verdict"]["sentence"].startswith(f"{expected}: real + synthetic 1:")


def test_the_sentence_tells_of_the_arm_that_the_verdict_stands_on():
    found, _ = compared((1.0, 1.2, 1.5, 0.5, 2.4, 1.0))
    assert "1:4 (cnn) differs in macro AUROC by +0." in found["verdict"]["sentence"]
    found, _ = compared((1.0, 1.2, 1.5, 1.5, 0.5, 1.0))
    assert "1:4 (cnn) differs in macro AUROC by -0." in found["verdict"]["sentence"]
    assert "corrected for 2 comparisons" in found["verdict"]["sentence"]


def test_the_best_control_is_chosen_on_validation_images_alone():
    validation = (2.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    found, _ = compared((1.0, 1.2, 2.0, 1.5, 1.5, 1.0), validation=validation)
    assert found["best_control"] == {"cnn": "real"}
    assert all(entry["control"] == "real" for entry in found["differences"])
    # It beats the control that validation chose, but not the one that is best on the test.
    entry = found["differences"][0]
    assert entry["metrics"]["macro_auroc"]["corrected_low"] > 0
    assert entry["verdict"] == NEITHER


def test_classifiers_are_compared_with_controls_of_their_kind():
    found, _ = compared((1.0, 1.2, 1.5, 1.5, 1.5, 1.0), classifiers=("cnn", "linear"))
    assert set(found["best_control"]) == {"cnn", "linear"}
    assert len(found["differences"]) == 6
    assert found["verdict"]["comparisons"] == 4


def test_figures_are_means_over_seeds_of_the_metrics():
    found, entries = compared((1.0, 1.2, 1.5, 1.5, 1.5, 1.0))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for entry, given in zip(found["arms"], entries, strict=True):
        each = [float(metrics.macro_auroc(LABELS, test)) for test in given.test]
        assert entry["figures"]["macro_auroc"]["seeds"] == each
        assert entry["figures"]["macro_auroc"]["mean"] == pytest.approx(np.mean(each))
        assert entry["figures"]["macro_auroc"]["sd"] == pytest.approx(np.std(each, ddof=1))
    assert [entry["ratio"] for entry in found["arms"]] == [0, 0, 0, 1, 4, None]
    best = found["arms"][[a.name for a in CONTROLS].index(found["best_control"]["cnn"])]
    for difference, arm in zip(found["differences"], found["arms"][3:], strict=True):
        expected = arm["figures"]["macro_auroc"]["mean"] - best["figures"]["macro_auroc"]["mean"]
        assert difference["metrics"]["macro_auroc"]["difference"] == pytest.approx(expected)
        ours, theirs = (x["figures"]["sensitivity"]["b"]["mean"] for x in (arm, best))
        assert difference["sensitivity"]["b"]["difference"] == pytest.approx(ours - theirs)

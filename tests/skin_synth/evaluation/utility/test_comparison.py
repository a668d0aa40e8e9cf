"""From predictions to a verdict, on predictions whose truth is known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arms import CONTROLS, make_arms
from skin_synth.evaluation.utility.comparison import Predictions, compare
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from skin_synth.evaluation.utility.results import OverSeeds

LABELS = np.repeat(np.arange(3), 50)
LESIONS = tuple(str(i) for i in range(150))
HELD_OUT = LabelledImages(np.empty((150, 0, 0, 3)), LABELS, LESIONS, LESIONS, ("a", "b", "c"))
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
            name,
            predictions_of(held_out, rng, shared[0]),
            predictions_of(skill, rng, shared[1]),
        )
        for name in classifiers
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
    assert [entry.verdict for entry in found.differences] == [*words, None]
    expected = GAIN if GAIN in words else HARM if HARM in words else NEITHER
    assert found.verdict.words == expected
    assert found.verdict.comparisons == 2
    assert found.verdict.sentence.startswith(f"{expected}: real + synthetic 1:")


def test_the_sentence_names_the_arm_that_decides():
    for mixed, sign in (((0.5, 2.4), "+"), ((1.5, 0.5), "-")):
        found, _ = compared((1.0, 1.2, 1.5, *mixed, 1.0))
        assert f"1:4 (cnn) differs in macro AUROC by {sign}0." in found.verdict.sentence
    assert "corrected for 2 comparisons" in found.verdict.sentence


def test_the_best_control_is_chosen_on_validation_images_alone():
    validation = (2.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    found, _ = compared((1.0, 1.2, 2.0, 1.5, 1.5, 1.0), validation=validation)
    assert found.best_control == {"cnn": "real"}
    assert all(entry.control == "real" for entry in found.differences)
    # It beats the control that validation chose, but not the one that is best on the test.
    entry = found.differences[0]
    assert entry.metrics.macro_auroc.corrected_low > 0
    assert entry.verdict == NEITHER


def test_classifiers_are_compared_with_controls_of_their_kind():
    found, _ = compared((1.0, 1.2, 1.5, 1.5, 1.5, 1.0), classifiers=("cnn", "linear"))
    assert set(found.best_control) == {"cnn", "linear"}
    assert len(found.differences) == 6
    assert found.verdict.comparisons == 4


def test_all_figures_are_those_of_each_seed_and_class():
    found, entries = compared((1.0, 1.2, 1.5, 1.5, 1.5, 1.0))
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    for entry, given in zip(found.arms, entries, strict=True):
        each = [float(metrics.macro_auroc(LABELS, test)) for test in given.test]
        assert entry.figures.macro_auroc.seeds == tuple(each)
        assert entry.figures.macro_auroc.mean == pytest.approx(np.mean(each))
        assert entry.figures.macro_auroc.sd == pytest.approx(np.std(each, ddof=1))
    assert [entry.ratio for entry in found.arms] == [0, 0, 0, 1, 4, None]
    best = found.arms[[a.name for a in CONTROLS].index(found.best_control["cnn"])]
    for difference, arm in zip(found.differences, found.arms[3:], strict=True):
        expected = arm.figures.macro_auroc.mean - best.figures.macro_auroc.mean
        assert difference.metrics.macro_auroc.difference == pytest.approx(expected)
        ours, theirs = (x.figures.sensitivity["b"].mean for x in (arm, best))
        assert difference.sensitivity["b"].difference == pytest.approx(ours - theirs)
    figures, test = found.arms[0].figures, entries[0].test
    for name in ("balanced_accuracy", "brier_score", "calibration_error"):
        metric = getattr(metrics, name)
        assert getattr(figures, name).seeds == tuple(metric(LABELS, each) for each in test)
    for label, name in enumerate("abc"):
        pairs = [(label == LABELS, each[:, label]) for each in test]
        for metric, equal in (("sensitivity_at_specificity", tuple), ("auroc", pytest.approx)):
            expected = [getattr(metrics, metric)(*pair) for pair in pairs]
            assert getattr(figures, metric)[name].seeds == equal(expected)
        expected = tuple(metrics.sensitivity(LABELS, each)[label] for each in test)
        assert figures.sensitivity[name].seeds == expected


def test_a_class_without_test_images_has_no_figures():
    held_out = dataclasses.replace(HELD_OUT, class_names=("a", "b", "c", "d"))
    rng = np.random.default_rng(0)
    four = rng.dirichlet(np.ones(4), (4, 150)).astype(np.float32)
    entries = [Predictions(arm, "cnn", four, four) for arm in ARMS]
    found = compare(entries, held_out, held_out, replicates=200)
    assert found.arms[0].figures.sensitivity["d"] == OverSeeds(None, None, (None,) * 4)
    assert found.differences[0].sensitivity["d"] is None
    json.dumps(dataclasses.asdict(found), allow_nan=False)

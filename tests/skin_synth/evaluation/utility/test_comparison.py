"""Verdicts are true, validation alone chooses, and nothing is trained twice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility import comparison
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.comparison import (
    MOST_COMPARED,
    SCREENING_SEEDS,
    SameDataStudy,
    most_trainings,
)
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from skin_synth.evaluation.utility.recipes import CONTROL, INFORMATION, USE
from skin_synth.evaluation.utility.same_data import TEACHER_SEEDS, Sources, make_arms
from tests.skin_synth.evaluation.utility.conftest import ColourMeans, coloured_split, colours

SEEDS = 3
COUNTS = np.array([40, 8, 8])


def study_of(generate, cache_dir=None, *, seed=0, tests=None, tested=250, trainer=None):
    """A study of three-coloured images with few training images of two classes."""
    train, validation, test = (
        coloured_split(each, 3 * seed + number)
        for number, each in enumerate((COUNTS, (60,) * 3, (tested,) * 3), 1)
    )
    training = ArmTraining(trainer or ColourMeans(), 30, Cache(cache_dir))
    sources = Sources(
        train, lambda labels, seeds: generate(train, labels, seeds), generate.__name__, 60, training
    )
    return SameDataStudy(sources, validation, {"test": test, **(tests or {})}, SEEDS, 100)


def fresh(train, labels, seeds):
    return colours(labels, seeds[0])


def copies(train, labels, seeds):
    members = (np.flatnonzero(train.labels == label) for label in labels)
    return train.images[[m[seed % len(m)] for m, seed in zip(members, seeds, strict=True)]]


def mislabelled(train, labels, seeds):
    return colours((labels + 1) % 3, seeds[0])


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def of_fresh(cache_dir):
    return study_of(fresh, cache_dir).result()


def test_fresh_images_show_a_gain(of_fresh):
    (found,) = of_fresh.comparisons
    use, control, *others = found.arms
    assert found.verdict.words == GAIN
    assert (use.arm, control.arm) == (of_fresh.use, of_fresh.control)
    assert (use.kind, control.kind) == (USE, CONTROL)
    assert control.use_minus_arm.macro_auroc == found.verdict.macro_auroc.difference
    assert found.verdict.macro_auroc.difference.corrected_low > 0
    assert found.verdict.log_loss.difference.corrected_high < 0
    assert all(other.use_minus_arm.macro_auroc.low > 0 for other in others[:-1])
    assert others[-1].kind == INFORMATION
    assert others[-1].arm.startswith(f"{SEEDS} networks of")
    assert len(use.figures.macro_auroc.seeds) == SEEDS
    assert [each.class_name for each in found.found] == ["red", "green", "blue"]


def test_a_study_that_starts_again_trains_and_generates_nothing(of_fresh, cache_dir):
    def fail(train, labels, seeds):
        raise AssertionError("generated anew")

    fail.__name__ = "fresh"
    again = study_of(fail, cache_dir)
    assert again.result() == of_fresh
    assert not again.sources.training.trainer.calls


def test_a_killed_study_goes_on_where_it_stopped(tmp_path, of_fresh):
    def killed(train, labels, seeds):
        calls.append(seeds[0])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fresh(train, labels, seeds)

    calls, killed.__name__ = [], "fresh"
    with pytest.raises(KeyboardInterrupt):
        study_of(killed, tmp_path).result()
    stored = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert study_of(killed, tmp_path).result() == of_fresh
    assert calls[1] == calls[2] != calls[0]
    assert len(calls) == 2 + SCREENING_SEEDS + SEEDS - 1
    assert all(path.stat().st_mtime_ns == time for path, time in stored.items())


def test_copies_of_training_images_show_no_more_gains_than_chance():
    """Of twenty studies without a true difference, one shows a gain by chance; as many a harm."""
    studies = (study_of(copies, seed=seed).result() for seed in range(20))
    words = [each.comparisons[0].verdict.words for each in studies]
    assert words.count(GAIN) <= 2
    assert words.count(HARM) <= 2


def test_mislabelled_images_show_harm_unless_a_teacher_labels_them_anew(monkeypatch):
    result = study_of(mislabelled).result()
    assert "teacher" in result.use
    assert result.comparisons[0].verdict.words == NEITHER
    believed = "50 % synthetic", "filled with synthetic"
    arms = [arm for arm in make_arms(COUNTS) if arm.kind == CONTROL or arm.name in believed]
    monkeypatch.setattr(comparison, "make_arms", lambda counts: arms)
    assert study_of(mislabelled).result().comparisons[0].verdict.words == HARM


def test_validation_alone_chooses_and_other_seeds_compare(of_fresh, cache_dir):
    study = study_of(fresh, cache_dir)
    test = study.tests["test"]
    shuffled = dataclasses.replace(test, labels=np.random.default_rng(0).permutation(test.labels))
    result = dataclasses.replace(study, tests={"test": shuffled}).result()
    assert (result.use, result.control) == (of_fresh.use, of_fresh.control)
    for ours, theirs in zip(result.screened, of_fresh.screened, strict=True):
        assert ours.validation_macro_auroc == theirs.validation_macro_auroc
        assert ours.figures != theirs.figures
    for kind, chosen in ((USE, of_fresh.use), (CONTROL, of_fresh.control)):
        means = {
            arm.arm: arm.validation_macro_auroc.mean
            for arm in of_fresh.screened
            if arm.kind == kind
        }
        assert chosen == max(means, key=means.get)
    screened = {arm.arm: arm.figures.macro_auroc.seeds for arm in of_fresh.screened}
    compared = of_fresh.comparisons[0].arms[0].figures.macro_auroc.seeds
    assert not set(compared) & set(screened[of_fresh.use])


def test_no_more_trainings_than_announced():
    study = study_of(fresh, tested=20)
    study.result()
    arms = len(make_arms(COUNTS))
    assert most_trainings(arms, SEEDS) == arms * SCREENING_SEEDS + MOST_COMPARED * SEEDS
    # One call for each point of the curves, one for each earlier phase.
    ends = sum(steps.stop == 30 for _, steps in study.sources.training.trainer.calls)
    assert ends <= most_trainings(arms, SEEDS) + len(TEACHER_SEEDS)


def test_a_class_with_few_test_lesions_takes_degrees_of_freedom(cache_dir):
    """Of 504 test lesions four are blue: they make most of the noise."""
    few = coloured_split((250, 250, 4), 3)
    (_, found) = study_of(fresh, cache_dir, tests={"few": few}).result().comparisons
    assert found.test_set.groups == (250, 250, 4)
    for measure in (found.verdict.macro_auroc, found.verdict.log_loss):
        assert measure.difference.degrees < 50


def test_each_further_test_set_has_its_own_verdict(of_fresh, cache_dir):
    """The second one lacks a class, and its labels are chance."""
    other = coloured_split((40, 40, 0), 77)
    other = dataclasses.replace(other, labels=np.arange(80) % 2)
    result = study_of(fresh, cache_dir, tests={"elsewhere": other}).result()
    first, second = result.comparisons
    assert first == of_fresh.comparisons[0]
    assert second.test_set.name == "elsewhere"
    assert second.test_set.groups == (40, 40, 0)
    assert second.verdict.words == NEITHER
    assert second.found[2].difference is None
    assert second.arms[0].figures.auroc["blue"].mean is None


def test_a_judge_that_underfits_and_losses_that_still_fall_are_reported(of_fresh, monkeypatch):
    assert of_fresh.warnings == ()
    monkeypatch.setattr(comparison, "STILL_FALLS", -1.0)
    trainer = ColourMeans()
    trainer.noise, trainer.noise_unaugmented = 10.0, 0.1
    result = study_of(fresh, tested=20, trainer=trainer).result()
    underfits, falls = result.warnings
    assert "it underfits" in underfits
    assert f"still falls at the end of the trainings ({result.use}; {result.control})" in falls

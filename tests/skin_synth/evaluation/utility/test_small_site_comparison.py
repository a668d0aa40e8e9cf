"""Figures of the small site: planted gains and harms are found, chance is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from skin_synth.evaluation.utility.small_site import SmallSiteOptions, SmallSiteStudy
from skin_synth.evaluation.utility.small_site_comparison import small_site_results
from skin_synth.evaluation.utility.small_site_results import TrainingOfArms
from tests.skin_synth.evaluation.utility.conftest import ColourMeans, coloured_split, colours

TRAINING = TrainingOfArms("means", 9, "", 1.0, 4, "float32", "none")
CLASSES = 3


def results(generate, tmp_path, *, external=None, seeds=2, draws=3):
    """A study whose sites have 8 or 40 images, mostly of the first class."""
    train, test = coloured_split((60, 60, 60), 1), coloured_split((90, 90, 90), 3)
    options = SmallSiteOptions(sizes=(8, 40), draws=draws, seeds=seeds, steps=40, pool=60)
    training = ArmTraining(ColourMeans(), 40, Cache(tmp_path))
    study = SmallSiteStudy(
        train,
        coloured_split((60, 15, 15), 2),
        test,
        generate,
        "g",
        options,
        training,
        external or {},
    )
    found = study.trainings()
    return small_site_results(
        study, found, study.synthetic_alone(), training=TRAINING, replicates=200
    )


def true_colours(labels, seeds):
    return colours(labels, 77)


def wrong_colours(labels, seeds):
    return colours((labels + 1) % CLASSES, 77)


def test_true_images_help_a_site_that_has_few(tmp_path):
    found = results(true_colours, tmp_path, draws=8)
    (test,) = found.tests
    small = test.sizes[8]
    assert small.verdict.words == GAIN
    assert small.verdict.macro_auroc.difference.difference > 0.02
    assert small.share_of_ceiling == pytest.approx(1, abs=0.4)
    assert small.share_low < 1 < small.share_high
    gains = (small.verdict.macro_auroc.difference, small.ceiling_gain)
    use, ceiling = (each.difference for each in gains)
    assert small.share_of_ceiling == pytest.approx(use / ceiling)
    assert "with 8 own images, gain shown" in test.sentence.lower()
    # The more own images there are, the less is gained.
    assert (
        test.sizes[40].verdict.macro_auroc.difference.difference
        < small.verdict.macro_auroc.difference.difference
    )


def test_wrong_images_harm(tmp_path):
    (test,) = results(wrong_colours, tmp_path).tests
    assert {found.verdict.words for found in test.sizes.values()} <= {HARM, NEITHER}
    assert test.sizes[40].verdict.macro_auroc.difference.difference < 0
    assert test.synthetic_alone.macro_auroc.mean < 0.5


def test_figures_are_those_of_the_predictions(tmp_path):
    """Every arm has its number of trainings, and pairs are of one draw and seed."""
    found = results(true_colours, tmp_path, seeds=3)
    (test,) = found.tests
    for size in (8, 40):
        result = test.sizes[size]
        trainings = {each.arm: each.trainings for each in result.arms}
        assert trainings[result.control] == trainings[result.use] == 9
        assert sum(trainings.values()) == 3 * 7 + 3 * 6
        assert all(size <= count for count in result.own_images)
    study_test = coloured_split((90, 90, 90), 3)
    again = results(true_colours, tmp_path, seeds=3)
    assert again == found
    # From the cache of the study, by hand.
    options = found.options
    training = ArmTraining(ColourMeans(), 40, Cache(tmp_path))
    study = SmallSiteStudy(
        coloured_split((60, 60, 60), 1),
        coloured_split((60, 15, 15), 2),
        study_test,
        true_colours,
        "g",
        options,
        training,
    )
    name = test.sizes[8].use
    by_hand = [
        metrics.macro_auroc(study_test.labels, np.exp(each.trained.log_probabilities["test"]))
        for each in sorted(study.trainings(), key=lambda each: (each.seed, each.site.draw))
        if each.site.size == 8 and each.arm.name == name
    ]
    (arm,) = [each for each in test.sizes[8].arms if each.arm == name]
    assert arm.macro_auroc.seeds == pytest.approx(tuple(by_hand))
    pairs = zip(by_hand, _of(test.sizes[8], test.sizes[8].control), strict=True)
    mean = np.mean([a - b for a, b in pairs])
    assert test.sizes[8].verdict.macro_auroc.difference.difference == pytest.approx(mean)


def _of(result, name):
    return next(each for each in result.arms if each.arm == name).macro_auroc.seeds


def test_each_external_set_has_its_own_line(tmp_path):
    other = coloured_split((40, 40, 0), 8)
    found = results(true_colours, tmp_path, external={"elsewhere": other})
    assert [test.name for test in found.tests] == ["test", "elsewhere"]
    assert found.tests[1].images == {"red": 40, "green": 40, "blue": 0}
    assert any("elsewhere has no images of blue" in each for each in found.warnings)
    assert found.tests[0].sentence != found.tests[1].sentence


def test_a_class_with_few_test_lesions_takes_degrees_of_freedom(tmp_path):
    """Of 502 test lesions two are blue: they make most of the noise."""
    few = coloured_split((250, 250, 2), 8)
    found = results(true_colours, tmp_path, external={"few": few}, draws=5).tests[1].sizes[40]
    of_measures = (found.verdict.macro_auroc.difference, found.verdict.log_loss.difference)
    for difference in (*of_measures, found.ceiling_gain):
        assert difference.degrees < 20


def test_results_are_plain_values(tmp_path):
    """`asdict` of them is JSON without NaN."""
    import json

    other = {"elsewhere": coloured_split((40, 40, 0), 8)}
    found = results(true_colours, tmp_path, external=other)
    json.dumps(dataclasses.asdict(found), allow_nan=False)

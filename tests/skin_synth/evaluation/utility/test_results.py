"""What report.json and readers get of a study."""

from __future__ import annotations

import dataclasses
import json

import pytest

from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from skin_synth.evaluation.utility.results import OverSeeds, UtilityVerdict
from skin_synth.evaluation.utility.study import _without_room
from tests.studies import CONTROL, USE, classifier_result, comparison, figures, study_of


def test_a_figure_that_one_training_does_not_have_has_no_mean():
    assert OverSeeds.of([0.5, float("nan")]) == OverSeeds(None, None, (0.5, None))
    assert OverSeeds.of([0.5, 1.5]) == OverSeeds(1.0, pytest.approx(0.5**0.5), (0.5, 1.5))
    assert OverSeeds.of([0.5]) == OverSeeds(0.5, None, (0.5,))


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (GAIN, f"train on real and synthetic images, as in “{USE}”"),
        (HARM, "do not train on these images"),
        (NEITHER, f"train on real images only, as in “{CONTROL}”"),
    ],
)
def test_the_verdict_says_what_was_found_and_what_to_do(words, advice):
    found = study_of(words=words).verdict
    assert found.sentence == (
        f"{words}: {advice}. For resnet the macro AUROC is 0.900 with synthetic images (“{USE}”) "
        f"and 0.800 with real images only (“{CONTROL}”)."
    )


def test_a_gain_that_the_macro_auroc_does_not_show_is_not_said_of_it():
    both = comparison(GAIN).verdict
    alone = dataclasses.replace(
        both, macro_auroc=dataclasses.replace(both.macro_auroc, words=NEITHER)
    )
    result = classifier_result(dataclasses.replace(comparison(GAIN), verdict=alone))
    sentence = UtilityVerdict.of(result).sentence
    assert "real images only" in sentence
    assert sentence.endswith(
        f"real images only (“{CONTROL}”). Only the class-balanced log loss, where less is better, "
        "shows the gain: it differs by +0.000 (-0.030 to +0.030)."
    )


def test_the_first_classifier_and_the_test_split_give_the_verdict():
    others = comparison(HARM, name="elsewhere"), comparison(GAIN)
    study = study_of(
        classifier_result(comparison(NEITHER), others[0]),
        classifier_result(others[1], name="small"),
    )
    assert study.verdict.words == NEITHER


def test_a_study_is_plain_json():
    study = study_of()
    plain = json.loads(json.dumps(dataclasses.asdict(study), allow_nan=False))
    assert plain["schema_version"] == 2
    assert list(plain["classifiers"][0]) == [
        "classifier",
        "use",
        "control",
        "screened",
        "comparisons",
        "curves",
        "warnings",
    ]


@pytest.mark.parametrize(("area", "said"), [(1.0, True), (0.996, True), (0.994, False)])
def test_a_control_without_room_is_said(area, said):
    compared = comparison()
    control = dataclasses.replace(compared.arms[1], figures=figures(area))
    arms = (compared.arms[0], control, *compared.arms[2:])
    result = classifier_result(dataclasses.replace(compared, arms=arms))
    sentence = UtilityVerdict.of(result).sentence
    assert ("leave no room for a gain" in sentence) == said
    assert len(_without_room([result])) == said

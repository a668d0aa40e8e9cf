"""The planned comparison: intervals that cover, Holm's correction, verdicts and plain words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from skin_synth.evaluation.utility.differences import (
    GAIN,
    HARM,
    NEITHER,
    Difference,
    paired_difference,
    resampling_weights,
)
from skin_synth.evaluation.utility.planned import (
    choose,
    found_of_hundred,
    holm,
    judge,
    macro_difference,
    planned_difference,
)
from tfrecords_tools.errors import InputError

LESIONS = 60
WEIGHTS = resampling_weights(
    [str(lesion) for lesion in range(LESIONS)], np.zeros(LESIONS, int), replicates=200, seed=0
)


def study(rng, draws, seeds, spreads, effect=0.0):
    """A mean over lesions with an effect of each factor: float[draws, seeds, replicates + 1]."""
    shapes = (
        (1, 1, LESIONS),
        (draws, 1, 1),
        (draws, seeds, 1),
        (draws, 1, LESIONS),
        (draws, seeds, LESIONS),
    )
    parts = [s * rng.normal(size=shape) for s, shape in zip(spreads, shapes, strict=True)]
    return (effect + sum(parts)) @ WEIGHTS.T / LESIONS


@pytest.mark.parametrize(
    ("draws", "seeds", "spreads"),
    [
        (5, 2, (1.0, 0.05, 0.05, 0.5, 0.5)),  # the lesions decide
        (5, 2, (0.5, 0.4, 0.1, 0.5, 0.5)),  # the draws decide
        (5, 2, (0.5, 0.1, 0.5, 0.5, 1.0)),  # the seeds decide
        (8, 1, (0.7, 0.2, 0.1, 0.5, 0.5)),
        (1, 8, (0.7, 0.0, 0.2, 0.0, 1.0)),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_promise(draws, seeds, spreads):
    rng = np.random.default_rng([draws, seeds, *(int(100 * s) for s in spreads)])
    covered = 0
    for _ in range(1000):
        arm = study(rng, draws, seeds, spreads, 0.3)
        found = planned_difference(arm, np.zeros_like(arm), groups=LESIONS)
        covered += found.low <= 0.3 <= found.high
    assert 920 <= covered <= 980, covered


OF_CLASS = np.array([797, 112, 93, 52, 31, 15, 10])
"""Test lesions of each class of HAM10000."""
CLASS_OF = np.repeat(np.arange(7), OF_CLASS)
MACRO_WEIGHTS = resampling_weights(
    [str(lesion) for lesion in range(len(CLASS_OF))], CLASS_OF, replicates=200, seed=0
)
MEANS = (CLASS_OF[:, None] == np.arange(7)) / OF_CLASS


def means_by_class(rng, spreads):
    """Means over the lesions of each class with these spreads: float[5, 2, replicates + 1, 7]."""
    lesions, draws = rng.normal(size=len(CLASS_OF)), rng.normal(0, 0.01, (5, 2, 1, 1))
    return 0.3 + draws + (MACRO_WEIGHTS * lesions) @ MEANS * spreads


def test_the_degrees_of_a_macro_mean_are_those_of_its_rare_classes():
    """Reference: Satterthwaite's formula with the variances that were put in."""
    found = [
        macro_difference(arm, np.zeros_like(arm), lesions=OF_CLASS).degrees
        for arm in (means_by_class(np.random.default_rng(seed), np.ones(7)) for seed in range(100))
    ]
    variances = 1 / OF_CLASS
    expected = variances.sum() ** 2 / (variances**2 / (OF_CLASS - 1)).sum()
    assert 38 < expected < 40
    # The variance of ten lesions is itself uncertain, so single studies differ.
    assert np.median(found) == pytest.approx(expected, rel=0.2)
    assert max(found) < 100


def test_intervals_of_a_macro_mean_cover_the_truth_if_one_rare_class_is_noisy():
    """The plain number of lesions covers it too rarely."""
    rng = np.random.default_rng(0)
    spreads = np.array([1, 1, 1, 1, 1, 1, 5])
    covered = np.zeros(2, int)
    for _ in range(2000):
        arm = means_by_class(rng, spreads)
        effective = macro_difference(arm, np.zeros_like(arm), lesions=OF_CLASS)
        means = arm.mean(axis=-1)
        plain = planned_difference(means, np.zeros_like(means), groups=OF_CLASS.sum())
        covered += [each.corrected_low <= 0.3 <= each.corrected_high for each in (effective, plain)]
    promised = 0.975 * 2000
    assert abs(covered[0] - promised) <= 20, covered
    assert covered[1] < promised - 30, covered


def test_a_class_without_test_images_is_not_in_the_mean():
    arm = means_by_class(np.random.default_rng(1), np.ones(7))
    lacking = np.concatenate([arm, np.full((*arm.shape[:-1], 1), np.nan)], axis=-1)
    without = np.where(np.isnan(lacking), np.nan, 0.1)
    expected = macro_difference(arm, np.full_like(arm, 0.1), lesions=OF_CLASS)
    found = macro_difference(lacking, without, lesions=np.append(OF_CLASS, 0))
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(expected))


def test_seeds_count_within_draws_and_alone_if_there_is_one_draw():
    arm = np.random.default_rng(0).normal(size=(5, 2, 201))
    control = np.zeros_like(arm)
    found = planned_difference(arm, control, groups=LESIONS)
    expected = paired_difference(arm.mean(1), control[:, 0], groups=LESIONS, comparisons=2)
    assert found == expected
    one = planned_difference(arm[:1], control[:1], groups=LESIONS, comparisons=1)
    assert one == paired_difference(arm[0], control[0], groups=LESIONS)
    half = stats.t.ppf(1 - 0.05 / 4, found.degrees) * found.standard_error
    assert found.corrected_high - found.difference == pytest.approx(half)


@pytest.mark.parametrize(("arm", "control"), [((1, 1, 9), (1, 1, 9)), ((5, 9), (5, 9))])
def test_one_training_or_other_shapes_are_refused(arm, control):
    with pytest.raises(InputError, match="of two trainings or more, got"):
        planned_difference(np.zeros(arm), np.zeros(control), groups=9)


def test_p_values_are_those_of_the_interval():
    arm = study(np.random.default_rng(3), 5, 2, (0.5, 0.1, 0.1, 0.5, 0.5), 0.2)
    found = planned_difference(arm, np.zeros_like(arm), groups=LESIONS)
    edge = Difference(found.low - found.difference, *list(vars(found).values())[1:])
    assert edge.p_value == pytest.approx(0.05)
    assert Difference(0.0, 0.0, 4.0, 0, 0, 0, 0).p_value == 1
    assert Difference(0.1, 0.0, 4.0, 0, 0, 0, 0).p_value == 0


def test_holm_multiplies_step_by_step():
    np.testing.assert_allclose(holm([0.01, 0.04]), [0.02, 0.04])
    np.testing.assert_allclose(holm([0.04, 0.03]), [0.06, 0.06])
    np.testing.assert_allclose(holm([0.01, 0.9, 0.02, 0.005]), [0.03, 0.9, 0.04, 0.02])
    np.testing.assert_allclose(holm([0.7, 0.8]), [1, 1])


def with_t(t, degrees=1000.0):
    """A difference with this t statistic."""
    return Difference(t / 100, 0.01, degrees, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("area", "loss", "words", "by_measure"),
    [
        (3.0, -3.0, GAIN, (GAIN, GAIN)),
        (3.0, -1.0, GAIN, (GAIN, NEITHER)),
        (0.0, -3.0, GAIN, (NEITHER, GAIN)),
        (-1.5, -3.0, GAIN, (NEITHER, GAIN)),
        (2.1, -1.0, NEITHER, (NEITHER, NEITHER)),  # p = .036, not enough for one of two
        (2.1, -2.1, NEITHER, (NEITHER, NEITHER)),
        (2.5, -2.1, GAIN, (GAIN, GAIN)),
        (3.0, 2.1, NEITHER, (GAIN, HARM)),
        (-3.0, -3.0, NEITHER, (HARM, GAIN)),
        (-3.0, 1.0, HARM, (HARM, NEITHER)),
        (0.5, 3.0, HARM, (NEITHER, HARM)),
        (0.0, 0.0, NEITHER, (NEITHER, NEITHER)),
    ],
)
def test_a_gain_needs_one_measure_and_no_harm_in_the_other(area, loss, words, by_measure):
    found = judge(with_t(area), with_t(loss))
    assert found.words == words
    assert (found.macro_auroc.words, found.log_loss.words) == by_measure
    assert found.sentence("pretrain", "real").startswith(f"{words}: pretrain differs from real")


def test_the_sentence_gives_both_measures_with_their_simultaneous_intervals():
    area = Difference(0.012, 0.004, 9.0, 0.003, 0.021, 0.002, 0.022)
    loss = Difference(-0.05, 0.04, 9.0, -0.14, 0.04, -0.16, 0.06)
    assert judge(area, loss).sentence("mixed", "real + MixUp") == (
        "gain shown: mixed differs from real + MixUp in macro AUROC by +0.012 (+0.002 to +0.022; "
        "gain shown) and in class-balanced log loss, where less is better, by -0.050 (-0.160 to "
        "+0.060; no gain shown); simultaneous 95% intervals"
    )


ONLY_LOSS = "Only the class-balanced log loss, where less is better, shows the"


@pytest.mark.parametrize(
    ("area", "loss", "told"),
    [
        (
            0.0,
            -3.0,
            f"{ONLY_LOSS} gain: it differs by -0.030 (-0.052 to -0.008)",
        ),
        (3.0, 1.0, "Only the macro AUROC shows the gain: it differs by +0.030 (+0.008 to +0.052)"),
        (
            -0.5,
            3.0,
            f"{ONLY_LOSS} harm: it differs by +0.030 (+0.008 to +0.052)",
        ),
        (3.0, -3.0, ""),
        (0.0, 0.0, ""),
        (3.0, 3.0, ""),
    ],
)
def test_a_measure_that_shows_the_verdict_alone_is_named(area, loss, told):
    def difference(t):
        middle = t / 100
        return Difference(middle, 0.01, 1000.0, 0, 0, middle - 0.022, middle + 0.022)

    assert judge(difference(area), difference(loss)).only_shown_by == told


@pytest.mark.parametrize(
    ("draws", "seeds", "spreads"),
    [(5, 2, (0.7, 0.1, 0.1, 0.5, 0.5)), (1, 8, (0.7, 0.0, 0.1, 0.0, 0.5))],
)
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_without_a_difference_one_is_shown_in_at_most_one_study_in_twenty(
    draws, seeds, spreads, shared
):
    rng = np.random.default_rng([draws, seeds, int(10 * shared)])
    words = []
    for _ in range(600):
        area = study(rng, draws, seeds, spreads)
        loss = -shared * area + np.sqrt(1 - shared**2) * study(rng, draws, seeds, spreads)
        found = [planned_difference(each, 0 * each, groups=LESIONS) for each in (area, loss)]
        words.append(judge(*found).words)
    assert words.count(GAIN) <= 0.025 * 600 + 10
    assert words.count(GAIN) + words.count(HARM) <= 0.05 * 600 + 12


def test_the_best_candidate_on_validation_is_chosen_and_the_first_of_equal_ones():
    figures = {"a": [[0.8, 0.9]], "b": [[0.9, 0.9]], "c": [0.9], "d": [0.99]}
    assert choose(["a", "b", "c"], figures) == "b"
    assert choose(["c", "b"], figures) == "c"
    assert choose(["a"], figures) == "a"
    for candidates in ([], ["a", "e"], ["f"]):
        with pytest.raises(InputError, match="finite validation figures"):
            choose(candidates, {**figures, "f": [np.nan]})


def test_the_size_is_said_in_plain_words():
    rng = np.random.default_rng(0)
    control = np.full((5, 2, 401, 4), 0.5)
    spread = rng.normal(0, 0.05, (5, 2, 401, 1))
    arm = control + np.array([0.12, -0.08, 0.0, 0.1]) + spread - spread[..., :1, :].mean()
    more, fewer, same, unknown = found_of_hundred(
        ("df", "vasc", "nv", "akiec"), arm, control, groups=(17, 20, 700, 1)
    )
    assert more.difference is not None
    low, high = (round(100 * each) for each in (more.difference.low, more.difference.high))
    assert more.sentence == (
        "of 100 images of df, 12 more are found at the same false alarms "
        f"(95% interval: {low} more to {high} more)"
    )
    assert "of 100 images of vasc, 8 fewer are found" in fewer.sentence
    assert same.sentence.startswith("no difference is shown for nv (95% interval: of 100 images, ")
    assert same.difference is not None
    assert "fewer to" in same.sentence
    assert unknown.difference is None
    assert unknown.sentence.endswith("too few lesions in the test images to say")

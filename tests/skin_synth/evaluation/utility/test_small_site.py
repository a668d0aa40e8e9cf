"""Sites are drawn by lesion, choices look at validation only, and phases are shared."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.recipes import CONTROL, USE
from skin_synth.evaluation.utility.small_site import (
    CEILING,
    CEILINGS,
    CONTROLS,
    USES,
    SmallSiteOptions,
    SmallSiteStudy,
    draw_site,
)
from tests.skin_synth.evaluation.utility.conftest import ColourMeans, coloured_split, colours
from tfrecords_tools.errors import InputError


@pytest.fixture(scope="module")
def validation():
    """Sixty images; lesions have one to three of them."""
    split = coloured_split((40, 12, 8), 2)
    groups = [f"lesion {row // 3 if row % 6 < 3 else 100 + row}" for row in range(60)]
    return dataclasses.replace(split, groups=tuple(groups))


@pytest.mark.parametrize("draw", range(4))
def test_a_site_has_whole_lesions_and_smaller_sites_are_within_larger_ones(validation, draw):
    groups = np.array(validation.groups)
    sites = [draw_site(validation, size, draw) for size in (10, 25, 40)]
    for site in sites:
        assert site.size <= len(site.own) <= site.size + 2
        assert not set(groups[site.own]) & set(groups[site.rest])
        assert sorted([*site.own, *site.rest]) == list(range(60))
    assert set(sites[0].own) < set(sites[1].own) < set(sites[2].own)
    assert list(draw_site(validation, 25, draw).own) == list(sites[1].own)
    assert list(draw_site(validation, 25, draw + 1).own) != list(sites[1].own)


def test_a_site_as_large_as_the_validation_split_is_refused(validation):
    with pytest.raises(InputError, match="needs a larger validation split"):
        draw_site(validation, 60, 0)


def test_a_site_that_leaves_one_class_to_select_the_arms_is_refused():
    split = coloured_split((12, 4, 0), 2)
    groups = tuple(f"lesion {row // 4}" for row in range(16))  # the last is all of class 1
    split = dataclasses.replace(split, groups=groups)

    def lesion(draw):
        with contextlib.suppress(InputError):
            return split.groups[draw_site(split, 4, draw).own[0]]
        return "refused"

    drawn = {lesion(draw) for draw in range(20)}
    assert drawn == {"lesion 0", "lesion 1", "lesion 2", "refused"}


def test_the_images_of_an_adapted_generator_are_trained_on_anew_at_each_site():
    options = SmallSiteOptions(sizes=(10, 20), draws=2, steps=40, adapt_images=16)
    plain = dataclasses.replace(options, adapt_images=0)
    assert options.most_steps - plain.most_steps == 2 * 2 * 2 * 40


@pytest.mark.parametrize("field", ["sizes", "draws", "seeds", "steps", "pool"])
def test_options_out_of_range_are_refused(field):
    with pytest.raises(InputError, match=field):
        SmallSiteOptions(**{field: () if field == "sizes" else 0})


@pytest.fixture
def study(validation, tmp_path):
    def generate(labels, seeds):
        generate.calls += 1
        return colours(labels, 5)

    generate.calls = 0
    options = SmallSiteOptions(sizes=(10, 20), draws=2, seeds=2, steps=40, pool=30)
    training = ArmTraining(ColourMeans(), 40, Cache(tmp_path))
    real = coloured_split((30, 30, 30), 1), validation, coloured_split((20, 20, 20), 3)
    return SmallSiteStudy(*real, generate, "g", options, training)


def test_all_arms_have_the_first_seed_and_only_chosen_ones_the_others(study):
    found = study.trainings()
    for size in (10, 20):
        first = [each for each in found if each.site.size == size and each.seed == 0]
        assert len(first) == 2 * (len(CONTROLS) + len(USES) + len(CEILINGS))
        chosen = {study.chosen(first, kind).name for kind in (CONTROL, USE, CEILING)}
        other = [each for each in found if each.site.size == size and each.seed == 1]
        assert {each.arm.name for each in other} == chosen
        assert len(other) == 2 * 3


def test_the_phase_before_the_own_images_is_trained_once_for_all_sites(study):
    study.trainings()
    calls = study.training.trainer.calls
    before = [images for images, steps in calls if steps == range(30)]
    # Both sources with the first seed; with the second one those that are chosen.
    assert set(before) == {90}
    assert 2 <= len(before) <= 4


def test_a_study_that_starts_again_trains_and_generates_nothing(study):
    whole = [each.trained.log_probabilities["test"] for each in study.trainings()]
    again = dataclasses.replace(study, training=dataclasses.replace(study.training))
    study.training.trainer.calls.clear()
    study.generate.calls = 0
    trainings = again.trainings()
    found = [each.trained.log_probabilities["test"] for each in trainings]
    assert all(each.trained.reused for each in trainings)
    assert not study.training.trainer.calls
    assert not study.generate.calls
    for a, b in zip(whole, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_best_arm_on_the_rest_of_validation_is_chosen(study):
    first = study.trainings()
    chosen = study.chosen(first, USE)
    means = {
        arm.name: np.mean([study._on_validation(each) for each in first if each.arm == arm])
        for arm in USES
    }
    assert chosen.name == max(means, key=means.get)


def test_external_images_are_predicted_and_named(study):
    other = coloured_split((5, 5, 5), 9)
    found = dataclasses.replace(study, external={"elsewhere": other}).synthetic_alone()
    assert len(found) == 2
    assert found[0].log_probabilities["elsewhere"].shape == (15, 3)
    assert set(found[0].log_probabilities) == {"validation", "test", "elsewhere"}

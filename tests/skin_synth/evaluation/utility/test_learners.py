"""What names a result in the cache: all that it follows from, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility.arms import CONTROLS, make_arms
from skin_synth.evaluation.utility.learners import Study, key_text
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.study import study_protocol
from tests.skin_synth.evaluation.utility.conftest import coloured_split, colours

OPTIONS = UtilityOptions(seeds=2, ratios=(1.0,), steps=5, pool=3)
ARMS = make_arms((1.0,))
TRAIN, VALIDATION, TEST, OTHER = (coloured_split((2, 2, 2), seed) for seed in range(4))


def a_study(options=OPTIONS, **changes):
    protocol = study_protocol(options, TRAIN, None)
    study = Study(TRAIN, VALIDATION, TEST, colours, "generator", None, protocol, ARMS, Cache(None))
    return dataclasses.replace(study, **changes)


def names_of(study):
    return [key_text(study.key(arm, seed)) for arm in (ARMS[0], ARMS[3]) for seed in (0, 1)]


def test_names_follow_from_keys():
    assert key_text({"a": 1, "b": [1, 2]}) == key_text({"b": [1, 2], "a": 1})
    assert len({key_text(key) for key in ({"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1})}) == 4
    assert names_of(a_study()) == names_of(a_study())
    assert len(set(names_of(a_study()))) == 4


@pytest.mark.parametrize("changed", ["train", "validation", "test", "steps"])
def test_other_data_and_steps_change_all_names(changed):
    steps = {"options": dataclasses.replace(OPTIONS, steps=6)}
    other = a_study(**(steps if changed == "steps" else {changed: OTHER}))
    assert not set(names_of(a_study())) & set(names_of(other))


def test_another_generator_or_pool_changes_only_the_names_of_arms_with_synthetic_images():
    before = names_of(a_study())
    for changes in ({"generator_id": "other"}, {"options": dataclasses.replace(OPTIONS, pool=4)}):
        after = names_of(a_study(**changes))
        assert before[:2] == after[:2]
        assert not set(before[2:]) & set(after[2:])


def test_more_seeds_and_replicates_keep_what_there_is():
    more = dataclasses.replace(OPTIONS, seeds=7, ratios=(1.0, 2.0), replicates=500)
    assert names_of(a_study(more)) == names_of(a_study())


def test_images_are_generated_once_a_seed_and_not_for_controls(no_networks):
    requested = []

    def generate(labels, seeds):
        requested.append((labels, seeds))
        return colours(labels, seeds)

    found = a_study(generate=generate).predictions()
    assert [entry.arm for entry in found] == [*ARMS]
    assert found[0].test.shape == (2, 6, 3)
    assert len(requested) == 2
    for labels, seeds in requested:
        np.testing.assert_array_equal(labels, [0, 0, 0, 1, 1, 1, 2, 2, 2])
        assert len(set(seeds.tolist())) == 9
    assert set(requested[0][1].tolist()).isdisjoint(requested[1][1].tolist())
    requested.clear()
    a_study(generate=generate, arms=CONTROLS).predictions()
    assert not requested

"""What names a result in the cache: all that it follows from, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility import learners as utility_study
from skin_synth.evaluation.utility.arms import CONTROLS, make_arms
from skin_synth.evaluation.utility.learners import Protocol, Study, key_text
from tfrecords_tools.errors import InputError

MIXED = make_arms((1.0,))[3]


def images(n, value=0):
    labels = np.arange(n) % 2
    names = tuple(str(i) for i in range(n))
    return LabelledImages(
        np.full((n, 16, 16, 3), value, np.uint8), labels, names, names, ("a", "b")
    )


def a_study(**changes):
    study = Study(
        images(6),
        images(4),
        images(4, 9),
        lambda labels, seeds: np.zeros((len(labels), 16, 16, 3), np.uint8),
        "painter",
        None,
        Protocol(seeds=2, ratios=(1.0,), steps=5, pool=3),
        make_arms((1.0,)),
        Cache(None),
    )
    return dataclasses.replace(study, **changes)


def names_of(study):
    return [key_text(study.key(arm, seed)) for arm in (CONTROLS[0], MIXED) for seed in (0, 1)]


def test_names_follow_from_keys():
    assert key_text({"a": 1, "b": [1, 2]}) == key_text({"b": [1, 2], "a": 1})
    assert len({key_text(key) for key in ({"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1})}) == 4


def test_the_same_study_has_the_same_names():
    assert names_of(a_study()) == names_of(a_study())
    assert len(set(names_of(a_study()))) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"train": images(8)},
        {"validation": images(4, 1)},
        {"test": images(4, 8)},
        {"protocol": Protocol(seeds=2, ratios=(1.0,), steps=6, pool=3)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_data_and_steps_change_all_names(changes):
    assert not set(names_of(a_study())) & set(names_of(a_study(**changes)))


@pytest.mark.parametrize(
    "changes",
    [{"paint_id": "other"}, {"protocol": Protocol(seeds=2, ratios=(1.0,), steps=5, pool=4)}],
    ids=lambda changes: next(iter(changes)),
)
def test_another_painter_or_pool_changes_the_names_of_what_is_painted_alone(changes):
    before, after = names_of(a_study()), names_of(a_study(**changes))
    assert before[:2] == after[:2]
    assert not set(before[2:]) & set(after[2:])


def test_more_seeds_and_replicates_keep_what_there_is():
    more = Protocol(seeds=7, ratios=(1.0, 2.0), steps=5, pool=3, replicates=500)
    assert names_of(a_study(protocol=more)) == names_of(a_study())


def test_the_protocol_is_told():
    told = a_study().describe(6)
    assert told["classifiers"] == [{"name": "cnn", "learning_rate": 3e-3}]
    assert told["correction"] == "Bonferroni, 6 comparisons (ratios x classifiers)"
    assert (told["seeds"], told["steps"], told["pool"]) == (2, 5, 3)
    assert "8 flips and quarter turns" in told["augmentation"]


def test_images_are_painted_once_a_seed_and_not_for_controls():
    painted = []

    def paint(labels, seeds):
        painted.append((labels, seeds))
        return np.zeros((len(labels), 16, 16, 3), np.uint8)

    protocol = Protocol(seeds=2, ratios=(1.0,), steps=1, pool=3)
    found = a_study(paint=paint, protocol=protocol).predictions()
    assert [entry.arm.kind for entry in found] == ["control"] * 3 + [MIXED.kind, "synthetic only"]
    assert found[0].test.shape == (2, 4, 2)
    assert len(painted) == 2
    for labels, seeds in painted:
        np.testing.assert_array_equal(labels, [0, 0, 0, 1, 1, 1])
        assert len(set(seeds.tolist())) == 6
    assert set(painted[0][1].tolist()).isdisjoint(painted[1][1].tolist())
    painted.clear()
    a_study(paint=paint, protocol=protocol, arms=CONTROLS).predictions()
    assert not painted


def test_options_out_of_range_are_refused():
    with pytest.raises(InputError, match="views must be 1 or more, got 0"):
        Protocol(seeds=2, ratios=(1.0,), steps=5, pool=3, views=0)
    assert utility_study.SEEDS == 5

"""Splits are checked, counts and warnings are right, and real networks go through once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.utility import study
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.study import (
    load_study_splits,
    pool_size,
    study_run,
    study_splits,
    usable_test,
)
from tests.origins import make_origin
from tests.skin_synth.evaluation.conftest import FakeRun
from tests.skin_synth.evaluation.utility.conftest import ColourMeans, coloured_split, colours
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info

QUICK = UtilityOptions(seeds=2, steps=10, pool=4, replicates=100, classifiers=("small",))


def generate(labels, seeds):
    return colours(labels, seeds[0])


@pytest.fixture
def no_networks(monkeypatch):
    """Classifiers that train in no time."""
    monkeypatch.setattr(study, "utility_trainer", lambda *_: ColourMeans())


@pytest.fixture
def quick(coloured_splits, no_networks):
    """Studies the coloured images by a classifier in closed form."""

    def run(splits=coloured_splits, options=QUICK, **others):
        return study_splits(*splits, generate, options, generator_id="colours", **others)

    return run


def test_the_pool_follows_from_the_data_by_default(coloured_splits):
    assert pool_size(UtilityOptions(), coloured_splits[0]) == 40
    assert pool_size(QUICK, coloured_splits[0]) == 4


def test_each_classifier_is_studied_and_the_first_gives_the_verdict(quick):
    found = quick(options=dataclasses.replace(QUICK, classifiers=("small", "resnet")))
    assert [each.name for each in found.protocol.classifiers] == ["means", "means"]
    assert found.classifiers[0] == found.classifiers[1]
    assert found.verdict.words == found.classifiers[0].comparisons[0].verdict.words
    assert found.protocol.pool == 4
    assert found.protocol.policy == "float32"


def test_test_images_of_known_lesions_are_left_out_and_reported(quick, coloured_splits):
    train, validation, test = coloured_splits
    groups = (train.groups[0], validation.groups[0], *test.groups[2:])
    leaky = dataclasses.replace(test, groups=groups)
    found = quick((train, validation, leaky))
    assert found.images.left_out_of_test == 2
    assert found.images.test == (78, 80, 80)
    assert found.warnings[0].startswith("2 test images show lesions that are also in the training")


def test_few_test_lesions_of_a_class_are_warned_of(quick, coloured_splits):
    train, validation, _ = coloured_splits
    warnings = quick((train, validation, coloured_split((24, 19, 1), 3))).warnings
    assert any(text.startswith("one test lesion of blue: ") for text in warnings)
    assert any(text.startswith("few test lesions (green 19, blue 1): ") for text in warnings)
    assert any(text.startswith("2 seeds were trained; 5 or more") for text in warnings)


def test_splits_that_do_not_fit_are_refused(quick, coloured_splits):
    train, validation, test = coloured_splits
    for number, changes, message in (
        (2, {"class_names": ("a", "b", "c")}, r"test has classes \('a', 'b', 'c'\), train has"),
        (1, {"images": validation.images[:, :4, :4]}, r"images of validation are \[4, 4, 3\]"),
        (
            0,
            {"labels": np.minimum(train.labels, 1)},
            "train has no images of blue in groups that no",
        ),
        (2, {"groups": train.groups[:1] * len(test)}, "test has no images of red, green, blue in"),
    ):
        splits = list(coloured_splits)
        splits[number] = dataclasses.replace(splits[number], **changes)
        with pytest.raises(InputError, match=message):
            quick(splits)


def test_further_test_sets_are_checked(quick, coloured_splits):
    other = coloured_split((9, 9, 0), 9)
    assert len(quick(external={"elsewhere": other}).classifiers[0].comparisons) == 2
    for name, images, message in (
        ("test", other, "cannot be called 'test'"),
        ("elsewhere", coloured_split((9, 0, 0), 9), "elsewhere needs images of two classes"),
        ("elsewhere", dataclasses.replace(other, class_names=("a", "b", "c")), "elsewhere has cl"),
    ):
        with pytest.raises(InputError, match=message):
            quick(external={name: images})


def test_a_class_without_validation_images_is_refused_before_anything_is_computed(
    phantom_data, monkeypatch
):
    def poor(data_dir, name):
        split = load_split(data_dir, name)
        labels = np.zeros_like(split.labels) if name == "validation" else split.labels
        return dataclasses.replace(split, labels=labels)

    monkeypatch.setattr("skin_synth.evaluation.look_alikes.load_real_split", poor)
    with pytest.raises(InputError, match="validation has no images of"):
        load_study_splits(phantom_data)


@pytest.mark.parametrize("change", [lambda images: images, lambda images: images[:, :, ::-1]])
def test_copies_of_known_images_are_no_test_images(phantom_data, monkeypatch, change):
    """Their groups were forgotten; the study counts what it leaves out."""
    known = [load_split(phantom_data, name) for name in ("train", "validation")]

    def leaky(data_dir, name):
        split = load_split(data_dir, name)
        images = split.images.copy()
        if name == "test":
            for row, other in enumerate(known):
                same = np.flatnonzero(other.labels == split.labels[row])[0]
                images[row] = change(other.images[same : same + 1])[0]
        return dataclasses.replace(split, images=images)

    sound = usable_test(*load_study_splits(phantom_data))
    monkeypatch.setattr("skin_synth.evaluation.look_alikes.load_real_split", leaky)
    train, validation, test = load_study_splits(phantom_data)
    assert usable_test(train, validation, test).image_ids == sound.image_ids[2:]
    assert len(test) == len(sound)


@pytest.fixture(scope="module")
def fake_run(phantom_data):
    """A run that was trained on `phantom_data` and generates noise."""
    return FakeRun(
        read_info(phantom_data).class_names,
        make_origin(phantom_data),
        lambda label, seed: np.random.default_rng(seed).integers(0, 256, (32, 32, 3), "uint8"),
    )


def test_another_data_set_is_refused(fake_run, phantom_data):
    other = dataclasses.replace(fake_run, origin=make_origin())
    with pytest.raises(InputError, match="give the data set that it was trained on"):
        study_run(other, phantom_data)


def test_the_policy_is_in_the_protocol_and_in_the_key():
    options = dataclasses.replace(QUICK, policy="mixed_bfloat16")
    trainer = study.utility_trainer("small", coloured_split((2, 2, 2), 0), options)
    assert trainer.policy == "mixed_bfloat16"
    protocol = study._protocol(options, coloured_split((2, 2, 2), 0), [trainer])
    assert protocol.policy == "mixed_bfloat16"
    assert protocol.classifiers[0].name == "small"

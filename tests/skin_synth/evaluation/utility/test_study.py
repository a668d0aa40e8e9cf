"""The utility study shows a gain only if there is one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.study import (
    load_study_splits,
    study_protocol,
    study_run,
    study_splits,
)
from tests.origins import make_origin
from tests.skin_synth.evaluation.conftest import FakeRun
from tests.skin_synth.evaluation.utility.conftest import (
    MEANS,
    SIDE,
    coloured_split,
    colours,
    split_of,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info

NOISE = 125.0
"""Grey levels of noise on the rings: without it they are recognised too easily."""
TRAINED = UtilityOptions(seeds=4, ratios=(4.0,), steps=60, pool=200, replicates=200)
QUICK = UtilityOptions(seeds=2, ratios=(1.0,), steps=3, pool=4, replicates=100)


def rings(labels, seed):
    """Rings of three widths under noise; flips and quarter turns leave them as they are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    waves = np.cos(2 * np.pi * np.arange(1, 4)[:, None, None] * np.hypot(y, x) / SIDE)
    clean = 128 + 40 * waves[labels][..., None]
    noise = rng.normal(0, NOISE, (len(labels), SIDE, SIDE, 3))
    return np.clip(clean + noise, 0, 255).astype(np.uint8)


def noise(labels, seeds):
    shape = (len(labels), SIDE, SIDE, 3)
    return np.random.default_rng(seeds[0]).integers(0, 256, shape, dtype=np.uint8)


# Real trainings: here it is proven that verdicts are true.


@pytest.fixture(scope="module")
def ring_splits():
    counts = (60, 15, 15), (20,) * 3, (80,) * 3
    return [split_of(rings, each, seed) for seed, each in enumerate(counts)]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("utility")


@pytest.fixture(scope="module")
def of_fresh(ring_splits, cache_dir):
    return study_splits(*ring_splits, rings, TRAINED, generator_id="fresh", cache_dir=cache_dir)


def test_fresh_images_show_a_gain(of_fresh):
    (mixed,) = (entry for entry in of_fresh.differences if entry.ratio == 4.0)
    assert of_fresh.verdict.words == mixed.verdict == GAIN
    assert mixed.metrics.macro_auroc.corrected_low > 0
    assert all(entry.corrected_low > 0 for entry in mixed.against_every_control.values())
    assert of_fresh.verdict.sentence.startswith("gain shown: real + synthetic 1:4 (cnn)")


def test_noise_shows_no_gain(ring_splits, cache_dir, of_fresh):
    before = set(cache_dir.iterdir())
    found = study_splits(*ring_splits, noise, TRAINED, generator_id="noise", cache_dir=cache_dir)
    assert found.verdict.words in {NEITHER, HARM}
    only = next(entry for entry in found.differences if entry.arm == "synthetic only")
    assert only.metrics.macro_auroc.high < -0.1
    assert only.verdict is None
    # The controls do not depend on the generator: they came from the cache.
    assert found.arms[:3] == of_fresh.arms[:3]
    assert len(set(cache_dir.iterdir()) - before) == 4 * 2


def test_copies_of_training_images_show_no_gain(ring_splits, cache_dir, of_fresh):
    train = ring_splits[0]

    def copies(labels, seeds):
        members = (np.flatnonzero(train.labels == label) for label in labels)
        return train.images[[m[seed % len(m)] for m, seed in zip(members, seeds, strict=True)]]

    found = study_splits(*ring_splits, copies, TRAINED, generator_id="copies", cache_dir=cache_dir)
    assert found.verdict.words in {NEITHER, HARM}
    assert found.best_control == of_fresh.best_control


# Without networks: arms, cache, counts and warnings.


@pytest.fixture
def quick(coloured_splits, no_networks):
    """Studies the coloured images by a classifier in closed form."""

    def study(generate=noise, splits=coloured_splits, options=QUICK, **others):
        return study_splits(*splits, generate, options, generator_id="noise", **others)

    return study


def test_steps_and_pool_follow_from_the_data_by_default(coloured_splits):
    found = study_protocol(UtilityOptions(), coloured_splits[0], None)
    assert (found.seeds, found.steps, found.pool) == (5, 300, 40)


def test_a_killed_study_goes_on(quick, tmp_path):
    """Nothing is computed twice, and the results are the same as without the kill."""
    cache, calls = tmp_path / "cache", []

    def killed(labels, seeds):
        calls.append(seeds[0])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return noise(labels, seeds)

    with pytest.raises(KeyboardInterrupt):
        quick(killed, cache_dir=cache)
    stored = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(stored) == 5 + 3  # all of the first seed, the controls of the second
    found = quick(killed, cache_dir=cache)
    assert len(calls) == 3
    assert calls[1] == calls[2] != calls[0]
    assert all(path.stat().st_mtime_ns == time for path, time in stored.items())
    assert found == quick()


def test_a_frozen_extractor_is_a_second_classifier(quick, tmp_path):
    extracted = []

    def function(images):
        extracted.append(len(images))
        return MEANS(images)

    extractor = dataclasses.replace(MEANS, function=function)
    options = dataclasses.replace(QUICK, ratios=(0.5, 1.0))
    arguments = {"extractor": extractor, "cache_dir": tmp_path, "options": options}
    found = quick(**arguments)
    classifiers = {entry.classifier for entry in found.arms}
    assert classifiers == {"cnn", "linear head on means"} == set(found.best_control)
    assert found.verdict.comparisons == 4
    assert [c["name"] for c in found.protocol.classifiers] == ["cnn", "linear head on means"]
    # Four views of 56 training images; one of all others, also of 12 synthetic ones a seed:
    # else copies of training images would bring augmentation that the control does not have.
    assert sum(extracted) == 4 * 56 + 27 + 72 + 2 * 12
    extracted.clear()
    assert quick(**arguments) == found
    assert not extracted


def test_test_images_of_known_lesions_are_left_out_and_reported(quick, coloured_splits):
    train, validation, test = coloured_splits
    groups = (train.groups[0], validation.groups[0], *test.groups[2:])
    leaky = dataclasses.replace(test, groups=groups)
    found = quick(splits=(train, validation, leaky))
    assert found.images.left_out_of_test == 2
    assert found.images.test == (22, 24, 24)
    assert found.warnings[0].startswith("2 test images show lesions that are also in the training")


def test_few_test_lesions_of_a_class_are_warned_of(quick, coloured_splits):
    train, validation, _ = coloured_splits
    warnings = quick(splits=(train, validation, coloured_split((24, 19, 1), 3))).warnings
    assert any(text.startswith("one test lesion of blue: ") for text in warnings)
    assert any(text.startswith("few test lesions (green 19, blue 1): ") for text in warnings)


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
            quick(splits=splits)


def test_synthetic_images_that_do_not_fit_are_refused(quick):
    with pytest.raises(InputError, match=r"must be uint8\[12, 8, 8, 3\].*got uint8\[12, 4, 8, 3\]"):
        quick(lambda labels, seeds: colours(labels, seeds)[:, :4])


def test_a_class_without_validation_images_is_refused_before_anything_is_computed(
    phantom_data, monkeypatch
):
    def poor(data_dir, name):
        split = load_split(data_dir, name)
        labels = np.zeros_like(split.labels) if name == "validation" else split.labels
        return dataclasses.replace(split, labels=labels)

    monkeypatch.setattr("skin_synth.evaluation.utility.study.load_split", poor)
    with pytest.raises(InputError, match="validation has no images of"):
        load_study_splits(phantom_data)


@pytest.fixture(scope="module")
def fake_run(phantom_data):
    """A run that was trained on `phantom_data` and generates noise."""
    return FakeRun(
        read_info(phantom_data).class_names,
        make_origin(phantom_data),
        lambda label, seed: np.random.default_rng(seed).integers(0, 256, (32, 32, 3), "uint8"),
    )


def test_another_data_set_and_unknown_features_are_refused(fake_run, phantom_data):
    other = dataclasses.replace(fake_run, origin=make_origin())
    for run, features, message in (
        (other, "classifier", "give the data set that it was trained on"),
        (fake_run, "vgg", "unknown features 'vgg'"),
        (fake_run, "mobilenet", "MobileNet need a weights file"),
    ):
        with pytest.raises(InputError, match=message):
            study_run(run, phantom_data, features=features)


def test_a_run_is_studied_on_the_splits_of_its_data_set(
    fake_run, phantom_data, tmp_path, no_networks
):
    found = study_run(fake_run, phantom_data, QUICK, features=None, cache_dir=tmp_path)
    assert found.images.class_names == fake_run.class_names
    assert found.images.left_out_of_test == 0
    assert len(found.arms) == 5
    assert len(list(tmp_path.iterdir())) == 10

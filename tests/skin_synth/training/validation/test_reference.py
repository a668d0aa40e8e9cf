"""Comparison with real images: whole set, classes, baseline, variety, and what cannot be said."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import of_classifier
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from skin_synth.evaluation.metrics.manifold import coverage
from skin_synth.phantoms import render
from skin_synth.training.validation.alarms import collapsed, mean_distance
from skin_synth.training.validation.curve import WHOLE
from skin_synth.training.validation.reference import make_reference, shortcomings
from tests.skin_synth.training.validation.conftest import NAMES, split_of


@pytest.fixture
def reference(extractor, train, held_out):
    return make_reference(extractor, train, held_out)


def test_points_are_the_distances_of_whole_set_and_classes(reference, extractor, held_out):
    fake = split_of([20, 10, 4], first_seed=500)
    points = reference.compare(fake.images, fake.labels, 7_000)
    sizes = [(WHOLE, 34), *zip(NAMES, (20, 10, 4), strict=True)]
    assert [(p.images, p.label, p.n) for p in points] == [(7_000, *size) for size in sizes]
    real, other = extractor(held_out.images), extractor(fake.images)
    assert points[0].kid == kernel_distance(real, other)
    assert points[0].coverage == coverage(real, other, 5)
    assert points[2].kid == kernel_distance(real[20:30], other[20:30])
    assert points[2].coverage == coverage(real[20:30], other[20:30], 5)
    assert points[3].coverage is None


def test_like_images_lie_at_the_baseline_and_wrong_classes_far_above(reference):
    like, wrong = split_of([20, 10, 4], first_seed=500), split_of([0, 34, 0], first_seed=500)
    baseline = {point.label: point for point in reference.real_baseline}
    near = {p.label: p for p in reference.compare(like.images, like.labels, 1)}
    far = {p.label: p for p in reference.compare(wrong.images, like.labels, 1)}
    assert abs(near["red"].kid - baseline["red"].kid) < 0.1 * far["red"].kid
    assert far["red"].coverage == 0.0
    assert min(near["red"].coverage, baseline["red"].coverage) > 0.8


def test_the_baseline_is_of_the_same_sizes_and_of_training_images(reference, extractor, train):
    sizes = [(WHOLE, 34), *zip(NAMES, (20, 10, 4), strict=True)]
    assert [(p.label, p.n) for p in reference.real_baseline] == sizes
    again = make_reference(extractor, train, split_of([20, 10, 4]))
    assert again.real_baseline == reference.real_baseline


def test_variety_is_that_of_each_class(reference, extractor):
    same = np.repeat(split_of([1, 1, 1]).images, 5, axis=0)
    labels = np.repeat(np.arange(3), 5)
    assert reference.variety(same, labels) == dict.fromkeys(NAMES, 0.0)
    fresh = split_of([16, 16, 16], first_seed=9_000)
    found = reference.variety(fresh.images, fresh.labels)
    assert found["green"] == mean_distance(extractor(fresh.images[16:32]))
    for name in NAMES:
        assert 0.5 < found[name] / reference.spread[name] < 2


def test_without_validation_split_variety_is_left(extractor, train):
    for none in (None, split_of([1, 0, 0])):
        reference = make_reference(extractor, train, none)
        assert reference.real_baseline == ()
        assert reference.compare(train.images, train.labels, 1) == []
        assert set(reference.spread) == set(NAMES)


def test_one_phantom_in_other_grain_is_a_collapse_to_a_trained_classifier(phantom_data):
    train = load_split(phantom_data, "train")
    extractor = of_classifier(train_classifier(train, seed=0, steps=60))
    reference = make_reference(extractor, train, load_split(phantom_data, "validation"))
    labels = np.repeat(np.arange(7), 16)
    names = np.array(train.class_names)[labels]
    varied = np.array([render(5, i, name, 32)[0] for i, name in enumerate(names)])
    assert collapsed(reference.variety(varied, labels), reference.spread) == []
    grain = np.random.default_rng(0).integers(-6, 7, (16, 32, 32, 3))
    stuck = varied.copy()
    stuck[labels == 3] = np.clip(varied[labels == 3][0] + grain, 0, 255)
    [alarm] = collapsed(reference.variety(stuck, labels), reference.spread)
    assert alarm.subject == f"class {train.class_names[3]}"


def test_a_class_of_one_training_image_has_no_variety(extractor, held_out):
    reference = make_reference(extractor, split_of([9, 1, 9]), held_out)
    assert set(reference.spread) == {"red", "blue"}
    images = np.repeat(held_out.images[:3], 4, axis=0)
    assert set(reference.variety(images, np.repeat(np.arange(3), 4))) == {"red", "blue"}


@pytest.mark.parametrize(
    ("held_out", "expected"),
    [
        (None, ["no validation split"]),
        (split_of([1, 0, 0]), ["no validation split of two images"]),
        (split_of([9, 1, 0]), ["fewer than 2 validation images of green (1), blue (0)"]),
        (split_of([9, 5, 6]), ["no more than 5 validation images of green (5)"]),
        (split_of([9, 2, 1]), ["of blue (1)", "of green (2)"]),
        (split_of([9, 6, 6]), []),
    ],
)
def test_shortcomings_of_a_validation_split(held_out, expected):
    for line, words in zip(shortcomings(held_out), expected, strict=True):
        assert words in line

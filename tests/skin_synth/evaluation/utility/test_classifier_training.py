"""Trainers draw what an arm says, augment what it says, and repeat themselves exactly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.metrics.nearest import symmetries
from skin_synth.evaluation.utility import classifier_training as training
from skin_synth.evaluation.utility.arms import CONTROLS, make_arms

COUNTS = np.array([30, 10])


def pool_of(inputs, synthetic):
    """Labels 0 and 1 of `COUNTS` real images, then `synthetic` of each class."""
    labels = np.concatenate([np.repeat([0, 1], COUNTS), np.repeat([0, 1], synthetic)])
    return training.Pool(inputs, labels, np.arange(len(labels)) >= 40)


def rows_drawn(arm, *, steps=40, synthetic=20):
    """Which row each draw took: features are the row's number, and what is taken is watched."""
    seen = []
    trainer = training.linear_trainer.__wrapped__(1, 2)  # one of its own, to watch
    make_batch = trainer._make_batch

    def watched(features, rows, key, augmented):
        tf.py_function(lambda r: seen.append(r.numpy()), [rows], [])
        return make_batch(features, rows, key, augmented)

    trainer._make_batch = watched
    features = np.zeros((40 + 2 * synthetic, 3, 1), np.float32)
    trainer.probabilities(
        pool_of(features, synthetic), arm, COUNTS, features[:2, 0], seed=0, steps=steps
    )
    return np.concatenate(seen)


@pytest.mark.parametrize("arm", make_arms((4.0,)), ids=lambda arm: arm.name)
def test_an_arm_draws_each_cell_as_often_as_it_says(arm):
    rows = rows_drawn(arm)
    assert len(rows) == 40 * training.BATCH_SIZE
    ends = np.cumsum([30, 10, 20, 20])
    counts = np.bincount(np.searchsorted(ends, rows, side="right"), minlength=4)
    shares = arm.cells(COUNTS).ravel()
    np.testing.assert_allclose(counts / len(rows), shares, atol=0.035)
    assert (counts[shares == 0] == 0).all()
    # Every member of a cell has its turn.
    for cell, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if shares[cell]:
            assert set(rows) >= set(range(start, end))


def test_thresholds_leave_no_gap_and_hit_no_empty_cell():
    found = training._thresholds(np.array([0.0, 0.5, 0.0, 0.5, 0.0]))
    draws = np.array([0.0, 0.4999, 0.5, 0.9999999], np.float32)
    np.testing.assert_array_equal(np.searchsorted(found, draws, side="right"), [1, 1, 3, 3])


def images_of(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)


def test_augmented_images_keep_their_content_under_some_symmetry():
    """Colour moves all pixels of an image alike, so a symmetry of the original fits it well."""
    images = images_of(30)
    key = tf.constant([3, 4], tf.int64)
    found = training.randomly_augmented(tf.constant(images), key).numpy()
    assert found.dtype == np.uint8
    best = np.full(30, -1.0)
    number = np.zeros(30, int)
    for index, turned in enumerate(symmetries(images)):
        fit = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(turned, found, strict=True)]
        number = np.where(fit > best, index, number)
        best = np.maximum(best, fit)
    assert best.min() > 0.9
    assert len(set(number)) >= 6
    assert len({image.mean() for image in found}) == 30
    again = training.randomly_augmented(tf.constant(images), key).numpy()
    np.testing.assert_array_equal(found, again)
    other = training.randomly_augmented(tf.constant(images), key + 1).numpy()
    assert (found != other).any()


def means_extractor():
    def function(images):
        return images.mean(axis=(1, 2)).astype(np.float32)

    return Extractor("means", "FD (means)", 3, {}, function)


def test_the_first_view_is_the_image_itself_and_the_others_differ():
    images = images_of(300)
    images[:, :, :, 0] //= 2
    views = training.feature_views(means_extractor(), images, views=3, seed=1)
    assert views.shape == (300, 3, 3)
    np.testing.assert_array_equal(views[:, 0], images.mean(axis=(1, 2)).astype(np.float32))
    assert (np.abs(views[:, 1] - views[:, 0]).max(axis=1) > 0.1).mean() > 0.9
    assert (np.abs(views[:, 1] - views[:, 2]).max(axis=1) > 0.1).mean() > 0.9
    again = training.feature_views(means_extractor(), images, views=3, seed=1)
    np.testing.assert_array_equal(views, again)
    other = training.feature_views(means_extractor(), images, views=3, seed=2)
    assert (views[:, 1] != other[:, 1]).any()


def grey_images():
    """Dark ones of class 0, bright ones of class 1; painted ones the other way round."""
    grey = np.concatenate([np.repeat([60, 190], COUNTS), np.repeat([190, 60], 20)])
    return np.full((80, 16, 16, 3), 0, np.uint8) + grey[:, None, None, None].astype(np.uint8)


def test_a_cnn_learns_from_what_its_arm_draws_and_repeats_itself():
    images = grey_images()
    trainer = training.cnn_trainer(16, 2)
    pool, tests = pool_of(images, 20), images[[0, 35]]
    real = trainer.probabilities(pool, CONTROLS[2], COUNTS, tests, tests[:1], seed=1, steps=30)
    painted = trainer.probabilities(pool, make_arms((1.0,))[-1], COUNTS, tests, seed=1, steps=30)
    again = trainer.probabilities(pool, CONTROLS[2], COUNTS, tests, tests[:1], seed=1, steps=30)
    other = trainer.probabilities(pool, CONTROLS[2], COUNTS, tests, seed=2, steps=30)
    np.testing.assert_array_equal(real[0].argmax(axis=1), [0, 1])
    np.testing.assert_array_equal(painted[0].argmax(axis=1), [1, 0])
    np.testing.assert_allclose(real[0].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(real[0], again[0])
    np.testing.assert_allclose(real[1], real[0][:1], rtol=1e-5)
    assert (real[0] != other[0]).any()


def test_a_linear_head_takes_other_views_only_where_the_arm_augments():
    """View 0 tells the classes apart one way, the others the opposite way."""
    sign = np.repeat([-1.0, 1.0], COUNTS)
    views = np.stack([sign, *[-sign] * 9], axis=1)[..., None].astype(np.float32)
    trainer = training.linear_trainer(1, 2)
    tests = np.array([[-1.0], [1.0]], np.float32)
    plain = dataclasses.replace(CONTROLS[2], augmented=False)
    pool = pool_of(views, 0)
    (as_it_is,) = trainer.probabilities(pool, plain, COUNTS, tests, seed=0, steps=150)
    (augmented,) = trainer.probabilities(pool, CONTROLS[2], COUNTS, tests, seed=0, steps=150)
    np.testing.assert_array_equal(as_it_is.argmax(axis=1), [0, 1])
    np.testing.assert_array_equal(augmented.argmax(axis=1), [1, 0])


def test_class_weights_change_what_is_learnt():
    """On features that tell nothing, weights turn the shares of the classes into even odds."""
    features = np.zeros((40, 1, 1), np.float32)
    trainer = training.linear_trainer(1, 2)
    test = np.zeros((1, 1), np.float32)
    (plain,) = trainer.probabilities(
        pool_of(features, 0), CONTROLS[0], COUNTS, test, seed=0, steps=400
    )
    (weighted,) = trainer.probabilities(
        pool_of(features, 0), CONTROLS[1], COUNTS, test, seed=0, steps=400
    )
    assert plain[0, 1] == pytest.approx(0.25, abs=0.08)
    assert weighted[0, 1] == pytest.approx(0.5, abs=0.05)

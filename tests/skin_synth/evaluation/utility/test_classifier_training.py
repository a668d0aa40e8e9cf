"""Trainers draw and augment what an arm asks for, and repeat themselves exactly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.evaluation.metrics.nearest import symmetries
from skin_synth.evaluation.utility import classifier_training as training
from skin_synth.evaluation.utility.arms import CONTROLS, make_arms
from tests.skin_synth.evaluation.utility.conftest import MEANS

COUNTS = np.array([30, 10])


def pool_of(inputs, synthetic):
    """`COUNTS` real images of labels 0 and 1, then `synthetic` of each."""
    labels = np.concatenate([np.repeat([0, 1], COUNTS), np.repeat([0, 1], synthetic)])
    return training.Pool(inputs, labels, np.arange(len(labels)) >= 40)


@pytest.mark.parametrize("arm", make_arms((4.0,)), ids=lambda arm: arm.name)
def test_an_arm_draws_each_cell_as_often_as_its_share(arm):
    seen = []
    trainer = training.linear_trainer.__wrapped__(1, 2)  # not from the cache: it is changed
    make_batch = trainer._make_batch

    def watched(features, rows, key, augmented):
        tf.py_function(lambda r: seen.append(r.numpy()), [rows], [])
        return make_batch(features, rows, key, augmented)

    trainer._make_batch = watched
    features = np.zeros((80, 3, 1), np.float32)
    trainer.probabilities(pool_of(features, 20), arm, COUNTS, features[:2, 0], seed=0, steps=40)
    rows = np.concatenate(seen)
    assert len(rows) == 40 * training.BATCH_SIZE
    ends = np.cumsum([30, 10, 20, 20])
    counts = np.bincount(np.searchsorted(ends, rows, side="right"), minlength=4)
    shares = arm.cells(COUNTS).ravel()
    np.testing.assert_allclose(counts / len(rows), shares, atol=0.035)
    assert (counts[shares == 0] == 0).all()
    # Every member of a cell is drawn.
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
    fits = [
        [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(turned, found, strict=True)]
        for turned in symmetries(images)
    ]
    assert np.max(fits, axis=0).min() > 0.9
    assert len(set(np.argmax(fits, axis=0))) >= 6
    assert len({image.mean() for image in found}) == 30
    again = training.randomly_augmented(tf.constant(images), key).numpy()
    np.testing.assert_array_equal(found, again)
    other = training.randomly_augmented(tf.constant(images), key + 1).numpy()
    assert (found != other).any()


def test_the_first_view_is_the_image_itself_and_the_others_differ():
    images = images_of(300)
    images[:, :, :, 0] //= 2
    views = training.feature_views(MEANS, images, views=3, seed=1)
    assert views.shape == (300, 3, 3)
    np.testing.assert_array_equal(views[:, 0], images.mean(axis=(1, 2)).astype(np.float32))
    assert (np.abs(views[:, 1] - views[:, 0]).max(axis=1) > 0.1).mean() > 0.9
    assert (np.abs(views[:, 1] - views[:, 2]).max(axis=1) > 0.1).mean() > 0.9
    again = training.feature_views(MEANS, images, views=3, seed=1)
    np.testing.assert_array_equal(views, again)
    other = training.feature_views(MEANS, images, views=3, seed=2)
    assert (views[:, 1] != other[:, 1]).any()


def test_a_cnn_learns_from_what_its_arm_draws_and_repeats_itself():
    """Real images are dark in class 0 and bright in class 1, synthetic ones the other way round."""
    grey = np.concatenate([np.repeat([60, 190], COUNTS), np.repeat([190, 60], 20)])
    images = np.zeros((80, 16, 16, 3), np.uint8) + grey[:, None, None, None].astype(np.uint8)
    trainer = training.cnn_trainer(16, 2)
    pool, tests = pool_of(images, 20), images[[0, 35]]

    def trained(arm, seed):
        return trainer.probabilities(pool, arm, COUNTS, tests, tests[:1], seed=seed, steps=30)

    real, again, other = (trained(CONTROLS[2], seed) for seed in (1, 1, 2))
    synthetic = trained(make_arms((1.0,))[-1], 1)
    np.testing.assert_array_equal(real[0].argmax(axis=1), [0, 1])
    np.testing.assert_array_equal(synthetic[0].argmax(axis=1), [1, 0])
    np.testing.assert_allclose(real[0].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(real[0], again[0])
    np.testing.assert_allclose(real[1], real[0][:1], rtol=1e-5)
    assert (real[0] != other[0]).any()


def test_a_linear_head_takes_other_views_only_where_the_arm_augments():
    """View 0 separates the classes one way, the others the opposite way."""
    sign = np.repeat([-1.0, 1.0], COUNTS)
    views = np.stack([sign, *[-sign] * 9], axis=1)[..., None].astype(np.float32)
    trainer = training.linear_trainer(1, 2)
    tests = np.array([[-1.0], [1.0]], np.float32)
    for augmented, expected in ((False, [0, 1]), (True, [1, 0])):
        arm = dataclasses.replace(CONTROLS[2], augmented=augmented)
        pool = pool_of(views, 0)
        (found,) = trainer.probabilities(pool, arm, COUNTS, tests, seed=0, steps=150)
        np.testing.assert_array_equal(found.argmax(axis=1), expected)


def test_class_weights_change_what_is_learnt():
    """On features without information, weights turn the shares of the classes into even odds."""
    pool = pool_of(np.zeros((40, 1, 1), np.float32), 0)
    trainer = training.linear_trainer(1, 2)
    for arm, share, error in ((CONTROLS[0], 0.25, 0.08), (CONTROLS[1], 0.5, 0.05)):
        (found,) = trainer.probabilities(pool, arm, COUNTS, pool.inputs[:1, 0], seed=0, steps=400)
        assert found[0, 1] == pytest.approx(share, abs=error)

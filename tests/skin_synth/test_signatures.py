"""The sampler: what a seed means, rows that depend on themselves only, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.networks import Generator
from skin_synth.signatures import CHUNK, Sampler, to_uint8
from tfrecords_tools.errors import InputError

NAMES = ("akiec", "nävus", "vasc")


@pytest.fixture(scope="module")
def sampler():
    network = Generator(widths=(32, 16, 16), latent_dim=8, embedding_dim=4, num_classes=3, seed=1)
    return Sampler(network, NAMES)


def test_a_row_is_the_same_alone_and_in_any_batch(sampler):
    label_ids, seeds = np.arange(64) % 3, np.arange(64) * 7919
    batch = sampler.sample(label_ids, seeds)
    for rows in (slice(0, 1), slice(63, 64), slice(5, 8), slice(20, 20 + CHUNK + 1)):
        np.testing.assert_array_equal(sampler.sample(label_ids[rows], seeds[rows]), batch[rows])
    order = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(sampler.sample(label_ids[order], seeds[order]), batch[order])


def test_the_batch_size_changes_nothing(sampler):
    label_ids, seeds = np.zeros(10, int), np.arange(10)
    np.testing.assert_array_equal(
        sampler.sample(label_ids, seeds, batch_size=3), sampler.sample(label_ids, seeds)
    )


def test_latents_are_standard_normal_and_keyed_by_the_seed_alone(sampler):
    latents = sampler.latents(tf.range(4000, dtype=tf.int64)).numpy()
    assert latents.shape == (4000, 8)
    assert latents.mean() == pytest.approx(0, abs=0.02)
    assert latents.std() == pytest.approx(1, abs=0.02)
    assert len(np.unique(latents[:, 0])) == 4000
    np.testing.assert_array_equal(sampler.latents(tf.constant([17], tf.int64))[0], latents[17])


def test_latents_equal_the_public_stateless_generator(sampler):
    expected = tf.random.stateless_normal([8], tf.constant([5, 0], tf.int64), alg="philox")
    np.testing.assert_array_equal(sampler.latents(tf.constant([5], tf.int64))[0], expected)


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63)])
def test_every_int64_is_a_seed(sampler, seed):
    assert sampler.sample([0], [seed]).shape == (1, 16, 16, 3)


def test_truncation_scales_the_latent(sampler):
    ids, seeds = tf.constant([1], tf.int64), tf.constant([3], tf.int64)
    expected = sampler.from_latent(0.5 * sampler.latents(seeds), ids)["image"]
    np.testing.assert_array_equal(sampler.sample([1], [3], truncation=0.5), expected)


def test_served_pngs_hold_the_sampled_pixels(sampler):
    served = sampler.serving_default(tf.constant(["vasc", "nävus"]), tf.constant([4, 4], tf.int64))
    np.testing.assert_array_equal(served["label_id"], [2, 1])
    pixels = [tf.io.decode_png(png) for png in served["image_bytes"]]
    np.testing.assert_array_equal(pixels, sampler.sample([2, 1], [4, 4]))


def test_no_row_gives_no_image(sampler):
    assert sampler.sample([], []).shape == (0, 16, 16, 3)
    served = sampler.serving_default(tf.constant([], tf.string), tf.constant([], tf.int64))
    assert served["image_bytes"].shape == (0,)


def test_floats_become_the_nearest_grey_level():
    values = tf.constant([[[[-2.0, -1.0, 0.0], [0.0041, 1.0, 3.0]]]])
    np.testing.assert_array_equal(to_uint8(values), [[[[0, 0, 128], [128, 255, 255]]]])


def test_unknown_labels_are_refused_with_the_known(sampler):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        sampler.serving_default(tf.constant(["Vasc"]), tf.constant([1], tf.int64))
    assert "akiec, " in str(error.value)
    assert "vasc" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([3], [0]), r"in \[0, 3\), got 3 to 3"),
        (([-1, 0], [0, 0]), r"got -1 to 0"),
        (([0, 1], [0]), r"shapes \(2,\) and \(1,\)"),
        (([[0]], [[0]]), r"two vectors"),
    ],
)
def test_wrong_rows_are_refused(sampler, arguments, message):
    with pytest.raises(InputError, match=message):
        sampler.sample(*arguments)


def test_truncation_that_is_not_finite_is_refused(sampler):
    with pytest.raises(InputError, match="finite, got nan"):
        sampler.sample([0], [0], truncation=float("nan"))


def test_no_class_is_refused(sampler):
    with pytest.raises(InputError, match="got none"):
        Sampler(sampler.generator, ())

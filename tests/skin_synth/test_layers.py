"""Layers: what the norm does to moments and condition, how upsampling starts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.layers import ModulatedNorm, SmoothUpsampling, leaky, without_grid


def test_leaky_by_hand():
    np.testing.assert_allclose(leaky(tf.constant([-2.0, 0.0, 3.0])), [-0.4, 0.0, 3.0], rtol=1e-6)


def features(count=64, channels=5):
    x = tf.random.stateless_normal([count, 4, 4, channels], [1, 2])
    return 3.0 + 2.0 * x, tf.random.stateless_normal([count, 7], [3, 4])


def test_norm_starts_as_plain_batch_normalisation():
    norm = ModulatedNorm()
    y = norm(features(), training=True).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-2)


def test_norm_scales_and_shifts_each_row_by_its_condition():
    norm = ModulatedNorm()
    x, condition = features()
    plain = norm((x, condition), training=True).numpy()
    kernel = np.random.default_rng(0).standard_normal((7, 10)).astype(np.float32)
    norm.affine.kernel.assign(kernel)
    scale, shift = np.split(condition.numpy() @ kernel, 2, axis=1)
    expected = plain * (1 + scale[:, None, None, :]) + shift[:, None, None, :]
    np.testing.assert_allclose(norm((x, condition), training=True), expected, atol=1e-3)


def test_norm_in_inference_uses_the_moving_statistics():
    norm = ModulatedNorm(momentum=0.0)
    x, condition = features()
    trained = norm((x, condition), training=True)
    np.testing.assert_allclose(norm((x, condition), training=False), trained, atol=1e-3)


def test_norm_config_round_trip():
    config = keras.saving.serialize_keras_object(ModulatedNorm(momentum=0.9))
    assert keras.saving.deserialize_keras_object(config).momentum == 0.9


def upsampled(kernel, x):
    shape = [x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
    return tf.nn.conv2d_transpose(x, kernel, shape, strides=2, padding="SAME")


def grid_energy(image):
    """Share of the variance that alternates from pixel to pixel."""
    inner = image[:, 4:-4, 4:-4]
    sign = (-1.0) ** np.arange(inner.shape[2])
    return float(np.mean((inner * sign[None, None, :, None]).mean(axis=2) ** 2) / np.mean(inner**2))


def test_upsampling_prints_less_of_a_grid_than_random_taps():
    x = tf.ones([1, 16, 16, 32]) * tf.random.stateless_normal([32], [1, 1])
    smooth = upsampled(SmoothUpsampling(0)((4, 4, 16, 32), "float32"), x).numpy()
    random = keras.initializers.GlorotUniform(seed=0)((4, 4, 16, 32))
    assert grid_energy(smooth) < 0.65 * grid_energy(upsampled(random, x).numpy())


def test_upsampling_keeps_the_variance():
    x = tf.random.stateless_normal([8, 16, 16, 64], [1, 1])
    y = upsampled(SmoothUpsampling(0)((4, 4, 64, 64), "float32"), x).numpy()
    # Interpolation takes from white noise what it smooths away; the noise half keeps all of it.
    assert np.var(y[:, 2:-2, 2:-2]) == pytest.approx(0.5 + 0.5 * (10 / 16) ** 2, abs=0.1)


def test_upsampling_follows_its_seed():
    first, again, other = (SmoothUpsampling(seed)((4, 4, 2, 3), "float32") for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_finest_grid_is_gone_and_flat_colour_stays():
    y, x = np.mgrid[:16, :16]
    checkers = np.broadcast_to(((-1.0) ** (x + y))[None, :, :, None], (1, 16, 16, 3))
    stripes = np.broadcast_to(((-1.0) ** x)[None, :, :, None], (1, 16, 16, 3))
    for grid in (checkers, stripes):
        filtered = without_grid(tf.constant(0.25 + grid, tf.float32)).numpy()
        np.testing.assert_allclose(filtered[:, 4:-4, 4:-4], 0.25, atol=1e-6)


def test_slow_waves_pass_unchanged():
    wave = np.sin(2 * np.pi * np.arange(64) / 16)[None, None, :, None]
    images = np.broadcast_to(wave, (1, 64, 64, 3))
    filtered = without_grid(tf.constant(images, tf.float32)).numpy()
    np.testing.assert_allclose(filtered[:, :, 8:-8], images[:, :, 8:-8], atol=5e-3)


def test_colours_do_not_mix():
    images = tf.one_hot([[[0] * 8] * 8], 3)
    np.testing.assert_allclose(without_grid(images), images, atol=1e-6)

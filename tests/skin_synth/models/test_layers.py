"""Layers: normalisation by moments and condition, and upsampling."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.layers import ModulatedNorm, UpsamplingConv, leaky


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_leaky_has_the_values_and_derivatives_of_tensorflow(dtype, training):
    x = tf.constant([-2.0, -1e-6, 0.0, 1e-6, 3.0], dtype)

    def derived(function):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.square(function(x))
            first = inner.gradient(y, x)
        return y, first, outer.gradient(first, x)

    found = derived(lambda x: leaky(x, training))
    expected = derived(lambda x: tf.nn.leaky_relu(x, 0.2))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_second_derivatives_send_no_zeros_through_leaky():
    @tf.function
    def penalty(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(leaky(x, training=True) ** 2)
            value = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(value, x)

    graph = penalty.get_concrete_function(tf.TensorSpec([3])).graph
    kinds = [operation.type for operation in graph.get_operations()]
    # Down once for the gradient; once up and once down again for its own.
    assert kinds.count("LeakyReluGrad") == 3


def features():
    x = tf.random.stateless_normal([64, 4, 4, 5], [1, 2])
    return 3.0 + 2.0 * x, tf.random.stateless_normal([64, 7], [3, 4])


def test_norm_starts_plain_and_scales_and_shifts_each_row_by_its_condition():
    norm = ModulatedNorm()
    x, condition = features()
    plain = norm((x, condition), training=True).numpy()
    np.testing.assert_allclose(plain.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(plain.std(axis=(0, 1, 2)), 1, atol=1e-2)
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


def upsampling():
    return UpsamplingConv(4, kernel_initializer=keras.initializers.HeNormal(seed=0))


def by_hand(layer, x):
    """The two steps one after the other."""
    large = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
    return tf.nn.conv2d(large, layer.kernel.value, 1, "SAME")


def test_upsampling_and_its_gradients_equal_those_of_its_two_steps():
    x = tf.random.stateless_normal([2, 5, 7, 6], [1, 1])
    layer = upsampling()
    np.testing.assert_allclose(layer(x), by_hand(layer, x), atol=2e-6)
    assert layer.compute_output_shape(x.shape) == (2, 10, 14, 4)
    weights = tf.random.stateless_normal([2, 10, 14, 4], [2, 2])
    gradients = []
    for function in (layer, lambda x: by_hand(layer, x)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(function(x) * weights)
        gradients.append(tape.gradient(value, [x, layer.kernel]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-5)


def test_upsampling_gives_flat_colour_for_flat_colour():
    """No grid: all four pixels that one becomes are filtered alike."""
    y = upsampling()(tf.ones([1, 8, 8, 3])).numpy()[:, 2:-2, 2:-2]
    np.testing.assert_allclose(y, np.broadcast_to(y[:, :1, :1], y.shape), atol=1e-6)


def test_a_kernel_that_is_spread_once_gives_the_same_and_is_forgotten_after():
    layer = upsampling()
    x = tf.random.stateless_normal([2, 4, 4, 3], [1, 2])
    before = layer(x).numpy()
    with layer.spread_once():
        np.testing.assert_array_equal(layer(x), before)
        layer.kernel.assign(2.0 * layer.kernel)
        np.testing.assert_array_equal(layer(x), before)
    np.testing.assert_allclose(layer(x), 2.0 * before, rtol=1e-6)

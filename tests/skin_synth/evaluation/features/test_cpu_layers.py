"""Faster layers compute what Keras' layers compute: outputs, gradients and moving statistics."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.evaluation.features.cpu_layers import (
    FusedBatchNormalization,
    PointwiseConv2D,
    fast_on_cpu,
)


def stepped(layer, x, upstream):
    """Output of a training step, gradients of x and of the weights, and the moving statistics."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    weights = [variable.value for variable in layer.trainable_variables]
    gradients = tape.gradient(y, [x, *weights], upstream)
    return [y, *gradients, *(variable.numpy() for variable in layer.non_trainable_variables)]


def perturbed(network):
    rng = np.random.default_rng(3)
    for variable in network.variables:
        noise = 0.1 * rng.normal(size=variable.shape)
        positive = variable.name in ("moving_variance", "gamma")
        variable.assign(1 + noise**2 if positive else variable.numpy() + noise)
    return network


@pytest.mark.parametrize("shape", [(4, 6, 6, 5), (2, 1, 1, 3), (64, 4, 4, 8)], ids=str)
def test_the_normalisation_is_that_of_keras(shape):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(2.0, 3.0, shape), tf.float32)
    upstream = tf.constant(rng.normal(size=shape), tf.float32)
    theirs = keras.layers.BatchNormalization(momentum=0.9)
    theirs.build(shape)
    ours = FusedBatchNormalization.from_config(theirs.get_config())
    ours.build(shape)
    ours.set_weights(perturbed(theirs).get_weights())
    found, expected = (
        [*stepped(layer, x, upstream), layer(x, training=False)] for layer in (ours, theirs)
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.fixture
def network():
    layers = keras.layers
    images = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(images))
    inner = keras.Input((8, 8, 4))
    y = layers.DepthwiseConv2D(3, strides=2, padding="same")(inner)
    block = keras.Model(inner, layers.BatchNormalization()(layers.ReLU(6.0)(y)))
    return perturbed(keras.Model(images, layers.Dense(2)(layers.GlobalMaxPooling2D()(block(x)))))


@pytest.mark.parametrize("training", [False, True])
def test_a_whole_network_computes_the_same_with_nested_parts(network, training):
    fast = fast_on_cpu(network)
    for ours, theirs in zip(fast.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    images = np.random.default_rng(1).normal(size=(6, 8, 8, 3)).astype(np.float32)
    found, expected = (each(images, training=training) for each in (fast, network))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The moving statistics are equal after the step, in training as well as without.
    for ours, theirs in zip(fast.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_layers_are_those_that_are_slow(network):
    fast = fast_on_cpu(network)
    parts = [layer for part in (fast, *fast.layers) for layer in getattr(part, "layers", [])]
    norms = [part for part in parts if isinstance(part, keras.layers.BatchNormalization)]
    assert len(norms) == 2
    assert {type(norm) for norm in norms} == {FusedBatchNormalization}
    assert not any(isinstance(part, FusedBatchNormalization) for part in network.layers)


def test_a_normalisation_without_scale_stays_as_it_is():
    images = keras.Input((4, 4, 3))
    plain = keras.Model(images, keras.layers.BatchNormalization(scale=False)(images))
    assert type(fast_on_cpu(plain).layers[-1]) is keras.layers.BatchNormalization


def test_a_strided_depthwise_convolution_keeps_the_dtype_of_its_network():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        images = keras.Input((8, 8, 3))
        strided = keras.layers.DepthwiseConv2D(3, strides=2)(images)
        plain = keras.Model(images, keras.layers.DepthwiseConv2D(3)(strided))
    finally:
        keras.config.set_dtype_policy(policy)
    fast = fast_on_cpu(plain)
    assert [layer.compute_dtype for layer in fast.layers[1:]] == ["float32", "bfloat16"]
    assert fast.output.dtype == plain.output.dtype


@pytest.mark.parametrize("shape", [(2, 7, 5, 3), (1, 1, 1, 4)], ids=str)
def test_a_product_is_the_convolution_with_kernels_of_one_pixel(shape):
    options = {"filters": 6, "kernel_size": 1, "activation": "relu6"}
    theirs, ours = keras.layers.Conv2D(**options), PointwiseConv2D(**options)
    for layer in (theirs, ours):
        layer.build(shape)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=variable.shape) for variable in theirs.variables]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    x = tf.constant(10 * rng.normal(size=shape), tf.float32)
    expected = theirs(x).numpy()
    assert expected.min() == 0
    assert expected.max() == 6
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-5)
    compiled = tf.function(ours, input_signature=[tf.TensorSpec([None, *shape[1:]])])
    np.testing.assert_allclose(compiled(x), expected, rtol=1e-5, atol=1e-5)

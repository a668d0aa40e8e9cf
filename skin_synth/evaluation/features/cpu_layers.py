"""Layers that train classifiers faster on a CPU; they compute the same up to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from skin_synth.keras_backend import keras


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` with one kernel for the training output and its gradient.

    Keras computes both by a dozen operations, each of which reads the whole tensor. On a CPU they
    take most of the time of a training step.
    """

    def call(self, inputs: tf.Tensor, training: bool = False, mask: Any = None) -> tf.Tensor:
        """Normalises images [n, height, width, channels]; `training` uses their moments."""
        if not training:
            return super().call(inputs, training=False, mask=mask)
        moments_of_batch = tf.zeros([0])
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=moments_of_batch,
            variance=moments_of_batch,
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance; Keras keeps the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        variance *= (count - 1.0) / count
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving.value + (1.0 - self.momentum) * current)
        return outputs


class PointwiseConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with kernels of one pixel, as one matrix product.

    On a CPU that takes nine tenths of the time, if the activation is part of the layer.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Multiplies the channels of each pixel: [n, height, width, channels]."""
        shape = tf.shape(inputs)
        kernel = tf.reshape(self.kernel, [-1, self.filters])
        rows = tf.matmul(tf.reshape(inputs, [-1, kernel.shape[0]]), kernel)
        found = self.activation(tf.nn.bias_add(rows, self.bias))
        return tf.reshape(found, tf.concat([shape[:3], [self.filters]], 0))


def fast_on_cpu(network: keras.Model) -> keras.Model:
    """Returns a network of faster layers with the weights of `network`, in the same order."""
    fast = keras.models.clone_model(network, clone_function=_fast, recursive=True)
    fast.set_weights(network.get_weights())
    return fast


def _fast(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = layer.get_config()
    if type(layer) is keras.layers.BatchNormalization and layer.center and layer.scale:
        return FusedBatchNormalization.from_config(config)
    if isinstance(layer, keras.layers.DepthwiseConv2D) and np.max(layer.strides) > 1:
        # In bfloat16 its gradient takes ten times as long as in float32.
        return type(layer).from_config(config | {"dtype": "float32"})
    return type(layer).from_config(config)

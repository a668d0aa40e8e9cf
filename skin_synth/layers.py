"""Keras layers that the two networks are made of."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

LEAK = 0.2
EPSILON = 1e-3
BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""Taps of the smooth interpolation by two (Zhang 2019; StyleGAN2's resampling filter)."""
HALF_BAND = (-1.0, 0.0, 9.0, 16.0, 9.0, 0.0, -1.0)
"""Taps of the maximally flat half-band filter: nothing passes that alternates pixel by pixel."""


def leaky(x: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU of slope 0.2."""
    return ops.leaky_relu(x, negative_slope=LEAK)


def without_grid(images: tf.Tensor) -> tf.Tensor:
    """Images without the finest grid, which strided layers print and no camera would.

    Rows and columns are filtered by `HALF_BAND`, mirrored at the edge. Both are products with one
    banded matrix: on a CPU a fraction of the time of a convolution over three channels.

    Args:
        images: float32[n, side, side, 3].

    Returns:
        As `images`.
    """
    matrix = _filter_matrix(images.shape[1])
    return tf.einsum("yh,xw,nhwc->nyxc", matrix, matrix, images, optimize="optimal")


@functools.cache
def _filter_matrix(side: int) -> np.ndarray:
    """The filter of `side` values as a matrix: float32[side, side]."""
    taps = np.array(HALF_BAND, np.float32) / np.sum(HALF_BAND)
    margin = len(taps) // 2
    mirrored = np.pad(np.arange(side), margin, "symmetric")
    matrix = np.zeros((side, side), np.float32)
    for row in range(side):
        np.add.at(matrix[row], mirrored[row : row + len(taps)], taps)
    return matrix


@keras.saving.register_keras_serializable("skin_synth")
class SmoothUpsampling(keras.initializers.Initializer):
    """Start of a transposed 4x4 convolution of stride two: half interpolation, half noise.

    The interpolating half is the binomial filter times a random matrix of channels. It keeps the
    output smooth from the first step on, where plain random taps print a grid of single pixels
    on it that takes long to unlearn. Both halves and their sum keep the variance.

    Kernel shape: [4, 4, channels out, channels in].
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        """The kernel; see the class."""
        _, _, channels_out, channels_in = shape
        random = np.random.default_rng(self.seed)
        taps = np.outer(BINOMIAL, BINOMIAL)[:, :, None, None] / 16
        matrix = random.standard_normal((channels_out, channels_in)) / channels_in**0.5
        noise = random.standard_normal(shape) / (4 * channels_in) ** 0.5
        return ops.convert_to_tensor((taps * matrix + noise) / 2**0.5, dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"seed": self.seed}


@keras.saving.register_keras_serializable("skin_synth")
class ModulatedNorm(keras.layers.Layer):
    """Batch normalisation, scaled and shifted by a linear map of the condition.

    y = (1 + W_s c) * BN(x) + W_b c, with c the condition of the row (latent and class), after
    self-modulation (Chen et al. 2019, eq. 2). Both maps start at zero: as a plain norm.

    Statistics are float32 under every policy. Norm and modulation are folded into one factor and
    one summand a row and channel, so that the image-sized tensor is touched once: Keras' own
    layer followed by a modulation takes most of the generator's time on a CPU.

    Call with (x: [n, height, width, channels], condition: [n, d]); returns the shape of x.
    """

    def __init__(self, *, momentum: float = 0.99, **options: Any) -> None:
        super().__init__(**options)
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        """Makes the two linear maps and the moving statistics, for the channels of x."""
        image_shape, condition_shape = input_shape
        channels = image_shape[-1]
        self.affine = keras.layers.Dense(2 * channels, kernel_initializer="zeros", dtype="float32")
        self.affine.build(condition_shape)
        # Without autocast=False a mixed policy would hand out the statistics in 16 bits.
        options = {"shape": (channels,), "dtype": "float32", "trainable": False, "autocast": False}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **options)
        self.moving_variance = self.add_weight(
            initializer="ones", name="moving_variance", **options
        )

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the class."""
        x, condition = inputs
        mean, variance = self._moments(x) if training else self._moving()
        scale, shift = tf.split(self.affine(condition), 2, axis=-1)
        factor = (1.0 + scale) * tf.math.rsqrt(variance + EPSILON)
        summand = shift - mean * factor
        return x * _per_pixel(factor, x.dtype) + _per_pixel(summand, x.dtype)

    def _moments(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance of the batch, which the moving ones follow."""
        mean, variance = tf.nn.moments(tf.cast(x, tf.float32), axes=[0, 1, 2])
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving.value + (1 - self.momentum) * current)
        return mean, variance

    def _moving(self) -> tuple[tf.Tensor, tf.Tensor]:
        return self.moving_mean.value, self.moving_variance.value

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of x."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "momentum": self.momentum}


def _per_pixel(values: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(values, dtype)[:, None, None, :]

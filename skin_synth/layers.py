"""Keras layers that the two networks are made of."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

LEAK = 0.2
BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""Taps of the smooth interpolation by two (Zhang 2019; StyleGAN2's resampling filter)."""


def leaky(x: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU of slope 0.2."""
    return ops.leaky_relu(x, negative_slope=LEAK)


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

    Call with (x: [n, height, width, channels], condition: [n, d]); returns the shape of x.
    """

    def __init__(self, *, momentum: float = 0.99, **options: Any) -> None:
        super().__init__(**options)
        self.momentum = momentum
        self.norm = keras.layers.BatchNormalization(
            momentum=momentum, center=False, scale=False, dtype=self.dtype_policy
        )

    def build(self, input_shape: Any) -> None:
        """Makes the two linear maps, for the channels of x."""
        image_shape, condition_shape = input_shape
        self.norm.build(image_shape)
        self.affine = keras.layers.Dense(
            2 * image_shape[-1], kernel_initializer="zeros", dtype=self.dtype_policy
        )
        self.affine.build(condition_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """See the class."""
        x, condition = inputs
        scale, shift = ops.split(self.affine(condition)[:, None, None, :], 2, axis=-1)
        return self.norm(x, training=training) * (1 + scale) + shift

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of x."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "momentum": self.momentum}

"""Keras layers that the two networks are made of."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from skin_synth.keras_backend import keras, ops
from skin_synth.models import convolution, replicas

LEAKY_SLOPE = 0.2
NORM_EPSILON = 1e-3


def leaky(x: tf.Tensor, training: bool = False) -> tf.Tensor:
    """Applies a leaky ReLU of slope 0.2.

    In training the gradient uses the output, which has the sign of x. So x need not be stored, and
    oneDNN can fuse convolution, bias and activation.
    """
    return _leaky_by_result(x) if training else ops.leaky_relu(x, negative_slope=LEAKY_SLOPE)


@tf.custom_gradient
def _leaky_by_result(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    result = tf.nn.leaky_relu(x, LEAKY_SLOPE)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # Only the sign counts; in a second derivative TensorFlow would send zeros through it.
        sign = tf.stop_gradient(result)
        return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=sign, alpha=LEAKY_SLOPE)

    return result, gradient


@keras.saving.register_keras_serializable("skin_synth")
class DownsamplingConv(keras.layers.Conv2D):
    """A 4x4 convolution of stride two that trains faster on a CPU (see `convolution`).

    Call with [n, 2 height, 2 width, channels]; returns [n, height, width, filters].
    """

    def __init__(self, filters: int, **options: Any) -> None:
        # `from_config` passes the fixed ones in `options` again.
        sides = {"kernel_size": convolution.KERNEL_SIDE, "strides": convolution.STRIDE}
        super().__init__(filters, **{**options, **sides, "padding": "same"})

    def convolution_op(self, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
        """See `keras.layers.Conv2D`."""
        return convolution.halve(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("skin_synth")
class UpsamplingConv(keras.layers.Layer):
    """Nearest-neighbour upsampling by two and a 3x3 convolution, as one transposed convolution.

    A transposed 4x4 convolution of stride two makes four pixels of each pixel, each with another
    filter. This gives a grid of single pixels, and training takes long to remove it (Odena,
    Dumoulin and Olah 2016). After upsampling, all four have the same filter. Upsampling repeats
    every row and column, so taps that read the same value can be added first: a 3x3 filter spread
    by a 2x2 box is the 4x4 filter of a transposed convolution with the same output and 4/9 of the
    multiplications.

    Call with [n, height, width, channels]; returns [n, 2 height, 2 width, filters].
    """

    def __init__(self, filters: int, *, kernel_initializer: Any, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._spread_kernels = threading.local()  # because several threads may trace at once

    @contextlib.contextmanager
    def spread_once(self) -> Iterator[None]:
        """Spreads the kernel once for all calls in the block, because a loop would repeat it."""
        self._spread_kernels.current = _spread(self.kernel)
        try:
            yield
        finally:
            del self._spread_kernels.current

    def build(self, input_shape: Any) -> None:
        """Makes the kernel, [3, 3, channels, filters], as in an ordinary convolution."""
        self.kernel = self.add_weight(
            shape=(3, 3, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Upsamples and convolves; with `training` the gradient is computed faster."""
        spread = getattr(self._spread_kernels, "current", None)
        kernel = _spread(self.kernel) if spread is None else spread
        double = convolution.double if training else convolution.double_plainly
        return double(x, kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of x, twice as high and wide."""
        n, height, width, _ = input_shape
        return n, 2 * height, 2 * width, self.filters

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {"filters": self.filters, "kernel_initializer": initializer}
        return super().get_config() | own


def _spread(kernel: tf.Tensor) -> tf.Tensor:
    """Convolves a 3x3 kernel with a 2x2 box of ones: [3, 3, in, out] to [4, 4, out, in]."""
    # A transposed convolution is the adjoint of a convolution, so the kernel is flipped.
    flipped = tf.transpose(tf.reverse(tf.convert_to_tensor(kernel), [0, 1]), [0, 1, 3, 2])
    rest = [[0, 0], [0, 0]]
    rows = tf.pad(flipped, [[0, 1], [0, 0], *rest]) + tf.pad(flipped, [[1, 0], [0, 0], *rest])
    return tf.pad(rows, [[0, 0], [0, 1], *rest]) + tf.pad(rows, [[0, 0], [1, 0], *rest])


@keras.saving.register_keras_serializable("skin_synth")
class ModulatedNorm(keras.layers.Layer):
    """Batch normalisation, scaled and shifted by a linear map of the condition.

    y = (1 + W_s c) * BN(x) + W_b c, with c the condition of the row (latent and class), after
    self-modulation (Chen et al. 2019, eq. 2). Both maps start at zero, so at first it is plain
    batch normalisation.

    Statistics are float32 under every policy. Normalisation and modulation are one factor and one
    summand per row and channel, so that the image-sized tensor is read once. Keras' layer with a
    separate modulation would take most of the generator's time on a CPU.

    Call with (x: [n, height, width, channels], condition: [n, d]); returns the shape of x.
    """

    def __init__(self, *, momentum: float = 0.99, **options: Any) -> None:
        super().__init__(**options)
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        """Makes the two linear maps and the moving statistics, for the channels of x."""
        image_shape, condition_shape = input_shape
        channels = image_shape[-1]
        linear = {"kernel_initializer": "zeros", "dtype": "float32", "name": "affine"}
        self.affine = keras.layers.Dense(2 * channels, **linear)
        self.affine.build(condition_shape)
        # Without autocast=False a mixed policy would read the statistics in 16 bits.
        options = {"shape": (channels,), "dtype": "float32", "trainable": False, "autocast": False}
        options["aggregation"] = "only_first_replica"  # all replicas have the same value
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **options)
        self.moving_variance = self.add_weight(
            initializer="ones", name="moving_variance", **options
        )

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Normalises and modulates; with `training` by the moments of the batch."""
        x, condition = inputs
        moving = self.moving_mean.value, self.moving_variance.value
        mean, variance = self._moments(x) if training else moving
        scale, shift = tf.split(self.affine(condition), 2, axis=-1)
        factor = (1.0 + scale) * tf.math.rsqrt(variance + NORM_EPSILON)
        summand = shift - mean * factor
        return x * _per_pixel(factor, x.dtype) + _per_pixel(summand, x.dtype)

    def _moments(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and variance of the global batch, and updates the moving statistics.

        The variance is the mean of squares minus the square of the mean. This halves the passes
        over x on a CPU, and replicas can average it. If the mean is a hundred times the deviation,
        the variance is wrong by a thousandth; for features the two are about equal.
        """
        x = tf.cast(x, tf.float32)
        mean, square = (tf.reduce_mean(values, axis=[0, 1, 2]) for values in (x, tf.square(x)))
        if replicas.count() > 1:
            mean, square = replicas.mean(mean, square)
        variance = tf.maximum(square - tf.square(mean), 0.0)
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving.value + (1 - self.momentum) * current)
        return mean, variance

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of x."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return super().get_config() | {"momentum": self.momentum}


def _per_pixel(values: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(values, dtype)[:, None, None, :]

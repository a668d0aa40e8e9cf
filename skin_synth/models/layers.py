"""Keras layers that the two networks are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from skin_synth.models import convolution, replicas

LEAK = 0.2
EPSILON = 1e-3


def leaky(x: tf.Tensor, training: bool = False) -> tf.Tensor:
    """Leaky ReLU of slope 0.2.

    In training its derivative is found from its result, which has the sign of x: as x is of no more
    use then, a convolution, its bias and this function become one kernel of oneDNN's.
    """
    return _leaky_by_result(x) if training else ops.leaky_relu(x, negative_slope=LEAK)


@tf.custom_gradient
def _leaky_by_result(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    result = tf.nn.leaky_relu(x, LEAK)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        # Only its sign counts here; derived once more, TensorFlow would send zeros through it.
        sign = tf.stop_gradient(result)
        return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=sign, alpha=LEAK)

    return result, gradient


@keras.saving.register_keras_serializable("skin_synth")
class DownsamplingConv(keras.layers.Conv2D):
    """A 4x4 convolution of stride two that trains faster on a CPU (see `convolution`).

    Call with [n, 2 height, 2 width, channels]; returns [n, height, width, filters].
    """

    def __init__(self, filters: int, **options: Any) -> None:
        # Over those of options, where `from_config` hands them back.
        fixed = {
            "kernel_size": convolution.SIDE,
            "strides": convolution.STRIDE,
            "padding": "same",
        }
        super().__init__(filters, **{**options, **fixed})

    def convolution_op(self, inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
        """See `keras.layers.Conv2D`."""
        return convolution.halve(inputs, tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("skin_synth")
class UpsamplingConv(keras.layers.Layer):
    """Nearest-neighbour upsampling by two and a 3x3 convolution, as one transposed convolution.

    A transposed 4x4 convolution of stride two has a filter of its own for each of the four pixels
    that one becomes, and prints a grid of single pixels on its output that takes long to unlearn
    (Odena, Dumoulin and Olah 2016). Upsampling first gives all four the same filter. As every row
    and column occurs twice then, taps that meet the same value are added beforehand: the 3x3 filter
    spread by a 2x2 box is the 4x4 filter of a transposed convolution that gives the very same
    output from 4/9 of the products.

    Call with [n, height, width, channels]; returns [n, 2 height, 2 width, filters].
    """

    def __init__(self, filters: int, *, kernel_initializer: Any, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._ready: tf.Tensor | None = None

    @contextlib.contextmanager
    def spread_once(self) -> Iterator[None]:
        """Spreads the kernel here, for all calls in the block: in a loop it would be each time."""
        self._ready = _spread(self.kernel)
        try:
            yield
        finally:
            self._ready = None

    def build(self, input_shape: Any) -> None:
        """Makes the kernel: [3, 3, channels, filters], as of a plain convolution."""
        self.kernel = self.add_weight(
            shape=(3, 3, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """See the class; `training` gives the same faster derivatives (see `convolution`)."""
        kernel = _spread(self.kernel) if self._ready is None else self._ready
        double = convolution.double if training else convolution.double_plainly
        return double(x, kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of x, twice as high and wide."""
        n, height, width, _ = input_shape
        return n, 2 * height, 2 * width, self.filters

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_initializer": initializer,
        }


def _spread(kernel: tf.Tensor) -> tf.Tensor:
    """A 3x3 kernel convolved with a 2x2 box of ones: [3, 3, in, out] to [4, 4, out, in].

    Flipped, as a transposed convolution is the adjoint of a convolution.
    """
    flipped = tf.transpose(tf.reverse(tf.convert_to_tensor(kernel), [0, 1]), [0, 1, 3, 2])
    rest = [[0, 0], [0, 0]]
    rows = tf.pad(flipped, [[0, 1], [0, 0], *rest]) + tf.pad(flipped, [[1, 0], [0, 0], *rest])
    return tf.pad(rows, [[0, 0], [0, 1], *rest]) + tf.pad(rows, [[0, 0], [1, 0], *rest])


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
        self.affine = keras.layers.Dense(
            2 * channels, kernel_initializer="zeros", dtype="float32", name="affine"
        )
        self.affine.build(condition_shape)
        # Without autocast=False a mixed policy would hand out the statistics in 16 bits.
        options = {"shape": (channels,), "dtype": "float32", "trainable": False, "autocast": False}
        options["aggregation"] = "only_first_replica"  # they are the same on all
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
        """Mean and variance of the global batch, which the moving ones follow.

        The variance is the mean of squares less the square of the mean: half the passes over x on a
        CPU, and what replicas can average. Where the mean is a hundred times the deviation, that
        costs a part in a thousand of the variance; of features both are about alike.
        """
        x = tf.cast(x, tf.float32)
        mean, square = (tf.reduce_mean(values, axis=[0, 1, 2]) for values in (x, tf.square(x)))
        if replicas.count() > 1:
            mean, square = replicas.mean(mean, square)
        variance = tf.maximum(square - tf.square(mean), 0.0)
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
